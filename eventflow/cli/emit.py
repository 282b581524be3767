"""`eventflow emit`: one event into the log. It should be quick, so it imports little."""

import os
from typing import Annotated, Any

import typer

from eventflow.cli import options
from eventflow.cli.hints import on_store
from eventflow.cli.opened import NO_SCHEDULER, find_execution, open_client
from eventflow.cli.printing import note, say, say_json
from eventflow.errors import EventError, EventflowError
from eventflow.model.jsonvalue import JsonValueError, decode
from eventflow.model.keys import check_user_key
from eventflow.runtime.remote import task_fields


def emit(
    key: Annotated[str, typer.Argument(help="Dotted tokens, as orders.paid.")],
    value: Annotated[
        str | None, typer.Argument(metavar="[JSON]", help="The value, as '{\"rows\": 10}'.")
    ] = None,
    namespace: Annotated[
        str | None, typer.Option("--namespace", help="Who sees it. [default: default]")
    ] = None,
    sender: Annotated[str | None, typer.Option("--sender", help="Who says so.")] = None,
    event_id: Annotated[
        str | None,
        typer.Option("--id", help="With sender and namespace: makes a repeat harmless."),
    ] = None,
    execution: Annotated[
        int | None,
        typer.Option("--execution", help="Of all executions only this one's tasks see it."),
    ] = None,
    broadcast: Annotated[
        bool,
        typer.Option("--broadcast", help="Inside a task: for all, not this execution only."),
    ] = False,
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """Emit an event; returns when it is committed.

    Inside a task that an executor runs, as in a BashOperator's command, the event is scoped to that
    task's execution unless --broadcast is said. A store is never made: it must be there.
    """
    check_user_key(key)
    fields: dict[str, Any] = {}
    if execution is not None and broadcast:
        raise EventflowError("--execution and --broadcast exclude each other")
    with open_client(store) as remote:
        # A task may emit into another store than its own, where nobody knows its execution.
        if os.environ.get("EVENTFLOW_STORE", remote.store.url) == remote.store.url:
            fields |= task_fields(remote, broadcast=broadcast)
        if execution is not None:
            fields["workflow_execution_id"] = execution
            fields["namespace"] = find_execution(remote.store, execution).namespace
        said = {"namespace": namespace, "sender": sender, "id": event_id}
        fields |= {name: text for name, text in said.items() if text is not None}
        event = remote.client.emit(key, _read_value(value), **fields)
        served = remote.store.holder() is not None
    if as_json:
        say_json(event)
    else:
        say(f"event {event.key} is committed at offset {event.offset}")
        if not served:
            note(on_store(NO_SCHEDULER, store))


def _read_value(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return decode(text)
    except JsonValueError as error:
        raise EventError(
            f"the value {text[:60]!r} is not JSON: {error}; a text is written with its quotes, "
            f"as '\"text\"'"
        ) from error
