"""The ledger of a SQLite store: the lease, the batch in one transaction, and the way back."""

import contextlib
import os
import socket
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from eventflow.clock import Clock
from eventflow.core.plan import Plan
from eventflow.errors import LeaseLostError, StoreBusyError, StoreError, StoreGoneError
from eventflow.model.jsonvalue import json_text
from eventflow.model.status import ENDED
from eventflow.store import statements as sql
from eventflow.store.columns import instant_of, micros_of
from eventflow.store.database import Database
from eventflow.store.gathering import rows_of
from eventflow.store.keeping import kept_in
from eventflow.store.listed import Held, SnapshotRecord
from eventflow.store.loading import load
from eventflow.store.lock import is_held, know_epoch, known_epoch, open_lock, take_lock
from eventflow.store.log import content_of, newest_offset
from eventflow.store.places import within
from eventflow.store.ports import Batch, Loaded
from eventflow.store.queries import AT_CURSOR, LEASE
from eventflow.store.rows import Rows
from eventflow.store.writer import Writer


class Order(NamedTuple):
    """One statement of a batch, and its rows."""

    text: str
    rows: Sequence[Sequence[Any]]


class SqliteLedger:
    """The ledger's part of a SQLite store."""

    def __init__(self, database: Database, writer: Writer, clock: Clock) -> None:
        self._database = database
        self._reader = database.reader
        self._writer = writer
        self._clock = clock
        self._lock_path = database.files / "lock"
        self._lock: int | None = None
        self._epoch = -1
        self._was_clean = False

    def hold(self, program: str) -> None:
        if self._lock is not None:
            raise StoreBusyError(self._busy())
        lock = open_lock(self._lock_path)
        if not take_lock(lock):
            os.close(lock)
            raise StoreBusyError(self._busy())
        try:
            self._database.check()
            self._check_epoch(lock)
            since = micros_of(self._clock.now())
            holder = (os.getpid(), socket.gethostname(), since, program)
            self._epoch, self._was_clean = self._writer.do(
                "lease",
                lambda connection: _take_lease(connection, holder),
                done=lambda connection, taken: _has_lease(connection, holder, taken[0]),
            )
        except BaseException:
            os.close(lock)
            raise
        know_epoch(lock, self._epoch)
        self._lock = lock

    def release(self, *, clean: bool) -> None:
        if self._lock is None:
            return
        lock, epoch = self._lock, self._epoch
        self._lock, self._epoch = None, -1
        try:
            # Of a file that is gone there is nothing to give back.
            with contextlib.suppress(StoreGoneError):
                self._writer.do("release", lambda connection: _give_lease(connection, epoch, clean))
        finally:
            # Closing it lets go of it, as a crash does.
            os.close(lock)

    def holder(self) -> Held | None:
        if self._lock is None and not is_held(self._lock_path):
            return None
        return self._held()

    @property
    def holds(self) -> bool:
        """Whether it is this one that holds the store."""
        return self._lock is not None

    def epoch(self) -> int:
        """Counts the schedulers that have held the store."""
        found: int = self._reader.rows(LEASE)[0][0]
        return found

    def was_clean(self) -> bool:
        return self._was_clean

    def commit(self, batch: Batch) -> None:
        rows = rows_of(batch)
        events = [(turn, micros_of(batch.now), *content_of(event)) for event, turn in rows.appended]
        orders = _orders(rows, micros_of(batch.now))
        counters = batch.counters
        moved = (
            batch.read_to,
            counters.turn,
            counters.execution_id,
            counters.run_id,
            batch.read_from,
            batch.turns_from,
            self._epoch,
        )

        def write(connection: sqlite3.Connection) -> None:
            if connection.execute(sql.MOVE_CURSOR, moved).rowcount != 1:
                raise LeaseLostError(
                    f"store {self._database.url!r}: the cursor is not at {batch.read_from}, turn "
                    f"{batch.turns_from}, under this scheduler's lease any more"
                )
            if events:
                first = newest_offset(connection) + 1
                connection.executemany(
                    sql.INSERT_EVENT,
                    [(offset, *event) for offset, event in enumerate(events, first)],
                )
            for order in orders:
                connection.executemany(*order)

        def done(connection: sqlite3.Connection, _: None) -> bool:
            # Each batch takes turns, so the cursor tells which was the last.
            now = (batch.read_to, counters.turn, self._epoch)
            found: tuple[int, ...] = connection.execute(AT_CURSOR).fetchone()
            return found == now

        self._writer.do("batch", write, done=done)

    def keep_snapshot(self, *records: SnapshotRecord) -> None:
        rows = sql.KEEP_SNAPSHOT.bind(
            (
                record.hash,
                record.namespace,
                record.workflow,
                within(record.folder, self._database.files),
                record.entry,
                json_text(record.definition),
                record.created_at,
            )
            for record in records
        )
        self._writer.do(
            "snapshot", lambda connection: connection.executemany(sql.KEEP_SNAPSHOT.text, rows)
        )

    def park(self, reasons: Mapping[int, str]) -> None:
        def write(connection: sqlite3.Connection) -> None:
            connection.execute(sql.DELETE_PARKED)
            connection.executemany(sql.PARK, list(reasons.items()))

        self._writer.do("parked", write)

    def load(self, plan_of: Callable[[str], Plan]) -> Loaded:
        with self._database.session() as session:
            kept = kept_in(session)
        return load(kept, plan_of)

    def _check_epoch(self, lock: int) -> None:
        known, found = known_epoch(lock), self.epoch()
        if found < known:
            path = self._database.path
            raise StoreError(
                f"store {str(path)!r} is older than the folder beside it: {known} schedulers have "
                f"held it, and it knows of {found}. It is an older copy, or {path.name + '-wal'!r} "
                f"was taken from beside it, with what was committed last; put that back. To go on "
                f"without it, take away {str(self._lock_path)!r}"
            )

    def _held(self) -> Held | None:
        _, _, pid, host, since, program = self._reader.rows(LEASE)[0]
        at = instant_of(since)
        return Held(pid, host, at, program) if at is not None else None

    def _busy(self) -> str:
        held = self._held()
        who = (
            f"{held.program} (pid {held.pid} on {held.host}, since {_shown(held.since)})"
            if held is not None
            else "another process"
        )
        return (
            f"store {self._database.url!r} is held by {who}; one scheduler at a time decides. "
            f"Emit to it and look at it as you like, or stop that one first"
        )


def _shown(instant: datetime) -> str:
    return instant.isoformat(sep=" ", timespec="seconds")


def _take_lease(
    connection: sqlite3.Connection, holder: tuple[int, str, int | None, str]
) -> tuple[int, bool]:
    epoch, clean, *_ = connection.execute(LEASE).fetchone()
    connection.execute(sql.TAKE_LEASE, holder)
    return epoch + 1, bool(clean)


def _has_lease(
    connection: sqlite3.Connection, holder: tuple[int, str, int | None, str], epoch: int
) -> bool:
    found: tuple[object, ...] = connection.execute(LEASE).fetchone()
    return found == (epoch, 0, *holder)


def _give_lease(connection: sqlite3.Connection, epoch: int, clean: bool) -> None:
    connection.execute(sql.GIVE_LEASE, (clean, epoch))


def _orders(rows: Rows, now: int | None) -> list[Order]:
    """The statements of a batch but for its new events, in the order that the constraints want."""
    orders = _of_steps(rows, now)
    if rows.has_more:
        orders += _of_the_rest(rows)
    return [order for order in orders if order.rows]


def _of_steps(rows: Rows, now: int | None) -> list[Order]:
    """What nearly every batch writes.

    A run that ends comes before one that takes its place: a task is never busy twice, not even
    between two statements (S21).
    """
    ended = [row for row in rows.run_updates if row.status in ENDED]
    others = [row for row in rows.run_updates if row.status not in ENDED]
    return [
        Order(sql.TURN_EVENT, [(turn, now, offset) for offset, turn in rows.turned]),
        Order(sql.INSERT_EXECUTION.text, sql.INSERT_EXECUTION.bind(rows.executions)),
        Order(sql.UPDATE_EXECUTION.text, sql.UPDATE_EXECUTION.bind(rows.execution_updates)),
        Order(sql.UPDATE_RUN.text, sql.UPDATE_RUN.bind([*ended, *others])),
        Order(sql.INSERT_RUN.text, sql.INSERT_RUN.bind(rows.runs)),
        Order(sql.INSERT_HISTORY.text, sql.INSERT_HISTORY.bind(rows.history)),
        Order(sql.DELETE_ATTEMPT, rows.ended),
        Order(sql.DELETE_START, rows.withdrawn),
        Order(sql.INSERT_ORDER.text, rows.outbox),
        Order(sql.INSERT_DECISION.text, sql.INSERT_DECISION.bind(rows.decisions)),
        Order(sql.PUT_RESULT.text, list(rows.results.items())),
    ]


def _of_the_rest(rows: Rows) -> list[Order]:
    forgotten = [key for key, value in rows.states.items() if value is None]
    return [
        Order(sql.COPY_DATA, rows.data_copied),
        Order(
            sql.CLOSE_HISTORY,
            [
                (
                    one.turn,
                    one.number,
                    one.first_id,
                    micros_of(one.at),
                    one.reason,
                    one.first_id,
                    one.last_id,
                )
                for one in rows.closed
            ],
        ),
        Order(
            sql.CLOSE_ITEMS,
            [(micros_of(one.at), one.reason, one.first_id, one.last_id) for one in rows.closed],
        ),
        Order(sql.INSERT_VERDICT.text, sql.INSERT_VERDICT.bind(rows.verdicts)),
        Order(sql.DELETE_STATE, forgotten),
        Order(
            sql.PUT_STATE.text,
            [(*key, value) for key, value in rows.states.items() if value is not None],
        ),
        Order(sql.DELETE_TIMER, [(key,) for key, timer in rows.timers.items() if timer is None]),
        Order(
            sql.PUT_TIMER.text,
            sql.PUT_TIMER.bind([timer for timer in rows.timers.values() if timer is not None]),
        ),
        Order(sql.INSERT_FIRING.text, sql.INSERT_FIRING.bind(rows.firings)),
        Order(sql.INSERT_FAILURE.text, sql.INSERT_FAILURE.bind(rows.failures)),
        Order(sql.INSERT_WORKFLOW.text, sql.INSERT_WORKFLOW.bind(rows.workflows.values())),
        Order(
            sql.REGISTER,
            [
                (row.snapshot, micros_of(row.registered_at), row.namespace, row.name)
                for row in rows.workflows.values()
            ],
        ),
        Order(sql.PUT_POOL.text, sql.PUT_POOL.bind(rows.pools.values())),
        Order(sql.PAUSE, [(paused, *name) for name, paused in rows.paused.items()]),
    ]
