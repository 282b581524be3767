"""What must be so in a live world between two batches: timers, slots and runs agree."""

from collections.abc import Iterator

from eventflow.core.completion import ending_of
from eventflow.core.pools import HOLDS_SLOT
from eventflow.core.world import LiveExecution, Run, World
from eventflow.model.status import BUSY, TaskStatus, WorkflowStatus


def faults(world: World, *, parked: bool, idle: bool) -> list[str]:
    """What is wrong in a world, in words.

    Args:
        parked: Executions are missing from it, with what they hold.
        idle: It was loaded, and free slots are given with the next batch.
    """
    found = [*_of_timers(world), *_of_homes(world)]
    for live in world.executions.values():
        found += _of_runs(world, live)
    return found + ([] if parked else [*_of_pools(world, idle), *_of_workflows(world)])


def unsettled(world: World) -> list[str]:
    """What still goes on in a world that was given all the time that it needs."""
    found = []
    for live in world.executions.values():
        for run in live.every_run():
            if run.status in BUSY - {TaskStatus.RETRYING} and not _waits_below(world, live, run):
                found.append(f"run {run.id} of {run.task} in execution {live.id} is {run.status}")
        ends = live.record.status is WorkflowStatus.RUNNING and not live.alive
        if ends and ending_of(live) is not None:
            found.append(f"execution {live.id} could have ended")
    for name, known in world.workflows.items():
        if known.waiting and len(known.active) < known.plan.workflow.max_active:
            found.append(f"workflow {name}: {[*known.waiting]} wait, {[*known.active]} are active")
    return found


def _waits_below(world: World, live: LiveExecution, run: Run) -> bool:
    """Whether a run stands for what goes on below it, which is judged by itself."""
    items = live.items.get(run.id)
    return run.id in world.subs or (items is not None and bool(items.alive))


def _of_timers(world: World) -> Iterator[str]:
    for timer in world.timers.values():
        if not timer.run_id:
            if timer.execution_id and timer.execution_id not in world.executions:
                yield f"timer {timer.key} is of an execution that has ended"
            continue
        place = world.homes.get(timer.run_id)
        run = world.executions[place[0]].run(timer.run_id, place[1]) if place else None
        wanted = TaskStatus.RETRYING if timer.kind == "retry" else TaskStatus.RUNNING
        if run is None or run.status is not wanted or run.attempt != timer.attempt:
            yield f"timer {timer.key} of attempt {timer.attempt} is for {run}"


def _of_homes(world: World) -> Iterator[str]:
    alive = {
        run.id: (live.id, run.task)
        for live in world.executions.values()
        for run in live.every_run()
        if run.alive
    }
    if alive != world.homes:
        yield f"runs that are alive: {alive}; homes: {world.homes}"


def _of_runs(world: World, live: LiveExecution) -> Iterator[str]:
    alive = sum(run.alive for run in live.every_run() if not run.parent)
    if alive != live.alive:
        yield f"execution {live.id}: {alive} runs are alive, it counts {live.alive}"
    for name, task in live.plan.tasks.items():
        goes_on = live.record.status is WorkflowStatus.RUNNING and not live.stopping
        is_periodic = task.settings.periodic_expression is not None
        if goes_on and is_periodic and f"periodic:{live.id}:{name}" not in world.timers:
            yield f"task {name} of execution {live.id} is periodic, and will not be woken"
    for run in live.every_run():
        timeout = live.plan.tasks[run.task].settings.timeout
        if run.status is TaskStatus.RETRYING and f"retry:{run.id}" not in world.timers:
            yield f"run {run.id} is RETRYING and nothing will wake it"
        needs = run.status is TaskStatus.RUNNING and timeout is not None and not run.timed_out
        if needs and run.id not in live.items and f"timeout:{run.id}" not in world.timers:
            yield f"run {run.id} is RUNNING and its time-out is not set"
    for run_id, items in live.items.items():
        if not items.alive and items.next == items.count:
            yield f"map {run_id} has nothing alive and has not ended"


def _of_pools(world: World, idle: bool) -> Iterator[str]:
    for key, pool in world.pools.items():
        holders: set[int] = set()
        waiting: set[int] = set()
        for live in world.executions.values():
            for run in live.every_run():
                if live.pool_of(run) != key or run.status not in HOLDS_SLOT:
                    continue
                (waiting if world.waits_for_slot(live, run) else holders).add(run.id)
        if set(pool.held) != holders:
            yield f"pool {key}: {set(pool.held)} hold slots, {holders} should"
        if {run_id for _, run_id in pool.line} != waiting:
            yield f"pool {key}: {pool.line} wait, {waiting} should"
        if pool.line and pool.free != 0 and not idle:
            yield f"pool {key} has {pool.free} free slots, and {pool.line} wait"


def _of_workflows(world: World) -> Iterator[str]:
    for name, known in world.workflows.items():
        if known.plan.workflow.schedule and f"schedule:{'/'.join(name)}" not in world.timers:
            yield f"workflow {name} has a schedule, and will not be woken"
        of_it = [
            live
            for live in world.executions.values()
            if (live.plan.namespace, live.plan.name) == name
        ]
        active = {one.id for one in of_it if one.record.status is WorkflowStatus.RUNNING}
        if active != set(known.active) or {one.id for one in of_it} - active != set(known.waiting):
            yield f"workflow {name}: {known.active}, {known.waiting} of {active}"
