"""The logs of an execution, attempt by attempt, to its end if asked to follow."""

from collections.abc import Iterable

from eventflow.cli.opened import find_execution, find_task
from eventflow.cli.printing import note, say, say_json
from eventflow.cli.tails import LogLine, Tails
from eventflow.clock import SystemClock
from eventflow.errors import NotFoundError
from eventflow.model.records import TaskExecution, WorkflowExecution
from eventflow.model.status import TaskStatus
from eventflow.runtime.items import each_item, item_at
from eventflow.runtime.remote import RemoteClient
from eventflow.store.ports import Store

# Nobody rings a bell for a line in a file.
LOOK_S = 0.2
_SHARE = 5
_LOOKED_THROUGH = 1000


def print_logs(
    remote: RemoteClient,
    execution_id: int,
    *,
    task: str | None,
    index: tuple[int, ...],
    attempt: int | None,
    sequence: int | None,
    follow: bool,
    as_json: bool,
) -> None:
    """Print the lines of an execution's attempts; with `follow` until it has ended.

    Args:
        index: Of this item of a mapped task only; empty for all of them (S43).

    Raises:
        NotFoundError: If there is no such execution, or its workflow has no such task, or that has
            no such item.
    """
    store = remote.store
    execution = find_execution(store, execution_id)
    if task is not None:
        find_task(store, execution, task)
    tails, clock = Tails(store), SystemClock()
    told: set[int] = set()
    printer = _Printer(as_json=as_json, attempt=attempt)
    while True:
        runs = [
            run
            for run in execution.tasks
            if task in (None, run.task_name) and sequence in (None, run.sequence_number)
        ]
        if index:
            runs = _items_of(store, runs, index, may_come=follow and not execution.ended)
        for run in runs:
            if run.id not in told and not as_json:
                _say_elsewhere(store, execution, run)
            # A mapped task has no items at first, and nobody knows which are taken over.
            if run.items is not None or run.ended:
                told.add(run.id)
        looked_at = clock.monotonic()
        printer.show(tails.new_lines(runs))
        if not follow or execution.ended:
            return
        # Of a large map a look may cost much: it takes a part of the time, not all of it.
        took = clock.monotonic() - looked_at
        execution = _next(remote, execution, max(LOOK_S, took * _SHARE))


def _items_of(
    store: Store, runs: list[TaskExecution], index: tuple[int, ...], *, may_come: bool
) -> list[TaskExecution]:
    """The item of that index in each of the runs that has one."""
    found = []
    trouble: NotFoundError | None = None
    for run in runs:
        try:
            found.append(item_at(store, run, index))
        except NotFoundError as error:
            trouble = error
    if not found and not may_come:
        raise trouble or NotFoundError("the task has not started, and has no items")
    return found


def _say_elsewhere(store: Store, execution: WorkflowExecution, run: TaskExecution) -> None:
    """Note where the log of a run is, or of items of it, whose work was done elsewhere (S31)."""
    if run.taken_from is not None:
        where = _home_of(store, execution, run.taken_from)
        if where is not None:
            note(f"{run.label} was taken over; its log is in execution {where}")
    elif run.items is not None and execution.retry_of is not None:
        ended = each_item(store, run, [TaskStatus.SUCCESS], limit=_LOOKED_THROUGH)
        taken = next((one.taken_from for one in ended if one.taken_from is not None), None)
        origin = store.task_execution(taken) if taken is not None else None
        if origin is not None:
            where = origin.workflow_execution_id
            note(f"items of {run.label} were taken over; their logs are in execution {where}")


def _home_of(store: Store, execution: WorkflowExecution, run_id: int) -> int | None:
    """The execution of a run that was taken over, or of an item that was."""
    found: WorkflowExecution | None = execution
    while found is not None:
        if any(one.id == run_id for one in found.tasks):
            return found.id
        found = store.execution(found.retry_of) if found.retry_of is not None else None
    origin = store.task_execution(run_id)
    return origin.workflow_execution_id if origin is not None else None


def _next(remote: RemoteClient, execution: WorkflowExecution, seconds: float) -> WorkflowExecution:
    """The execution a moment later, or when it has ended."""

    def ended() -> bool | None:
        status = remote.store.execution_status(execution.id)
        return True if status is not None and status.ended else None

    remote.until(ended, seconds)
    return find_execution(remote.store, execution.id)


class _Printer:
    """Prints lines; a header where another attempt begins than the one before."""

    def __init__(self, *, as_json: bool, attempt: int | None) -> None:
        self._as_json = as_json
        self._attempt = attempt
        self._last: tuple[int, int] | None = None

    def show(self, lines: Iterable[LogLine]) -> None:
        for line in lines:
            if self._attempt not in (None, line.attempt):
                continue
            run = line.run
            if self._as_json:
                told = {
                    "task": run.task_name,
                    "sequence_number": run.sequence_number,
                    **({"index": list(run.index)} if run.index else {}),
                    "attempt": line.attempt,
                    "line": line.text,
                }
                say_json(told, indent=None)
                continue
            if self._last != (run.id, line.attempt):
                self._last = (run.id, line.attempt)
                say(f"==> {run.label}, attempt {line.attempt} <==")
            say(line.text)
