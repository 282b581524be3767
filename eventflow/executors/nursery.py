"""The nursery: a process that has imported a snapshot's code once, and forks a child per attempt.

It has one thread, no open connection and no file of the store: what it lacks, a child cannot
inherit. When the import has left a second Python thread, a fork would copy locks that nobody ever
releases, so every child is a fresh interpreter; native threads of numeric libraries that idle do
not count. On macOS system libraries make a fork unsafe, so there it is always a fresh one.

When the scheduler is gone, which is the end of the control socket, everything here is killed.
"""

import contextlib
import gc
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from eventflow.crashpoints import reach
from eventflow.errors import LoadError
from eventflow.executors import groups
from eventflow.executors.child import become, flush_output
from eventflow.executors.code import load_workflows
from eventflow.executors.messages import (
    Broken,
    Exited,
    FrameReader,
    Kill,
    Message,
    NotSpawned,
    Ready,
    Spawn,
    Spawned,
    prepare_all,
    to_frame,
)
from eventflow.executors.port import AttemptKey
from eventflow.executors.spare import Spare, wait_for_files
from eventflow.model.workflow import Workflow

# The scheduler's own path of modules goes along, so that a task finds what the scheduler finds.
_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); "
    "import eventflow.executors.{module} as module; module.main()"
)
_CHUNK = 64 * 1024
_MAX_FILES = 128
_SPARE_S = 5.0


def command(module: str, *arguments: str) -> list[str]:
    """The command line of a Python that runs `main` of a module of this package."""
    boot = _BOOT.format(module=module)
    return [sys.executable, "-c", boot, json.dumps([str(place) for place in sys.path]), *arguments]


class Nursery:
    """Takes Spawn and Kill from the scheduler; says Spawned, NotSpawned and Exited."""

    def __init__(self, control: socket.socket, path: Path, workflows: Sequence[Workflow]) -> None:
        self._control = control
        self._path = path
        self._workflows = workflows
        self._forks = can_fork()
        self._frames = FrameReader()
        self._files: deque[int] = deque()
        self._attempts: dict[int, AttemptKey] = {}
        self._fresh: dict[int, subprocess.Popen[bytes]] = {}
        # There only while there is no attempt, and for a while after the last.
        self._spare: Spare | None = None
        # What the import has started is the workflow's own, and stays.
        self._helpers = groups.own_children()
        self._wake_read, self._wake_write = os.pipe()
        self._selector = selectors.DefaultSelector()

    def run(self) -> None:
        """Serve until the scheduler is gone."""
        groups.adopt_orphans()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._selector.register(self._control, selectors.EVENT_READ)
        prepare_all()
        groups.prepare()
        gc.collect()
        gc.freeze()
        self._send(Ready(forks=self._forks))
        while True:
            patience_s = None if self._spare is None else _SPARE_S
            ready = {key.fileobj for key, _ in self._selector.select(patience_s)}
            if not ready:
                self._dismiss_spare()
            if self._wake_read in ready:
                os.read(self._wake_read, _CHUNK)
                self._reap()
            if self._control in ready and not self._listen():
                break
        self._end_all()

    def _listen(self) -> bool:
        """Take what the scheduler says; False when it is gone."""
        try:
            data, files, _, _ = socket.recv_fds(self._control, _CHUNK, _MAX_FILES)
        except OSError:
            return False
        if not data:
            return False
        # The files of a Spawn come with its first byte, so they are here before it is whole.
        self._files.extend(files)
        for file in files:
            os.set_inheritable(file, False)
        for message in self._frames.feed(data):
            match message:
                case Spawn():
                    self._spawn(message.key, self._files.popleft(), self._files.popleft())
                case Kill():
                    self._kill(message.key, message.signal)
        return True

    def _spawn(self, key: AttemptKey, channel: int, output: int) -> None:
        try:
            pid = self._make(channel, output)
        except OSError as error:
            self._send(NotSpawned(key=key, reason=f"the system made no process: {error}"))
            return
        finally:
            os.close(channel)
            os.close(output)
        reach("nursery.forked")
        self._attempts[pid] = key
        self._send(Spawned(key=key, pid=pid))

    def _make(self, channel: int, output: int) -> int:
        spare, self._spare = self._spare, None
        if spare is not None and spare.hand_over(channel, output):
            return spare.pid
        if self._forks:
            return self._fork(lambda: (channel, output))
        return self._execute(channel, output)

    def _have_spare(self) -> None:
        """The last attempt has ended: have a child ready for the next, which may come at once."""
        if self._attempts or not self._forks:
            return
        ours, theirs = socket.socketpair()

        def take() -> tuple[int, int]:
            ours.close()
            return wait_for_files(theirs)

        try:
            self._spare = Spare(self._fork(take), ours)
        except OSError:
            ours.close()  # the next attempt finds out whether the system makes a process again
        finally:
            theirs.close()

    def _dismiss_spare(self) -> None:
        if self._spare is not None:
            self._spare.close()
            self._spare = None

    def _fork(self, take: Callable[[], tuple[int, int]]) -> int:
        flush_output()
        with warnings.catch_warnings():
            # From 3.12 on a fork warns of any second thread, idle native ones too.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            self._become_child(take)
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)  # the child does the same: whoever is first
        return pid

    def _become_child(self, take: Callable[[], tuple[int, int]]) -> NoReturn:
        try:
            os.setpgid(0, 0)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._selector.close()
            self._control.close()
            for file in (self._wake_read, self._wake_write, *self._files):
                os.close(file)
            become(take, lambda: self._workflows)
        finally:
            os._exit(70)

    def _execute(self, channel: int, output: int) -> int:
        process = subprocess.Popen(
            command("child", str(channel), str(output), str(self._path.parent), self._path.name),
            pass_fds=(channel, output),
            stdin=subprocess.DEVNULL,
            process_group=0,
        )
        self._fresh[process.pid] = process
        return process.pid

    def _kill(self, key: AttemptKey, number: int) -> None:
        for pid, known in self._attempts.items():
            if known == key:
                groups.signal_group(pid, number)

    def _reap(self) -> None:
        ended = False
        for pid, status in _dead():
            key = self._attempts.pop(pid, None)
            if key is not None:
                groups.signal_group(pid, signal.SIGKILL)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1] if status is None else status)
            self._helpers.discard(pid)
            if self._spare is not None and self._spare.pid == pid:
                self._dismiss_spare()
            fresh = self._fresh.pop(pid, None)
            if fresh is not None:
                fresh.returncode = code
            if key is not None:
                if self._forks:
                    groups.end_strays(self._helpers | self._attempts.keys())
                self._send(Exited(key=key, code=code))
                ended = True
        if ended:
            self._have_spare()

    def _end_all(self) -> None:
        mine = [*self._attempts, *([self._spare.pid] if self._spare is not None else [])]
        for pid in mine:
            groups.signal_group(pid, signal.SIGKILL)
        for pid in mine:
            os.waitpid(pid, 0)
        groups.end_strays(set())

    def _send(self, message: Message) -> None:
        try:
            self._control.sendall(to_frame(message))
        except OSError:
            return  # the scheduler is gone; the next look at the socket says so too


def _dead() -> Iterator[tuple[int, int | None]]:
    """Children that have ended, with their status where that was taken already."""
    while True:
        try:
            if not hasattr(os, "waitid"):  # macOS before Python 3.13
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                yield pid, status
                continue
            # Looked at, not yet taken: as long as it is a zombie, its pid names its group.
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if found is None:
            return
        yield found.si_pid, None


def can_fork() -> bool:
    """Whether a fork copies a whole program: one Python thread, on a system that allows it."""
    return sys.platform == "linux" and len(sys._current_frames()) == 1


def main() -> None:
    """`control folder entry` are its arguments."""
    number, folder, entry = sys.argv[1:]
    path = Path(folder, entry)
    sys.argv = [str(path)]
    control = socket.socket(fileno=int(number))
    control.set_inheritable(False)
    # While it imports nobody looks at the socket.
    groups.die_with_parent(signal.SIGTERM)
    try:
        workflows = load_workflows(path, alone=True)
    except LoadError as error:
        control.sendall(to_frame(Broken(reason=str(error))))
        return
    groups.die_with_parent(0)
    Nursery(control, path, workflows).run()
