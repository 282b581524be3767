"""Changes that move executions and runs, and how each alters the live picture (S26, S29)."""

import dataclasses
from bisect import bisect_left, insort
from datetime import datetime
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from eventflow.core.draft import Draft
from eventflow.core.plan import Plan
from eventflow.core.retried import Retried
from eventflow.core.world import Items, LiveExecution, Run, Standing
from eventflow.model.records import ParentLink, WorkflowExecution
from eventflow.model.status import ALIVE, WORKFLOW_ENDED, TaskStatus, WorkflowStatus


class ExecutionCreated(Struct, frozen=True):
    """A workflow execution came to be, in INIT or, when it may run at once, RUNNING.

    Attributes:
        command_offset: The command that asked for it; 0 when an event or the schedule did.
        trigger_turn: The event that started it, or the execution that it retries; 0 when a command
            or the schedule did.
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
            _wait(draft, known.waiting, live.id)
        if self.record.parent is not None:
            draft.put(world.subs, self.record.parent.task_execution_id, live.id)


class ExecutionMoved(Struct, frozen=True):
    """A workflow execution changed status.

    Attributes:
        parent: The task that runs it, if one does (S40).
        hops: What the fact of it carries (S45): an execution that ended is not in the world.
    """

    execution_id: int
    workflow: tuple[str, str]
    status: WorkflowStatus
    at: datetime
    turn: int
    reason: str = ""
    parent: ParentLink | None = None
    hops: int = 0

    def apply(self, draft: Draft) -> None:
        world = draft.world
        live = world.executions[self.execution_id]
        known = world.workflows.get(self.workflow)
        if self.status is WorkflowStatus.RUNNING:
            record = dataclasses.replace(live.record, status=self.status, begin_date=self.at)
            draft.set(live, "record", record)
            draft.put(world.running.setdefault(live.plan.snapshot, {}), live.id, live)
            if known is not None:
                _wait_no_more(draft, known.waiting, live.id)
                draft.put(known.active, live.id, None)
        elif self.status in WORKFLOW_ENDED:
            draft.drop(world.executions, live.id)
            draft.drop(world.running.get(live.plan.snapshot, {}), live.id)
            if known is not None:
                _wait_no_more(draft, known.waiting, live.id)
                draft.drop(known.active, live.id)
            if self.parent is not None:
                draft.drop(world.subs, self.parent.task_execution_id)


class ExecutionStopping(Struct, frozen=True):
    """A stop, or the time-out, of an execution was decided: no rule acts in it any more (S29)."""

    execution_id: int
    reason: str
    by_timeout: bool

    def apply(self, draft: Draft) -> None:
        live = draft.world.executions[self.execution_id]
        draft.set(live, "stopping", self.reason)
        draft.set(live, "record", dataclasses.replace(live.record, stopping=self.reason))
        draft.set(live, "failed_by_timeout", self.by_timeout)


class RunCreated(Struct, frozen=True):
    """A run of a task came to be, in INIT."""

    execution_id: int
    run: Run
    at: datetime
    turn: int
    started_by: str
    pool: str
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


class RunTakenOver(Struct, frozen=True):
    """A run came to be that has ended: a retry stands on what an earlier execution did (S31).

    Not a move of S26's table: nothing runs. Rules know of it at once, so that every level stands
    before the first of them is woken.

    Attributes:
        taken_from: The run whose result it has.
        from_execution: The execution of that run.
    """

    execution_id: int
    run: Run
    at: datetime
    turn: int
    taken_from: int
    from_execution: int
    pool: str

    @property
    def reason(self) -> str:
        return f"taken over from execution {self.from_execution}"

    def apply(self, draft: Draft) -> None:
        live = draft.world.executions[self.execution_id]
        run = self.run
        standing = Standing(
            latest=run,
            last_sequence=run.sequence_number,
            output=run.id if run.status is TaskStatus.SUCCESS else None,
        )
        draft.put(live.standings, run.task, standing)
        counters = draft.world.counters
        draft.set(draft.world, "counters", replace(counters, run_id=run.id))
        Told(self.execution_id, run.task, run.sequence_number, run.status).apply(draft)


class RetriedKept(Struct, frozen=True):
    """What a retry is still to do with a task, or with `None` nothing any more (S31)."""

    execution_id: int
    workflow: tuple[str, str]
    task: str
    retried: Retried | None

    def apply(self, draft: Draft) -> None:
        live = draft.world.executions[self.execution_id]
        if self.retried is None:
            draft.drop(live.retried, self.task)
        else:
            draft.put(live.retried, self.task, self.retried)


class RunMoved(Struct, frozen=True):
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
        if run.parent:
            _move_item(draft, live.items[run.parent], run, self.reason)
            return
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
            draft.drop(live.items, run.id)


def _wait(draft: Draft, waiting: list[int], execution_id: int) -> None:
    insort(waiting, execution_id)
    draft.undo_by(partial(waiting.remove, execution_id))


def _wait_no_more(draft: Draft, waiting: list[int], execution_id: int) -> None:
    at = bisect_left(waiting, execution_id)
    if waiting[at : at + 1] == [execution_id]:
        del waiting[at]
        draft.undo_by(partial(insort, waiting, execution_id))


def _move_item(draft: Draft, items: Items, run: Run, reason: str) -> None:
    if run.alive:
        draft.put(items.alive, run.id, run)
        return
    draft.drop(items.alive, run.id)
    draft.drop(draft.world.homes, run.id)
    if run.status is TaskStatus.FAILED:
        draft.set(items, "failed", items.failed + 1)
        if items.fault is None or run.item < items.fault[0]:
            draft.set(items, "fault", (run.item, reason))


def _without_successor(standing: Standing) -> Standing:
    """LATEST passes over a dropped successor: the run before it is the latest again."""
    return replace(standing, latest=standing.leaving, leaving=None)


class Told(Struct, frozen=True):
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
