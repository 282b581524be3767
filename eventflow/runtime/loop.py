"""The loop: read, judge, decide, commit, ring. One thread runs it; it alone decides.

Why not asyncio: deciding is computation and one commit, and users' conditions and operators are
plain functions. A thread hop is as cheap as a task switch, and tests need neither.
"""

import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from msgspec import Struct

from eventflow.clock import Clock
from eventflow.core.completion import ending_of
from eventflow.core.decide import QUIET, SENDER, facts_of, set_aside, take
from eventflow.core.decision import Decision
from eventflow.core.draft import Draft
from eventflow.core.idle import IDLE, idle_events
from eventflow.core.judge import Ask
from eventflow.core.moves import ExecutionCreated, ExecutionMoved, ExecutionStopping, RunMoved
from eventflow.core.world import Timer, World
from eventflow.crashpoints import reach
from eventflow.errors import StoreError, StoreRefusedError
from eventflow.executors.port import Report
from eventflow.garbage import no_collection
from eventflow.model.event import Event
from eventflow.model.status import WorkflowStatus
from eventflow.runtime.inbox import Arrived, Inbox
from eventflow.runtime.reporting import event_of
from eventflow.runtime.timers import Timers
from eventflow.store.ports import Batch, Store

log = logging.getLogger("eventflow")
READ_LIMIT = 512
# More turns than this in one batch, and the facts that are left go through the log: a long chain
# of rules does not hold up what comes from outside. Where a circle of them ends, says S45.
TURN_LIMIT = 20_000


class _Input(Struct, frozen=True):
    """Something to decide: an event, and what came with it."""

    event: Event
    timer: Timer | None = None
    report: Report | None = None


@dataclass(slots=True)
class _Round:
    """One batch in the making.

    Attributes:
        touched: The executions that may have fallen quiet.
        entry: The input that is being decided, with the facts that follow from it.
        alone: Only one input is decided: an earlier batch could not be, because of one of its.
    """

    now: datetime
    alone: bool = False
    entry: _Input | None = None
    decisions: list[Decision] = field(default_factory=list)
    touched: OrderedDict[int, None] = field(default_factory=OrderedDict)
    read_to: int = 0


class Loop:
    """Decides what has come in, a batch at a time.

    Args:
        world: As loaded; the loop owns it from now on.
        cursor: Offset of the last outside event that was read.
        facts_to: Up to this offset status facts may wait in the log; 0 when none does (S12).
        inbox: Where reports come in; one of its own by default.
        committed: Called after each commit, on the loop's thread, with the decisions.
        prepare: Called with the events that were read, before any is decided: the place to have
            the code of a snapshot at hand that one of them registers.
    """

    def __init__(
        self,
        *,
        store: Store,
        world: World,
        cursor: int,
        clock: Clock,
        ask: Ask,
        committed: Callable[[list[Decision]], None],
        prepare: Callable[[list[Event]], None],
        facts_to: int = 0,
        inbox: Inbox | None = None,
    ) -> None:
        self.world = world
        self.timers = Timers(world.timers.values(), clock)
        self._store = store
        self._cursor = cursor
        self._facts_to = facts_to
        self._clock = clock
        self._ask = ask
        self._committed = committed
        self._prepare = prepare
        self.inbox = Inbox(clock) if inbox is None else inbox
        # How many rounds are still decided one input at a time.
        self._alone = 0
        # Executions that may have fallen quiet. After a restart: all in which nothing is alive.
        quiet = (live.id for live in world.executions.values() if not live.alive)
        self._touched = OrderedDict.fromkeys(quiet)
        # Only a world that was loaded has any: those who held what is free are parked.
        self._idle = idle_events(world, SENDER, clock.now())
        self._left = True

    @property
    def has_more(self) -> bool:
        """Whether something is left to decide that nobody rings for."""
        if self._left or self._alone or self._touched or self._idle:
            return True
        due_at = self.timers.next_due()
        return due_at is not None and due_at <= self._clock.now()

    def step(self) -> bool:
        """Decide one batch; `False` when nothing had come in.

        What cannot be decided is found by deciding one input at a time, and is set aside: it has
        its turn, a decision that says why, and no other effect.

        Raises:
            CommitUnknownError: If nobody knows whether the batch is written: only a new loop, from
                what is in the store, may go on.
            StoreError: If the batch could not be written. Nothing of it happened; it comes again.
        """
        now = self._clock.now()
        arrived = self.inbox.arrived
        limit = 1 if self._alone else READ_LIMIT
        events = self._store.undecided(limit)
        truncated = len(events) == limit
        due = self.timers.due(now, limit)
        if not (events or arrived or self.inbox or due or self._touched or self._idle):
            self._alone = 0
            return False
        self.inbox.hold(arrived, self._store.last_offset if truncated else None)
        self._prepare(events)
        ready = self.inbox.take(events[-1].offset if truncated else None)
        touched = OrderedDict(self._touched)
        batch = _Round(now, bool(self._alone), read_to=self._cursor, touched=touched)
        self._alone -= batch.alone
        draft = Draft(self.world)
        try:
            with no_collection():
                inputs = self._inputs(events, ready, due, now)
                left_over, undone = self._decide(draft, batch, inputs)
                if batch.decisions:
                    reach("loop.decided")
                    self._commit(batch, left_over)
        except BaseException as error:
            draft.rollback()
            self.inbox.put_back(ready)
            self._left = True
            if not self._looks_for_cause(batch, error):
                raise
            return True
        self._touched = batch.touched
        self._idle = idle_events(self.world, SENDER, now) if self._idle else []
        self.inbox.put_back(ready[len(ready) - undone :])
        self._left = truncated or bool(left_over or undone)
        if not batch.decisions:
            return False
        self._after_commit(batch)
        return True

    def _looks_for_cause(self, batch: _Round, error: BaseException) -> bool:
        """Whether a batch failed for what is in it: then the one input is found and set aside."""
        passes = isinstance(error, StoreError) and not isinstance(error, StoreRefusedError)
        if passes or not isinstance(error, Exception):
            return False
        if not batch.alone:
            self._alone = 2 * READ_LIMIT
            return True
        if batch.entry is None:
            return False
        self._set_aside(batch.now, batch.entry, error)
        return True

    def _set_aside(self, now: datetime, entry: _Input, error: Exception) -> None:
        """Give an input its turn and no effect: deciding it fails whenever it is tried."""
        draft = Draft(self.world)
        aside = _Round(now, alone=True, entry=entry, read_to=self._cursor)
        try:
            why = f"{type(error).__name__}: {error}"[:500]
            aside.decisions.append(set_aside(draft, entry.event, why, now, timer=entry.timer))
            aside.read_to = max(aside.read_to, entry.event.offset)
            self._commit(aside, [])
        except BaseException:
            draft.rollback()
            raise
        log.critical(
            "event.set_aside key=%s offset=%s", entry.event.key, entry.event.offset, exc_info=error
        )
        if entry.report is not None:
            self.inbox.drop_first()
        if entry.event.key == QUIET:
            self._touched.pop(entry.event.workflow_execution_id or 0, None)
        if entry.event.key in IDLE:
            self._idle = []
        self._after_commit(aside)

    def _after_commit(self, batch: _Round) -> None:
        for decision in batch.decisions:
            self.timers.take_over(decision.changes)
        self._committed(batch.decisions)

    def _inputs(
        self, events: list[Event], ready: Iterable[Arrived], due: list[Timer], now: datetime
    ) -> Iterator[_Input]:
        """What came in, in the order of deciding: the log, the reports behind it, the timers."""
        for event in events:
            yield _Input(event)
        for arrived in ready:
            report = arrived.report
            home = self.world.homes.get(report.key.task_execution_id)
            namespace = self.world.executions[home[0]].plan.namespace if home else "default"
            yield _Input(event_of(report, home, namespace, arrived.at), report=report)
        for timer in due:
            reach("timer.due")
            yield _Input(_alarm(timer, now), timer=timer)
        for idle in self._idle:
            yield _Input(idle)

    def _decide(
        self, draft: Draft, batch: _Round, inputs: Iterator[_Input]
    ) -> tuple[list[Event], int]:
        """Decide every input and, right after each, the facts that follow from it (S12).

        Returns:
            The facts beyond the bound, and how many reports, the last ones, were not reached.
        """
        facts: deque[Event] = deque()
        for entry in inputs:
            batch.entry = entry
            self._take(draft, batch, entry, facts)
            waits = self._facts_wait(batch)
            while facts and not waits and len(batch.decisions) < TURN_LIMIT:
                self._take(draft, batch, _Input(facts.popleft()), facts)
            if batch.alone or (facts and not waits):
                return list(facts), sum(rest.report is not None for rest in inputs)
        if facts:
            return list(facts), 0
        while (quiet := self._quiet(draft, batch)) is not None:
            batch.entry = _Input(quiet)
            self._take(draft, batch, batch.entry, facts)
            # The end of a sub-execution is told to another one, whose facts may wait.
            waits = self._facts_wait(batch)
            while facts and not waits and len(batch.decisions) < TURN_LIMIT:
                self._take(draft, batch, _Input(facts.popleft()), facts)
            if facts or batch.alone:
                break
        return list(facts), 0

    def _facts_wait(self, batch: _Round) -> bool:
        """Whether facts wait in the log: later ones then get their turns behind them (S12)."""
        return batch.read_to < self._facts_to

    def _take(self, draft: Draft, batch: _Round, entry: _Input, facts: deque[Event]) -> None:
        result = entry.report.result if entry.report is not None else None
        decision = take(draft, entry.event, self._ask, batch.now, timer=entry.timer, result=result)
        batch.decisions.append(decision)
        event = entry.event
        if event.offset:
            batch.read_to = max(batch.read_to, event.offset)
        if event.workflow_execution_id is not None:
            batch.touched[event.workflow_execution_id] = None
        for change in decision.changes:
            match change:
                case RunMoved() | ExecutionStopping() | ExecutionMoved():
                    batch.touched[change.execution_id] = None
                case ExecutionCreated(record):
                    batch.touched[record.id] = None
                case _:
                    continue
        # In the order in which they came to be: a run's facts never overtake each other.
        facts.extend(facts_of(self.world, decision.changes, batch.now))

    def _quiet(self, draft: Draft, batch: _Round) -> Event | None:
        """The next execution of this batch in which nothing can happen any more (S29)."""
        while batch.touched:
            # Not `next(iter())` of a dict: that goes over all that has been taken out of it.
            execution_id, _ = batch.touched.popitem(last=False)
            live = draft.world.executions.get(execution_id)
            if live is None or live.alive or live.record.status is not WorkflowStatus.RUNNING:
                continue
            if ending_of(live) is None:
                continue
            if self._store.has_undecided(execution_id, after=batch.read_to):
                continue
            return Event(
                QUIET,
                {"workflow_execution_id": execution_id},
                namespace=live.plan.namespace,
                sender=SENDER,
                time=batch.now,
                workflow_execution_id=execution_id,
            )
        return None

    def _commit(self, batch: _Round, left_over: list[Event]) -> None:
        self._store.commit(
            Batch(
                decisions=batch.decisions,
                left_over=left_over,
                read_from=self._cursor,
                read_to=batch.read_to,
                counters=self.world.counters,
                now=batch.now,
            )
        )
        self._cursor = batch.read_to
        if left_over:
            self._facts_to = self._store.last_offset()


def _alarm(timer: Timer, now: datetime) -> Event:
    return Event(
        f"eventflow.timer.{timer.kind}",
        {
            "timer": timer.key,
            "due_at": timer.due_at.isoformat(),
            "task": timer.task,
            "task_execution_id": timer.run_id,
            "attempt": timer.attempt,
        },
        namespace=timer.workflow[0] if timer.workflow else "default",
        sender=SENDER,
        time=now,
        workflow_execution_id=timer.execution_id or None,
    )
