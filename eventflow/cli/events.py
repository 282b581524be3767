"""`eventflow event ...`: read the log of events, and follow it."""

import json
from typing import Annotated

import typer

from eventflow.cli import options
from eventflow.cli.opened import open_client
from eventflow.cli.printing import clean, say, say_json, when
from eventflow.cli.screens import screen, table
from eventflow.errors import EventflowError
from eventflow.model.event import Event
from eventflow.model.keys import check_pattern
from eventflow.runtime.remote import RemoteClient

app = typer.Typer(no_args_is_help=True)
_VALUE_WIDTH = 100
_AT_ONCE = 1_000
Keys = Annotated[
    list[str] | None,
    typer.Option(
        "--key",
        help="A key, or a pattern as 'orders.*' or 'orders.**'; several times if need be.",
        show_default=False,
    ),
]
InNamespace = Annotated[
    str | None, typer.Option("--namespace", help="Of this namespace only.", show_default=False)
]
Sender = Annotated[
    str | None, typer.Option("--sender", help="Of this sender only.", show_default=False)
]
After = Annotated[
    int | None, typer.Option("--after", min=0, help="Behind this offset only.", show_default=False)
]
All = Annotated[bool, typer.Option("--all", help="The scheduler's own events too.")]


@app.command("list")
def list_events(
    key: Keys = None,
    namespace: InNamespace = None,
    sender: Sender = None,
    after: After = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    every: All = False,
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """List events: the newest, or with --after the oldest behind that offset."""
    with open_client(store) as remote:
        events = remote.store.read(
            after=after or 0,
            limit=limit,
            keys=_patterns(key, every=every),
            namespace=namespace,
            sender=sender,
            newest=after is None,
        )
    if as_json:
        say_json(events)
        return
    rows = [
        (
            event.offset,
            event.logged_at,
            event.key,
            _value(event),
            event.namespace,
            event.sender,
            event.workflow_execution_id,
        )
        for event in events
    ]
    columns = ("offset", "time", "key", "value", "namespace", "sender", "execution")
    screen().print(table(columns, rows))


@app.command()
def tail(
    key: Keys = None,
    namespace: InNamespace = None,
    sender: Sender = None,
    after: After = None,
    every: All = False,
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """Print events as they are committed, until Ctrl-C. With --json one line each."""
    patterns = _patterns(key, every=every)
    with open_client(store) as remote:
        offset = remote.store.last_offset() if after is None else after
        try:
            while True:
                for event in _next_events(remote, offset, patterns, namespace, sender):
                    offset = event.offset
                    if as_json:
                        say_json(event, indent=None)
                    else:
                        say(
                            f"{event.offset}  {when(event.logged_at)}  {event.key}  {_value(event)}"
                        )
        except KeyboardInterrupt:
            return


@app.command()
def failed(
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """List events on which a user's condition failed, with its traceback; the newest last."""
    with open_client(store) as remote:
        verdicts = remote.store.verdicts(failed=True, limit=limit)
    if as_json:
        say_json(verdicts)
        return
    for verdict in verdicts:
        place = f"rule {verdict.rule} of task {verdict.task}" if verdict.task else "a workflow rule"
        if verdict.workflow_execution_id is not None:
            place += f" in execution {verdict.workflow_execution_id}"
        say(
            f"{verdict.event_offset}  {when(verdict.at)}  {verdict.event_key}  failed in {place} "
            f"of {verdict.workflow}"
        )
        say(*(f"    {clean(line)}" for line in verdict.error.rstrip().splitlines()), "")
    if not verdicts:
        say("no condition has failed")


def _next_events(
    remote: RemoteClient,
    offset: int,
    patterns: list[str],
    namespace: str | None,
    sender: str | None,
) -> list[Event]:
    """The next that fit; waits for the bell until there are some."""

    def new() -> list[Event] | None:
        found = remote.store.read(
            after=offset, limit=_AT_ONCE, keys=patterns, namespace=namespace, sender=sender
        )
        return found or None

    return remote.until(new, None) or []


def _patterns(keys: list[str] | None, *, every: bool) -> list[str]:
    for key in keys or ():
        check_pattern(key)
    if keys and every:
        raise EventflowError(
            "--all and --key exclude each other; a key that begins with 'eventflow.' names the "
            "scheduler's own events"
        )
    return ["**", "eventflow.**"] if every else list(keys or ())


def _value(event: Event) -> str:
    text = "" if event.value is None else json.dumps(event.value, ensure_ascii=False)
    return clean(text if len(text) <= _VALUE_WIDTH else text[: _VALUE_WIDTH - 3] + "...")
