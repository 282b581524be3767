"""`eventflow pool ...`: list pools and set how many slots they have (S44)."""

from typing import Annotated

import typer

from eventflow.cli import options
from eventflow.cli.hints import on_store
from eventflow.cli.opened import NO_SCHEDULER, open_client
from eventflow.cli.printing import say, say_json
from eventflow.cli.screens import screen, table
from eventflow.errors import EventflowError
from eventflow.model.records import PoolRecord

app = typer.Typer(no_args_is_help=True)
_UNLIMITED = "unlimited"


@app.command("list")
def list_pools(store: options.Store = None, as_json: options.AsJson = False) -> None:
    """List the pools that were set or that tasks are in: slots, how many are held, who waits.

    The pool `default` has no limit until it is set; any other lets no task start before.
    """
    with open_client(store) as remote:
        found = remote.store.pools()
    if as_json:
        say_json(found)
        return
    rows = [(one.name, one.namespace, _slots(one), one.held, one.waiting) for one in found]
    screen().print(table(("pool", "namespace", "slots", "held", "waiting"), rows))


@app.command("set")
def set_pool(
    name: Annotated[str, typer.Argument(help="Name of the pool.")],
    slots: Annotated[str, typer.Argument(metavar="SLOTS", help="A number from 0, or `unlimited`.")],
    namespace: Annotated[str, typer.Option("--namespace", help="Namespace of the pool.")] = (
        "default"
    ),
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """Say how many attempts of a pool's tasks may run at once.

    What fits starts at once. With fewer slots than are held, running tasks go on to their end.
    """
    wanted = _number(slots)
    with open_client(store) as remote:
        command = remote.client.set_pool(name, wanted, namespace)
        did = on_store(NO_SCHEDULER, store)
        if remote.store.holder() is not None:
            record = remote.client.outcome(command)
            did = record.did if record is not None else ""
    if as_json:
        about = {"pool": name, "namespace": namespace, "slots": wanted}
        say_json({**about, "did": did, "offset": command.offset})
    else:
        say(f"pool {name}, {slots} slots: {did}")


def _slots(pool: PoolRecord) -> str:
    slots = _UNLIMITED if pool.slots is None else str(pool.slots)
    return slots if pool.is_set or pool.slots is None else f"{slots} (not set)"


def _number(text: str) -> int | None:
    if text == _UNLIMITED:
        return None
    if not (text.isascii() and text.isdigit()):
        raise EventflowError(f"SLOTS {text!r} is neither a number from 0 nor {_UNLIMITED!r}")
    return int(text)
