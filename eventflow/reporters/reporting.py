"""The thread that reports one scheduler, and what its receivers share with it.

Receivers of signals mark an execution, and no more. The thread makes the newest whole picture of a
marked one and posts it; what happens meanwhile is one mark for the next picture. It shares no lock
with the scheduler, and its own is never held while it reads, posts or logs, so that a platform
which is down, slow or hanging holds up this thread and no other.
"""

import itertools
import logging
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from eventflow import signals
from eventflow.clock import Clock
from eventflow.model.records import WorkflowExecution
from eventflow.model.status import WorkflowStatus
from eventflow.model.workflow import Workflow
from eventflow.reporters.agenda import CAPACITY, Agenda
from eventflow.reporters.config import UplinkConfig
from eventflow.reporters.picture import Definitions, picture_of
from eventflow.reporters.platform import Kind, Outcome, Platform
from eventflow.reporters.reading import Records
from eventflow.reporters.wire import Report

log = logging.getLogger("eventflow")
# How many executions are looked through when the reporter starts and when it ends.
_LOOKED_THROUGH = 1_000
# Seconds between tries at the end; the first doubles up to the longest.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0
# A post that was cut ends at once; this is for a machine that is busy.
_CUT_S = 0.5


class Listing(Records, Protocol):
    """What is read of a scheduler's store."""

    def executions(
        self, *, statuses: Iterable[WorkflowStatus] = (), limit: int = 50
    ) -> list[WorkflowExecution]: ...


class Reported(Protocol):
    """What is needed of a scheduler."""

    @property
    def store(self) -> Listing: ...

    def workflow_of(self, snapshot: str) -> Workflow | None: ...


class Reporting:
    """Reports one scheduler from `start` to `stop`."""

    def __init__(
        self,
        scheduler: Reported,
        config: UplinkConfig,
        clock: Clock,
        chance: Callable[[], float],
    ) -> None:
        self._scheduler = scheduler
        self._clock = clock
        self._platform = Platform(config, clock)
        self._definitions = Definitions(scheduler.workflow_of)
        self._grace_s = config.grace
        self._names_one = config.names_one_execution
        # Guards what is below it; held for the length of a look.
        self._changed = threading.Condition()
        self._agenda = Agenda(interval=config.interval, ceiling=config.ceiling, chance=chance)
        self._only: int | None = None
        self._first_id = 1
        self._has_warned = False
        self._is_stopped = False
        self._last: deque[Report] | None = None
        self._deadline = 0.0
        self._numbers = itertools.count(1)
        self._thread = threading.Thread(target=self._work, name="eventflow-uplink", daemon=True)

    def start(self) -> None:
        store = self._scheduler.store
        newest = store.executions(limit=1)
        self._first_id = newest[0].id + 1 if newest else 1
        alive = (WorkflowStatus.INIT, WorkflowStatus.RUNNING)
        for execution in reversed(store.executions(statuses=alive, limit=_LOOKED_THROUGH)):
            self._mark(execution.id)
        signals.executions_changed.connect(self._on_change, sender=self._scheduler)
        signals.scheduler_stopped.connect(self._on_stop, sender=self._scheduler)
        self._thread.start()

    def stop(self, grace_s: float | None = None) -> None:
        """Tell how everything stands now, in `grace_s` seconds at most, and end."""
        grace_s = self._grace_s if grace_s is None else grace_s
        with self._changed:
            if self._is_stopped:
                return
            self._is_stopped = True
        signals.executions_changed.disconnect(self._on_change, sender=self._scheduler)
        signals.scheduler_stopped.disconnect(self._on_stop, sender=self._scheduler)
        until = self._clock.monotonic() + grace_s
        under_way = self._platform.under_way
        last: deque[Report] = deque()
        try:
            # In the caller's thread: once this returns, the store may be closed.
            last = self._gather(until)
        finally:
            with self._changed:
                self._last, self._deadline = last, until
                self._changed.notify_all()
        # What is under way is an older picture. It gets half of the time, and then it has to make
        # room for the newest.
        self._join(until - grace_s / 2)
        self._platform.cut(under_way)
        self._join(until)
        if self._thread.is_alive():
            self._platform.cut(self._platform.under_way)
            self._thread.join(_CUT_S)
        if last:
            log.warning("uplink.left_behind url=%s executions=%s", self._platform.url, len(last))

    def _on_change(self, sender: object, execution_ids: frozenset[int], **_: object) -> None:
        for execution_id in execution_ids:
            self._mark(execution_id)

    def _on_stop(self, sender: object, **_: object) -> None:
        self.stop()

    def _mark(self, execution_id: int) -> None:
        with self._changed:
            is_ours = self._is_ours(execution_id)
            if is_ours and self._agenda.mark(execution_id, self._clock.monotonic()):
                self._changed.notify_all()
            left_out = ""
            if not is_ours and self._only is not None:
                left_out = "run_id is the name of one execution; put {execution_id} into it"
            elif self._agenda.dropped:
                left_out = f"more than {CAPACITY} executions wait to be told"
            if self._has_warned:
                return
            self._has_warned = bool(left_out)
        if left_out:
            log.warning("uplink.not_reported execution=%s reason=%r", execution_id, left_out)

    def _is_ours(self, execution_id: int) -> bool:
        """Whether it is reported: where run_id names one execution, the first new one is."""
        if not self._names_one:
            return True
        if self._only is None and execution_id >= self._first_id:
            self._only = execution_id
        return execution_id == self._only

    def _work(self) -> None:
        while (execution_id := self._next()) is not None:
            self._tell(execution_id)
        self._say_last()

    def _next(self) -> int | None:
        """Wait for the next execution that is to be told of; `None` when it is time to end."""
        with self._changed:
            while self._last is None:
                now = self._clock.monotonic()
                execution_id = self._agenda.due(now)
                if execution_id is not None:
                    return execution_id
                self._changed.wait(self._agenda.wait(now))
        return None

    def _tell(self, execution_id: int) -> None:
        """Tell how one execution stands now, if that is news."""
        began = self._clock.monotonic()
        try:
            report = self._report(execution_id)
        except Exception as error:  # the thread would die; a store that is busy is tried again
            self._unreadable(execution_id, error)
            return
        if report is None:
            with self._changed:
                self._agenda.forget(execution_id)
            return
        cost = self._clock.monotonic() - began
        if self._is_news(report):
            outcome = self._platform.post(report)
            self._keep(report, outcome, began, cost)
            self._platform.note(outcome)

    def _unreadable(self, execution_id: int, error: Exception) -> None:
        with self._changed:
            self._agenda.failed(execution_id, self._clock.monotonic())
            is_last = self._is_stopped
        if not is_last:
            reason = f"the store cannot be read: {type(error).__name__}"
            self._platform.note(Outcome(Kind.FAILED, reason))

    def _say_last(self) -> None:
        """Tell how everything stood when it was stopped, as far as the time goes."""
        pause = _FIRST_PAUSE_S
        while self._last and (left := self._left()) > 0:
            report = self._last[0]
            if not self._is_news(report):
                self._last.popleft()
                continue
            began = self._clock.monotonic()
            outcome = self._platform.post(report, most_s=left)
            self._keep(report, outcome, began, 0.0)
            self._platform.note(outcome)
            match outcome.kind:
                case Kind.ACCEPTED | Kind.REFUSED_THIS:
                    self._last.popleft()
                case Kind.REFUSED:
                    return
                case Kind.FAILED:
                    rest = max(pause, outcome.retry_after or 0.0)
                    if rest >= self._left():
                        return
                    with self._changed:
                        self._changed.wait(rest)
                    pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _left(self) -> float:
        return self._deadline - self._clock.monotonic()

    def _join(self, until: float) -> None:
        self._thread.join(max(0.0, until - self._clock.monotonic()))

    def _gather(self, until: float) -> deque[Report]:
        """What is left to tell of every execution, those that have ended first."""
        newest = self._scheduler.store.executions(limit=_LOOKED_THROUGH)
        with self._changed:
            for execution in reversed(newest):
                # Of the newest nothing may have been heard yet: news comes after the commit.
                if execution.id >= self._first_id and self._is_ours(execution.id):
                    self._agenda.mark(execution.id, self._clock.monotonic())
            open_ids = self._agenda.open()
        found = []
        for execution_id in open_ids:
            if self._clock.monotonic() >= until:
                break
            report = self._report(execution_id)
            if report is not None and self._is_news(report):
                found.append(report)
        return deque(sorted(found, key=lambda report: not report.picture.final))

    def _report(self, execution_id: int) -> Report | None:
        """The newest picture of an execution; `None` when the store does not have it."""
        at = self._clock.now()
        execution = self._scheduler.store.execution(execution_id)
        if execution is None:
            return None
        definition = self._definitions.of(execution.snapshot)
        picture = picture_of(self._scheduler.store, execution, definition)
        return Report(picture=picture, id=str(uuid.uuid4()), number=next(self._numbers), at=at)

    def _is_news(self, report: Report) -> bool:
        with self._changed:
            return self._agenda.is_news(report.picture.execution_id, report.fingerprint)

    def _keep(self, report: Report, outcome: Outcome, began: float, cost: float) -> None:
        """Put down what a post came to."""
        picture = report.picture
        execution_id, now = picture.execution_id, self._clock.monotonic()
        with self._changed:
            match outcome.kind:
                case Kind.ACCEPTED:
                    self._agenda.accepted(
                        execution_id,
                        report.fingerprint,
                        began=began,
                        cost=cost,
                        final=picture.final,
                    )
                case Kind.FAILED:
                    self._agenda.failed(execution_id, now, outcome.retry_after)
                case Kind.REFUSED:
                    self._agenda.refused(execution_id, now, all_are=True)
                case Kind.REFUSED_THIS:
                    self._agenda.refused(execution_id, now, all_are=False)
