"""Retention: old executions, events and ids are deleted, in small transactions, beside whoever
works on the store.

Executions go first, each with all that is its own, so that no row of theirs is left without them;
then what of the log nothing refers to any more, then firings, ids, code and output. Each
transaction stands for itself: one that is killed leaves a whole store, and the next one goes on
from there.
"""

import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

from eventflow.clock import Clock
from eventflow.crashpoints import reach
from eventflow.store.columns import micros_of
from eventflow.store.cut import Cut, Manner, Pruned
from eventflow.store.database import Database
from eventflow.store.doomed import Doomed, Family, doomed_in
from eventflow.store.erasing import (
    COUNT_RUNS,
    RUNS_A_COMMIT,
    SPARE_SNAPSHOTS,
    Verdicts,
    Wanted,
    delete_executions,
    delete_snapshots,
    deleting,
    forgetting,
    mark,
    take_runs,
    unfiring,
)
from eventflow.store.sweeping import events_to_go, firings_to_go, ids_to_go
from eventflow.store.writer import Writer

T = TypeVar("T")

EXECUTIONS_A_COMMIT = 200
EVENTS_A_COMMIT = 300
# Other processes wait for the lock by trying again: they are left as much time as was taken.
_LEAST_PAUSE_S = 0.005
_LONGEST_PAUSE_S = 1.0
_COPIED_WITHIN_S = 3600.0


class Pruner:
    """Lets go of what a cut leaves behind."""

    def __init__(
        self, database: Database, writer: Writer, clock: Clock, cut: Cut, manner: Manner
    ) -> None:
        self._database = database
        self._writer = writer
        self._clock = clock
        self._cut = cut
        self._manner = manner
        self.done = Pruned()

    def prune(self, epoch: int) -> Pruned:
        """Delete what may go, or count it.

        Args:
            epoch: The lease under which snapshots may go: it has not changed hands since.

        Raises:
            StoreError: If it cannot be read or written; what is gone so far stays gone.
        """
        steps: list[Callable[[], Iterator[None]]] = [lambda: self._snapshots(epoch)]
        if self._cut.others:
            with self._database.session() as session:
                doomed = doomed_in(session.connection(), self._cut)
            # What executions are gone for comes after them.
            steps = [
                lambda: self._executions(doomed),
                lambda: self._events(doomed),
                lambda: self._firings(doomed),
                self._ids,
                *steps,
                self._logs,
            ]
        for step in steps:
            for _ in step():
                self._manner.progress(self.done)
                if self._manner.stop():
                    self.done = replace(self.done, stopped=True)
                    return self.done
        return self.done

    def _count(self, **more: int) -> None:
        self.done = replace(
            self.done, **{name: getattr(self.done, name) + count for name, count in more.items()}
        )

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """One transaction, and the pause that gives others their turn."""
        begun = self._clock.monotonic()
        answer = self._writer.do("prune", work)
        took = self._clock.monotonic() - begun
        self.done = replace(
            self.done, commits=self.done.commits + 1, longest_s=max(self.done.longest_s, took)
        )
        self._manner.wait(min(max(took, _LEAST_PAUSE_S), _LONGEST_PAUSE_S))
        return answer

    def _executions(self, doomed: Doomed) -> Iterator[None]:
        verdicts = Verdicts(self._database, doomed.ids)
        wanted = Wanted(doomed)
        for batch in self._batches(doomed.families):
            runs = sum(count for _, count in batch)
            families = [family for family, _ in batch]
            if self._manner.dry:
                self._count(executions=sum(map(len, families)), runs=runs)
                continue
            if self._delete(families, runs, wanted, verdicts):
                yield
                continue
            # One of them has come to be wanted; the others need not stay for that.
            for family, count in batch:
                self._delete([family], count, wanted, verdicts)
                yield

    def _batches(self, families: Sequence[Family]) -> Iterator[list[tuple[Family, int]]]:
        """Families with how many runs they have, as many as fit into one transaction."""
        batch: list[tuple[Family, int]] = []
        runs = executions = 0
        for family in families:
            count = sum(self._database.reader.value(COUNT_RUNS, (one,)) for one in family)
            if batch and (
                runs + count > RUNS_A_COMMIT or executions + len(family) > EXECUTIONS_A_COMMIT
            ):
                yield batch
                batch, runs, executions = [], 0, 0
            batch.append((family, count))
            runs, executions = runs + count, executions + len(family)
        if batch:
            yield batch

    def _delete(
        self, families: list[Family], runs: int, wanted: Wanted, verdicts: Verdicts
    ) -> bool:
        """Delete executions with all that is theirs; `False` when one of them is wanted again."""
        ids = [one for family in families for one in family]
        if runs > RUNS_A_COMMIT:
            if not self._write(lambda connection: mark(connection, ids, wanted)):
                return False
            while taken := self._write(lambda connection: take_runs(connection, ids)):
                self._count(runs=taken)
                self._manner.progress(self.done)
                if self._manner.stop():
                    return True
        said = verdicts.of(ids)

        def write(connection: sqlite3.Connection) -> int:
            if runs <= RUNS_A_COMMIT and wanted.has_one(connection, ids):
                return -1
            return delete_executions(connection, ids, said)

        taken = self._write(write)
        if taken >= 0:
            self._count(executions=len(ids), runs=taken)
        return taken >= 0

    def _events(self, doomed: Doomed) -> Iterator[None]:
        # What was deleted is not there any more; what was spared keeps its events.
        gone = doomed.ids if self._manner.dry else frozenset[int]()
        for window in events_to_go(self._database, self._cut, gone):
            for some in _parts(window, EVENTS_A_COMMIT):
                if not self._manner.dry:
                    self._write(deleting(some))
                self._count(events=len(some))
                yield

    def _firings(self, doomed: Doomed) -> Iterator[None]:
        gone = doomed.ids if self._manner.dry else frozenset[int]()
        for some in _parts(firings_to_go(self._database, self._cut, gone), EVENTS_A_COMMIT):
            if not self._manner.dry:
                self._write(unfiring(some))
            self._count(firings=len(some))
            yield

    def _ids(self) -> Iterator[None]:
        for some in ids_to_go(self._database, self._cut, EVENTS_A_COMMIT):
            if not self._manner.dry:
                self._write(forgetting(some))
            self._count(ids=len(some))
            yield

    def _snapshots(self, epoch: int) -> Iterator[None]:
        if not self._cut.snapshots:
            return
        space = self._cut.namespace
        which = (micros_of(self._cut.before), space, space)
        if self._manner.dry:
            self._count(snapshots=len(self._database.rows(SPARE_SNAPSHOTS, which)))
            return
        beside: list[Path] = []

        def write(connection: sqlite3.Connection) -> int:
            count, folders = delete_snapshots(connection, which, self._database.files, epoch)
            beside.extend(folders)
            return count

        self._count(snapshots=self._write(write))
        reach("retention.code")
        for folder in {*beside, *self._database.files.glob("snapshots/.gone-*"), *self._broken()}:
            shutil.rmtree(folder, ignore_errors=True)
        yield

    def _broken(self) -> Iterator[Path]:
        """Copies of sources that somebody was killed over: a whole one has its own name soon."""
        for folder in self._database.files.glob("snapshots/.new-*"):
            with contextlib.suppress(FileNotFoundError):
                if self._clock.now().timestamp() - folder.stat().st_mtime > _COPIED_WITHIN_S:
                    yield folder

    def _logs(self) -> Iterator[None]:
        """Folders of output whose executions are gone: also those that a killed one has left."""
        logs = self._database.files / "logs"
        if not logs.is_dir() or self._manner.dry:
            return
        # Ids are never reused, and a folder is made after its execution is.
        (newest,) = self._database.rows("SELECT execution_id FROM cursor")[0]
        names = (entry for entry in logs.iterdir() if entry.name.isdecimal())
        while some := list(islice(names, 1000)):
            ids = {int(entry.name): entry for entry in some if int(entry.name) <= newest}
            stand = {
                one
                for one in ids
                if self._database.reader.rows(
                    "SELECT 1 FROM workflow_execution WHERE id = ?", (one,)
                )
            }
            for one in ids.keys() - stand:
                reach("retention.output")
                shutil.rmtree(ids[one], ignore_errors=True)
                self._count(log_folders=1)
            yield


def _parts(of: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for first in range(0, len(of), size):
        yield of[first : first + size]
