"""`eventflow event ...`: read the log of events, count it, and follow it. What failed: `failed`."""

import json
from datetime import datetime
from typing import Annotated

import typer

from eventflow.cli import options
from eventflow.cli.failed import failed, rejudge
from eventflow.cli.opened import open_client
from eventflow.cli.printing import clean, say, say_json, when
from eventflow.cli.screens import screen, table
from eventflow.errors import EventflowError
from eventflow.model.event import Event
from eventflow.model.keys import check_pattern
from eventflow.model.records import DecisionRecord
from eventflow.store.selection import Bounds

app = typer.Typer(no_args_is_help=True)
app.command()(failed)
app.command()(rejudge)
_VALUE_WIDTH = 100
_CAME_TO = 3
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
Since = Annotated[
    str | None,
    typer.Option(
        "--since", help="From this time (ISO 8601) or offset on.", show_default=False, metavar="AT"
    ),
]
Until = Annotated[
    str | None,
    typer.Option(
        "--until",
        help="Up to this time (ISO 8601) or offset, itself included.",
        show_default=False,
        metavar="AT",
    ),
]
All = Annotated[bool, typer.Option("--all", help="The scheduler's own events too.")]


@app.command("list")
def list_events(
    key: Keys = None,
    namespace: InNamespace = None,
    sender: Sender = None,
    after: After = None,
    since: Since = None,
    until: Until = None,
    oldest: Annotated[bool, typer.Option("--oldest", help="The oldest, not the newest.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    every: All = False,
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """List events: the newest; with --oldest, --after or --since the oldest of those."""
    bounds = _bounds(after, since, until)
    with open_client(store) as remote:
        events = remote.store.read(
            limit=limit,
            newest=not oldest and after is None and since is None,
            keys=_patterns(key, every=every),
            namespace=namespace,
            sender=sender,
            **bounds,
        )
        came_to = {
            event.offset: _came_to(remote.store.decisions(command_offset=event.offset))
            for event in events
            if not as_json
        }
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
            came_to[event.offset] if event.turn else "undecided",
        )
        for event in events
    ]
    columns = ("offset", "time", "key", "value", "namespace", "sender", "execution", "came to")
    screen().print(table(columns, rows))


@app.command()
def count(
    key: Keys = None,
    namespace: InNamespace = None,
    sender: Sender = None,
    after: After = None,
    since: Since = None,
    until: Until = None,
    every: All = False,
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """Count events: in all, and of each sender."""
    bounds = _bounds(after, since, until)
    with open_client(store) as remote:
        found = remote.store.count(
            keys=_patterns(key, every=every), namespace=namespace, sender=sender, **bounds
        )
    if as_json:
        say_json(found)
        return
    most_first = sorted(found.by_sender.items(), key=lambda one: (-one[1], one[0]))
    screen().print(table(("sender", "events"), most_first))
    say(f"{found.total} in all")


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
        news = remote.listen(patterns, after=after, namespace=namespace, sender=sender)
        try:
            for event in news:
                if as_json:
                    say_json(event, indent=None)
                else:
                    say(f"{event.offset}  {when(event.logged_at)}  {event.key}  {_value(event)}")
        except KeyboardInterrupt:
            return


def _bounds(after: int | None, since: str | None, until: str | None) -> Bounds:
    """What `--after`, `--since` and `--until` say together."""
    if after is not None and since is not None:
        raise EventflowError("--after and --since exclude each other; both say where to begin")
    first = options.read_moment("--since", since)
    bounds: Bounds = {"after": after or 0, "until": options.read_moment("--until", until)}
    if isinstance(first, datetime):
        bounds["since"] = first
    elif first is not None:
        bounds["after"] = max(first - 1, 0)
    return bounds


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


def _came_to(records: list[DecisionRecord]) -> str:
    """What rules and commands did for an event, the first few of it."""
    said = [
        f"{one.workflow or one.action} {one.task}".strip() + f": {one.did}"
        for one in records[:_CAME_TO]
    ]
    if len(records) > _CAME_TO:
        said.append(f"and {len(records) - _CAME_TO} more")
    return "; ".join(said)
