"""A core on the bench: one world, no loop, no store, no executor. Inputs go straight to `take`.

It keeps what the changes say on the side, so that tests can count it again: every run's history,
and the orders that wait in the outbox.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from eventflow import Event, Operator, TaskAction, TaskContext, TaskStatus, Workflow
from eventflow.core.changes import Commanded, FailureKept, Withdrawn
from eventflow.core.decide import COMMAND, QUIET, REPORT, facts_of, take
from eventflow.core.decision import Decision
from eventflow.core.draft import Draft
from eventflow.core.judge import Answer
from eventflow.core.moves import RunCreated, RunMoved, RunTakenOver
from eventflow.core.opened import ItemsClosed, ItemsCreated
from eventflow.core.plan import Plan, plan_of
from eventflow.core.world import LiveExecution, Run, Timer, World
from eventflow.model.workflow import content_hash

START = datetime(2026, 1, 1, tzinfo=UTC)
OUTSET = ["INIT", "QUEUED"]
# How the task comes to stand so -> the statuses of its run.
STANDS = {
    "never ran": None,
    "QUEUED": OUTSET,
    "RUNNING": [*OUTSET, "RUNNING"],
    "RETRYING": [*OUTSET, "RUNNING", "RETRYING"],
    "STOPPING": [*OUTSET, "RUNNING", "STOPPING"],
    "RESTARTING": [*OUTSET, "RUNNING", "RESTARTING"],
    "SUCCESS": [*OUTSET, "RUNNING", "SUCCESS"],
    "FAILED": [*OUTSET, "RUNNING", "FAILED"],
    "SKIPPED": [*OUTSET, "RUNNING", "SKIPPED"],
    "STOPPED": [*OUTSET, "RUNNING", "STOPPING", "STOPPED"],
}
MOST_FACTS = 300  # rules that start each other for ever go on at the next input


class Idle(Operator):
    """A task whose code never runs; `takes` names the outputs that it takes."""

    def __init__(self, name: str, *, takes: Any = (), **config: Any) -> None:
        self._takes = takes
        super().__init__(name, **config)

    @property
    def arguments(self) -> Any:
        return self._takes

    def start(self, context: TaskContext) -> Any:
        raise AssertionError("no code runs on the bench")


def ask(condition: Any, event: Event, context: Any, snapshot: str) -> Answer:
    return Answer(bool(condition.is_met(event, context)))


def compiled(workflow: Workflow) -> Plan:
    return plan_of(workflow, content_hash(workflow.definition()))


@dataclass(slots=True)
class History:
    """What the changes have told about one run."""

    execution_id: int
    task: str
    sequence_number: int
    statuses: list[TaskStatus]
    dropped: bool = False
    taken_over: bool = False
    parent: int = 0


@dataclass(slots=True)
class Bench:
    """The core, its inputs, and what came of them."""

    world: World = field(default_factory=World)
    now: datetime = START
    facts: deque[Event] = field(default_factory=deque)
    decisions: list[Decision] = field(default_factory=list)
    inputs: list[tuple[Event, Timer | None, str | None, datetime]] = field(default_factory=list)
    histories: dict[int, History] = field(default_factory=dict)
    outbox: set[tuple[int, int, TaskAction]] = field(default_factory=set)
    failures: dict[tuple[int, int], str] = field(default_factory=dict)
    after_each: Callable[[], None] = lambda: None

    def register(self, workflow: Workflow) -> Plan:
        plan = compiled(workflow)
        self.world.learn(plan)
        self.command("register", snapshot=plan.snapshot)
        return plan

    def run(self, workflow: Workflow) -> LiveExecution:
        self.command("run", namespace=workflow.namespace, workflow=workflow.name)
        return self.world.executions[self.world.counters.execution_id]

    def command(self, verb: str, **value: Any) -> Decision:
        return self.feed(Event(COMMAND + verb, value, sender="eventflow"))

    def task(self, live: LiveExecution, task: str, action: TaskAction) -> Decision:
        return self.command("task", workflow_execution_id=live.id, task=task, action=action.value)

    def expand(
        self,
        live: LiveExecution,
        run: Run,
        levels: list[Any],
        taken: Sequence[tuple[int, int, int]] = (),
    ) -> Decision:
        """Say how many items a run of a mapped task has (S43)."""
        return self.command("expand", **items_of(live, run, levels, taken))

    def waiting_maps(self) -> list[tuple[LiveExecution, Run]]:
        """The runs of mapped tasks of which the items are not counted yet."""
        return [
            (live, run)
            for live in self.world.executions.values()
            for run in live.every_run()
            if run.status is TaskStatus.QUEUED and not live.has_attempts(run)
        ]

    def emit(self, key: str, value: Any = None) -> Decision:
        return self.feed(Event(key, value))

    def report(
        self, kind: str, run_id: int, attempt: int = 1, *, result: str | None = None, **said: Any
    ) -> Decision:
        """A report about any run that ever was, as the loop makes events of them."""
        execution_id, task = self.world.homes.get(run_id, (0, ""))
        value = {"execution_id": execution_id, "task": task, "run_id": run_id, "attempt": attempt}
        event = Event(
            REPORT + kind,
            {**value, **said},
            sender="eventflow",
            workflow_execution_id=execution_id or None,
        )
        return self.feed(event, result=result)

    def alarm(self, timer: Timer) -> Decision:
        """A timer goes off; the time is then at least when it was due."""
        self.now = max(self.now, timer.due_at)
        event = Event(
            f"eventflow.timer.{timer.kind}",
            {"timer": timer.key},
            sender="eventflow",
            workflow_execution_id=timer.execution_id or None,
        )
        return self.feed(event, timer=timer)

    def quiet(self, live: LiveExecution) -> Decision:
        value = {"workflow_execution_id": live.id}
        return self.feed(Event(QUIET, value, workflow_execution_id=live.id))

    def wait(self, **duration: float) -> None:
        self.now += timedelta(**duration)

    def feed(
        self, event: Event, *, timer: Timer | None = None, result: str | None = None
    ) -> Decision:
        """Decide an input, then the facts that follow from it, in the order in which they happened.

        Returns:
            The decision about the input itself.
        """
        first = self._take(event, timer, result)
        for _ in range(MOST_FACTS):
            if not self.facts:
                break
            self._take(self.facts.popleft())
        return first

    def runs(self, task: str) -> list[tuple[int, list[str]]]:
        """As `VirtualScheduler.runs`."""
        return [
            (run.sequence_number, [status.value for status in run.statuses])
            for run in self.histories.values()
            if run.task == task
        ]

    def latest(self, live: LiveExecution, task: str) -> Run:
        run = live.standing(task).latest
        assert run is not None
        return run

    def _take(
        self, event: Event, timer: Timer | None = None, result: str | None = None
    ) -> Decision:
        self.inputs.append((event, timer, result, self.now))
        draft = Draft(self.world)
        decision = take(draft, event, ask, self.now, timer=timer, result=result)
        self.decisions.append(decision)
        for change in decision.changes:
            self._keep(change)
        self.facts.extend(facts_of(self.world, decision.changes, self.now))
        self.after_each()
        return decision

    def _keep(self, change: Any) -> None:
        match change:
            case RunCreated(execution_id, run):
                assert run.id not in self.histories
                self.histories[run.id] = History(
                    execution_id, run.task, run.sequence_number, [run.status]
                )
            case RunTakenOver(execution_id, run):
                assert run.id not in self.histories
                self.histories[run.id] = History(
                    execution_id, run.task, run.sequence_number, [run.status], taken_over=True
                )
            case ItemsCreated():
                self._keep_items(change)
            case ItemsClosed(waiting=waiting):
                for item_id in waiting:
                    statuses = self.histories[item_id].statuses
                    if statuses[-1] is TaskStatus.INIT:
                        statuses.append(TaskStatus.STOPPED)
            case RunMoved(run=run, before=before):
                history = self.histories[run.id]
                assert history.statuses[-1] is before, f"{run} moved from {before}"
                history.dropped |= change.dropped
                if run.status is not before:
                    history.statuses.append(run.status)
            case FailureKept(run_id, failure):
                assert (run_id, failure.attempt) not in self.failures, "an attempt fails once"
                self.failures[run_id, failure.attempt] = failure.type_name
            case Commanded(run=run, action=action):
                self.outbox.add((run.id, run.attempt, action))
            case Withdrawn(run_id, attempt, ended):
                self.outbox.discard((run_id, attempt, TaskAction.START))
                if ended:
                    self.outbox.discard((run_id, attempt, TaskAction.STOP))
            case _:
                return

    def _keep_items(self, change: ItemsCreated) -> None:
        taken = {number + more for number, _, count in change.taken for more in range(count)}
        for number in range(change.shape.count):
            assert change.first + number not in self.histories
            first = TaskStatus.SUCCESS if number in taken else TaskStatus.INIT
            self.histories[change.first + number] = History(
                change.execution_id,
                change.run.task,
                change.run.sequence_number,
                [first],
                taken_over=number in taken,
                parent=change.run.id,
            )


def items_of(
    live: LiveExecution, run: Run, levels: list[Any], taken: Sequence[tuple[int, int, int]] = ()
) -> dict[str, Any]:
    """The value of a command that says how many items a run has."""
    return {
        "workflow_execution_id": live.id,
        "task": run.task,
        "task_execution_id": run.id,
        "attempt": run.attempt,
        "levels": levels,
        "taken": [list(triple) for triple in taken],
    }


def standing(how: str) -> tuple[Bench, LiveExecution]:
    """An execution whose one task, `a`, stands as named in STANDS."""
    with Workflow("w", completion="manual") as workflow:
        Idle("a", autostart=False, retries=1, retry_delay=60)
    bench = Bench()
    bench.register(workflow)
    live = bench.run(workflow)
    if how == "never ran":
        return bench, live
    bench.task(live, "a", TaskAction.START)
    if how != "QUEUED":
        bench.report("running", 1)
    match how:
        case "RETRYING":
            bench.report("failed", 1)
        case "STOPPING":
            bench.task(live, "a", TaskAction.STOP)
        case "RESTARTING":
            bench.task(live, "a", TaskAction.RESTART)
        case "SUCCESS":
            bench.report("success", 1)
        case "FAILED":
            bench.report("failed", 1, retryable=False)
        case "SKIPPED":
            bench.report("skipped", 1)
        case "STOPPED":
            bench.task(live, "a", TaskAction.STOP)
            bench.report("stopped", 1)
    return bench, live


def replay(bench: Bench) -> list[Decision]:
    """What a new world decides about the same events in the same order."""
    world = World()
    for plan in bench.world.plans.values():
        world.learn(plan)
    return [
        take(Draft(world), event, ask, now, timer=timer, result=result)
        for event, timer, result, now in bench.inputs
    ]


def picture(world: World) -> dict[str, Any]:
    """All that a world holds, as values that can be compared."""
    return {
        "workflows": {
            name: (
                known.plan.snapshot,
                known.paused,
                set(known.active),
                set(known.waiting),
                dict(known.state),
                sorted((pattern, entry[1].number) for pattern, entry in known.subscriptions),
            )
            for name, known in world.workflows.items()
        },
        "executions": {
            live.id: (
                live.record,
                live.plan.snapshot,
                dict(live.standings),
                live.alive,
                dict(live.met),
                dict(live.state),
                dict(live.retried),
                {
                    run_id: (items.shape, items.first, items.taken, items.next)
                    + (dict(items.alive), items.failed, items.fault)
                    for run_id, items in live.items.items()
                },
                live.stopping,
                live.failed_by_timeout,
            )
            for live in world.executions.values()
        },
        "triggers": {
            (namespace, key): sorted(
                (known.plan.snapshot, trigger.number) for known, trigger in index.match(key)
            )
            for namespace, index in world.triggers.items()
            for key in ("x", "y", "eventflow.workflow.w.success")
        },
        "timers": dict(world.timers),
        "counters": world.counters,
        "running": {one: set(ids) for one, ids in world.running.items() if ids},
        "homes": dict(world.homes),
        "pools": {
            key: (pool.slots, pool.is_set, set(pool.held), list(pool.line))
            for key, pool in world.pools.items()
        },
    }
