"""`eventflow fsck`: whether a store is whole, and what to do when it is not (architecture 11)."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from eventflow.cli import options
from eventflow.cli.interrupts import Interrupts
from eventflow.cli.printing import clean, note, plain, say, say_json
from eventflow.clock import SystemClock
from eventflow.errors import StoreError
from eventflow.settings import read_settings
from eventflow.store.fsck import SHOWN, Answer, Counts, Report, StoppedError, fsck
from eventflow.store.lock import is_held
from eventflow.store.places import files_beside, path_of

_INTERRUPTED = 130


def check_store(
    store: options.Store = None,
    as_json: options.AsJson = False,
    quiet: Annotated[
        bool,
        typer.Option("--quiet", help="The store should be at rest: what waits in it is a fault."),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Tell each check and its seconds on standard error.")
    ] = False,
    rows: Annotated[
        int, typer.Option("--rows", min=1, help="How many rows of a fault are told.")
    ] = SHOWN,
) -> None:
    """Ask a store all that must be so after every commit; it is only read, also while a scheduler
    works on it.

    Exit status: 0 when it is whole, 1 when there are faults, 2 when it cannot be read.
    """
    url = read_settings(store=store).store
    path = path_of(url)
    if path is None:
        raise StoreError(
            f"store {url!r} is in memory and ends with the program that made it; name a file with "
            f"--store sqlite:///eventflow.db"
        )
    with Interrupts() as interrupts:
        try:
            report = fsck(
                path,
                clock=SystemClock(),
                progress=_progress(wanted=verbose or sys.stderr.isatty()),
                stop=lambda: interrupts.count > 0,
                shown=rows,
            )
        except StoppedError as error:
            note(str(error))
            raise typer.Exit(_INTERRUPTED) from error
    held = is_held(files_beside(path) / "lock")
    unrest = _unrest(report.counts) if quiet else ""
    clean_store = not report.faults and not unrest
    if as_json:
        say_json(_document(report, path, clean=clean_store, held=held))
    else:
        _tell(report, path, held=held, unrest=unrest)
    raise typer.Exit(0 if clean_store else 1)


def _progress(*, wanted: bool) -> Callable[[Answer], None]:
    def tell(answer: Answer) -> None:
        if wanted:
            found = f"{answer.count} faults" if answer.count else "ok"
            note(f"{answer.check.name}: {found} ({answer.seconds:.2f} s)")

    return tell


def _document(report: Report, path: Path, *, clean: bool, held: bool) -> dict[str, object]:
    return {
        "store": str(path),
        "clean": clean,
        "scheduler": held,
        "counts": plain(report.counts),
        "checks": [
            {
                "name": one.check.name,
                "number": one.check.number,
                "means": one.check.means,
                "faults": one.count,
                "rows": list(one.rows),
                "remedy": one.check.remedy if one.count else None,
                "seconds": round(one.seconds, 4),
            }
            for one in report.answers
        ],
    }


def _tell(report: Report, path: Path, *, held: bool, unrest: str) -> None:
    for answer in report.faults:
        check = answer.check
        say(f"FAULT {check.name} ({check.number}), which means: {check.means}.")
        say(*[f"  {clean(row)}" for row in answer.rows])
        if answer.count > len(answer.rows):
            say(f"  and {answer.count - len(answer.rows)} more")
        say(f"  What to do: {check.remedy}.", "")
    if unrest:
        say(f"FAULT the store is not at rest: {unrest}.", "")
    if report.counts is not None:
        _tell_counts(report.counts, held=held)
    count = len(report.faults)
    what = f"{count} of them found faults" if count else "no faults"
    say(f"{path}: {len(report.answers)} checks, {what}")


def _tell_counts(counts: Counts, *, held: bool) -> None:
    say(f"{counts.events} events, {counts.executions} executions, {counts.runs} runs of tasks")
    if counts.pruned_events or counts.pruned_executions:
        say(f"pruned: {counts.pruned_events} events, {counts.pruned_executions} executions")
    waiting = _unrest(counts)
    if waiting:
        who = "a scheduler works on it" if held else "it waits until a scheduler runs"
        say(f"waiting: {waiting}; {who}")
    if counts.marks_left and not held:
        say(
            f"note: {counts.marks_left} files in the spool are of attempts that have ended; the "
            f"next scheduler takes them away"
        )


def _unrest(counts: Counts | None) -> str:
    """What waits in a store, in words; empty when nothing does."""
    if counts is None:
        return ""
    parts = {
        "undecided events": counts.undecided,
        "orders that no executor has taken": counts.orders,
        "executions that have not ended": counts.live_executions,
    }
    return ", ".join(f"{count} {what}" for what, count in parts.items() if count)
