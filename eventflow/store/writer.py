"""The one writer thread: it owns the connection that writes, and commits for all who wait.

It takes whatever has been asked for meanwhile into one transaction, so that callers that come at
the same time share a flush, and one that comes alone waits for nobody.

Why not a savepoint for each job: a job that refuses has written nothing, and when SQLite refuses,
the transaction is rolled back and each job is done again by itself. Both are rare, the flush is
not.

A COMMIT that fails may have been one all the same. Nobody is told so before it was looked up: each
job says by what it is known, and is done again only where it is not there, or where twice is once.
"""

import contextlib
import random
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from eventflow.crashpoints import reach
from eventflow.errors import CommitUnknownError, EventflowError, StoreError, StoreGoneError
from eventflow.store import database
from eventflow.store.database import connect, store_error
from eventflow.store.places import gone, identity_of

T = TypeVar("T")

# In busy time-outs: how long a lock is waited for, and how long by one who closes.
PATIENCE, LAST_PATIENCE = 3, 1
# How long it is until the next look at a lock: a part of what was waited for it so far, so that the
# shortest wait is little longer than the lock is held, and a long one costs next to nothing.
_SHARE, _LEAST_S, _MOST_S = 0.125, 0.0003, 0.05
MAX_GROUP = 512

Work = Callable[[sqlite3.Connection], T]
# Whether what a work has answered is in the store.
Done = Callable[[sqlite3.Connection, T], bool]


class _Job(Generic[T]):
    """One thing to write, and its answer; the lock opens when it has one."""

    __slots__ = ("answer", "answered", "done", "error", "what", "work")

    def __init__(self, what: str, work: Work[T], done: Done[T] | None) -> None:
        self.what = what
        self.work = work
        self.done = done
        self.answer: T
        self.error: BaseException | None = None
        self.answered = threading.Lock()
        self.answered.acquire()


class _CommitFailedError(Exception):
    """COMMIT itself failed, for the reason that is its cause."""


class Writer:
    """Writes for every thread of this process.

    A job is called with the connection, inside a transaction, and may be called again when that
    was rolled back. One that raises an EventflowError must not have written anything yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = connect(path)
        self._connection.execute("PRAGMA busy_timeout = 0")  # `_begin` waits
        self._identity = identity_of(path)
        self._jobs: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        self._door = threading.Lock()
        self._closed = False
        self._chance = random.SystemRandom()
        self._pause = threading.Event()
        self.commits = 0
        self._thread = threading.Thread(target=self._run, name="eventflow-writer", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many jobs wait for the next transaction."""
        return self._jobs.qsize()

    def do(self, what: str, work: Work[T], *, done: Done[T] | None = None) -> T:
        """Return what `work` returns, once it is committed.

        Args:
            what: One of `crashpoints.COMMITS`: what is written.
            done: Asked when the commit has failed: whether it is there all the same. Without it
                `work` is done again: done twice it must come to the same.

        Raises:
            CommitUnknownError: If the commit has failed, and whether it was one cannot be read.
            StoreError: If it could not be written. Nothing of it was.
        """
        job = _Job(what, work, done)
        with self._door:
            if self._closed:
                raise StoreError(f"store {str(self._path)!r} is closed; open it again")
            self._jobs.put(job)
        job.answered.acquire()
        if job.error is not None:
            raise job.error
        reach(f"{what}.told")
        return job.answer

    def close(self) -> None:
        """End the thread when all that was asked for is written; a second call does nothing."""
        with self._door:
            if self._closed:
                return
            self._closed = True
            self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            jobs, goes_on = self._gather()
            if jobs:
                self._write(jobs)
            if not goes_on:
                self._connection.close()
                return

    def _gather(self) -> tuple[list[_Job[Any]], bool]:
        """Wait for a job, and take all that have come with it."""
        job = self._jobs.get()
        jobs: list[_Job[Any]] = []
        while job is not None:
            jobs.append(job)
            if len(jobs) == MAX_GROUP:
                return jobs, True
            try:
                job = self._jobs.get_nowait()
            except Empty:
                return jobs, True
        return jobs, False

    def _write(self, jobs: list[_Job[Any]]) -> None:
        try:
            self._transact(jobs)
        except _CommitFailedError:
            self._roll_back()
            for job in jobs:
                if job.error is None:
                    self._settle(job)
        except Exception as error:
            self._roll_back()
            if len(jobs) > 1:
                for job in jobs:
                    self._write([job])
                return
            jobs[0].error = self._told(error)
        for job in jobs:
            job.answered.release()

    def _settle(self, job: _Job[Any]) -> None:
        """Find out whether a job whose commit failed is written, and write it if not."""
        known = False
        try:
            reach("commit.doubted")
            if job.done is not None and job.done(self._connection, job.answer):
                return
            known = job.done is not None
            self._transact([job])
        except _CommitFailedError as error:
            self._roll_back()
            job.error = self._unknown(error)
        except Exception as error:
            self._roll_back()
            job.error = self._told(error) if known else self._unknown(error)

    def _unknown(self, error: Exception) -> Exception:
        told = self._told(error)
        if isinstance(told, StoreGoneError):
            return told
        unknown = CommitUnknownError(f"{told}; it may have been written all the same")
        unknown.__cause__ = told
        return unknown

    def _told(self, error: Exception) -> Exception:
        if isinstance(error, _CommitFailedError) and isinstance(error.__cause__, Exception):
            error = error.__cause__
        if isinstance(error, OSError):
            error = sqlite3.OperationalError(str(error))
        if not isinstance(error, sqlite3.Error):
            return error
        told = store_error(self._path, error)
        told.__cause__ = error
        return told

    def _transact(self, jobs: list[_Job[Any]]) -> None:
        connection = self._connection
        self._check_place()
        self._begin()
        # Another may have been put in its place by the very process whose end was waited for.
        self._check_place()
        written = False
        for job in jobs:
            reach(f"{job.what}.begun")
            try:
                job.answer = job.work(connection)
                job.error = None
                written = True
            except EventflowError as error:
                job.error = error
        for job in jobs:
            reach(f"{job.what}.written")
        try:
            connection.execute("COMMIT" if written else "ROLLBACK")
            for job in jobs:
                reach(f"{job.what}.committed")
        except (sqlite3.Error, OSError) as error:
            raise _CommitFailedError from error
        self.commits += written

    def _check_place(self) -> None:
        if identity_of(self._path) != self._identity:
            # SQLite would go on in a file without a name, and acknowledge what is lost.
            raise gone(self._path)

    def _begin(self) -> None:
        """Take the write lock, when other processes let go of it.

        Why not by SQLite's own time-out: it looks again after 1, 2, 5 .. 100 ms, however short the
        others' transactions are; beside four that emit a commit waited twice as long for its turn.
        """
        waited_s = 0.0
        while True:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                busy = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
                patience = LAST_PATIENCE if self._closed else PATIENCE
                if not busy or waited_s >= patience * database.BUSY_TIMEOUT_S:
                    raise
            else:
                return
            longest_s = min(max(waited_s * _SHARE, _LEAST_S), _MOST_S)
            pause_s = self._chance.uniform(longest_s / 2, longest_s)
            self._pause.wait(pause_s)
            waited_s += pause_s

    def _roll_back(self) -> None:
        # SQLite has rolled back by itself after some errors, as on a full disk.
        if self._connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
