"""What the store holds about the items of a mapped task, gathered for an explanation (S42, S43)."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from eventflow.core.explanation import ItemFailed, ItemOrigin, ItemsExplained, ItemsWait
from eventflow.model.arguments import Output
from eventflow.model.drawing import map_words
from eventflow.model.mapped import Along, Each, Given, Mapped
from eventflow.model.records import TaskExecution
from eventflow.model.settings import TaskSettings
from eventflow.model.status import TaskStatus
from eventflow.runtime.items import each_item, failed_items, item_at
from eventflow.store.ports import Store

_FAILED = 5
# Of those that wait, as many are asked for what.
_LOOKED_THROUGH = 1000
_LEAVING = (TaskStatus.STOPPING, TaskStatus.RESTARTING)


def explain_items(
    store: Store, run: TaskExecution, mapped: Mapped | None, settings: TaskSettings | None
) -> ItemsExplained | None:
    """How the items of a run stand; `None` for one that has none.

    Args:
        mapped: Over what it is mapped; `None`, as `settings`, where the store does not have that.
    """
    if run.items is None:
        return None
    failed = [
        ItemFailed(index=one.item.index, attempt=one.item.attempt, failure=one.why)
        for one in failed_items(store, run, _FAILED)
    ]
    return ItemsExplained(
        counts=run.items,
        over=map_words(mapped) if mapped is not None else "",
        waits=() if run.ended else tuple(_waits(store, run, settings)),
        failed=tuple(failed),
    )


def waiting_items(store: Store, run: TaskExecution, status: TaskStatus) -> list[TaskExecution]:
    """The first items that stand so; asks the store only where there is one."""
    if run.items is None or not run.items.by_status.get(status):
        return []
    return list(each_item(store, run, [status], limit=_LOOKED_THROUGH))


def window_in_words(settings: TaskSettings | None) -> str:
    """What an item waits for that was not opened yet."""
    most = f" {settings.max_active_items}" if settings is not None else ""
    return f"others to end: at most{most} are alive at once (max_active_items)"


def runs_again_at(store: Store, items: list[TaskExecution]) -> datetime | None:
    """When the first of these goes on by itself; `None` when none does."""
    keys = {f"retry:{item.id}" for item in items}
    due = [timer.due_at for timer in store.timers(["retry"]) if timer.key in keys] if keys else []
    return min(due, default=None)


def origins_of(
    store: Store, item: TaskExecution, run: TaskExecution, mapped: Mapped
) -> Iterator[ItemOrigin]:
    """Where an item comes from, axis by axis; of one upstream the closest only."""
    along: dict[str, tuple[int, ...]] = {}
    for number, axis in enumerate(mapped.axes):
        match axis:
            case Given():
                yield ItemOrigin(element=item.index[number])
            case Each(output):
                at = _picked(item, output)
                yield _origin(store, run, output.task_name, at, element=item.index[number])
                along.pop(output.task_name, None)
            case Along(outputs):
                for output in outputs:
                    along[output.task_name] = (*_picked(item, output), item.index[number])
    for task, at in along.items():
        yield _origin(store, run, task, at)


def _waits(store: Store, run: TaskExecution, settings: TaskSettings | None) -> Iterator[ItemsWait]:
    by_status = run.items.by_status if run.items is not None else {}
    for status in (TaskStatus.RUNNING, *_LEAVING):
        if by_status.get(status):
            yield ItemsWait(status=status, count=by_status[status])
    queued = waiting_items(store, run, TaskStatus.QUEUED)
    for why, count in Counter(item.reason for item in queued).items():
        yield ItemsWait(status=TaskStatus.QUEUED, count=count, why=why or "for their executor")
    retrying = waiting_items(store, run, TaskStatus.RETRYING)
    if retrying:
        due = runs_again_at(store, retrying)
        count = by_status[TaskStatus.RETRYING]
        yield ItemsWait(status=TaskStatus.RETRYING, count=count, due_at=due)
    if by_status.get(TaskStatus.INIT):
        count, why = by_status[TaskStatus.INIT], window_in_words(settings)
        yield ItemsWait(status=TaskStatus.INIT, count=count, why=why)


def _picked(item: TaskExecution, output: Output) -> tuple[int, ...]:
    return tuple(item.index[axis] for axis in output.at)


def _origin(
    store: Store,
    run: TaskExecution,
    task: str,
    index: tuple[int, ...],
    *,
    element: int | None = None,
) -> ItemOrigin:
    upstream = store.task_execution(run.inputs[task]) if task in run.inputs else None
    if upstream is None:
        return ItemOrigin(task=task, index=index, element=element)
    shape = store.shape(upstream.id)
    is_item = shape is not None and len(index) == shape.depth
    status = item_at(store, upstream, index).status.value if is_item else ""
    return ItemOrigin(
        task=task,
        sequence_number=upstream.sequence_number,
        index=index,
        element=element,
        status=status,
    )
