"""An execution as people look at it: its tasks and its failures."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from rich.table import Table

from eventflow.cli.hints import command
from eventflow.cli.printing import clean, lasted
from eventflow.cli.screens import table
from eventflow.model.itemname import in_brackets
from eventflow.model.records import AttemptFailure, TaskExecution, WorkflowExecution
from eventflow.runtime.items import failed_items, left_out
from eventflow.store.ports import Store

COLUMNS = ("task", "run", "attempts", "status", "duration", "started by", "note")
_TRACE_LINES = 6
_TAIL_BYTES = 4096
# Of the items that failed, so many are named.
_ITEMS = 5


def headline(execution: WorkflowExecution, now: datetime) -> str:
    """One line on an execution: `execution 3 of train: SUCCESS after 1.20 s`."""
    took = lasted(execution.begin_date, execution.end_date or now)
    text = f"execution {execution.id} of {execution.workflow_name}: {execution.status.value}"
    if took:
        text += f" {'after' if execution.ended else 'for'} {took}"
    return f"{text} ({clean(execution.reason)})" if execution.reason else text


def tasks_table(runs: Sequence[TaskExecution], now: datetime) -> Table:
    """Every run: task, sequence number, attempts, status, duration, what started it; where a task
    is mapped, how its items stand.
    """
    has_items = any(run.items is not None for run in runs)
    columns = (*COLUMNS[:4], "items", *COLUMNS[4:]) if has_items else COLUMNS
    return table(
        columns,
        [
            (
                run.task_name,
                run.sequence_number,
                run.attempt,
                run.status.value,
                *((run.items,) if has_items else ()),
                lasted(run.begin_date, run.end_date or now),
                origin(run.started_by),
                run.reason,
            )
            for run in runs
        ],
    )


def origin(started_by: str) -> str:
    """What started a run, in short: of a task's own status event the task and the status."""
    tokens = started_by.split(".")
    if tokens[:2] == ["eventflow", "task"] and len(tokens) == 5:
        return f"{tokens[3]} {tokens[4].upper()}"
    return started_by


def sub_lines(subs: Sequence[WorkflowExecution], now: datetime) -> list[str]:
    """One line for each: `load runs execution 4 of load_one: SUCCESS after 1.20 s`."""
    return [
        f"{sub.parent.task_name} runs {headline(sub, now)}"
        for sub in subs
        if sub.parent is not None
    ]


def failure_lines(failure: AttemptFailure, log_path: str = "") -> list[str]:
    """How an attempt failed: the end of its traceback, and where the rest is.

    One without frames, as of a command that left with an exit code, is told by its last output.
    """
    trace = [line for line in failure.traceback.rstrip().splitlines() if line.strip()]
    shown = trace[-_TRACE_LINES:] or [f"{failure.type_name}: {failure.message}"]
    if len(trace) > _TRACE_LINES + 2:
        shown = [trace[0], f"  [... {len(trace) - _TRACE_LINES - 1} lines left out ...]", *shown]
    has_log = bool(log_path) and Path(log_path).exists()
    if len(trace) <= 1 and has_log:
        output = _last_lines(Path(log_path))
        shown += ["its last output:", *(f"  {line}" for line in output)] if output else []
    lines = [clean(line.expandtabs(4)) for line in shown]
    return [*lines, f"log: {log_path}"] if has_log else lines


def failed_item_lines(store: Store, run: TaskExecution, option: str | None) -> list[str]:
    """The items of a run that failed: the first few by name, one of them whole."""
    failed = failed_items(store, run, _ITEMS)
    if not failed:
        return []
    lines = [clean(str(one)) for one in failed]
    more = left_out(run, len(failed))
    if more:
        asked = f"execution items {run.workflow_execution_id} {run.task_name} --status FAILED"
        lines.append(f"{more}: {command(asked, option)}")
    return [*lines, *item_failure_lines(store, failed[0].item)]


def item_failure_lines(store: Store, item: TaskExecution) -> list[str]:
    """How the last attempt of an item failed."""
    for failure in store.failures(item.id)[-1:]:
        name = f"{item.task_name}{in_brackets(item.index)}"
        lines = failure_lines(failure, item.log_path)
        return ["", f"{name} failed, attempt {failure.attempt}:", *(f"  {line}" for line in lines)]
    return []


def _last_lines(log: Path) -> list[str]:
    with log.open("rb") as file:
        file.seek(max(log.stat().st_size - _TAIL_BYTES, 0))
        text = file.read().decode("utf-8", "replace")
    return [line for line in text.splitlines() if line.strip()][-_TRACE_LINES:]
