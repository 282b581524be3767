"""`eventflow db ...`: prune, back up, restore and measure the store."""

from pathlib import Path
from typing import Annotated

import typer

from eventflow.cli import options
from eventflow.cli.interrupts import Interrupts
from eventflow.cli.opened import open_client
from eventflow.cli.printing import note, plain, say, say_json, when
from eventflow.cli.screens import screen, table
from eventflow.clock import SystemClock
from eventflow.errors import StoreError
from eventflow.runtime.retention import prune
from eventflow.settings import duration, read_settings
from eventflow.store.backup import back_up
from eventflow.store.cut import Manner, Pruned
from eventflow.store.measure import Measured, measure
from eventflow.store.places import path_of
from eventflow.store.restoring import restore

app = typer.Typer(no_args_is_help=True)
INTERRUPTED = 130
_TOLD_EVERY = 200
_DEFAULT_AGE = "30d"

OlderThan = Annotated[
    str,
    typer.Option("--older-than", metavar="AGE", help="What ended longer ago, as 30d, 12h or 90m."),
]
File = Annotated[Path, typer.Argument(metavar="FILE", show_default=False)]


@app.command("prune")
def prune_store(
    older_than: OlderThan,
    namespace: Annotated[
        str | None,
        typer.Option("--namespace", help="Only of this namespace.", show_default=False),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Delete nothing; say what would go.")
    ] = False,
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """Delete old executions and events that nothing which is kept refers to.

    A scheduler may go on beside it: it is done in small transactions. Ctrl-C ends it between two;
    the next one goes on from there. Offsets and ids are never given again; a log that was pruned
    cannot be replayed.
    """
    age = duration("--older-than", older_than)
    with open_client(store) as remote, Interrupts() as interrupts:
        manner = Manner(
            dry=dry_run,
            stop=lambda: interrupts.count > 0,
            wait=interrupts.wait,
            progress=_tell_progress,
        )
        clock = SystemClock()
        done = prune(remote.store, clock, age, namespace=namespace, snapshots=True, manner=manner)
    if as_json:
        say_json({"dry_run": dry_run, **plain(done)})
    else:
        say(_told(done, dry=dry_run))
    if done.stopped:
        note("stopped before the end; run it again to go on")
        raise typer.Exit(INTERRUPTED)


@app.command("backup")
def backup_store(
    file: File,
    logs: Annotated[bool, typer.Option("--logs", help="Copy the output of tasks too.")] = False,
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """Copy the store to FILE as of one commit, and the code of its workflows to FILE-files.

    Whoever works on the store goes on meanwhile. FILE is there once the copy is whole and checked.
    """
    with Interrupts() as interrupts:
        done = back_up(
            _path(store),
            file.absolute(),
            logs=logs,
            stop=lambda: interrupts.count > 0,
            progress=_tell_pages,
        )
    if done is None:
        note("stopped before the end; nothing was made")
        raise typer.Exit(INTERRUPTED)
    if as_json:
        say_json(done)
        return
    say(f"{file}: {done.size} bytes, {done.events} events, {done.snapshots} snapshots")
    for name in done.missing:
        note(f"{name} is not beside the store, and so not in the backup")


@app.command("restore")
def restore_store(
    backup: File,
    force: Annotated[
        bool, typer.Option("--force", help="Move a store that is there aside.")
    ] = False,
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """Put a backup in the place of the store; FILE is checked first and stays as it is.

    Refused while a scheduler holds the store. What was committed after the backup is not in it.
    """
    path = _path(store)
    aside = restore(backup.absolute(), path, now=SystemClock().now(), force=force)
    if as_json:
        say_json({"store": str(path), "backup": str(backup), "moved_aside": aside})
        return
    say(f"{path} is restored from {backup}")
    if aside is not None:
        say(f"the store that was there is now {aside}")


@app.command("status")
def show_status(
    older_than: OlderThan = "",
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """Show how large the store is, what is in it, who holds it, and what a prune would delete."""
    age = older_than or read_settings(store=store).retention or _DEFAULT_AGE
    with open_client(store) as remote:
        dry = Manner(dry=True)
        found = measure(_path(store))
        goes = prune(
            remote.store, SystemClock(), duration("--older-than", age), snapshots=True, manner=dry
        )
        held = remote.store.holder()
    if as_json:
        who = held._asdict() if held is not None else None
        say_json({**plain(found), "holder": who, "older_than": age, "would_prune": plain(goes)})
        return
    _show(found)
    holder = f"{held.program} (pid {held.pid} on {held.host})" if held is not None else "nobody"
    say(f"held by {holder}", f"older than {age}: {_told(goes, dry=True)}")


def _path(store: str | None) -> Path:
    url = read_settings(store=store).store
    path = path_of(url)
    if path is None:
        raise StoreError(
            f"store {url!r} is in memory and ends with the program that made it; name a file with "
            f"--store sqlite:///eventflow.db"
        )
    return path


def _show(found: Measured) -> None:
    say(
        f"{found.path}: {found.size} bytes, of which {found.free} are free inside; "
        f"{found.wal} in the WAL; {found.files} beside it"
    )
    say(f"schema version {found.schema_version}")
    if found.oldest_offset is not None:
        say(f"oldest event: offset {found.oldest_offset}, {when(found.oldest_at)}")
    screen().print(table(("table", "rows"), list(found.rows.items())))


def _told(done: Pruned, *, dry: bool) -> str:
    counts = (
        (done.executions, "executions"),
        (done.runs, "task executions"),
        (done.events, "events"),
        (done.ids, "ids"),
        (done.firings, "due times"),
        (done.snapshots, "snapshots"),
        (done.log_folders, "log folders"),
    )
    listed = ", ".join(f"{count} {what}" for count, what in counts if count) or "nothing"
    return f"{listed} would be deleted" if dry else f"{listed} deleted"


def _tell_progress(done: Pruned) -> None:
    if done.commits and done.commits % _TOLD_EVERY == 0:
        note(f"{done.executions} executions and {done.events} events deleted so far")


def _tell_pages(copied: int, total: int) -> None:
    note(f"{copied} of {total} pages copied")
