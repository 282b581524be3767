"""What a decision changes, as data: applied to the world's draft, then written by the store.

Every change knows how it alters the live picture; the store knows how each is kept. A change holds
new values, never a recipe, so that applying it needs no thought.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from eventflow.core.plan import Plan
from eventflow.core.world import Counters, Draft, LiveExecution, Run, Standing, Timer
from eventflow.model.event import Event
from eventflow.model.records import AttemptFailure, WorkflowExecution
from eventflow.model.status import ALIVE, WORKFLOW_ENDED, TaskAction, TaskStatus, WorkflowStatus


class _Kept:
    """A change that only the store keeps: the live picture is as it was."""

    __slots__ = ()

    def apply(self, draft: Draft) -> None:
        """Nothing in memory changes."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A snapshot became the newest of its workflow (S41)."""

    plan: Plan

    def apply(self, draft: Draft) -> None:
        world, plan = draft.world, self.plan
        known = world.known(plan.namespace, plan.name)
        if known is None:
            draft.undo_by(partial(world.abandon, plan.namespace, plan.name))
        else:
            draft.undo_by(partial(world.adopt, known.plan))
        world.adopt(plan)


@dataclass(frozen=True, slots=True)
class Paused:
    """A workflow was paused, or goes on (S17)."""

    workflow: tuple[str, str]
    paused: bool

    def apply(self, draft: Draft) -> None:
        draft.set(draft.world.workflows[self.workflow], "paused", self.paused)


@dataclass(frozen=True, slots=True)
class ExecutionCreated:
    """A workflow execution came to be, in INIT or, when it may run at once, RUNNING.

    Attributes:
        command_offset: The command that asked for it; 0 when an event or the schedule did.
        trigger_turn: The event that started it; 0 when a command or the schedule did.
    """

    record: WorkflowExecution
    plan: Plan
    turn: int
    command_offset: int = 0
    trigger_turn: int = 0
    idempotency_key: str = ""

    def apply(self, draft: Draft) -> None:
        world = draft.world
        live = LiveExecution(self.record, self.plan)
        draft.put(world.executions, live.id, live)
        draft.set(world, "counters", replace(world.counters, execution_id=live.id))
        known = world.workflows[(self.record.namespace, self.record.workflow_name)]
        if self.record.status is WorkflowStatus.RUNNING:
            draft.put(known.active, live.id, None)
            draft.put(world.running.setdefault(self.plan.snapshot, {}), live.id, live)
        else:
            draft.put(known.waiting, live.id, None)


@dataclass(frozen=True, slots=True)
class ExecutionMoved:
    """A workflow execution changed status."""

    execution_id: int
    workflow: tuple[str, str]
    status: WorkflowStatus
    at: datetime
    turn: int
    reason: str = ""

    def apply(self, draft: Draft) -> None:
        world = draft.world
        live = world.executions[self.execution_id]
        known = world.workflows.get(self.workflow)
        if self.status is WorkflowStatus.RUNNING:
            record = replace(live.record, status=self.status, begin_date=self.at)
            draft.set(live, "record", record)
            draft.put(world.running.setdefault(live.plan.snapshot, {}), live.id, live)
            if known is not None:
                draft.drop(known.waiting, live.id)
                draft.put(known.active, live.id, None)
        elif self.status in WORKFLOW_ENDED:
            draft.drop(world.executions, live.id)
            draft.drop(world.running.get(live.plan.snapshot, {}), live.id)
            if known is not None:
                draft.drop(known.waiting, live.id)
                draft.drop(known.active, live.id)


@dataclass(frozen=True, slots=True)
class ExecutionStopping:
    """A stop, or the time-out, of an execution was decided: no rule acts in it any more (S29)."""

    execution_id: int
    reason: str
    by_timeout: bool

    def apply(self, draft: Draft) -> None:
        live = draft.world.executions[self.execution_id]
        draft.set(live, "stopping", self.reason)
        draft.set(live, "failed_by_timeout", self.by_timeout)


@dataclass(frozen=True, slots=True)
class RunCreated:
    """A run of a task came to be, in INIT."""

    execution_id: int
    run: Run
    at: datetime
    turn: int
    started_by: str
    behind: Run | None = None  # the run that is being stopped and that this one waits for (S21)

    def apply(self, draft: Draft) -> None:
        live = draft.world.executions[self.execution_id]
        standing = replace(
            live.standing(self.run.task),
            latest=self.run,
            leaving=self.behind,
            last_sequence=self.run.sequence_number,
        )
        draft.put(live.standings, self.run.task, standing)
        draft.set(live, "alive", live.alive + 1)
        counters = draft.world.counters
        draft.set(draft.world, "counters", replace(counters, run_id=self.run.id))
        draft.put(draft.world.homes, self.run.id, (self.execution_id, self.run.task))


@dataclass(frozen=True, slots=True)
class RunMoved:
    """A run changed status, or another field of it changed while the status stayed.

    Attributes:
        run: The run as it is now.
        before: The status it had.
        dropped: A waiting successor that a STOP ended: history only, no fact follows (S20).
    """

    execution_id: int
    run: Run
    before: TaskStatus
    at: datetime
    turn: int
    reason: str = ""
    dropped: bool = False

    def apply(self, draft: Draft) -> None:
        live = draft.world.executions[self.execution_id]
        run = self.run
        standing = live.standing(run.task)
        if self.dropped:
            standing = _without_successor(standing)
        elif standing.leaving is not None and standing.leaving.id == run.id:
            standing = replace(standing, leaving=run if run.alive else None)
        else:
            standing = replace(standing, latest=run)
        if run.status is TaskStatus.SUCCESS:
            standing = replace(standing, output=run.id)
        draft.put(live.standings, run.task, standing)
        if self.before in ALIVE and not run.alive:
            draft.set(live, "alive", live.alive - 1)
            draft.drop(draft.world.homes, run.id)


def _without_successor(standing: Standing) -> Standing:
    """LATEST passes over a dropped successor: the run before it is the latest again."""
    return replace(standing, latest=standing.leaving, leaving=None)


@dataclass(frozen=True, slots=True)
class Told:
    """Rules know of a status fact from now on: counters of status rules move (S22)."""

    execution_id: int
    task: str
    sequence_number: int
    status: TaskStatus

    def apply(self, draft: Draft) -> None:
        live = draft.world.executions[self.execution_id]
        standing = live.standing(self.task)
        before = standing.told[1] if standing.told is not None else None
        told = (self.sequence_number, self.status)
        draft.put(live.standings, self.task, replace(standing, told=told))
        if before is self.status:
            return
        by_edge = live.plan.by_edge
        left = by_edge.get((self.task, before), ()) if before is not None else ()
        for rule in left:
            key = (rule.task, rule.number)
            draft.put(live.met, key, live.met[key] - 1)
        for rule in by_edge.get((self.task, self.status), ()):
            key = (rule.task, rule.number)
            draft.put(live.met, key, live.met.get(key, 0) + 1)


@dataclass(frozen=True, slots=True)
class StateWritten:
    """What a condition keeps changed (S35): of an execution, or of a workflow's own rules."""

    execution_id: int | None
    workflow: tuple[str, str]
    name: str
    value: str | None

    def apply(self, draft: Draft) -> None:
        world = draft.world
        if self.execution_id is None:
            table = world.workflows[self.workflow].state
        else:
            table = world.executions[self.execution_id].state
        if self.value is None:
            draft.drop(table, self.name)
        else:
            draft.put(table, self.name, self.value)


@dataclass(frozen=True, slots=True)
class Commanded(_Kept):
    """An order to the executor, kept in the outbox until the attempt moves on (S11).

    Attributes:
        action: START hands the attempt over; STOP cancels it.
        trigger: The event that started the run, when it is at hand.
    """

    execution_id: int
    run: Run
    action: TaskAction
    trigger: Event | None = None


@dataclass(frozen=True, slots=True)
class Withdrawn(_Kept):
    """The attempt has moved on: nothing of it waits in the outbox any more.

    `ended` says that the executor may forget the attempt.
    """

    run_id: int
    attempt: int
    ended: bool


@dataclass(frozen=True, slots=True)
class TimerSet:
    """Something will be due."""

    timer: Timer

    def apply(self, draft: Draft) -> None:
        draft.put(draft.world.timers, self.timer.key, self.timer)


@dataclass(frozen=True, slots=True)
class TimerCleared:
    """It will not, or it was."""

    key: str

    def apply(self, draft: Draft) -> None:
        draft.drop(draft.world.timers, self.key)


@dataclass(frozen=True, slots=True)
class Fired(_Kept):
    """A due time of a schedule was fired, or a range of them skipped with a reason (S33).

    Attributes:
        schedule: Key of the schedule's timer.
        due_at: The due time; of a range, its newest instant.
        since: Start of a skipped range, itself left out; `None` for a firing.
    """

    schedule: str
    due_at: datetime
    since: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ResultKept(_Kept):
    """The run's result is to be stored; its text travels beside the report (S37)."""

    execution_id: int
    run_id: int
    task: str
    text: str


@dataclass(frozen=True, slots=True)
class FailureKept(_Kept):
    """How an attempt failed (S37)."""

    run_id: int
    failure: AttemptFailure


@dataclass(frozen=True, slots=True)
class TurnTaken:
    """The event has its place in the order of deciding (S8)."""

    turn: int

    def apply(self, draft: Draft) -> None:
        counters: Counters = draft.world.counters
        draft.set(draft.world, "counters", replace(counters, turn=self.turn))


Change = (
    Registered
    | Paused
    | ExecutionCreated
    | ExecutionMoved
    | ExecutionStopping
    | RunCreated
    | RunMoved
    | Told
    | StateWritten
    | Commanded
    | Withdrawn
    | TimerSet
    | TimerCleared
    | Fired
    | ResultKept
    | FailureKept
    | TurnTaken
)
