"""What a decision changes, as data: applied to the world's draft, then written by the store.

Every change knows how it alters the live picture; the store knows how each is kept. A change holds
new values, never a recipe, so that applying it needs no thought.
"""

from datetime import datetime
from functools import partial

from msgspec import Struct

from eventflow.core.draft import Draft
from eventflow.core.moves import (
    ExecutionCreated,
    ExecutionMoved,
    ExecutionStopping,
    RetriedKept,
    RunCreated,
    RunMoved,
    RunTakenOver,
    Told,
)
from eventflow.core.opened import ItemsClosed, ItemsCreated, ItemsOpened
from eventflow.core.plan import Plan
from eventflow.core.slots import PoolSet, SlotAwaited, SlotForgone, SlotFreed, SlotTaken
from eventflow.core.world import Run, Timer
from eventflow.model.event import Event
from eventflow.model.records import AttemptFailure
from eventflow.model.status import TaskAction


class _Kept(Struct, frozen=True):
    """A change that only the store keeps: the live picture is as it was."""

    def apply(self, draft: Draft) -> None:
        """Nothing in memory changes."""


class Registered(Struct, frozen=True):
    """A snapshot became the newest of its workflow (S41)."""

    plan: Plan

    def apply(self, draft: Draft) -> None:
        world, plan = draft.world, self.plan
        name = (plan.namespace, plan.name)
        before = world.workflows.get(name)
        if before is None:
            draft.undo_by(partial(world.abandon, *name))
        else:
            draft.undo_by(partial(world.adopt, before.plan))
        known = world.adopt(plan)
        absent = world.absent.get(name)
        if absent is not None:
            known.paused, known.state = absent.paused, dict(absent.state)
            draft.drop(world.absent, name)


class Paused(Struct, frozen=True):
    """A workflow was paused, or goes on (S17)."""

    workflow: tuple[str, str]
    paused: bool

    def apply(self, draft: Draft) -> None:
        draft.set(draft.world.workflows[self.workflow], "paused", self.paused)


class StateWritten(Struct, frozen=True):
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


class Commanded(_Kept, frozen=True):
    """An order to the executor, kept in the outbox until the attempt moves on (S11).

    Attributes:
        action: START hands the attempt over; STOP cancels it.
        trigger: The event that started the run, when it is at hand.
    """

    execution_id: int
    run: Run
    action: TaskAction
    trigger: Event | None = None


class Withdrawn(_Kept, frozen=True):
    """The attempt has moved on: nothing of it waits in the outbox any more.

    `ended` says that the executor may forget the attempt.
    """

    run_id: int
    attempt: int
    ended: bool


class TimerSet(Struct, frozen=True):
    """Something will be due."""

    timer: Timer

    def apply(self, draft: Draft) -> None:
        draft.put(draft.world.timers, self.timer.key, self.timer)


class TimerCleared(Struct, frozen=True):
    """It will not, or it was."""

    key: str

    def apply(self, draft: Draft) -> None:
        draft.drop(draft.world.timers, self.key)


class Fired(Struct, frozen=True):
    """A due time of a schedule was fired, or a range of them skipped with a reason (S33).

    Attributes:
        schedule: Key of the schedule's timer.
        due_at: The due time; of a range, its newest instant.
        since: Start of a skipped range, itself left out; `None` for a firing.
        workflow: The workflow whose schedule it is; `None` for one of a periodic task.
    """

    schedule: str
    due_at: datetime
    since: datetime | None = None
    reason: str = ""
    workflow: tuple[str, str] | None = None

    def apply(self, draft: Draft) -> None:
        if self.workflow is not None:
            draft.put(draft.world.accounted, self.workflow, self.due_at)


class ResultKept(_Kept, frozen=True):
    """The run's result is to be stored; its text travels beside the report (S37)."""

    execution_id: int
    run_id: int
    task: str
    text: str


class FailureKept(_Kept, frozen=True):
    """How an attempt failed (S37)."""

    run_id: int
    failure: AttemptFailure


class MetricsKept(_Kept, frozen=True):
    """Figures of the attempt that has ended (S37)."""

    run: Run
    metrics: dict[str, float]


Change = (
    Registered
    | Paused
    | ExecutionCreated
    | ExecutionMoved
    | ExecutionStopping
    | RunCreated
    | RunMoved
    | RunTakenOver
    | RetriedKept
    | ItemsCreated
    | ItemsOpened
    | ItemsClosed
    | Told
    | StateWritten
    | Commanded
    | Withdrawn
    | TimerSet
    | TimerCleared
    | Fired
    | ResultKept
    | FailureKept
    | MetricsKept
    | PoolSet
    | SlotAwaited
    | SlotForgone
    | SlotTaken
    | SlotFreed
)
