"""How large a store is, and what is in it. Only reads."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from eventflow.store.columns import Table, instant_of
from eventflow.store.database import connect, store_error
from eventflow.store.places import files_beside
from eventflow.store.schema import prepare


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Sizes are in bytes.

    Attributes:
        free: Of the file, what deleted rows have left; new ones go there first.
        files: Of the folder beside it.
        rows: By table.
        undecided: Events without a turn.
    """

    path: Path
    size: int
    free: int
    wal: int
    files: int
    schema_version: int
    rows: dict[str, int]
    undecided: int
    oldest_offset: int | None
    oldest_at: datetime | None


def measure(path: Path) -> Measured:
    """Measure the store at `path`.

    Raises:
        StoreError: If there is none, or it cannot be read.
    """
    prepare(path, create=False)
    try:
        with closing(connect(path, query_only=True)) as connection:
            return _measure(connection, path)
    except sqlite3.Error as error:
        raise store_error(path, error) from error


def _measure(connection: sqlite3.Connection, path: Path) -> Measured:
    connection.execute("BEGIN")
    pragmas = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_size", "freelist_count", "user_version")
    }
    rows = {
        name: connection.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0]  # noqa: S608  ours
        for name in sorted(Table.metadata.tables)
    }
    oldest = connection.execute(
        "SELECT offset, logged_at FROM event ORDER BY offset LIMIT 1"
    ).fetchone() or (None, None)
    undecided = "SELECT COUNT(*) FROM event WHERE turn IS NULL"
    return Measured(
        path=path,
        size=_size(path),
        free=pragmas["freelist_count"] * pragmas["page_size"],
        wal=_size(path.with_name(path.name + "-wal")),
        files=sum(_size(one) for one in files_beside(path).rglob("*") if one.is_file()),
        schema_version=pragmas["user_version"],
        rows=rows,
        undecided=connection.execute(undecided).fetchone()[0],
        oldest_offset=oldest[0],
        oldest_at=instant_of(oldest[1]),
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
