"""One SQLite file: its connections, their pragmas, and what an error of SQLite's means.

One connection writes, on the writer's thread. Reading goes past it: a connection for the short
questions of the loop and of tasks, and an engine for what users ask. A reader sees the last commit
and never waits for a writer (WAL).
"""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool
from sqlmodel import Session

from eventflow.errors import StoreError, StoreLockedError, StoreRefusedError
from eventflow.model.keys import matches
from eventflow.store.disks import network_disk
from eventflow.store.leftwal import CHECKED_BYTES, check_left_wal
from eventflow.store.lock import is_held
from eventflow.store.places import check_alone, files_beside, path_of, private_folder
from eventflow.store.schema import prepare

BUSY_TIMEOUT_S = 5.0
_LOCKED_TRIES = 100

_PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def connect(path: Path, *, query_only: bool = False) -> sqlite3.Connection:
    """The only place where a connection is made: pragmas set, and asserted.

    Raises:
        StoreError: If the file cannot be opened, or a pragma does not hold.
    """
    try:
        connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise store_error(path, error) from error
    try:
        _set_up(connection, path)
        if query_only:
            connection.execute("PRAGMA query_only = 1")
            connection.create_function("key_matches", 2, matches, deterministic=True)
    except sqlite3.Error as error:
        connection.close()
        raise store_error(path, error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _set_up(connection: sqlite3.Connection, path: Path) -> None:
    for name, value in _PRAGMAS.items():
        for tries in range(1, _LOCKED_TRIES + 1):
            try:
                connection.execute(f"PRAGMA {name} = {value}").fetchone()
            except sqlite3.OperationalError:
                # SQLite does not wait by itself while another process makes the same new file a
                # WAL one.
                if tries == _LOCKED_TRIES:
                    raise
                threading.Event().wait(0.02)
            else:
                break
        (found,) = connection.execute(f"PRAGMA {name}").fetchone()
        if found != value:
            raise StoreError(
                f"store {str(path)!r}: SQLite has {name} = {found!r}, not {value!r}; is the file "
                f"on a network disk? Put it on a local one"
            )


def store_error(path: Path, error: sqlite3.Error) -> StoreError:
    """What an error of SQLite's means to whoever uses the store."""
    name = getattr(error, "sqlite_errorname", "")
    kind = StoreError
    match name.split("_")[1:2]:
        case ["BUSY" | "LOCKED"]:
            kind = StoreLockedError
            told = "another process keeps it locked; try again, or end that process"
        case ["FULL"]:
            told = "the disk is full; make room and try again"
        case ["IOERR"]:
            told = "the disk reports an error; look at the system's log"
        case ["READONLY" | "CANTOPEN" | "PERM"]:
            told = "it cannot be written; look at its owner and its folder"
        case ["CORRUPT" | "NOTADB"]:
            told = "the file is damaged; it was left as it is, restore the last good copy"
        case _:
            told = "the write was refused"
    if isinstance(error, sqlite3.IntegrityError | sqlite3.DataError | sqlite3.InterfaceError):
        kind = StoreRefusedError
    return kind(f"store {str(path)!r}: {told} ({name or type(error).__name__}: {error})")


class Reader:
    """One connection for short reads by any thread, one at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection = connect(path, query_only=True)

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Every row of a SELECT, as tuples of what is stored."""
        try:
            with self._lock:
                return self._connection.execute(statement, parameters).fetchall()
        except sqlite3.Error as error:
            raise store_error(self._path, error) from error

    def at_one_commit(self, *asked: tuple[str, Sequence[Any]]) -> list[list[Any]]:
        """The rows of several SELECTs, each with its parameters, all of one commit."""
        try:
            with self._lock:
                self._connection.execute("BEGIN")
                try:
                    return [self._connection.execute(*one).fetchall() for one in asked]
                finally:
                    self._connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise store_error(self._path, error) from error

    def value(self, statement: str, parameters: Sequence[Any] = ()) -> Any:
        """The first column of the first row; `None` where there is none."""
        rows = self.rows(statement, parameters)
        return rows[0][0] if rows else None

    def close(self) -> None:
        with self._lock:
            self._connection.close()


class Database:
    """One file and the folder beside it, opened for reading.

    Raises:
        StoreError: If there is no store there that this program can read. Nothing was changed.
    """

    def __init__(self, url: str, *, create: bool) -> None:
        path = path_of(url)
        if path is None:
            raise StoreError(f"{url!r} names no file")
        _check_disk(path)
        prepare(path, create=create)
        check_alone(path)
        self.url = url
        self.path = path
        self.files = files_beside(path)
        private_folder(self.files)
        if not is_held(self.files / "lock"):
            check_left_wal(path)
        self.reader = Reader(path)
        self._engine = _engine(path)
        self._closed = False

    def check(self) -> None:
        """Read a store that is not too large from end to end.

        Raises:
            StoreError: If it is damaged.
        """
        if self.path.stat().st_size > CHECKED_BYTES:
            return
        found = self.reader.value("PRAGMA quick_check(1)")
        if found != "ok":
            raise StoreError(
                f"store {str(self.path)!r}: the file is damaged ({found}); it was left as it is, "
                f"restore the last good copy"
            )

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> Sequence[Any]:
        """Every row of a SELECT that may take its time: the short questions do not wait for it."""
        with self.session() as session:
            return session.connection().exec_driver_sql(statement, tuple(parameters)).all()

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A session that sees one commit, from its first SELECT to its end.

        Raises:
            StoreError: If the file cannot be read.
        """
        try:
            with Session(self._engine) as session:
                yield session
        except DBAPIError as error:
            if isinstance(error.orig, sqlite3.Error):
                raise store_error(self.path, error.orig) from error
            raise
        finally:
            if self._closed:
                # What was lent when it was closed has come back only now.
                self._engine.pool.dispose()

    def close(self) -> None:
        self._closed = True
        self._engine.pool.dispose()
        self.reader.close()


def _check_disk(path: Path) -> None:
    disk = network_disk(path)
    if disk is not None:
        raise StoreError(
            f"store {str(path)!r} lies on a network disk ({disk.kind} at {str(disk.place)!r}): "
            f"SQLite keeps what was committed only where one machine alone writes. Put it on a "
            f"local disk, by --store or EVENTFLOW_STORE"
        )


def _engine(path: Path) -> Engine:
    engine = create_engine(
        "sqlite://", creator=lambda: connect(path, query_only=True), poolclass=QueuePool
    )

    # What one answer is put together from is read as of one commit.
    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine
