"""`eventflow workflow ...`: look at registered workflows, draw, explain, pause and resume them."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from eventflow.cli import options
from eventflow.cli.files import load
from eventflow.cli.hints import on_store
from eventflow.cli.opened import NO_SCHEDULER, find_workflow, open_client, sketch
from eventflow.cli.printing import clean, lasted, say, say_json, when, write_file
from eventflow.cli.screens import screen, table
from eventflow.clock import SystemClock
from eventflow.core.telling import tell
from eventflow.errors import EventflowError, NotFoundError
from eventflow.model.picture import to_mermaid, to_svg, to_text
from eventflow.model.status import WorkflowStatus
from eventflow.model.workflow import Workflow
from eventflow.runtime.remote import RemoteClient
from eventflow.runtime.unstarted import explain_workflow
from eventflow.store.listed import WorkflowRecord

app = typer.Typer(no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Name of a registered workflow.")]
_ACTIVE = (WorkflowStatus.INIT, WorkflowStatus.RUNNING)


class Form(StrEnum):
    """What `graph --format` takes."""

    TEXT = "text"
    MERMAID = "mermaid"
    SVG = "svg"


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
        say(to_text(_registered(remote, record)))
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


@app.command()
def graph(
    what: Annotated[
        str, typer.Argument(metavar="NAME|FILE[:NAME]", help="A registered workflow, or a file's.")
    ],
    form: Annotated[Form, typer.Option("--format", help="How to draw it.")] = Form.TEXT,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to a file.", show_default=False)
    ] = None,
    namespace: options.Namespace = "default",
    store: options.Store = None,
) -> None:
    """Draw a workflow: tasks, events from outside, and what starts, stops and restarts what."""
    draw = {Form.TEXT: to_text, Form.MERMAID: to_mermaid, Form.SVG: to_svg}[form]
    pictures = [draw(workflow) for workflow in _meant(what, namespace, store)]
    if form is Form.SVG and len(pictures) > 1:
        raise EventflowError(f"{what} defines several workflows; name one, as {what}:NAME")
    text = "\n".join(pictures)
    if output is None:
        say(text.rstrip("\n"))
    else:
        write_file(output, text)


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


def _meant(what: str, namespace: str, store: str | None) -> list[Workflow]:
    if what.rpartition(":")[0].endswith(".py") or what.endswith(".py"):
        return load(what)[1]
    with open_client(store) as remote:
        return [_registered(remote, find_workflow(remote.store, what, namespace))]


def _registered(remote: RemoteClient, record: WorkflowRecord) -> Workflow:
    found = sketch(remote.store, record.snapshot)
    if found is None:
        raise NotFoundError(f"snapshot {record.snapshot[:12]} is not in {remote.store.url}")
    return found
