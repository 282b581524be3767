"""`eventflow execution ...`: start, retry, list, show, explain and stop executions; logs."""

from typing import Annotated, Any

import typer

from eventflow.cli import options
from eventflow.cli.hints import on_store
from eventflow.cli.items import items
from eventflow.cli.logs import print_logs
from eventflow.cli.opened import (
    NO_SCHEDULER,
    check_workflow,
    find_execution,
    open_client,
    sketch,
)
from eventflow.cli.overview import (
    failed_item_lines,
    failure_lines,
    headline,
    origin,
    sub_lines,
    tasks_table,
)
from eventflow.cli.printing import clean, json_line, lasted, plain, say, say_json, when
from eventflow.cli.screens import screen, table
from eventflow.cli.starting import retry, start
from eventflow.clock import SystemClock
from eventflow.core.telling import tell
from eventflow.errors import EventflowError
from eventflow.model.records import TaskExecution, TaskExecutionKey, WorkflowExecution
from eventflow.model.status import WorkflowStatus
from eventflow.runtime.explaining import explain as explain_from
from eventflow.runtime.items import failed_items
from eventflow.runtime.standing import NOBODY_RUNS, subs_of, waiting
from eventflow.store.ports import Store

app = typer.Typer(no_args_is_help=True)
History = Annotated[bool, typer.Option("--history", help="Every status with its time, too.")]


app.command()(start)
app.command()(retry)
# `execution items` has all of them.
FAILED_TOLD = 20


@app.command("list")
def list_executions(
    workflow: Annotated[
        str | None, typer.Option("--workflow", help="Of this workflow only.", show_default=False)
    ] = None,
    namespace: Annotated[
        str | None, typer.Option("--namespace", help="Of this namespace only.", show_default=False)
    ] = None,
    status: Annotated[
        list[WorkflowStatus] | None,
        typer.Option(
            "--status",
            help="With this status only; several times if need be.",
            show_default=False,
            case_sensitive=False,
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """List executions, the newest first."""
    with open_client(store) as remote:
        check_workflow(remote.store, workflow, namespace)
        found = remote.store.executions(
            workflow=workflow, namespace=namespace, statuses=status or (), limit=limit
        )
        served = remote.store.holder() is not None
    if as_json:
        say_json(found)
        return
    now = SystemClock().now()
    rows = [
        (
            one.id,
            one.workflow_name,
            one.namespace,
            one.execution_type.value,
            one.status.value,
            one.begin_date or one.created_at,
            lasted(one.begin_date, one.end_date or now),
            _asked_by(one),
            one.reason,
        )
        for one in found
    ]
    columns = ("id", "workflow", "namespace", "type", "status", "began", "duration", "for", "note")
    screen().print(table(columns, rows))
    if not served and not all(one.ended for one in found):
        say(on_store(NOBODY_RUNS, store))


def _asked_by(execution: WorkflowExecution) -> Any:
    """The event, due time, task or earlier execution that an execution is for."""
    if execution.retry_of is not None:
        return f"retry of {execution.retry_of}"
    if execution.parent is not None:
        return f"{execution.parent.task_name} of {execution.parent.workflow_execution_id}"
    trigger = execution.trigger_event
    return trigger.key if trigger is not None else execution.scheduled_time


@app.command()
def show(
    execution_id: options.ExecutionId,
    history: History = False,
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """Show an execution: its tasks, its failures, and what is being waited for."""
    with open_client(store) as remote:
        execution = find_execution(remote.store, execution_id)
        workflow = sketch(remote.store, execution.snapshot)
        waits = waiting(remote.store, execution, workflow, when)
        if not execution.ended and remote.store.holder() is None:
            waits.insert(0, NOBODY_RUNS)
        waits = [on_store(line, store) for line in waits]
        if as_json:
            say_json(_document(remote.store, execution, waits, history=history))
            return
        now = SystemClock().now()
        console = screen()
        console.print(headline(execution, now), style="bold")
        for line in _about(execution):
            console.print(line)
        console.print()
        console.print(tasks_table(execution.tasks, now))
        for line in sub_lines(subs_of(remote.store, execution, workflow), now):
            console.print(f"  {line}")
        for run in execution.tasks:
            _show_failures(remote.store, run, store)
        if history:
            console.print("\nhistory", style="bold")
            console.print(_history_table(remote.store, execution))
        if waits:
            console.print("\nwaiting", style="bold")
            for line in waits:
                console.print(f"  {clean(line)}")


def _about(execution: WorkflowExecution) -> list[str]:
    trigger, parent = execution.trigger_event, execution.parent
    began = f"  began      {when(execution.begin_date)}" if execution.begin_date else ""
    return [
        line
        for line in (
            f"  type       {execution.execution_type.value}",
            f"  namespace  {execution.namespace}",
            began,
            f"  ended      {when(execution.end_date)}" if execution.end_date else "",
            f"  due        {when(execution.scheduled_time)}" if execution.scheduled_time else "",
            f"  event      {trigger.key} (offset {trigger.offset})" if trigger else "",
            f"  sub of     execution {parent.workflow_execution_id}, task {parent.task_name}"
            if parent
            else "",
            f"  params     {clean(json_line(execution.params))}" if execution.params else "",
            f"  retry of   execution {execution.retry_of}" if execution.retry_of else "",
            f"  snapshot   {execution.snapshot[:12]}",
        )
        if line
    ]


def _show_failures(store: Store, run: TaskExecution, option: str | None) -> None:
    failed = failed_item_lines(store, run, option)
    if failed:
        screen().print(f"\n{run.label}, items that failed:", style="bold red")
        for line in failed:
            screen().print(f"  {line}" if line else "")
        return
    for failure in store.failures(run.id):
        title = f"\n{run.task_name} #{run.sequence_number}, attempt {failure.attempt} failed:"
        path = store.log_path(
            run.workflow_execution_id, run.task_name, run.sequence_number, failure.attempt
        )
        screen().print(title, style="bold red")
        for line in failure_lines(failure, str(path) if path is not None else ""):
            screen().print(f"  {line}")


def _history_table(store: Store, execution: WorkflowExecution) -> Any:
    rows = [
        (
            change.at,
            run.task_name,
            run.sequence_number,
            change.attempt,
            change.status.value,
            change.reason or (origin(run.started_by) if number == 0 else ""),
        )
        for run in execution.tasks
        for number, change in enumerate(store.history(run.id))
    ]
    rows.sort(key=lambda row: row[0])
    return table(("time", "task", "run", "attempt", "status", "note"), rows)


def _document(
    store: Store, execution: WorkflowExecution, waits: list[str], *, history: bool
) -> dict[str, Any]:
    tasks = []
    for run in execution.tasks:
        told = {**plain(run), "failures": plain(store.failures(run.id))}
        if run.items is not None:
            told["failed_items"] = [
                {"item": plain(one.item), "failure": plain(one.failure)}
                for one in failed_items(store, run, FAILED_TOLD)
            ]
        if history:
            told["history"] = plain(store.history(run.id))
        tasks.append(told)
    held = store.holder()
    return {
        **plain(execution),
        "tasks": tasks,
        "sub_executions": plain(store.sub_executions(execution.id)),
        "waiting": waits,
        "scheduler": plain(held._asdict()) if held is not None else None,
    }


app.command()(items)


@app.command()
def explain(
    execution_id: options.ExecutionId,
    task: Annotated[
        str | None,
        typer.Argument(help="One task, or item as 'work[17]', with the whole chain of causes."),
    ] = None,
    sequence: Annotated[
        int | None,
        typer.Option(
            "--sequence", min=1, help="This run of the task, not the newest.", show_default=False
        ),
    ] = None,
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """Say why tasks ran, back to the first cause, and what others still wait for."""
    if sequence is not None and task is None:
        raise EventflowError("--sequence names a run of one task; name the task too")
    with open_client(store) as remote:
        if task is not None and sequence is not None:
            key = TaskExecutionKey(execution_id, task, sequence)
            explained = explain_from(remote.store, key)
        else:
            explained = explain_from(remote.store, execution_id, task)
    if as_json:
        say_json(explained)
    else:
        say(*(on_store(clean(line), store) for line in tell(explained, when)))


@app.command()
def stop(
    execution_id: options.ExecutionId,
    reason: Annotated[str, typer.Option("--reason", help="Why, for whoever looks.")] = "",
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """Stop an execution: what runs is stopped, then it ends STOPPED."""
    with open_client(store) as remote:
        find_execution(remote.store, execution_id)
        command = remote.client.stop(execution_id, reason)
        did = on_store(NO_SCHEDULER, store)
        if remote.store.holder() is not None:
            record = remote.client.outcome(command)
            did = record.did if record is not None else ""
    if as_json:
        say_json({"execution": execution_id, "did": did, "offset": command.offset})
    else:
        say(f"execution {execution_id}: {did}")


@app.command()
def logs(
    execution_id: options.ExecutionId,
    task: Annotated[
        str | None, typer.Argument(help="Of this task only; of one item, as 'work[17]'.")
    ] = None,
    item: Annotated[
        str | None,
        typer.Option("--item", help="Of this item only: 17, or 3,1.", show_default=False),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the execution has ended.")
    ] = False,
    attempt: Annotated[
        int | None, typer.Option("--attempt", min=1, help="This attempt only.", show_default=False)
    ] = None,
    sequence: Annotated[
        int | None,
        typer.Option("--sequence", min=1, help="This run of the task only.", show_default=False),
    ] = None,
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """Print what tasks wrote, attempt by attempt. With --json one line for each line."""
    task, index = options.read_item(task, item)
    with open_client(store) as remote:
        print_logs(
            remote,
            execution_id,
            task=task,
            index=index,
            attempt=attempt,
            sequence=sequence,
            follow=follow,
            as_json=as_json,
        )
