"""What a SQLite file has recorded, read in one transaction: a scheduler may go on beside it.

Values come as the driver has them, which is how a recording has them too.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Select, func, select
from sqlmodel import Session

from eventflow.core.plan import Plan
from eventflow.model.jsonvalue import read
from eventflow.store.compiled import table
from eventflow.store.database import Database
from eventflow.store.keeping import kept_in
from eventflow.store.listed import SnapshotRecord
from eventflow.store.loading import load
from eventflow.store.places import resolved
from eventflow.store.ports import Loaded
from eventflow.store.recording import KEYS, TABLES, Stored

# The order of deciding; the tables that are not named have it in their key.
_ORDERS = {
    "event": ("turn",),
    "undecided": ("offset",),
    "decision": ("turn", "number"),
    "verdict": ("turn", "number"),
    "task_history": ("turn", "number"),
    "schedule_firing": ("id",),
}
# SQLite takes so many parameters in a statement, and more.
_MOST_IDS = 500


@contextmanager
def recording_at(url: str) -> Iterator["SqliteRecording"]:
    """The recording of the store that `url` names; nothing is written to it.

    Raises:
        StoreError: If there is none, or it cannot be read.
    """
    database = Database(url, create=False)
    try:
        with recorded_in(database) as recording:
            yield recording
    finally:
        database.close()


@contextmanager
def recorded_in(database: Database) -> Iterator["SqliteRecording"]:
    """What the file has as of one commit, for as long as this is open."""
    with database.session() as session:
        yield SqliteRecording(session, database.files)


class SqliteRecording:
    """A Recording of one file. Rows are streamed: a log of any length takes no more memory."""

    def __init__(self, session: Session, files: Path) -> None:
        self._session = session
        self._files = files

    def table(self, name: str) -> Iterator[Stored]:
        of = table("event" if name == "undecided" else name)
        statement = self._select(of.name)
        if of.name == "event":
            is_decided = of.c.turn.is_not(None)
            statement = statement.where(is_decided if name == "event" else of.c.turn.is_(None))
        order = _ORDERS.get(name, ())
        return self._rows(of.name, statement.order_by(*(of.c[column] for column in order)))

    def rows(self, name: str, ids: Iterable[int]) -> list[Stored]:
        wanted = list(ids)
        of = table(name)
        found: list[Stored] = []
        for first in range(0, len(wanted), _MOST_IDS):
            some = wanted[first : first + _MOST_IDS]
            statement = self._select(name).where(of.c[KEYS[name][0]].in_(some))
            found.extend(self._rows(name, statement))
        return found

    def count(self, name: str) -> int:
        statement = select(func.count()).select_from(table(name))
        return int(self._session.connection().execute(statement).scalar_one())

    def snapshots(self) -> list[SnapshotRecord]:
        of = table("snapshot")
        found = self._session.connection().execute(select(*of.c).order_by(of.c.hash))
        return [
            SnapshotRecord(
                hash=row.hash,
                namespace=row.namespace,
                workflow=row.workflow,
                folder=resolved(row.folder, self._files),
                entry=row.entry,
                definition=read(row.definition),
                created_at=row.created_at,
            )
            for row in found
        ]

    def load(self, plan_of: Callable[[str], Plan]) -> Loaded:
        return load(kept_in(self._session), plan_of)

    def _select(self, name: str) -> Select[Any]:
        of = table(name)
        return select(*(of.c[column] for column in TABLES[name]))

    def _rows(self, name: str, statement: Select[Any]) -> Iterator[Stored]:
        # Only ids are in it; a list of them would be bound as one parameter, to be expanded later.
        compiled = statement.compile(
            self._session.connection(), compile_kwargs={"literal_binds": True}
        )
        columns = TABLES[name]
        for row in self._session.connection().exec_driver_sql(str(compiled)):
            found = dict(zip(columns, row, strict=True))
            if name == "event":
                found["value"] = read(found["value"])
                found["attributes"] = read(found["attributes"]) if found["attributes"] else {}
            yield found
