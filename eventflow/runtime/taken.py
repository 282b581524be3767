"""Which items of a mapped task a retry takes over: what succeeded on the same inputs (S31)."""

from eventflow.core.world import Run
from eventflow.model.records import TaskExecution, WorkflowExecution
from eventflow.model.shape import Shape
from eventflow.model.status import TaskStatus
from eventflow.runtime.retrying import latest_runs
from eventflow.store.ports import Store

_PAGE = 10_000


def taken_items(
    store: Store, record: WorkflowExecution, run: Run, shape: Shape
) -> list[tuple[int, int, int]]:
    """Items to take over: number, the run that brought the result, how many are in a row of both.

    None are when an upstream has run anew: an item of that number may be about something else.
    """
    before = _before(store, record, run)
    if before is None or store.shape(before.id) != shape:
        return []
    if _origins(store, before.inputs) != _origins(store, run.inputs or {}):
        return []
    taken: list[tuple[int, int, int]] = []
    after = -1
    while True:
        page = store.items(before.id, statuses=[TaskStatus.SUCCESS], after=after, limit=_PAGE)
        for item in page:
            _add(taken, item)
        if len(page) < _PAGE:
            return taken
        after = page[-1].item or 0


def _add(taken: list[tuple[int, int, int]], item: TaskExecution) -> None:
    number, origin = item.item or 0, item.taken_from or item.id
    if taken:
        first, of_first, count = taken[-1]
        if (number, origin) == (first + count, of_first + count):
            taken[-1] = (first, of_first, count + 1)
            return
    taken.append((number, origin, 1))


def _before(store: Store, record: WorkflowExecution, run: Run) -> TaskExecution | None:
    """The run of the execution that is retried, when this is the first one of the retry."""
    old = record.retry_of if run.sequence_number == 1 else None
    while old is not None:
        retried = store.execution(old)
        if retried is None:
            return None
        before = latest_runs(retried).get(run.task)
        if before is not None and (before.items is not None or before.sequence_number > 1):
            return before
        # There it was still to run again, or was stopped before it had any items.
        old = retried.retry_of
    return None


def _origins(store: Store, inputs: dict[str, int]) -> dict[str, int]:
    """Upstream task -> the run that brought its result."""
    origins = {}
    for task, run_id in inputs.items():
        found = store.task_execution(run_id)
        origins[task] = found.taken_from or run_id if found is not None else run_id
    return origins
