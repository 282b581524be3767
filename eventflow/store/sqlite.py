"""A store in one SQLite file: log, ledger and state backend over one writer."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from eventflow.clock import Clock
from eventflow.store.backend import SqliteBackend
from eventflow.store.cut import Cut, Manner, Pruned
from eventflow.store.database import Database
from eventflow.store.ledger import SqliteLedger
from eventflow.store.log import SqliteLog
from eventflow.store.pruning import Pruner
from eventflow.store.recording import Recording
from eventflow.store.sqlite_recording import recorded_in
from eventflow.store.writer import Writer


class SqliteStore(SqliteLog, SqliteLedger, SqliteBackend):
    """All ports of a store, in one file. Any number of processes may append and read at once.

    Args:
        url: `sqlite:///file.db`, or `sqlite:////absolute/file.db`.
        clock: What `logged_at` is read from.
        create: Whether a file that is not there may be made.

    Raises:
        StoreError: If there is no store that this program can read; what is there stays as it is.
    """

    def __init__(self, url: str, *, clock: Clock, create: bool = True) -> None:
        database = Database(url, create=create)
        try:
            writer = Writer(database.path)
        except BaseException:
            database.close()
            raise
        SqliteLog.__init__(self, database, writer, clock)
        SqliteLedger.__init__(self, database, writer, clock)
        SqliteBackend.__init__(self, database, writer)

    @property
    def url(self) -> str:
        return self._database.url

    @property
    def files(self) -> Path | None:
        return self._database.files

    @property
    def commits(self) -> int:
        """How many transactions this store has committed."""
        return self._writer.commits

    @contextmanager
    def recording(self) -> Iterator[Recording]:
        with recorded_in(self._database) as recorded:
            yield recorded

    def prune(self, cut: Cut, manner: Manner | None = None) -> Pruned:
        # Before asking who holds it: whoever takes it in between has another.
        epoch = self.epoch()
        if cut.snapshots and not self.holds and self.holder() is not None:
            cut = replace(cut, snapshots=False)
        pruner = Pruner(self._database, self._writer, self._clock, cut, manner or Manner())
        return pruner.prune(epoch)

    def close(self) -> None:
        try:
            self.release(clean=False)
        finally:
            self._writer.close()
            self._database.close()
