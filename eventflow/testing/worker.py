"""A worker that runs nothing: every attempt ends as a test has said, when it has said."""

import heapq
from collections import defaultdict, deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from eventflow.clock import Clock
from eventflow.executors.attempt import lost
from eventflow.executors.failure import plain_failure
from eventflow.executors.port import AttemptKey, Code, Desk, Job, Report, ReportKind
from eventflow.model.jsonvalue import encode
from eventflow.model.operator import Operator
from eventflow.model.status import TaskStatus

DIED = "its worker died"
ENDINGS = (TaskStatus.SUCCESS, TaskStatus.FAILED, TaskStatus.SKIPPED, TaskStatus.RUNNING)


class Ending(NamedTuple):
    """How an attempt is to end; RUNNING means not by itself."""

    status: TaskStatus
    after: timedelta
    result: Any = None
    retryable: bool = True
    reason: str = ""


_AT_ONCE = Ending(TaskStatus.SUCCESS, timedelta(0))


class VirtualWorker:
    """An Executor in virtual time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._endings: dict[str, deque[Ending]] = defaultdict(deque)
        self._running: dict[AttemptKey, Job] = {}
        self._taken: set[AttemptKey] = set()
        self._ends: list[tuple[datetime, int, Report]] = []
        self._count = 0
        self.jobs: list[Job] = []

    def ends_with(self, task: str, ending: Ending) -> None:
        """The ending of one more attempt of a task."""
        self._endings[task].append(ending)

    def next_end(self) -> datetime | None:
        """When the next attempt ends by itself."""
        while self._ends and self._ends[0][2].key not in self._running:
            heapq.heappop(self._ends)
        return self._ends[0][0] if self._ends else None

    def end_due(self) -> bool:
        """Report the attempts that end by now; `False` when there is none."""
        due = self.next_end()
        if due is None or due > self._clock.now():
            return False
        report = heapq.heappop(self._ends)[2]
        del self._running[report.key]
        self._report(report)
        return True

    def attempt_of(self, task: str) -> Job | None:
        """The newest attempt of a task that is running."""
        jobs = [job for job in self._running.values() if job.task_execution.task_name == task]
        return jobs[-1] if jobs else None

    def lose(self, job: Job, *, counted: bool = True) -> None:
        """The attempt's worker dies."""
        del self._running[job.key]
        self._report(lost(job.key, DIED, counted=counted))

    def recover(self) -> list[Report]:
        return []

    def start(
        self, desk: Desk, report: Callable[[Report], None], find: Callable[[Job], Operator]
    ) -> None:
        self._report = report

    def prepare(self, code: Code) -> None:
        """Nothing runs here."""

    def submit(self, job: Job) -> None:
        if job.key in self._taken:
            return
        self._taken.add(job.key)
        self._running[job.key] = job
        self.jobs.append(job)
        self._report(Report(key=job.key, kind=ReportKind.RUNNING))
        endings = self._endings[job.task_execution.task_name]
        ending = endings.popleft() if endings else _AT_ONCE
        if ending.status is TaskStatus.RUNNING:
            return
        self._count += 1
        at = self._clock.now() + ending.after
        heapq.heappush(self._ends, (at, self._count, report_of(job.key, ending)))

    def cancel(self, key: AttemptKey) -> None:
        self._taken.add(key)
        self._running.pop(key, None)
        self._report(Report(key=key, kind=ReportKind.STOPPED))

    def confirm(self, key: AttemptKey) -> None:
        return

    def stop(self, grace_s: float) -> None:
        self._running.clear()


def report_of(key: AttemptKey, ending: Ending) -> Report:
    """The end report of an attempt that ended so."""
    if ending.status is TaskStatus.SUCCESS:
        return Report(key=key, kind=ReportKind.SUCCESS, result=encode(ending.result))
    if ending.status is TaskStatus.SKIPPED:
        return Report(key=key, kind=ReportKind.SKIPPED, reason=ending.reason)
    failure = plain_failure(RuntimeError, "it was to fail", key.attempt)
    return Report(
        key=key, kind=ReportKind.FAILED, failure=failure, retryable=ending.retryable, chance=0.5
    )
