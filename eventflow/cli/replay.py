"""`eventflow replay`: decide a log again, and compare what comes out with what was kept."""

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from eventflow import __version__
from eventflow.cli import options
from eventflow.cli.printing import clean, note, plain, say, say_json
from eventflow.errors import EventflowError, StoreError
from eventflow.runtime.differences import Difference, Replayed, Unsteady
from eventflow.runtime.guard import Guard
from eventflow.runtime.registry import plans_of
from eventflow.runtime.replaying import replay_recording
from eventflow.settings import read_settings
from eventflow.store.places import path_of
from eventflow.store.recording import Recording
from eventflow.store.recording_file import read_recording, write_recording
from eventflow.store.sqlite_recording import recording_at

_TOLD_EVERY = 50_000
_WIDTH = 300


def replay(
    ask: Annotated[
        bool,
        typer.Option("--ask", help="Ask users' conditions again; name those that differ."),
    ] = False,
    save: Annotated[
        Path | None,
        typer.Option(
            "--save",
            help="Write a recording of the store to this file, with the code of its workflows.",
            show_default=False,
            metavar="FILE",
        ),
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(
            "--log",
            help="Replay such a recording; no store is needed.",
            show_default=False,
            metavar="FILE",
        ),
    ] = None,
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """Decide a log again, and compare: decisions, statuses, timers, and the world at the end.

    Nothing is written to the store, and a scheduler may go on using it. No task runs. The code of
    the workflows is imported, from the snapshots of the store or out of the recording, as 'run'
    imports a file: replay only recordings whose code you trust.

    Exit status: 0 when all came out equal, 1 when something is different, 2 when there is nothing
    that can be replayed.
    """
    if log is not None and (store is not None or save is not None):
        raise EventflowError("--log replays a file; --store and --save are about a store")
    settings = read_settings(store=store)
    guard = Guard(settings.condition_timeout)
    with _opened(settings.store, log) as recording:
        if save is not None:
            _save(recording, save)
        # What users' code prints while it is imported or asked is no answer of this command.
        with contextlib.redirect_stdout(sys.stderr):
            found = replay_recording(
                recording,
                plans_of(recording.snapshots()),
                ask=guard.ask if ask else None,
                progress=_tell_progress,
            )
    guard.close()
    if as_json:
        say_json({"equal": found.equal, **plain(found)})
    else:
        _tell(found, of_file=log is not None)
    raise typer.Exit(0 if found.equal else 1)


@contextlib.contextmanager
def _opened(url: str, log: Path | None) -> Iterator[Recording]:
    if log is not None:
        with tempfile.TemporaryDirectory(prefix="eventflow-replay-") as folder:
            yield read_recording(log, Path(folder))
        return
    if path_of(url) is None:
        raise StoreError(
            f"store {url!r} is in memory and ends with the program that made it; name a file with "
            f"--store sqlite:///eventflow.db"
        )
    with recording_at(url) as recording:
        yield recording


def _save(recording: Recording, path: Path) -> None:
    without_code = write_recording(recording, path, made_by=f"eventflow {__version__}")
    for workflow in without_code:
        note(f"{path} has no code of workflow {workflow!r}: it was not loaded from a file")


def _tell_progress(turns: int) -> None:
    if turns % _TOLD_EVERY == 0:
        note(f"{turns} events replayed")


def _tell(found: Replayed, *, of_file: bool) -> None:
    for difference in found.differences:
        say(_difference(difference))
    if found.count > len(found.differences):
        say(f"... and {found.count - len(found.differences)} more")
    for one in found.unsteady:
        say(_unsteady(one))
    if found.asked or found.unsteady:
        say(f"{found.asked} answers of conditions asked for again; {_otherwise(found.unsteady)}")
    end = f"{found.count} differences" if found.count else "equal"
    left_out = "; the world at the end is not in a recording" if of_file else ""
    say(f"{found.events} events, {found.decisions} decisions, {end}{left_out}")


def _otherwise(found: list[Unsteady]) -> str:
    match len(found):
        case 0:
            return "no condition answered differently"
        case 1:
            return "1 condition answered differently"
        case number:
            return f"{number} conditions answered differently"


def _difference(found: Difference) -> str:
    place = f"turn {found.turn}  {found.event}" if found.event else "at the end"
    return f"{place}  {found.what}: then {_short(found.then)}, now {_short(found.now)}"


def _unsteady(found: Unsteady) -> str:
    place = f"rule {found.rule} of task {found.task!r}" if found.task else f"rule {found.rule}"
    if found.workflow_execution_id is not None:
        place += f" in execution {found.workflow_execution_id}"
    return (
        f"turn {found.turn}  {found.event}  condition of {place} of workflow {found.workflow!r} "
        f"is not what it was: then {_short(found.then)}, now {_short(found.now)}"
    )


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    text = clean(str(value))
    return text if len(text) <= _WIDTH else text[: _WIDTH - 3] + "..."
