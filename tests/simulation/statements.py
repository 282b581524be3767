"""The connection that writes to a file, and what one of its statements may meet.

There is no writer thread here: a death within a transaction ends whoever asked for it, and the same
history is the same every time.
"""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from eventflow.store.sqlite import SqliteStore
from eventflow.store.writer import _Job

T = TypeVar("T")

FULL, NOT_DONE, DONE, DIED = "full", "not done", "done", "died"


class DiedError(BaseException):
    """The scheduler's process ends here, as by kill -9."""


class Statements:
    """Stands for the connection of a store's writer.

    Attributes:
        struck: Whether a statement has met what was meant for it, since `arm`.
        in_doubt: Whether that was the COMMIT: the writer finds out by itself what became of it.
    """

    def __init__(self, store: SqliteStore) -> None:
        writer = store._writer
        self._connection = writer._connection
        self._left = 0
        self._how = ""
        self.struck = self.in_doubt = False

        def do(
            what: str,
            work: Callable[[sqlite3.Connection], T],
            *,
            done: Callable[[sqlite3.Connection, T], bool] | None = None,
        ) -> T:
            job = _Job(what, work, done)
            writer._write([job])
            if job.error is not None:
                raise job.error
            return job.answer

        writer._connection = any_(self)
        vars(writer)["do"] = do

    def arm(self, number: int, how: str) -> None:
        """Let the statement of that number, from 1, fail, or have the process die there."""
        self._left, self._how, self.struck, self.in_doubt = number, how, False, False

    def disarm(self) -> None:
        self._left, self.struck, self.in_doubt = 0, False, False

    def execute(self, text: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        return self._meet(text, lambda: self._connection.execute(text, parameters))

    def executemany(self, text: str, rows: Sequence[Sequence[Any]]) -> sqlite3.Cursor:
        if not rows:
            return self._connection.executemany(text, rows)
        return self._meet(text, lambda: self._connection.executemany(text, rows))

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def close(self) -> None:
        self._connection.close()

    def _meet(self, text: str, do: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
        if not self._left or text in ("BEGIN IMMEDIATE", "ROLLBACK"):
            return do()
        self._left -= 1
        if self._left:
            return do()
        self.struck, self.in_doubt = True, text == "COMMIT"
        match self._how:
            case "died":
                raise DiedError
            case "full":
                # SQLite itself rolls back then.
                self._connection.execute("ROLLBACK")
                raise _failed("SQLITE_FULL", sqlite3.SQLITE_FULL)
            case "done":
                do()
        raise _failed("SQLITE_IOERR_WRITE", sqlite3.SQLITE_IOERR)


def _failed(name: str, code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("made to fail at a statement")
    error.sqlite_errorname, error.sqlite_errorcode = name, code
    return error


def any_(stands_for: Any) -> Any:
    """What stands for a part that has many more methods than are used here."""
    return stands_for
