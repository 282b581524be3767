"""One attempt in a child, as the scheduler sees it: from the first message to the one end report.

A ward ends when its process is gone, what it has said is read, its calls are answered and its
output is in the log; not before, so that after the report nothing of it lives or writes.
"""

import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass

from msgspec.structs import replace

from eventflow.clock import Clock
from eventflow.errors import TaskError
from eventflow.executors import groups
from eventflow.executors.attempt import lost, stopped
from eventflow.executors.desk import serve
from eventflow.executors.failure import plain_failure
from eventflow.executors.messages import Begun, Call, Ended, Heartbeat, Message, Stop
from eventflow.executors.output import OutputReader
from eventflow.executors.pool import ThreadPool
from eventflow.executors.port import Desk, Job, Report, ReportKind
from eventflow.executors.reactor import Line, Reactor
from eventflow.executors.spool import Spool

_MAX_CALLS = 64
_LEAVE_S = 5.0
_OUTPUT_S = 1.0
_LOOK_S = 0.01
_LOOKS = 500
# Ends that a stop overrides (S20).
_OF_ITS_CODE = (ReportKind.SUCCESS, ReportKind.FAILED, ReportKind.SKIPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What wards and nurses work with. `report` and all of theirs are for the reactor's thread."""

    clock: Clock
    reactor: Reactor
    pool: ThreadPool
    output: OutputReader
    spool: Spool
    desk: Desk
    report: Callable[[Report], None]
    chance: Callable[[], float]
    store_url: str


class Ward:
    """One child. Belongs to the reactor's thread.

    Args:
        channel: Our end of the child's channel.
        begin: The first message on it, which names the attempt.
        pipe: The reading end of its output; `None` when that is not kept.
        kill: Sends a signal to its group, while it has one; False when nobody can any more.
        ended: Called once, after the end report.
    """

    def __init__(
        self,
        job: Job,
        means: Means,
        channel: socket.socket,
        begin: bytes,
        pipe: int | None,
        kill: Callable[[int], None],
        ended: Callable[["Ward"], None],
    ) -> None:
        self.job = job
        self._means = means
        self._pipe = pipe
        self._kill = kill
        self._ended = ended
        self._pid = 0
        self._begun: Begun | None = None
        self._report: Report | None = None
        self._code: int | None = None
        self._calls = 0
        self._stopping = False
        self._lost = ""
        self._over = False
        self._heard_at = means.clock.monotonic()
        self._line = Line(channel, means.reactor, self._take, self._hung_up)
        self._line.send_frame(begin)
        if pipe is not None and job.log_path is not None:
            means.output.read(pipe, job.log_path, lambda: means.reactor.post(self._output_is_over))
        self._listen(job.heartbeat_timeout_s)

    @property
    def dead(self) -> bool:
        """Whether the process is gone; what it has said may still be under way."""
        return self._code is not None

    def spawned(self, pid: int) -> None:
        """The nursery has made the process."""
        self._pid = pid

    def stop(self) -> None:
        """Ask for the end, then demand it, then enforce it (S20)."""
        if self._stopping or self._report is not None or self._code is not None:
            return
        self._stopping = True
        self._line.send(Stop())
        grace_s = self.job.stop_grace_s
        self._means.reactor.after(grace_s / 2, lambda: self._demand(signal.SIGTERM))
        self._means.reactor.after(grace_s, lambda: self._demand(signal.SIGKILL))

    def exited(self, code: int) -> None:
        """The process and its group are gone."""
        if self._code is not None:
            return
        self._code = code
        self._line.drain()
        if self._pipe is not None:
            self._means.reactor.after(_OUTPUT_S, self._give_up_output)
        self._end_if_all_is_in()

    def orphaned(self, why: str) -> None:
        """The nursery is gone: kill the group ourselves, and see that it dies."""
        self._lost = why
        self._line.drain()
        # Without us at its other end the channel ends too, and a child that is there ends itself.
        self._line.close()
        self._kill_group()
        self._await_death(_LOOKS)

    def abandon(self) -> None:
        """Kill it and let go of everything, without a report."""
        self._over = True
        self._line.close()
        self._give_up_output()
        self._kill_group()

    def _kill_group(self) -> None:
        if self._begun is not None:
            groups.end_group(self._pid, self._begun.started)
        elif self._pid:
            groups.signal_group(self._pid, signal.SIGKILL)

    def _await_death(self, looks: int) -> None:
        started = self._begun.started if self._begun is not None else ""
        if looks > 0 and groups.lives(self._pid, started):
            self._means.reactor.after(_LOOK_S, lambda: self._await_death(looks - 1))
        else:
            self.exited(-signal.SIGKILL)

    def _demand(self, number: int) -> None:
        if self._code is None:
            self._kill(number)

    def _take(self, message: Message) -> None:
        self._heard_at = self._means.clock.monotonic()
        match message:
            case Begun():
                self._begun = message
                self._pid = message.pid
                self._means.report(Report(key=self.job.key, kind=ReportKind.RUNNING))
            case Ended():
                self._report = message.report
                self._means.reactor.after(_LEAVE_S, lambda: self._demand(signal.SIGKILL))
            case Call():
                self._answer(message)
            case Heartbeat():
                pass

    def _answer(self, call: Call) -> None:
        self._calls += 1
        if self._calls >= _MAX_CALLS:
            self._line.pause(True)
        desk, reactor = self._means.desk, self._means.reactor

        def ask() -> None:
            answer = serve(desk, call, self.job.task_execution.id)
            reactor.post(lambda: self._answered(answer))

        self._means.pool.run(ask)

    def _answered(self, answer: bytes) -> None:
        self._calls -= 1
        if self._calls == _MAX_CALLS - 1:
            self._heard_at = self._means.clock.monotonic()  # it was we who did not listen
            self._line.pause(False)
        self._line.send_frame(answer)
        self._end_if_all_is_in()

    def _listen(self, patience_s: float) -> None:
        self._means.reactor.after(patience_s, self._judge_silence)

    def _judge_silence(self) -> None:
        """S28: silent means that nothing has come for so long, after reading what has come."""
        if self._code is not None or self._lost:
            return
        if self._calls < _MAX_CALLS:
            self._line.drain()
        limit = self.job.heartbeat_timeout_s
        silent_s = self._means.clock.monotonic() - self._heard_at
        if silent_s < limit or self._calls >= _MAX_CALLS:
            self._listen(max(limit - silent_s, _LOOK_S))
            return
        self._lost = f"silent for {silent_s:.0f} s"
        self._demand(signal.SIGKILL)

    def _hung_up(self) -> None:
        # It closes its end, or breaks the form, only when it ends; the nursery will say so.
        self._means.reactor.after(_LEAVE_S, lambda: self._demand(signal.SIGKILL))

    def _output_is_over(self) -> None:
        self._pipe = None
        self._end_if_all_is_in()

    def _give_up_output(self) -> None:
        if self._pipe is not None:
            self._means.output.give_up(self._pipe)
            self._output_is_over()

    def _end_if_all_is_in(self) -> None:
        if self._over or self._code is None or self._calls > 0 or self._pipe is not None:
            return
        self._over = True
        self._line.close()
        self._means.report(self._outcome(self._code))
        self._ended(self)

    def _outcome(self, code: int) -> Report:
        told = self._report if self._report is not None else self._means.spool.outcome(self.job.key)
        if told is not None and told.key == self.job.key:
            if self._stopping and told.kind in _OF_ITS_CODE:
                return stopped(self.job.key, "stopped")
            return told
        report = self._verdict(code)
        try:
            self._means.spool.end(report, durable=self.job.must_not_repeat)
        except OSError as error:
            return replace(report, reason=f"{report.reason}; not written down: {error}")
        return report

    def _verdict(self, code: int) -> Report:
        """What is to be said of an attempt that has said nothing itself."""
        key = self.job.key
        if self._stopping:
            return stopped(key, "killed" if code < 0 else "stopped")
        if self._lost:
            return lost(key, self._lost)
        how = f"killed by {signal_name(-code)}" if code < 0 else f"exit code {code}"
        if self._begun is None:
            return lost(key, f"{how} before it began")
        return Report(
            key=key,
            kind=ReportKind.FAILED,
            failure=plain_failure(
                TaskError, f"the process of the task ended without an outcome: {how}", key.attempt
            ),
            retryable=self._begun.retries_any,
            chance=self._means.chance(),
            reason=how,
        )


def signal_name(number: int) -> str:
    """`SIGSEGV` for 11."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
