"""Mapped tasks: how the items of a run come to be, are opened, and what they end as (S43).

No executor ever holds the run itself: it is RUNNING while an item is alive. To executors, and for
what they report, an item is a run like any other; its moves are no facts, so rules see the task
alone. Whatever moves an item only says that its map is to be looked after; what follows is decided
in `tend`, when all of the step is applied.
"""

from typing import Any

from msgspec.structs import replace

from eventflow.core import reports
from eventflow.core.actions import queue, stop_run
from eventflow.core.changes import FailureKept
from eventflow.core.decision import Deciding, Outcome
from eventflow.core.draft import Draft
from eventflow.core.opened import ItemsClosed, ItemsCreated, ItemsOpened
from eventflow.core.world import Items, LiveExecution, Run
from eventflow.errors import ItemsFailedError
from eventflow.model.records import AttemptFailure
from eventflow.model.shape import Shape
from eventflow.model.status import TaskStatus


def decide_expand(deciding: Deciding, value: dict[str, Any]) -> None:
    """Give a QUEUED run of a mapped task its items, unless they are not wanted any more.

    Args:
        value: The run, as `workflow_execution_id`, `task`, `task_execution_id` and `attempt`; its
            `levels`, the counts of a Shape; and `taken`, the items that are taken over, as triples
            of number, id of the run that brought the result, and how many there are in a row.
    """
    live = deciding.world.executions.get(value["workflow_execution_id"])
    run = live.run(value["task_execution_id"], value["task"]) if live is not None else None
    awaited = run is not None and run.status is TaskStatus.QUEUED
    if live is None or run is None or not awaited or run.attempt != value["attempt"]:
        did = "ignored: the run does not wait for its items"
        deciding.note(_outcome(live, value, did))
        return
    shape = Shape(value["levels"])
    reports.begin(deciding, live, run, f"{shape.count} items")
    deciding.change(
        ItemsCreated(
            live.id,
            run,
            shape,
            first=deciding.new_run_ids(shape.count) if shape.count else 0,
            at=deciding.at,
            turn=deciding.turn,
            pool=live.plan.tasks[run.task].settings.pool,
            taken=tuple((item, origin, count) for item, origin, count in value["taken"]),
        )
    )
    deciding.touch_map(run.id)
    deciding.note(_outcome(live, value, "expanded"))


def tend(deciding: Deciding, draft: Draft) -> None:
    """Go on with every map of which something has moved, until nothing more follows."""
    world = deciding.world
    while deciding.maps:
        touched, deciding.maps = deciding.maps, {}
        for run_id in touched:
            place = world.homes.get(run_id)
            if place is None:
                continue
            live = world.executions[place[0]]
            run, items = live.run(run_id, place[1]), live.items.get(run_id)
            if run is not None and items is not None:
                _tend(deciding, live, run, items)
        deciding.apply(draft)


def _tend(deciding: Deciding, live: LiveExecution, run: Run, items: Items) -> None:
    settings = live.plan.tasks[run.task].settings
    if run.status in reports.LEAVING:
        if not _stop(deciding, live, run, items, f"stopped with task {run.task}"):
            reports.end_run(deciding, live, run, TaskStatus.STOPPED, "")
        return
    if items.failed and settings.on_item_failure == "stop":
        why = f"item {items.fault[0]} has failed" if items.fault is not None else ""
        if _stop(deciding, live, run, items, why):
            return
    room = settings.max_active_items - len(items.alive)
    if room > 0 and items.next < items.count:
        _open(deciding, live, run, items, room)
    elif not items.alive and items.next == items.count:
        _end(deciding, live, run, items)


def _open(deciding: Deciding, live: LiveExecution, run: Run, items: Items, room: int) -> None:
    """Have the next items QUEUED, each with a slot of its own (S44).

    The first that is not open is never one that was taken over, so that at least one opens.
    """
    opened: list[Run] = []
    after = items.next
    while after < items.count and len(opened) < room:
        if after not in items.taken:
            opened.append(_item(run, items, after))
        after += 1
    while after in items.taken:
        after += 1
    deciding.change(ItemsOpened(live.id, run.id, tuple(opened), after))
    task = live.plan.tasks[run.task]
    for item in opened:
        queue(deciding, live, task, item)


def _item(run: Run, items: Items, number: int) -> Run:
    return Run(
        id=items.first + number,
        task=run.task,
        sequence_number=run.sequence_number,
        status=TaskStatus.INIT,
        trigger_turn=run.trigger_turn,
        # Bound once, for all of them (S38).
        inputs=run.inputs or {},
        parent=run.id,
        item=number,
        hops=run.hops,
        created_at=run.created_at,
    )


def _stop(deciding: Deciding, live: LiveExecution, run: Run, items: Items, why: str) -> bool:
    """Stop every item that has not ended; whether there is one to wait for."""
    if items.next < items.count:
        waiting = range(items.first + items.next, items.first + items.count)
        deciding.change(ItemsClosed(live.id, run.id, waiting, deciding.at, deciding.turn, why))
        deciding.touch_map(run.id)
    # In item order, whichever they are kept in: a batch that was taken back may have turned it.
    for _, item in sorted(items.alive.items()):
        stop_run(deciding, live, item, why)
    return bool(items.alive) or items.next < items.count


def _end(deciding: Deciding, live: LiveExecution, run: Run, items: Items) -> None:
    if not items.failed:
        reports.end_run(deciding, live, run, TaskStatus.SUCCESS, "")
        return
    number, why = items.fault or (0, "")
    index = list(items.shape.index_of(number)) if items.shape.depth > 1 else number
    first = f"item {index}" if items.failed == 1 else f"the first is item {index}"
    message = f"{items.failed} of {items.count} items failed; {first}: {why}"
    failure = AttemptFailure(
        attempt=run.attempt,
        type_name=ItemsFailedError.__name__,
        message=message,
        args=[message],
    )
    deciding.change(FailureKept(run.id, failure))
    run = replace(run, failures=run.failures + 1)
    reports.end_run(deciding, live, run, TaskStatus.FAILED, message[:500])


def _outcome(live: LiveExecution | None, value: dict[str, Any], did: str) -> Outcome:
    workflow = (live.plan.namespace, live.plan.name) if live is not None else ("", "")
    return Outcome(
        value["workflow_execution_id"],
        workflow,
        did,
        task=value["task"],
        action="expand",
        run_id=value["task_execution_id"],
    )
