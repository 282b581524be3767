"""All checks of a store, put to its file as of one commit; nothing is written.

A scheduler may work on the store meanwhile. Until the last question is answered its WAL grows: it
cannot begin anew while somebody reads what it began with.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from eventflow.clock import Clock
from eventflow.errors import StoreError
from eventflow.store import (
    execution_checks,
    item_checks,
    log_checks,
    order_checks,
    task_checks,
)
from eventflow.store.checks import Check, with_statuses
from eventflow.store.database import BUSY_TIMEOUT_S, store_error
from eventflow.store.doomed import BEING_PRUNED
from eventflow.store.folder_checks import checks_beside, marks_left
from eventflow.store.schema import prepare

# Executions whose rows are being deleted, some at a time; their reason says so.
_BEING_PRUNED = f"SELECT id FROM main.workflow_execution WHERE reason = '{BEING_PRUNED}'"  # noqa: S608  ours

CHECKS: tuple[Check, ...] = (
    *log_checks.CHECKS,
    *task_checks.CHECKS,
    *order_checks.CHECKS,
    *execution_checks.CHECKS,
    *item_checks.CHECKS,
)
SHOWN = 10
# SQLite asks this often whether to go on, counted in steps of its machine: some milliseconds.
_STEPS = 200_000
_COUNTS = {
    "events": "SELECT COUNT(*) FROM event",
    "executions": "SELECT COUNT(*) FROM workflow_execution",
    "runs": "SELECT COUNT(*) FROM task_execution",
    "undecided": "SELECT COUNT(*) FROM event WHERE turn IS NULL",
    "orders": "SELECT COUNT(*) FROM outbox",
    "live_executions": "SELECT COUNT(*) FROM workflow_execution WHERE status NOT IN :ENDED",
    "pruned_events": "SELECT cursor.turn - (SELECT COUNT(turn) FROM event) FROM cursor",
    "pruned_executions": "SELECT execution_id - (SELECT COUNT(*) FROM main.workflow_execution)"
    " FROM cursor",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a check has found.

    Attributes:
        count: How many faults; `rows` tells the first of them.
    """

    check: Check
    count: int
    rows: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a store holds, and what waits in it; that something waits is no fault.

    Attributes:
        orders: Those that no executor has taken yet.
        pruned_events: Those that are gone, as far as the turns tell; the same of executions.
        marks_left: Files of attempts that have ended: the next scheduler takes them away.
    """

    events: int
    executions: int
    runs: int
    undecided: int
    orders: int
    live_executions: int
    pruned_events: int
    pruned_executions: int
    marks_left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The answers to all checks. `counts` is `None` where the file is too damaged to count."""

    answers: tuple[Answer, ...]
    counts: Counts | None

    @property
    def faults(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.count]


class StoppedError(StoreError):
    """The checks were told to stop."""


def _nobody(answer: Answer) -> None:
    """Tells no one."""


def _never() -> bool:
    return False


def fsck(
    path: Path,
    *,
    clock: Clock,
    progress: Callable[[Answer], None] = _nobody,
    stop: Callable[[], bool] = _never,
    shown: int = SHOWN,
) -> Report:
    """Put every check to the store in `path`.

    Args:
        clock: What the seconds of a check are read from.
        progress: Told each answer as it comes.
        stop: Asked now and then; `True` ends it.
        shown: How many rows of a fault are told at most.

    Raises:
        StoreError: If there is no store that this program can read.
        StoppedError: If it was told to stop.
    """
    with reading(path) as connection:
        connection.set_progress_handler(stop, _STEPS)
        answers = []
        for check in (*CHECKS, *checks_beside(path)):
            if stop():
                raise StoppedError(f"store {str(path)!r}: stopped before {check.name}")
            begun = clock.monotonic()
            count, rows = _put(check, connection, path, shown)
            seconds = clock.monotonic() - begun
            answers.append(Answer(check=check, count=count, rows=rows, seconds=seconds))
            progress(answers[-1])
        try:
            counts = _counted(connection, path)
        except sqlite3.Error as error:
            if not any(answer.count for answer in answers):
                raise store_error(path, error) from error
            counts = None
    return Report(answers=tuple(answers), counts=counts)


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to the store that sees one commit and cannot write.

    Raises:
        StoreError: If there is no store that this program can read.
    """
    if path.is_file() and not path.stat().st_size:
        raise StoreError(
            f"store {str(path)!r} is empty: whoever was making it has not got further; start a "
            f"scheduler on it, which makes its tables"
        )
    prepare(path, create=False)
    try:
        with closing(
            sqlite3.connect(
                f"file:{quote(str(path))}?mode=ro",
                uri=True,
                timeout=BUSY_TIMEOUT_S,
                isolation_level=None,
            )
        ) as connection:
            connection.execute("BEGIN")
            _hide_what_is_being_pruned(connection)
            yield connection
    except sqlite3.Error as error:
        raise store_error(path, error) from error


def _hide_what_is_being_pruned(connection: sqlite3.Connection) -> None:
    """Let the checks see no execution of which some rows are gone already.

    A view of the connection's own stands before the table of that name. That of the file is
    `main.workflow_execution`.
    """
    if connection.execute(_BEING_PRUNED).fetchone() is None:
        return
    for table, column in (
        ("workflow_execution", "id"),
        ("task_execution", "workflow_execution_id"),
    ):
        connection.execute(
            f"CREATE TEMP VIEW {table} AS SELECT * FROM main.{table}"  # noqa: S608  our own names
            f" WHERE {column} NOT IN ({_BEING_PRUNED})"
        )


def _put(
    check: Check, connection: sqlite3.Connection, path: Path, shown: int
) -> tuple[int, tuple[str, ...]]:
    """Ask, and count what comes; one that cannot be asked of such a file has found a fault too."""
    rows: list[str] = []
    count = 0
    try:
        for row in check.ask(connection):
            count += 1
            if count <= shown:
                rows.append(row)
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorname", "") == "SQLITE_INTERRUPT":
            raise StoppedError(f"store {str(path)!r}: stopped in {check.name}") from error
        count += 1
        rows.append(f"this cannot be asked: {error}")
    except (ValueError, KeyError, TypeError) as error:
        count += 1
        rows.append(f"what is kept cannot be understood: {error!r}")
    return count, tuple(rows)


def _counted(connection: sqlite3.Connection, path: Path) -> Counts:
    found = {
        name: connection.execute(with_statuses(question)).fetchone()[0]
        for name, question in _COUNTS.items()
    }
    return Counts(**found, marks_left=marks_left(connection, path))
