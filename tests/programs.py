"""Programs of Python in processes of their own, without the time that importing eventflow takes.

A process that has imported it forks for each of them. What is run is what `python` would run: the
console script, a text or a file, with its own folder, environment, descriptors and end. That a
process which is really started does the same is shown by tests that use `subprocess`.
"""

import atexit
import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from json import dumps
from pathlib import Path
from types import TracebackType
from typing import IO, Any

SCRIPT = Path(sys.executable).with_name("eventflow")
_FORKS = Path(__file__).with_name("forks.py")
# What a fork may have otherwise than the process that it is a copy of, since it is read when it is
# needed. Other variables are read when Python starts, or when a module is imported.
_FREE = (
    *("EVENTFLOW_", "APP_SERVICE_", "PYTEST_", "WHIM"),
    *("PATH", "HOME", "TMPDIR", "XDG_RUNTIME_DIR", "BROWSER"),
)
_MOST_STEMS = 4
_CHUNK = 1 << 16

_Variables = frozenset[tuple[str, str]]
_asking = threading.Lock()


@dataclass(frozen=True, slots=True)
class _Stem:
    """A process that is forked, and the socket on which it is asked to."""

    process: "subprocess.Popen[bytes]"
    asked: socket.socket

    def end(self) -> None:
        """Have it end, when the programs that it has made have; a second call does nothing."""
        self.asked.close()
        self.process.wait()


_stems: dict[_Variables, _Stem] = {}


def run(
    command: Sequence[object],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
    check: bool = False,
    capture_output: bool = True,
) -> "subprocess.CompletedProcess[str]":
    """As `subprocess.run` with text that is captured."""
    with begin(command, cwd=cwd, env=env) as program:
        try:
            out, errors = program.communicate(timeout=timeout)
        except BaseException:
            program.kill()
            raise
    done = subprocess.CompletedProcess(list(command), program.returncode, out, errors)
    if check:
        done.check_returncode()
    return done


def begin(
    command: Sequence[object],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: int = subprocess.DEVNULL,
    stderr: int | None = subprocess.PIPE,
    text: bool = True,
    start_new_session: bool = False,
) -> "Running":
    """As `subprocess.Popen` with standard output in a pipe."""
    words = [str(word) for word in command]
    environment = dict(os.environ if env is None else env)
    match words:
        case [script, *arguments] if Path(script) == SCRIPT:
            what = {"kind": "command", "target": script, "arguments": arguments}
        case [python, "-c", code, *arguments] if python == sys.executable:
            what = {"kind": "code", "target": code, "arguments": arguments}
        case [python, path, *arguments] if python == sys.executable and path.endswith(".py"):
            what = {"kind": "file", "target": path, "arguments": arguments}
        case _:
            raise ValueError(f"no program of Python: {words}")
    where = {"cwd": str(cwd or Path.cwd()), "environment": environment}
    told = dumps({**what, **where, "new_session": start_new_session}).encode()
    with ExitStack() as given:
        words_in: IO[Any] | None = None
        their_in = given.enter_context(Path(os.devnull).open("rb")).fileno()
        if stdin == subprocess.PIPE:
            their_in, ours_in = os.pipe()
            given.callback(os.close, their_in)
            words_in = os.fdopen(ours_in, "w" if text else "wb")
        out, their_out = _pipe(given, text=text)
        errors: IO[Any] | None = None
        their_errors = stderr if stderr is not None else 2
        if stderr == subprocess.PIPE:
            errors, their_errors = _pipe(given, text=text)
        elif stderr == subprocess.STDOUT:
            their_errors = their_out
        elif stderr == subprocess.DEVNULL:
            their_errors = given.enter_context(Path(os.devnull).open("wb")).fileno()
        ours, theirs = socket.socketpair()
        given.callback(theirs.close)
        _ask(environment, told, [their_in, their_out, their_errors, theirs.fileno()])
    return Running(words, ours, words_in, out, errors)


class Running:
    """A program that was begun, with those methods of `subprocess.Popen` that are needed."""

    def __init__(
        self,
        words: list[str],
        told: socket.socket,
        stdin: IO[Any] | None,
        stdout: IO[Any],
        stderr: IO[Any] | None,
    ) -> None:
        self.args = words
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self.returncode: int | None = None
        self._told = told.makefile("r")
        told.close()
        self.pid = int(self._told.readline())

    def __enter__(self) -> "Running":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for end in (self.stdin, self.stdout, self.stderr):
            if end is not None:
                end.close()
        self.wait()

    def poll(self) -> int | None:
        return self._wait(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status, as of `Popen`."""
        code = self._wait(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            # It may end between the two.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[Any, Any]:
        """What is left of its output, and of its errors."""
        until = None if timeout is None else time.monotonic() + timeout
        if self.stdin is not None:
            self.stdin.close()
        both = [end if end and not end.closed else None for end in (self.stdout, self.stderr)]
        ends = {end.fileno(): end for end in both if end is not None}
        read: dict[int, list[bytes]] = {number: [] for number in ends}
        poll = select.poll()
        for number in ends:
            poll.register(number, select.POLLIN)
        left = set(ends)
        while left:
            patience = None if until is None else max(until - time.monotonic(), 0)
            ready = poll.poll(None if patience is None else patience * 1000)
            if not ready and patience == 0:
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
            for number, _ in ready:
                data = os.read(number, _CHUNK)
                read[number].append(data)
                if not data:
                    poll.unregister(number)
                    left.remove(number)
        self.wait(None if until is None else max(until - time.monotonic(), 0))
        out = [self._as_it_is_read(end, read[end.fileno()]) if end else None for end in both]
        for end in ends.values():
            end.close()
        return out[0], out[1]

    def _as_it_is_read(self, end: IO[Any], read: list[bytes]) -> str | bytes:
        data = b"".join(read)
        return data if "b" in end.mode else data.decode()

    def _wait(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            patience = None if timeout is None else timeout * 1000
            poll = select.poll()
            poll.register(self._told, select.POLLIN)
            if poll.poll(patience):
                self.returncode = int(self._told.readline())
                self._told.close()
        return self.returncode


def _pipe(given: ExitStack, *, text: bool) -> tuple[IO[Any], int]:
    """Our end, open as it is to be read, and theirs, which is closed when it has been given."""
    ours, theirs = os.pipe()
    given.callback(os.close, theirs)
    return os.fdopen(ours, "r" if text else "rb"), theirs


def _ask(environment: Mapping[str, str], told: bytes, files: list[int]) -> None:
    variables = frozenset(it for it in environment.items() if not it[0].startswith(_FREE))
    with _asking:
        for is_last in (False, True):
            asked = _stem(variables).asked
            try:
                socket.send_fds(asked, [len(told).to_bytes(4, "big")], files)
                asked.sendall(told)
            except BrokenPipeError:
                _stems.pop(variables).end()
                if is_last:
                    raise
            else:
                return


def _stem(variables: _Variables) -> _Stem:
    """The process that is to be forked: made with the first program that needs it."""
    if variables in _stems:
        _stems[variables] = _stems.pop(variables)  # the last used is the last to go
    else:
        if len(_stems) == _MOST_STEMS:
            _stems.pop(next(iter(_stems))).end()
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, str(_FORKS), str(theirs.fileno())],
                env=dict(variables),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        _stems[variables] = _Stem(process, ours)
    return _stems[variables]


@atexit.register
def _end_all() -> None:
    while _stems:
        _stems.popitem()[1].end()
