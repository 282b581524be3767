"""Where a history keeps its store, in memory or there and in a file, and how it outlives deaths."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import invariants
from sqlalchemy import Engine

from eventflow.clock import Clock
from eventflow.store.cut import Cut
from eventflow.store.memory import MemoryStore
from eventflow.store.places import files_beside
from eventflow.store.ports import Store
from eventflow.store.sqlite import SqliteStore
from tests.simulation.gone import Gone
from tests.simulation.statements import Statements, any_
from tests.simulation.twins import Twins


class Disk:
    """A folder for the files of one history after the other."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "store.db"
        self._template = folder / "template.db"
        self._engine: Engine | None = None
        SqliteStore(f"sqlite:///{self._template}", clock=any_(None)).close()
        with closing(sqlite3.connect(self._template)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def clear(self) -> None:
        """An empty store: its tables were made once."""
        for one in self._files():
            one.unlink(missing_ok=True)
        shutil.rmtree(files_beside(self.path), ignore_errors=True)
        shutil.copy(self._template, self.path)

    def open(self, clock: Clock) -> SqliteStore:
        store = SqliteStore(f"sqlite:///{self.path}", clock=clock)
        # One engine for all: it keeps the statements that it has compiled.
        if self._engine is None:
            self._engine = store._database._engine
        store._database._engine = self._engine
        return store

    def kill(self, store: SqliteStore) -> None:
        """What a process that is killed leaves: the file and its log, as they are now."""
        kept = [one for one in self._files() if one.exists() and not one.name.endswith("-shm")]
        for one in kept:
            shutil.copy(one, one.with_suffix(f"{one.suffix}.kept"))
        if store._lock is not None:
            os.close(store._lock)
            store._lock = None
        store.close()
        for one in self._files():
            one.unlink(missing_ok=True)
        for one in kept:
            one.with_suffix(f"{one.suffix}.kept").rename(one)

    def _files(self) -> list[Path]:
        return [self.path.with_name(self.path.name + end) for end in ("", "-wal", "-shm")]


class Place:
    """The store of one history.

    Attributes:
        store: What is asked and written.
        gone: What retention has taken.
        statements: Those of the file, to let one fail; `None` in memory.

    Args:
        disk: Where the file goes, beside the memory store; `None` for that alone.
        wrong: Told what may not be.
    """

    def __init__(self, disk: Disk | None, clock: Clock, wrong: Callable[[str], None]) -> None:
        self._disk = disk
        self._clock = clock
        self.wrong = wrong
        self._memory = MemoryStore(clock=clock)
        self.store: Store = self._memory
        self.statements: Statements | None = None
        self.twins: Twins | None = None
        self.gone = Gone()
        if disk is not None:
            disk.clear()
            self._open(disk)
        self.store.hold("simulation")

    def die(self, *, killed: bool) -> None:
        """The process that holds it ends, and another takes it.

        Args:
            killed: Whether the file is opened anew, as the dead have left it.
        """
        # Whoever died within a transaction has not ended it.
        killed |= self.statements is not None and self.statements.in_transaction
        if self._disk is None or self.twins is None or not killed:
            self.store.release(clean=False)
        else:
            self._disk.kill(self.twins.file)
            self._memory.release(clean=False)
            self._open(self._disk)
        self.store.hold("simulation")

    @property
    def turn(self) -> int:
        """Of the last event that was decided in the memory store, which is the file's twin."""
        return self._memory._shelves.counters.turn

    def judge(self, *, parked: bool) -> None:
        """Put the checks of `eventflow fsck` to the file, unless something may have been parked: it
        waits where others would not.
        """
        if self._disk is None or parked:
            return
        if found := invariants.broken(self._disk.path):
            self.wrong(f"in the file: {found[:3]}")

    def let_go(self, cut: Cut) -> None:
        """Take what retention has taken out of the file out of the memory store as well."""
        if self.twins is not None:
            self.twins.let_go(cut)

    def compare(self) -> None:
        """Hold every row of the file against the memory store's."""
        if self.twins is not None:
            self.twins.compare()

    def close(self) -> None:
        self.store.close()

    def _open(self, disk: Disk) -> None:
        file = disk.open(self._clock)
        self.statements = Statements(file)
        self.twins = Twins(file, self._memory, self.statements, self.gone, self.wrong)
        self.store = any_(self.twins)
