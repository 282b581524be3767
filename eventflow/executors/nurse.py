"""The scheduler's end of one nursery: starts it, hands it attempts, and knows when it is gone."""

import os
import signal
import socket
import subprocess
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from eventflow.crashpoints import reach
from eventflow.errors import LoadError
from eventflow.executors.attempt import lost, refused, stopped
from eventflow.executors.codec import MessageError
from eventflow.executors.messages import (
    Begin,
    Broken,
    Exited,
    Kill,
    Message,
    NotSpawned,
    Ready,
    Spawn,
    Spawned,
    to_frame,
)
from eventflow.executors.nursery import command
from eventflow.executors.port import AttemptKey, Code, Job, Report
from eventflow.executors.reactor import Line
from eventflow.executors.ward import Means, Ward, signal_name

_MAX_SPAWNING = 32
_IMPORT_S = 300.0
_BROKEN_S = 60.0
_UNRESPONSIVE_S = 5.0
_AGAIN_S = 0.1
_END_S = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """An attempt for which there is no child yet, and the message for the child."""

    job: Job
    begin: bytes


class Nurse:
    """Makes the attempts of one snapshot. Belongs to the reactor's thread.

    Args:
        warn: Called with a text when attempts must be fresh interpreters.
        ended: Called with each attempt that has been reported as ended.
    """

    def __init__(
        self,
        code: Code,
        folder: Path,
        means: Means,
        warn: Callable[[str], None],
        ended: Callable[[AttemptKey], None],
    ) -> None:
        self._code = code
        self._folder = folder
        self._means = means
        self._warn = warn
        self._ended = ended
        self._waiting: deque[_Waiting] = deque()
        self._wards: dict[AttemptKey, Ward] = {}
        self._spawning: set[AttemptKey] = set()
        self._process: subprocess.Popen[bytes] | None = None
        self._line: Line | None = None
        self._ready = False
        self._again = False
        self._broken = ""
        self._broken_at = 0.0
        self._when_opened: list[Callable[[], None]] = []
        self.idle_since = means.clock.monotonic()

    @property
    def idle(self) -> bool:
        """Whether no attempt is here."""
        return not self._waiting and not self._wards

    def begin(self, job: Job) -> None:
        """Make an attempt, as soon as the nursery is ready."""
        if self._broken and self._means.clock.monotonic() - self._broken_at < _BROKEN_S:
            self._say(refused(job, LoadError(self._broken)))
            return
        try:
            begin = Begin(
                job=job, spool=str(self._means.spool.folder), store_url=self._means.store_url
            )
            self._waiting.append(_Waiting(job, to_frame(begin)))
        except MessageError as error:
            self._say(refused(job, error))
            return
        if self._process is None:
            self._open()
        self._spawn()

    def open(self, opened: Callable[[], None]) -> None:
        """Import the code before there is an attempt; `opened` is called when that has ended."""
        self._when_opened.append(opened)
        if self._ready or self._broken:
            self._say_opened()
        elif self._process is None:
            self._open()

    def stop(self, key: AttemptKey) -> None:
        """Stop an attempt; one that waits never begins."""
        ward = self._wards.get(key)
        if ward is not None:
            ward.stop()
            return
        for waiting in self._waiting:
            if waiting.job.key == key:
                self._waiting.remove(waiting)
                self._say(stopped(key, "stopped before it began"))
                return

    def forget_waiting(self) -> list[AttemptKey]:
        """Begin nothing any more; returns what will never begin."""
        forgotten = [waiting.job.key for waiting in self._waiting]
        self._waiting.clear()
        return forgotten

    def close(self) -> None:
        """End the nursery and all that is in it, without a report. Waits for its end."""
        self._waiting.clear()
        wards, self._wards = list(self._wards.values()), {}
        if self._line is not None:
            self._line.close()
            self._line = None
        if self._process is not None:
            if not self._ready:
                self._process.kill()  # it imports, and would not look at the line before its end
            try:
                self._process.wait(_END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        for ward in wards:
            ward.abandon()

    def _open(self) -> None:
        ours, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                command("nursery", str(theirs.fileno()), str(self._folder), self._code.entry),
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            self._lose_waiting(f"the nursery cannot be started: {error}")
            return
        finally:
            theirs.close()
        process = self._process
        self._ready = False
        self._broken = ""
        self._line = Line(ours, self._means.reactor, self._take, self._gone)
        self._means.reactor.after(_IMPORT_S, lambda: self._check_ready(process))

    def _take(self, message: Message) -> None:
        match message:
            case Ready():
                self._ready = True
                self._say_opened()
                if not message.forks:
                    self._warn(
                        f"code.fresh_interpreters entry={self._code.entry} "
                        f'snapshot={self._code.snapshot[:12]} reason="the import leaves a second '
                        f'thread running, so each attempt imports the code anew"'
                    )
            case Broken():
                self._broken = message.reason
                self._broken_at = self._means.clock.monotonic()
                self._say_opened()
            case Spawned():
                self._spawning.discard(message.key)
                if message.key in self._wards:
                    self._wards[message.key].spawned(message.pid)
            case NotSpawned():
                self._spawning.discard(message.key)
                if message.key in self._wards:
                    self._wards[message.key].orphaned(message.reason)
            case Exited():
                if message.key in self._wards:
                    self._wards[message.key].exited(message.code)
        self._spawn()

    def _spawn(self) -> None:
        while self._ready and self._waiting and len(self._spawning) < _MAX_SPAWNING:
            if not self._spawn_one(self._waiting[0]):
                # No file descriptors left, or the nursery has not read the last: try again soon.
                if not self._again:
                    self._again = True
                    self._means.reactor.after(_AGAIN_S, self._spawn_again)
                return
            self._waiting.popleft()

    def _spawn_again(self) -> None:
        self._again = False
        self._spawn()

    def _spawn_one(self, waiting: "_Waiting") -> bool:
        job = waiting.job
        if self._line is None:
            return False
        try:
            ours, theirs = socket.socketpair()
        except OSError:
            return False
        try:
            pipe, output = _output_for(job)
        except OSError:
            ours.close()
            theirs.close()
            return False
        reach("nurse.asked")
        sent = self._line.send_with_files(Spawn(key=job.key), [theirs.fileno(), output])
        theirs.close()
        os.close(output)
        if not sent:
            ours.close()
            if pipe is not None:
                os.close(pipe)
            return False
        self._spawning.add(job.key)
        self._wards[job.key] = Ward(
            job,
            self._means,
            ours,
            waiting.begin,
            pipe,
            lambda number: self._kill(job.key, number),
            self._ward_ended,
        )
        return True

    def _kill(self, key: AttemptKey, number: int) -> None:
        if self._line is None:
            return
        self._line.send(Kill(key=key, signal=int(number)))
        if number == signal.SIGKILL:
            process = self._process
            self._means.reactor.after(_UNRESPONSIVE_S, lambda: self._check_killed(key, process))

    def _check_killed(self, key: AttemptKey, process: "subprocess.Popen[bytes] | None") -> None:
        """A nursery that does not kill when told to hangs itself; with it goes all that it has."""
        ward = self._wards.get(key)
        if ward is not None and not ward.dead and process is not None and process is self._process:
            process.kill()

    def _check_ready(self, process: "subprocess.Popen[bytes]") -> None:
        if process is self._process and not self._ready:
            self._broken = f"{self._code.entry}: its import has not ended after {_IMPORT_S:.0f} s"
            self._broken_at = self._means.clock.monotonic()
            process.kill()

    def _gone(self) -> None:
        """The nursery has closed its end: it has ended, or is about to."""
        process, line = self._process, self._line
        self._process, self._line = None, None
        self._spawning.clear()
        how = "ended"
        if process is not None:
            process.kill()
            code = process.wait()
            how = f"was killed by {signal_name(-code)}" if code < 0 else f"left with {code}"
        if line is not None:
            line.close()
        for ward in list(self._wards.values()):
            ward.orphaned(f"the nursery of this snapshot {how}")
        if self._broken:
            for job in self._take_waiting():
                self._say(refused(job, LoadError(self._broken)))
        elif not self._ready:
            self._lose_waiting(f"the nursery {how} while it imported {self._code.entry}")
        self._ready = False
        self._say_opened()
        if self._waiting:
            self._open()

    def _say_opened(self) -> None:
        told, self._when_opened = self._when_opened, []
        for opened in told:
            opened()

    def _lose_waiting(self, why: str) -> None:
        for job in self._take_waiting():
            self._say(lost(job.key, why))

    def _take_waiting(self) -> list[Job]:
        jobs = [waiting.job for waiting in self._waiting]
        self._waiting.clear()
        return jobs

    def _ward_ended(self, ward: Ward) -> None:
        self._wards.pop(ward.job.key, None)
        self._spawning.discard(ward.job.key)
        self.idle_since = self._means.clock.monotonic()
        self._ended(ward.job.key)
        self._spawn()

    def _say(self, report: Report) -> None:
        self._means.report(report)
        self._ended(report.key)


def _output_for(job: Job) -> tuple[int | None, int]:
    """Our end of the pipe for the output, and the child's; without a log there is no pipe."""
    if job.log_path is None:
        return None, os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    return os.pipe()
