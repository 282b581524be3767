"""The world, made again from the rows of the last commit. Both stores read rows; this reads none.

What rules have been told (S22) is in no table: it is the history of a run, less its facts that are
still in the log without a turn.
"""

from bisect import insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from msgspec.structs import replace

from eventflow.core.changes import Commanded
from eventflow.core.plan import Plan
from eventflow.core.pools import HOLDS_SLOT, Pool, is_counted
from eventflow.core.retried import Retried, is_taken_over
from eventflow.core.world import Absent, Counters, Items, LiveExecution, Run, Standing, World
from eventflow.errors import EventflowError
from eventflow.garbage import no_collection
from eventflow.model.event import Event
from eventflow.model.jsonvalue import read
from eventflow.model.status import ALIVE, BUSY, TaskAction, TaskStatus, WorkflowStatus
from eventflow.store.items import KeptItems
from eventflow.store.ports import Loaded
from eventflow.store.records import execution_of, run_of, timer_of
from eventflow.store.rows import (
    RETRIED,
    ExecutionRow,
    OutboxRow,
    PoolRow,
    RunRow,
    StateKey,
    TimerRow,
    WorkflowRow,
)


class Step(NamedTuple):
    """One status that a run took, of a run that was not dropped."""

    workflow_execution_id: int
    task: str
    sequence_number: int
    task_execution_id: int
    status: str


@dataclass(slots=True)
class Kept:
    """The rows that the live world is made of.

    Attributes:
        executions: Those that have not ended, in order of id.
        triggers: Turn -> the event that was decided in it, for every execution that one started.
        runs: Of those executions, by execution and task in order of sequence number: at least those
            that are alive, the highest, the highest that was not dropped, and the newest SUCCESS.
        items: Every item of those of them that are alive, in order of id (S43).
        accounted: Registered workflow -> the newest due time of its schedules in the file.
        states: Of those executions, and of the workflows' own rules.
        untold: Status facts of tasks that are in the log without a turn.
        steps: The history of every run of the tasks in `untold`, oldest first.
    """

    cursor: int
    counters: Counters
    workflows: list[WorkflowRow]
    executions: list[ExecutionRow]
    triggers: dict[int, Event]
    runs: list[RunRow]
    states: list[tuple[StateKey, str]]
    timers: list[TimerRow]
    outbox: list[OutboxRow]
    pools: list[PoolRow]
    items: list[RunRow] = field(default_factory=list)
    accounted: dict[tuple[str, str], datetime] = field(default_factory=dict)
    untold: list[Event] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)


@no_collection()
def load(kept: Kept, plan_of: Callable[[str], Plan]) -> Loaded:
    """Return the world that `kept` describes.

    An execution is parked when its own snapshot cannot be loaded, and also when its workflow's
    newest cannot: then nothing would account for `max_active`.
    """
    facts_to = max((fact.offset for fact in kept.untold), default=0)
    loaded = Loaded(World(), cursor=kept.cursor, facts_to=facts_to)
    world = loaded.world
    world.counters = kept.counters
    world.accounted = dict(kept.accounted)
    plans = _Plans(plan_of)
    missing = _adopt_workflows(world, kept, plans)
    told = _told(kept)
    for row in kept.executions:
        name = (row.namespace, row.workflow)
        plan = plans.find(row.snapshot)
        if name in missing or plan is None:
            loaded.parked[row.id] = missing.get(name) or plans.reasons[row.snapshot]
            loaded.parked_snapshots.add(row.snapshot)
            continue
        world.learn(plan)
        _take_in(world, LiveExecution(execution_of(row, kept.triggers.get(row.trigger_turn)), plan))
        live = world.executions[row.id]
        live.stopping = row.stopping
        live.failed_by_timeout = bool(row.failed_by_timeout)
    _stand(world, kept.runs, told)
    _fill_maps(world, kept)
    _fill_pools(world, kept)
    for state, text in kept.states:
        _remember(world, state, text)
    for timer in map(timer_of, kept.timers):
        # One about what could not be loaded stays in its table until it can be.
        about = world.workflows if timer.workflow is not None else world.executions
        if (timer.workflow or timer.execution_id) in about:
            world.timers[timer.key] = timer
        elif timer.workflow in world.absent and timer.workflow is not None:
            absent = world.absent[timer.workflow]
            world.absent[timer.workflow] = replace(absent, schedule=timer)
    loaded.commands = _commands(world, kept)
    return loaded


class _Plans:
    """Plans by snapshot, each asked for once; `reasons` says why one is not to be had."""

    def __init__(self, plan_of: Callable[[str], Plan]) -> None:
        self._plan_of = plan_of
        self._plans: dict[str, Plan | None] = {}
        self.reasons: dict[str, str] = {}

    def find(self, snapshot: str) -> Plan | None:
        if snapshot not in self._plans:
            try:
                self._plans[snapshot] = self._plan_of(snapshot)
            except EventflowError as error:
                self._plans[snapshot] = None
                self.reasons[snapshot] = str(error)
        return self._plans[snapshot]


def _adopt_workflows(world: World, kept: Kept, plans: _Plans) -> dict[tuple[str, str], str]:
    """Make the registered workflows known; return those whose newest code cannot be loaded."""
    missing = {}
    for row in kept.workflows:
        plan = plans.find(row.snapshot)
        if plan is None:
            name = (row.namespace, row.name)
            missing[name] = plans.reasons[row.snapshot]
            world.absent[name] = Absent(row.snapshot, bool(row.paused))
        else:
            world.adopt(plan).paused = bool(row.paused)
    return missing


def _take_in(world: World, live: LiveExecution) -> None:
    world.executions[live.id] = live
    known = world.workflows.get((live.plan.namespace, live.plan.name))
    if live.record.status is WorkflowStatus.RUNNING:
        world.running.setdefault(live.plan.snapshot, {})[live.id] = live
        if known is not None:
            known.active[live.id] = None
    elif known is not None:
        insort(known.waiting, live.id)
    if live.record.parent is not None:
        world.subs[live.record.parent.task_execution_id] = live.id


def _stand(
    world: World,
    runs: Iterable[RunRow],
    told: dict[tuple[int, str], tuple[int, TaskStatus] | None],
) -> None:
    """How each task stands, and what follows: alive counts, and counters of status rules."""
    for place, rows in groupby(runs, key=lambda row: (row.workflow_execution_id, row.task)):
        execution_id, task = place
        live = world.executions.get(execution_id)
        if live is None:
            continue
        standing = _standing(list(rows))
        latest = standing.latest
        by_rights = (latest.sequence_number, latest.status) if latest is not None else None
        standing = replace(standing, told=told.get(place, by_rights))
        live.standings[task] = standing
        for run in standing.runs:
            if run.alive:
                live.alive += 1
                world.homes[run.id] = place
        if standing.told is not None:
            for rule in live.plan.by_edge.get((task, standing.told[1]), ()):
                key = (rule.task, rule.number)
                live.met[key] = live.met.get(key, 0) + 1


def _standing(rows: list[RunRow]) -> Standing:
    latest: Run | None = None
    leaving: Run | None = None
    output = None
    for row in rows:
        if row.status == TaskStatus.SUCCESS:
            output = row.id
        if row.dropped:
            continue
        # A successor waits in INIT behind the run that is being stopped (S21).
        waits = row.status == TaskStatus.INIT and latest is not None and latest.status in BUSY
        leaving = latest if waits else None
        latest = run_of(row)
    return Standing(latest, leaving, rows[-1].sequence_number, output=output)


def _fill_maps(world: World, kept: Kept) -> None:
    """The items of mapped tasks: those in INIT have not been opened (S43)."""
    shapes = {row.id: KeptItems.read(row.items) for row in kept.runs if row.items is not None}
    for parent, rows in groupby(kept.items, key=lambda row: row.parent):
        place = world.homes.get(parent)
        if place is not None:
            live = world.executions[place[0]]
            live.items[parent] = _items_of(shapes[parent], list(rows), live.run(parent, place[1]))
            world.homes.update(dict.fromkeys(live.items[parent].alive, place))


def _items_of(kept: KeptItems, rows: list[RunRow], run: Run | None) -> Items:
    waiting = (row.item for row in rows if row.status == TaskStatus.INIT)
    items = Items(kept.shape, kept.first, next=next(waiting, len(rows)))
    inputs = (run.inputs if run is not None else None) or {}
    # In item order, as they were opened: in that order they are stopped.
    for row in rows:
        status = TaskStatus(row.status)
        if status is TaskStatus.FAILED:
            items.failed += 1
            items.fault = items.fault or (row.item, row.reason)
        elif status in ALIVE and status is not TaskStatus.INIT:
            created_at = run.created_at if run is not None else None
            items.alive[row.id] = replace(run_of(row), inputs=inputs, created_at=created_at)
    items.taken = frozenset(row.item for row in rows if row.taken_from is not None)
    return items


def _fill_pools(world: World, kept: Kept) -> None:
    """Who holds a slot, and who waits: a QUEUED attempt that has no START in the outbox (S44).

    Runs of executions that are parked do neither: nothing of them is with an executor.
    """
    pools = world.pools
    for row in kept.pools:
        pools[row.namespace, row.name] = Pool(row.slots)
    handed = {
        (row.task_execution_id, row.attempt)
        for row in kept.outbox
        if row.action == TaskAction.START
    }
    for run_id, (execution_id, task) in world.homes.items():
        live = world.executions[execution_id]
        run = live.run(run_id, task)
        if run is None or run.status not in HOLDS_SLOT:
            continue
        key = live.pool_of(run)
        if not is_counted(key, pools):
            continue
        pool = pools.setdefault(key, Pool(0, is_set=False))
        if run.status is TaskStatus.QUEUED and (run_id, run.attempt) not in handed:
            pool.line.append(live.place_of(run))
        else:
            pool.held[run_id] = None
    for pool in pools.values():
        pool.line.sort()


def _told(kept: Kept) -> dict[tuple[int, str], tuple[int, TaskStatus] | None]:
    """What rules know of the tasks of which a status fact waits in the log."""
    untold: dict[int, int] = {}
    told: dict[tuple[int, str], tuple[int, TaskStatus] | None] = {}
    # What was taken over, rules know at once.
    for fact in (one for one in kept.untold if not is_taken_over(one)):
        run_id = fact.value["task_execution_id"]
        untold[run_id] = untold.get(run_id, 0) + 1
        told[fact.workflow_execution_id or 0, fact.value["task"]] = None
    taken: dict[int, list[Step]] = {}
    for step in kept.steps:
        taken.setdefault(step.task_execution_id, []).append(step)
    for run_id, steps in taken.items():
        known = len(steps) - untold.get(run_id, 0)
        first = steps[0]
        place = (first.workflow_execution_id, first.task)
        if known < 1 or place not in told:
            continue
        before = told[place]
        if before is None or before[0] < first.sequence_number:
            told[place] = (first.sequence_number, TaskStatus(steps[known - 1].status))
    return told


def _remember(world: World, key: StateKey, text: str) -> None:
    if key.workflow_execution_id:
        live = world.executions.get(key.workflow_execution_id)
        if live is not None and key.name.startswith(RETRIED):
            retried = Retried.from_json(read(text))
            live.retried[retried.task] = retried
        elif live is not None:
            live.state[key.name] = text
        return
    name = (key.namespace, key.workflow)
    known = world.workflows.get(name) or world.absent.get(name)
    if known is not None:
        known.state[key.name] = text


def _commands(world: World, kept: Kept) -> list[Commanded]:
    commands = []
    for row in sorted(kept.outbox, key=lambda row: (row.turn, row.task_execution_id)):
        place = world.homes.get(row.task_execution_id)
        if place is None:
            continue
        live = world.executions[place[0]]
        run = live.run(row.task_execution_id, place[1])
        if run is not None and run.attempt == row.attempt:
            commands.append(Commanded(live.id, run, TaskAction(row.action)))
    return commands
