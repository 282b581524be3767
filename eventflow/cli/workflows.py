"""`eventflow workflow ...`: look at registered workflows, draw, explain, pause and resume them."""

from pathlib import Path
from typing import Annotated

import typer

from eventflow.cli import options
from eventflow.cli.graphs import graph
from eventflow.cli.hints import on_store
from eventflow.cli.opened import NO_SCHEDULER, find_workflow, open_client, registered
from eventflow.cli.printing import clean, lasted, say, say_json, when
from eventflow.cli.screens import screen, table
from eventflow.clock import SystemClock
from eventflow.core.telling import tell
from eventflow.model.picture import to_text
from eventflow.model.status import WorkflowStatus
from eventflow.runtime.unstarted import explain_workflow

app = typer.Typer(no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Name of a registered workflow.")]
_ACTIVE = (WorkflowStatus.INIT, WorkflowStatus.RUNNING)


@app.command("list")
def list_workflows(store: options.Store = None, as_json: options.AsJson = False) -> None:
    """List the registered workflows."""
    with open_client(store) as remote:
        records = remote.store.workflows()
        active = {
            (one.namespace, one.name): len(
                remote.store.executions(
                    workflow=one.name, namespace=one.namespace, statuses=_ACTIVE, limit=1000
                )
            )
            for one in records
        }
        if as_json:
            say_json(records)
            return
        rows = [
            (
                one.name,
                one.namespace,
                one.snapshot[:12],
                "paused" if one.paused else "",
                active[one.namespace, one.name],
                one.registered_at,
            )
            for one in records
        ]
        columns = ("workflow", "namespace", "snapshot", "paused", "active", "registered")
        screen().print(table(columns, rows))


@app.command()
def show(
    name: Name,
    namespace: options.Namespace = "default",
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """Show a workflow: tasks and rules, and its newest executions."""
    with open_client(store) as remote:
        record = find_workflow(remote.store, name, namespace)
        snapshot = remote.store.snapshot(record.snapshot)
        newest = remote.store.executions(workflow=name, namespace=namespace, limit=5)
        if as_json:
            definition = snapshot.definition if snapshot is not None else None
            say_json({"workflow": record, "definition": definition, "executions": newest})
            return
        say(to_text(registered(remote.store, record)))
        place = Path(snapshot.folder, snapshot.entry) if snapshot and snapshot.folder else None
        say(f"snapshot {record.snapshot[:12]}, registered {when(record.registered_at)}")
        say(f"its code: {place}" if place else "its code lives in the program that defined it")
        if record.paused:
            say("paused: events and due times start nothing")
        if newest:
            now = SystemClock().now()
            rows = [
                (
                    one.id,
                    one.status.value,
                    one.execution_type.value,
                    one.begin_date,
                    lasted(one.begin_date, one.end_date or now),
                )
                for one in newest
            ]
            screen().print("\nnewest executions", style="bold")
            screen().print(table(("execution", "status", "type", "began", "duration"), rows))


@app.command()
def explain(
    name: Name,
    namespace: options.Namespace = "default",
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """Say what the rules wait for that start executions, and why the last event started none."""
    with open_client(store) as remote:
        explained = explain_workflow(remote.store, namespace, name)
    if as_json:
        say_json(explained)
    else:
        say(*map(clean, tell(explained, when)))


app.command()(graph)


@app.command()
def pause(
    name: Name,
    namespace: options.Namespace = "default",
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """Let events and due times start nothing; running executions go on."""
    _pause(name, namespace, store, paused=True, as_json=as_json)


@app.command()
def resume(
    name: Name,
    namespace: options.Namespace = "default",
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """Let events and due times start executions again."""
    _pause(name, namespace, store, paused=False, as_json=as_json)


def _pause(name: str, namespace: str, store: str | None, *, paused: bool, as_json: bool) -> None:
    with open_client(store) as remote:
        find_workflow(remote.store, name, namespace)
        command = remote.client.pause(namespace, name, paused=paused)
        did = on_store(NO_SCHEDULER, store)
        if remote.store.holder() is not None:
            record = remote.client.outcome(command)
            did = record.did if record is not None else ""
    if as_json:
        say_json({"workflow": name, "namespace": namespace, "did": did, "offset": command.offset})
    else:
        say(f"workflow {name}: {did}")
