"""The logs of an execution, attempt by attempt, to its end if asked to follow."""

from collections.abc import Iterable

from eventflow.cli.opened import find_execution, find_task
from eventflow.cli.printing import note, say, say_json
from eventflow.cli.tails import LogLine, Tails
from eventflow.model.records import TaskExecution, WorkflowExecution
from eventflow.runtime.remote import RemoteClient
from eventflow.store.ports import Store

# Nobody rings a bell for a line in a file.
LOOK_S = 0.2


def print_logs(
    remote: RemoteClient,
    execution_id: int,
    *,
    task: str | None,
    attempt: int | None,
    sequence: int | None,
    follow: bool,
    as_json: bool,
) -> None:
    """Print the lines of an execution's attempts; with `follow` until it has ended.

    Raises:
        NotFoundError: If there is no such execution, or its workflow has no such task.
    """
    store = remote.store
    execution = find_execution(store, execution_id)
    if task is not None:
        find_task(store, execution, task)
    tails = Tails(store)
    told: set[int] = set()
    printer = _Printer(as_json=as_json, attempt=attempt)
    while True:
        runs = [
            run
            for run in execution.tasks
            if task in (None, run.task_name) and sequence in (None, run.sequence_number)
        ]
        for run in runs:
            if run.id in told or as_json:
                continue
            told.add(run.id)
            elsewhere = _log_elsewhere(store, execution, run)
            if elsewhere is not None:
                which = f"{run.task_name} #{run.sequence_number}"
                note(f"{which} was taken over; its log is in execution {elsewhere}")
        printer.show(tails.new_lines(runs))
        if not follow or execution.ended:
            return
        execution = _next(remote, execution)


def _log_elsewhere(store: Store, execution: WorkflowExecution, run: TaskExecution) -> int | None:
    """The execution in which the work was done that a run stands for, if it stands for another."""
    if run.taken_from is None:
        return None
    found: WorkflowExecution | None = execution
    while found is not None:
        if any(one.id == run.taken_from for one in found.tasks):
            return found.id
        found = store.execution(found.retry_of) if found.retry_of is not None else None
    return None


def _next(remote: RemoteClient, execution: WorkflowExecution) -> WorkflowExecution:
    """The execution a moment later, or when it has ended."""

    def ended() -> bool | None:
        status = remote.store.execution_status(execution.id)
        return True if status is not None and status.ended else None

    remote.until(ended, LOOK_S)
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
                    "attempt": line.attempt,
                    "line": line.text,
                }
                say_json(told, indent=None)
                continue
            if self._last != (run.id, line.attempt):
                self._last = (run.id, line.attempt)
                say(f"==> {run.task_name} #{run.sequence_number}, attempt {line.attempt} <==")
            say(line.text)
