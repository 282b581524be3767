"""The items of a run of a mapped task as they are asked about: one, all, the failed ones (S43)."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from eventflow.errors import NotFoundError
from eventflow.model.itemname import in_brackets
from eventflow.model.records import AttemptFailure, TaskExecution, WorkflowExecution
from eventflow.model.status import TaskStatus
from eventflow.store.ports import Store

PAGE = 1000


class FailedItem(NamedTuple):
    """An item that has failed, and how its last attempt did."""

    item: TaskExecution
    failure: AttemptFailure | None

    @property
    def why(self) -> str:
        """The exception: `ValueError: no such day`."""
        if self.failure is None:
            return self.item.reason
        return f"{self.failure.type_name}: {self.failure.message}"

    def __str__(self) -> str:
        """For people: `work[17]: ValueError: no such day`."""
        tries = f", attempt {self.item.attempt}" if self.item.attempt > 1 else ""
        return f"{self.item.task_name}{in_brackets(self.item.index)}{tries}: {self.why}"


def run_of(
    execution: WorkflowExecution, task: str, sequence_number: int | None = None
) -> TaskExecution | None:
    """The run of that number, or the newest one."""
    found = [
        run
        for run in execution.tasks
        if run.task_name == task and sequence_number in (None, run.sequence_number)
    ]
    return max(found, key=lambda run: run.sequence_number, default=None)


def with_items(store: Store, run: TaskExecution) -> TaskExecution:
    """The run that holds the items: of one that was taken over, the one that brought it (S31)."""
    if run.items is not None or run.taken_from is None:
        return run
    origin = store.task_execution(run.taken_from)
    return origin if origin is not None and origin.items is not None else run


def map_of(
    store: Store, execution: WorkflowExecution, task: str, sequence_number: int | None = None
) -> TaskExecution:
    """The run of a mapped task that holds its items: the newest, or the one of that number.

    Raises:
        NotFoundError: If there is no such run, or it has no items.
    """
    run = run_of(execution, task, sequence_number)
    if run is None:
        which = f"no run {sequence_number}" if sequence_number is not None else "not started"
        raise NotFoundError(f"task {task!r} of workflow execution {execution.id} has {which}")
    holder = with_items(store, run)
    if holder.items is None:
        why = f" ({run.reason})" if run.reason else ""
        raise NotFoundError(f"{run.label} has no items; it is {run.status.value}{why}")
    return holder


def each_item(
    store: Store,
    run: TaskExecution,
    statuses: Iterable[TaskStatus] = (),
    *,
    after: int = -1,
    limit: int | None = None,
) -> Iterator[TaskExecution]:
    """The items of a run in their order, read page by page; at most `limit`."""
    wanted, left = tuple(statuses), limit
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        page = store.items(run.id, statuses=wanted, after=after, limit=size)
        yield from page
        if len(page) < size or page[-1].item is None:
            return
        after = page[-1].item
        left = None if left is None else left - len(page)


def item_at(store: Store, run: TaskExecution, index: tuple[int, ...]) -> TaskExecution:
    """The item with an index.

    Raises:
        NotFoundError: If there is none; says how many there are.
    """
    what = f"{run.task_name}{in_brackets(index)}"
    shape = store.shape(run.id)
    if shape is None:
        why = "it is no mapped task" if run.ended else "its items are not counted yet, if it is one"
        raise NotFoundError(f"{run.label} has no item {what}: {why}")
    if len(index) != shape.depth:
        raise NotFoundError(
            f"{what} is no item: those of {run.label} are named by {shape.depth} numbers each"
        )
    try:
        number = shape.range_of(index).start
    except IndexError:
        raise NotFoundError(
            f"{run.label} has no item {what}; it has {shape.count}, counted from 0"
        ) from None
    return store.items(with_items(store, run).id, after=number - 1, limit=1)[0]


def failed_items(store: Store, run: TaskExecution, limit: int) -> list[FailedItem]:
    """The first items that have failed, at most `limit`; asks the store only where there is one."""
    if run.items is None or not run.items.by_status.get(TaskStatus.FAILED):
        return []
    found = store.items(run.id, statuses=[TaskStatus.FAILED], limit=limit)
    return [FailedItem(item, next(reversed(store.failures(item.id)), None)) for item in found]


def left_out(run: TaskExecution, shown: int) -> str:
    """`and 17 more`; empty when all that failed are shown."""
    failed = run.items.by_status.get(TaskStatus.FAILED, 0) if run.items is not None else 0
    return f"and {failed - shown} more" if failed > shown else ""
