"""`eventflow task ...`: start, stop and restart tasks of a running execution."""

from typing import Annotated

import typer

from eventflow.cli import options
from eventflow.cli.hints import on_store
from eventflow.cli.opened import NO_SCHEDULER, find_execution, find_task, open_client
from eventflow.cli.printing import say, say_json
from eventflow.model.status import TaskAction

app = typer.Typer(no_args_is_help=True)
Task = Annotated[str, typer.Argument(help="Name of the task.")]


@app.command()
def start(
    execution_id: options.ExecutionId,
    task: Task,
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """Start a task, unless it is alive."""
    _do(execution_id, task, TaskAction.START, store, as_json=as_json)


@app.command()
def stop(
    execution_id: options.ExecutionId,
    task: Task,
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """Stop a task."""
    _do(execution_id, task, TaskAction.STOP, store, as_json=as_json)


@app.command()
def restart(
    execution_id: options.ExecutionId,
    task: Task,
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """Stop a task if it is alive, then start it."""
    _do(execution_id, task, TaskAction.RESTART, store, as_json=as_json)


def _do(
    execution_id: int, task: str, action: TaskAction, store: str | None, *, as_json: bool
) -> None:
    with open_client(store) as remote:
        execution = find_execution(remote.store, execution_id)
        find_task(remote.store, execution, task)
        command = remote.client.task(execution_id, task, action)
        did = on_store(NO_SCHEDULER, store)
        if remote.store.holder() is not None:
            record = remote.client.outcome(command)
            did = record.did if record is not None else ""
    if as_json:
        say_json({"execution": execution_id, "task": task, "did": did, "offset": command.offset})
    else:
        say(f"{action.value} {task} in execution {execution_id}: {did}")
