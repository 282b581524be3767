"""Attempts in threads of this process: for tests, examples and short callables that are trusted.

A thread cannot be killed. One that ignores a stop is abandoned: reported STOPPED, its late end
dropped. Standard output is the process's own; only `context.log` goes into the attempt's log.
"""

import contextvars
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from eventflow.clock import Clock, SystemClock
from eventflow.errors import EventflowError, LoadError
from eventflow.executors.alarms import AlarmClock
from eventflow.executors.attempt import Attempt, lost, refused, stopped
from eventflow.executors.journal import Journal
from eventflow.executors.pool import ThreadPool
from eventflow.executors.port import AttemptKey, Code, Desk, Job, Report, ReportKind
from eventflow.executors.roster import Roster
from eventflow.executors.taskcontext import AttemptContext
from eventflow.executors.tasklog import CappedFile, TaskLog
from eventflow.model.operator import Operator

_LEAVE_S = 1.0


@dataclass(slots=True, eq=False)
class _Run:
    """One attempt that was taken and has not been reported as ended."""

    job: Job
    attempt: Attempt | None = None
    cancelled: bool = False


class ThreadExecutor:
    """Runs attempts in threads.

    Args:
        spool: Folder for begin marks; `None` with a store that does not outlive the process.
        store_url: What child processes of tasks get as `EVENTFLOW_STORE`.
    """

    def __init__(
        self, spool: Path | None, *, store_url: str = "", clock: Clock | None = None
    ) -> None:
        self._clock = clock if clock is not None else SystemClock()
        self._journal = Journal(spool) if spool is not None else None
        self._store_url = store_url
        self._pool = ThreadPool("eventflow-task", self._clock)
        self._alarms = AlarmClock("eventflow-task-stop", self._clock)
        self._roster = Roster()
        # Guards `_runs`, what is in them, and `_muted`; never held while users' code runs.
        self._changed = threading.Condition()
        self._runs: dict[AttemptKey, _Run] = {}
        self._muted = False

    def recover(self) -> list[Report]:
        if self._journal is None:
            return []
        left = self._journal.recover()
        for key in left:
            self._roster.take(key)
        return [lost(key, "the process that ran this attempt is gone") for key in left]

    def start(
        self, desk: Desk, report: Callable[[Report], None], find: Callable[[Job], Operator]
    ) -> None:
        self._desk = desk
        self._report = report
        self._find = find

    def prepare(self, code: Code) -> None:
        """Nothing to do: the code is loaded in this process."""

    def submit(self, job: Job) -> None:
        with self._changed:
            if self._muted or not self._roster.take(job.key):
                return
            run = _Run(job)
            self._runs[job.key] = run
        self._pool.run(lambda: contextvars.copy_context().run(self._go, run))

    def cancel(self, key: AttemptKey) -> None:
        with self._changed:
            run = self._runs.get(key)
            if run is None:
                if not self._roster.take(key):
                    return  # its end was reported
                waiting = True
            else:
                if run.cancelled:
                    return
                run.cancelled = True
                waiting = run.attempt is None
                if waiting:
                    del self._runs[key]
        if run is None or waiting:
            self._say(stopped(key, "stopped before it began"))
        elif run.attempt is not None and run.attempt.ask_to_stop():
            self._pool.run(run.attempt.call_stop)
            self._alarms.after(run.job.stop_grace_s, lambda: self._abandon(run))

    def confirm(self, key: AttemptKey) -> None:
        if self._journal is not None:
            self._journal.confirm(key)
        with self._changed:
            self._roster.confirm(key)

    def stop(self, grace_s: float) -> None:
        with self._changed:
            for key in [key for key, run in self._runs.items() if run.attempt is None]:
                del self._runs[key]
            self._changed.wait_for(lambda: not self._runs, grace_s)
            self._muted = True
            left = [run.attempt for run in self._runs.values() if run.attempt is not None]
        for attempt in left:
            if attempt.ask_to_stop():
                self._pool.run(attempt.call_stop)
        with self._changed:
            self._changed.wait_for(lambda: not self._runs, _LEAVE_S if left else 0)
            self._runs.clear()
        self._pool.close()
        self._alarms.close()
        if self._journal is not None:
            self._journal.close()

    def _go(self, run: _Run) -> None:
        """The whole life of one attempt, on a thread of the pool."""
        job = run.job
        try:
            operator = self._find(job)
        except EventflowError as error:
            self._end(run, refused(job, error))
            return
        except Exception as error:  # finding may import users' code
            self._end(run, refused(job, LoadError(f"{type(error).__name__}: {error}")))
            return
        file = CappedFile(job.log_path) if job.log_path is not None else None
        log = TaskLog(file.write if file is not None else None, self._clock)
        context = AttemptContext(
            job, self._desk, log, self._clock, store_url=self._store_url, own_group=False
        )
        attempt = Attempt(job, operator, context)
        with self._changed:
            if self._runs.get(job.key) is not run:
                return  # stopped while it waited for a thread
            run.attempt = attempt
        report = self._begin_and_run(job, attempt)
        if file is not None:
            file.close()
        self._end(run, report)

    def _begin_and_run(self, job: Job, attempt: Attempt) -> Report:
        if self._journal is not None:
            try:
                self._journal.begin(job.key, durable=job.must_not_repeat)
            except OSError as error:
                # Not its task's fault: another attempt may find a disk that can be written to.
                return lost(job.key, f"the begin of the attempt cannot be written down: {error}")
        self._say(Report(key=job.key, kind=ReportKind.RUNNING))
        return attempt.run()

    def _abandon(self, run: _Run) -> None:
        self._end(run, stopped(run.job.key, "abandoned"))

    def _end(self, run: _Run, report: Report) -> None:
        """Report the end, unless it was reported: an abandoned thread may come back."""
        with self._changed:
            if self._runs.get(report.key) is not run:
                return
            del self._runs[report.key]
            self._changed.notify_all()
        self._say(report)

    def _say(self, report: Report) -> None:
        if not self._muted:
            self._report(report)
