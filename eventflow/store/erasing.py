"""The transactions of retention: what each deletes, and what it looks at before it does."""

import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from eventflow.crashpoints import reach
from eventflow.store.database import Database
from eventflow.store.doomed import BEING_PRUNED, RETRY, Doomed
from eventflow.store.places import resolved
from eventflow.store.sweeping import Gone

# A transaction takes about as long as one commit of the loop: some 10 ms.
RUNS_A_COMMIT = 200

# Those that name a run before it: foreign keys are on.
_OF_RUN = tuple(
    f"DELETE FROM {table} WHERE {column} = ?"  # noqa: S608  our own tables
    for table, column in (
        ("outbox", "task_execution_id"),
        ("task_history", "task_execution_id"),
        ("result", "task_execution_id"),
        ("attempt_failure", "task_execution_id"),
        ("deterministic_value", "task_execution_id"),
        ("task_execution", "id"),
    )
)
_OF_EXECUTION = tuple(
    f"DELETE FROM {table} WHERE {column} = ?"  # noqa: S608  our own tables
    for table, column in (
        ("decision", "workflow_execution_id"),
        ("state", "workflow_execution_id"),
        ("workflow_data", "workflow_execution_id"),
        ("parked", "workflow_execution_id"),
        ("workflow_execution", "id"),
    )
)
# Those of its periodic tasks, whose keys are `periodic:ID:TASK`.
_FIRINGS_OF = (
    "DELETE FROM schedule_firing WHERE schedule >= 'periodic:' || ? || ':'"
    " AND schedule < 'periodic:' || ? || ';'"
)
_OF_FIRING = "DELETE FROM schedule_firing WHERE id = ?"
_RUNS = "SELECT id FROM task_execution WHERE workflow_execution_id = ? LIMIT ?"
COUNT_RUNS = "SELECT COUNT(*) FROM task_execution WHERE workflow_execution_id = ?"
_OF_VERDICT = "DELETE FROM verdict WHERE turn = ? AND number = ?"
_VERDICTS = (
    "SELECT workflow_execution_id, turn, number FROM verdict WHERE workflow_execution_id > 0"
)
_MARK = f"UPDATE workflow_execution SET reason = '{BEING_PRUNED}' WHERE id = ?"  # noqa: S608
# What came after the doomed were read, and is about one of them.
_ASKED_AGAIN = f"SELECT value ->> 'retry_of' FROM event WHERE offset > ? AND key = '{RETRY}'"  # noqa: S608
_RETRIED = "SELECT retry_of FROM workflow_execution WHERE id > ? AND retry_of IS NOT NULL"
_OF_EVENT = (
    "DELETE FROM event WHERE offset = ?",
    "DELETE FROM decision WHERE turn = ?",
    "DELETE FROM verdict WHERE turn = ?",
)
_OF_ID = "DELETE FROM dedup WHERE namespace = ? AND sender = ? AND id = ?"
_NOT_NEEDED = (
    "created_at < ? AND (? IS NULL OR namespace = ?)"
    " AND hash NOT IN (SELECT snapshot FROM workflow_execution)"
    " AND hash NOT IN (SELECT snapshot FROM workflow)"
    " AND hash NOT IN (SELECT COALESCE(value ->> 'snapshot', '') FROM event WHERE turn IS NULL"
    " AND key IN ('eventflow.command.register', 'eventflow.command.retry'))"
)
SPARE_SNAPSHOTS = f"SELECT hash, folder FROM snapshot WHERE {_NOT_NEEDED}"  # noqa: S608
_EPOCH = "SELECT lease_epoch FROM cursor"


class Verdicts:
    """Where the verdicts of doomed executions are: their table has no index by execution."""

    def __init__(self, database: Database, doomed: frozenset[int]) -> None:
        self._found: dict[int, list[tuple[int, int]]] = {}
        if doomed:
            for owner, turn, number in database.rows(_VERDICTS):
                if owner in doomed:
                    self._found.setdefault(owner, []).append((turn, number))

    def of(self, ids: Sequence[int]) -> list[tuple[int, int]]:
        return [place for one in ids for place in self._found.get(one, ())]


class Wanted:
    """Executions whose retry somebody has asked for since they were doomed.

    It is asked inside each transaction, and reads no event twice.
    """

    def __init__(self, doomed: Doomed) -> None:
        self._offset = doomed.newest_offset
        self._execution = doomed.newest_execution
        self._ids: set[int] = set()

    def has_one(self, connection: sqlite3.Connection, ids: Sequence[int]) -> bool:
        (newest,) = connection.execute("SELECT MAX(offset) FROM event").fetchone()
        for statement, after in ((_ASKED_AGAIN, self._offset), (_RETRIED, self._execution)):
            self._ids.update(one for (one,) in connection.execute(statement, (after,)))
        # Executions come from commands that were read above, or from earlier ones: few.
        self._offset = max(self._offset, newest or 0)
        return not self._ids.isdisjoint(ids)


def mark(connection: sqlite3.Connection, ids: Sequence[int], wanted: Wanted) -> bool:
    if wanted.has_one(connection, ids):
        return False
    connection.executemany(_MARK, [(one,) for one in ids])
    return True


def take_runs(connection: sqlite3.Connection, ids: Sequence[int]) -> int:
    """Delete runs of executions with all that is theirs, at most as many as fit; how many."""
    runs: list[Any] = []
    for one in ids:
        runs += connection.execute(_RUNS, (one, RUNS_A_COMMIT - len(runs))).fetchall()
        if len(runs) == RUNS_A_COMMIT:
            break
    for statement in _OF_RUN:
        connection.executemany(statement, runs)
    return len(runs)


def deleting(events: Sequence[Gone]) -> Callable[[sqlite3.Connection], None]:
    def write(connection: sqlite3.Connection) -> None:
        of_event, *of_turn = _OF_EVENT
        connection.executemany(of_event, [(gone.offset,) for gone in events])
        for statement in of_turn:
            connection.executemany(statement, [(gone.turn,) for gone in events])

    return write


def forgetting(ids: Sequence[tuple[Any, ...]]) -> Callable[[sqlite3.Connection], None]:
    def write(connection: sqlite3.Connection) -> None:
        connection.executemany(_OF_ID, ids)

    return write


def unfiring(firings: Sequence[int]) -> Callable[[sqlite3.Connection], None]:
    def write(connection: sqlite3.Connection) -> None:
        connection.executemany(_OF_FIRING, [(one,) for one in firings])

    return write


def _put_aside(files: Path, folders: set[str]) -> list[Path]:
    """Take folders of code from their names, at once; what is not below the store's stays."""
    aside = []
    for name in sorted(filter(None, folders)):
        folder = Path(resolved(name, files))
        if not folder.is_relative_to(files):
            continue
        with contextlib.suppress(FileNotFoundError):
            aside.append(folder.rename(folder.with_name(f".gone-{folder.name}")))
    return aside


def delete_executions(
    connection: sqlite3.Connection, ids: Sequence[int], said: Sequence[tuple[int, int]]
) -> int:
    """Delete executions with what is left of their runs, at most so many; how many runs."""
    taken = take_runs(connection, ids)
    connection.executemany(_OF_VERDICT, said)
    for statement in _OF_EXECUTION:
        connection.executemany(statement, [(one,) for one in ids])
    connection.executemany(_FIRINGS_OF, [(one, one) for one in ids])
    return taken


def delete_snapshots(
    connection: sqlite3.Connection, which: tuple[Any, ...], files: Path, epoch: int
) -> tuple[int, list[Path]]:
    """Delete snapshots that nothing needs, unless the store has changed hands since `epoch`.

    Returns:
        How many, and the folders of their code, which no name leads to any more.
    """
    # Whoever has taken the store since may be about to register one of them.
    if connection.execute(_EPOCH).fetchone() != (epoch,):
        return 0, []
    spare = connection.execute(SPARE_SNAPSHOTS, which).fetchall()
    connection.executemany("DELETE FROM snapshot WHERE hash = ?", [row[:1] for row in spare])
    kept = {folder for (folder,) in connection.execute("SELECT folder FROM snapshot")}
    aside = _put_aside(files, {row[1] for row in spare} - kept)
    reach("retention.aside")
    return len(spare), aside
