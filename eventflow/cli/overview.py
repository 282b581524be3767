"""An execution as people look at it: its tasks, its failures, and what is being waited for."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from rich.table import Table

from eventflow.cli.printing import clean, lasted, when
from eventflow.cli.screens import table
from eventflow.core.waiting import Waiting, waits_for
from eventflow.model.records import AttemptFailure, TaskExecution, WorkflowExecution
from eventflow.model.status import TaskAction, TaskStatus, WorkflowStatus
from eventflow.model.workflow import Workflow
from eventflow.runtime.retrying import again_in_words, still_to_do
from eventflow.store.ports import Store

COLUMNS = ("task", "run", "attempts", "status", "duration", "started by", "note")
_TRACE_LINES = 6


def headline(execution: WorkflowExecution, now: datetime) -> str:
    """One line on an execution: `execution 3 of train: SUCCESS after 1.20 s`."""
    took = lasted(execution.begin_date, execution.end_date or now)
    text = f"execution {execution.id} of {execution.workflow_name}: {execution.status.value}"
    if took:
        text += f" {'after' if execution.ended else 'for'} {took}"
    return f"{text} ({clean(execution.reason)})" if execution.reason else text


def tasks_table(runs: Sequence[TaskExecution], now: datetime) -> Table:
    """Every run: task, sequence number, attempts, status, duration, what started it."""
    return table(
        COLUMNS,
        [
            (
                run.task_name,
                run.sequence_number,
                run.attempt,
                run.status.value,
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


def latest_runs(execution: WorkflowExecution) -> dict[str, TaskExecution]:
    """Task -> its latest run, in order of first start."""
    latest: dict[str, TaskExecution] = {}
    for run in execution.tasks:
        known = latest.get(run.task_name)
        if known is None or run.sequence_number > known.sequence_number:
            latest[run.task_name] = run
    return latest


def waiting_lines(
    store: Store, execution: WorkflowExecution, workflow: Workflow | None
) -> list[str]:
    """What an execution that has not ended is waiting for, one line for each task.

    A line stays as it is for as long as what it says: it tells since when, not for how long.
    """
    if execution.ended:
        return []
    if execution.status is WorkflowStatus.INIT:
        at_most = f" {workflow.max_active}" if workflow is not None else ""
        return [
            execution.reason
            or f"its turn: at most{at_most} executions of "
            f"{execution.workflow_name} run at once (max_active)"
        ]
    latest = latest_runs(execution)
    subs = {
        sub.parent.task_execution_id: sub
        for sub in subs_of(store, execution, workflow)
        if sub.parent is not None and not sub.ended
    }
    lines = [_alive(run, subs.get(run.id)) for run in latest.values() if not run.ended]
    if workflow is not None:
        statuses: dict[str, TaskStatus | None] = {name: run.status for name, run in latest.items()}
        again = still_to_do(store, execution)
        lines += [
            f"{name} {again_in_words(workflow, retried, statuses)}"
            for name, retried in again.items()
        ]
        lines += [
            _not_started(waiting)
            for waiting in waits_for(workflow, statuses, again)
            if waiting.possible
        ]
    for timer in store.timers(["periodic", "retry", "deadline"]):
        if timer.workflow_execution_id == execution.id:
            what = {"retry": "retries", "periodic": "is due again"}.get(timer.kind, "times out")
            lines.append(f"{timer.task or execution.workflow_name} {what} at {when(timer.due_at)}")
    if not lines and workflow is not None and workflow.completion == "manual":
        lines.append("a stop: completion is 'manual'")
    return lines


def subs_of(
    store: Store, execution: WorkflowExecution, workflow: Workflow | None
) -> list[WorkflowExecution]:
    """What its tasks have run, oldest first (S40); asks the store only where one can."""
    if workflow is None or all(task.runs_workflow is None for task in workflow.tasks.values()):
        return []
    return store.sub_executions(execution.id)


def sub_lines(subs: Sequence[WorkflowExecution], now: datetime) -> list[str]:
    """One line for each: `load runs execution 4 of load_one: SUCCESS after 1.20 s`."""
    return [
        f"{sub.parent.task_name} runs {headline(sub, now)}"
        for sub in subs
        if sub.parent is not None
    ]


def failure_lines(failure: AttemptFailure, log_path: str = "") -> list[str]:
    """How an attempt failed: the end of its traceback, and where the rest is."""
    trace = [line for line in failure.traceback.rstrip().splitlines() if line.strip()]
    shown = trace[-_TRACE_LINES:] or [f"{failure.type_name}: {failure.message}"]
    lines = [clean(line.expandtabs(4)) for line in shown]
    return [*lines, f"log: {log_path}"] if log_path and Path(log_path).exists() else lines


def _alive(run: TaskExecution, sub: WorkflowExecution | None) -> str:
    what = f"{run.task_name} #{run.sequence_number}"
    if sub is not None:
        return (
            f"{what} is {run.status.value}: for execution {sub.id} of {sub.workflow_name}, which "
            f"is {sub.status.value}"
        )
    match run.status:
        case TaskStatus.INIT:
            return f"{what} waits for its earlier run to stop"
        case TaskStatus.QUEUED:
            return f"{what} is QUEUED: {f'it {run.reason}' if run.reason else 'for its executor'}"
        case TaskStatus.RETRYING:
            return f"{what} is RETRYING: attempt {run.attempt} failed"
        case _:
            since = f" since {when(run.begin_date)}" if run.begin_date else ""
            return f"{what} is {run.status.value}{since}"


def _not_started(waiting: Waiting) -> str:
    if not waiting.missing:
        return f"{waiting.task} waits for its execution to begin, or for its schedule"
    verb = "" if waiting.action is TaskAction.START else f" to {waiting.action.value}"
    return f"{waiting.task} waits{verb} for {', and '.join(waiting.missing)}"
