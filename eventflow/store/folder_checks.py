"""What must be so of the folder beside a store: code that rows name, marks of attempts, modes."""

import os
import re
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

from eventflow.model.status import ENDED
from eventflow.store.checks import Ask, Check
from eventflow.store.places import files_beside, resolved

_MARK = re.compile(r"(\d+)-(\d+)\.(begin|end)")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def checks_beside(path: Path) -> tuple[Check, ...]:
    """The checks of the files that belong to the store in `path`."""
    files = files_beside(path)
    return (
        Check(
            name="snapshots-have-their-code",
            number="S41",
            means="The folder of code that a snapshot names is there",
            remedy="put the folder back, from a copy of the one beside the store; executions of "
            "that snapshot cannot go on without it",
            ask=_missing_code(files),
        ),
        Check(
            name="files-are-private",
            number="15",
            means="The store and the folder beside it are open to their owner alone",
            remedy="chmod go-rwx what is named",
            ask=_open_to_others(path, files),
        ),
    )


def _missing_code(files: Path) -> Ask:
    def ask(connection: sqlite3.Connection) -> Iterator[str]:
        rows = connection.execute("SELECT hash, workflow, folder FROM snapshot WHERE folder <> ''")
        for name, workflow, folder in rows:
            place = Path(resolved(folder, files))
            # A prune was killed before its commit; the next one deletes both.
            aside = place.with_name(f".gone-{place.name}")
            if not place.is_dir() and not aside.is_dir():
                yield f"snapshot {name[:12]} of workflow {workflow!r}: no folder {str(place)!r}"

    return ask


def _open_to_others(path: Path, files: Path) -> Ask:
    def ask(_: sqlite3.Connection) -> Iterator[str]:
        beside = [path.with_name(path.name + end) for end in ("-wal", "-shm")]
        for place in (path, *beside, files, files / "lock", files / "spool", files / "logs"):
            try:
                mode = stat.S_IMODE(place.stat().st_mode)
            except FileNotFoundError:
                continue
            if mode & _OTHERS:
                yield f"{str(place)!r} has mode {mode:04o}"

    return ask


def marks_left(connection: sqlite3.Connection, path: Path) -> int:
    """How many marks in the spool are of attempts that have ended, or that nobody knows.

    A scheduler takes them away when it starts, and after each commit: they harm nobody.
    """
    spool = files_beside(path) / "spool"
    if not spool.is_dir():
        return 0
    left = 0
    with os.scandir(spool) as entries:
        for entry in entries:
            named = _MARK.fullmatch(entry.name)
            if named is None:
                continue
            row = connection.execute(
                "SELECT status, attempt FROM task_execution WHERE id = ?", (int(named[1]),)
            ).fetchone()
            left += row is None or row[0] in ENDED or row[1] > int(named[2])
    return left
