"""Who watches what is written: every batch is held against all that was written before it.

It knows the changes and nothing of how they are kept, so that both stores are judged alike.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from eventflow.core.changes import (
    Commanded,
    FailureKept,
    Registered,
    TimerCleared,
    TimerSet,
    Withdrawn,
)
from eventflow.core.decide import SET_ASIDE
from eventflow.core.decision import Decision
from eventflow.core.moves import (
    ExecutionCreated,
    ExecutionMoved,
    RunCreated,
    RunMoved,
    RunTakenOver,
)
from eventflow.core.opened import ItemsClosed, ItemsCreated
from eventflow.core.plan import Plan
from eventflow.core.slots import PoolSet, SlotFreed, SlotTaken
from eventflow.core.world import Run
from eventflow.model.schedule import Schedule
from eventflow.model.status import ALIVE, MOVES, WORKFLOW_ENDED, TaskStatus, WorkflowStatus
from eventflow.store.ports import Batch
from tests.simulation.accounts import Accounts

TASK_FACT = "eventflow.task."


@dataclass
class Seen:
    """One run, as the changes tell of it."""

    execution: int
    task: str
    status: TaskStatus
    parent: int = 0
    attempt: int = 1
    failures: int = 0


class Witness:
    """What has been written so far; `fault` is told what may not be.

    Attributes:
        orders: What waits in the outbox: run, attempt, action.
        malformed: Offsets of events that nobody could decide.
        all_hold: Whether nothing was ever parked, and gave its slot to others for a while.
    """

    def __init__(self, fault: Callable[[str], None]) -> None:
        self._fault = fault
        self.turn = 0
        self.offsets: set[int] = set()
        self.runs: dict[int, Seen] = {}
        self.executions: dict[int, tuple[WorkflowStatus, Plan]] = {}
        self.orders: set[tuple[int, int, str]] = set()
        self._slots: dict[tuple[str, str], int | None] = {}
        self._held: dict[tuple[str, str], set[int]] = {}
        self._timers: dict[str, int] = {}
        self._newest: dict[str, Plan] = {}
        self.malformed: set[int] = set()
        self.all_hold = True
        self._accounts = Accounts(fault)

    def see(self, batch: Batch) -> None:
        """Take a batch that is written."""
        for decision in batch.decisions:
            self._see_turn(decision)
            for change in decision.changes:
                self._see_change(change, decision)
            for change in decision.changes:
                if isinstance(change, ExecutionMoved) and change.status in WORKFLOW_ENDED:
                    self._see_ended(change.execution_id)
            self._accounts.see(decision, self._schedule_of)
        self._see_facts(batch)
        if batch.counters.turn != self.turn:
            self._fault(f"the counter says {batch.counters.turn}, the last turn is {self.turn}")

    def _see_turn(self, decision: Decision) -> None:
        event = decision.event
        if decision.turn != self.turn + 1:
            self._fault(f"turn {decision.turn} of {event.key} comes after turn {self.turn}")
        self.turn = decision.turn
        if event.offset and event.offset in self.offsets:
            self._fault(f"event {event.offset} ({event.key}) is decided twice")
        self.offsets.add(event.offset)
        aside = any(outcome.did.startswith(SET_ASIDE) for outcome in decision.outcomes)
        if aside and event.offset not in self.malformed:
            self._fault(f"{event.key} {event.value} was set aside: {decision.outcomes[0].did}")

    def _schedule_of(self, key: str) -> Schedule | None:
        return self._newest[key.rpartition("/")[2]].workflow.schedule

    def _see_facts(self, batch: Batch) -> None:
        """Rules are told of every move, once, in the batch or behind it (S12)."""
        true: Counter[tuple[int, TaskStatus]] = Counter()
        for decision in batch.decisions:
            for change in decision.changes:
                if isinstance(change, RunCreated | RunTakenOver):
                    true[change.run.id, change.run.status] += 1
                elif isinstance(change, RunMoved) and not change.dropped and not change.run.parent:
                    true[change.run.id, change.run.status] += change.before is not change.run.status
        facts = [one.event for one in batch.decisions if not one.event.offset] + [*batch.left_over]
        told = Counter(
            (event.value["task_execution_id"], TaskStatus(event.value["status"]))
            for event in facts
            if event.key.startswith(TASK_FACT)
        )
        if +true != told:
            self._fault(f"moves {true - told} were not told, {told - true} were told and not done")

    def _see_change(self, change: object, decision: Decision) -> None:
        match change:
            case Registered(plan):
                self._newest[plan.name] = plan
            case ExecutionCreated(record, plan):
                self.executions[record.id] = (record.status, plan)
                self._see_room(record.id)
            case ExecutionMoved():
                self._see_execution(change)
            case RunCreated():
                self._create(change.run, change.execution_id)
            case RunTakenOver():
                self._create(change.run, change.execution_id)
            case ItemsCreated():
                self._create_items(change)
            case ItemsClosed():
                for run_id in change.waiting:
                    if self.runs[run_id].status is TaskStatus.INIT:
                        self.runs[run_id].status = TaskStatus.STOPPED
            case RunMoved():
                self._move(change, decision)
            case FailureKept(run_id, failure):
                self.runs[run_id].failures += failure.type_name != "WorkerLostError"
            case Commanded():
                self._order(change)
            case Withdrawn(run_id, attempt, ended):
                for action in ("START", "STOP") if ended else ("START",):
                    self.orders.discard((run_id, attempt, action))
            case TimerSet(timer):
                self._timers[timer.key] = timer.execution_id
            case TimerCleared(key):
                self._timers.pop(key, None)
            case PoolSet() | SlotTaken() | SlotFreed():
                self._see_slots(change)
            case _:
                return

    def _create(self, run: Run, execution: int) -> None:
        if run.id in self.runs:
            self._fault(f"run {run.id} comes to be again")
        self.runs[run.id] = Seen(execution, run.task, run.status)

    def _create_items(self, change: ItemsCreated) -> None:
        taken = {number + more for number, _, count in change.taken for more in range(count)}
        for number in range(change.shape.count):
            run_id = change.first + number
            if run_id in self.runs:
                self._fault(f"item {run_id} comes to be again")
            status = TaskStatus.SUCCESS if number in taken else TaskStatus.INIT
            seen = Seen(change.execution_id, change.run.task, status, parent=change.run.id)
            self.runs[run_id] = seen

    def _move(self, change: RunMoved, decision: Decision) -> None:
        run = change.run
        if run.parent and run.id not in self.runs:
            self._fault(f"item {run.id} moves and was never made")
            return
        seen = self.runs[run.id]
        if change.before is not seen.status:
            self._fault(f"run {run.id} is {seen.status} and moves from {change.before}")
        moved = run.status is not seen.status
        if moved and run.status not in MOVES[seen.status]:
            self._fault(f"run {run.id} moves from {seen.status} to {run.status}")
        if run.attempt < seen.attempt:
            self._fault(f"run {run.id} goes back from attempt {seen.attempt} to {run.attempt}")
        seen.status, seen.attempt = run.status, run.attempt
        if decision.event.key == "eventflow.report.failed":
            self._see_retry(change, seen, decision)
        if run.parent and moved and run.status is TaskStatus.QUEUED:
            self._see_window(run, seen)

    def _see_retry(self, change: RunMoved, seen: Seen, decision: Decision) -> None:
        run, value = change.run, decision.event.value
        if value["run_id"] != run.id or not value.get("retryable", True):
            return
        retries = self.executions[seen.execution][1].tasks[run.task].settings.retries
        if run.status is TaskStatus.RETRYING and seen.failures > retries:
            self._fault(f"run {run.id} failed {seen.failures} times of {retries} and goes on")
        if run.status is TaskStatus.FAILED and seen.failures <= retries:
            self._fault(f"run {run.id} failed {seen.failures} times of {retries} and gives up")

    def _see_window(self, run: Run, seen: Seen) -> None:
        most = self.executions[seen.execution][1].tasks[run.task].settings.max_active_items
        active = [
            one
            for one in self.runs.values()
            if one.parent == run.parent and one.status in ALIVE - {TaskStatus.INIT}
        ]
        if len(active) > most:
            self._fault(f"{len(active)} items of run {run.parent} are active, of {most}")

    def _order(self, change: Commanded) -> None:
        run = change.run
        seen = self.runs[run.id]
        if change.action == "START" and (seen.status, seen.attempt) != (
            TaskStatus.QUEUED,
            run.attempt,
        ):
            self._fault(f"START of run {run.id}, attempt {run.attempt}, which is {seen}")
        self.orders.add((run.id, run.attempt, change.action.value))

    def _see_execution(self, change: ExecutionMoved) -> None:
        number = change.execution_id
        before, plan = self.executions[number]
        if before in WORKFLOW_ENDED:
            self._fault(f"execution {number} is {before} and becomes {change.status}")
        self.executions[number] = (change.status, plan)
        self._see_room(number)

    def _see_room(self, number: int) -> None:
        """No more executions begin than there is room for (S44)."""
        status, plan = self.executions[number]
        if status is not WorkflowStatus.RUNNING or not self.all_hold:
            return
        active = [
            key
            for key, (status, other) in self.executions.items()
            if status is WorkflowStatus.RUNNING and other.name == plan.name
        ]
        if len(active) > self._newest[plan.name].workflow.max_active:
            self._fault(f"execution {number} begins, and {active} are active")

    def _see_ended(self, number: int) -> None:
        alive = [key for key, run in self.runs.items() if run.execution == number and _lives(run)]
        orders = [one for one in self.orders if self.runs[one[0]].execution == number]
        timers = [key for key, owner in self._timers.items() if owner == number]
        if alive or orders or timers:
            self._fault(f"execution {number} has ended with {alive}, {orders}, {timers}")

    def _see_slots(self, change: PoolSet | SlotTaken | SlotFreed) -> None:
        held = self._held.setdefault(change.pool, set())
        match change:
            case PoolSet():
                self._slots[change.pool] = change.slots
                held.update(change.held)
            case SlotTaken(_, run):
                most = self._slots.get(change.pool, 0)
                if self.all_hold and most is not None and len(held) >= most:
                    self._fault(f"run {run.id} gets a slot of {change.pool}: {held} of {most}")
                held.add(run.id)
            case SlotFreed(_, run_id):
                held.discard(run_id)


def _lives(run: Seen) -> bool:
    return run.status in ALIVE
