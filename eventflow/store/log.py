"""The log of a SQLite store: append with a shared commit, and read after an offset."""

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Unpack

from msgspec.structs import replace
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Text,
    and_,
    func,
    literal_column,
    or_,
    select,
    type_coerce,
)

from eventflow.clock import Clock
from eventflow.model.event import Event
from eventflow.model.hops import calmed
from eventflow.model.jsonvalue import json_text, read
from eventflow.model.keys import RESERVED
from eventflow.model.records import EventCount
from eventflow.store.columns import instant_of, micros_of
from eventflow.store.compiled import bound, table
from eventflow.store.database import Database
from eventflow.store.doomed import check_retried
from eventflow.store.queries import (
    EVENT_AT,
    EVENT_OF_TURN,
    FIND_SEEN,
    FIRST_USED,
    HAS_UNDECIDED,
    HOPS_OF_RUN,
    NEWEST_OFFSET,
    NEWEST_TURN,
    OFFSET_AT,
    TURN_AT,
    UNDECIDED,
)
from eventflow.store.repeats import DedupKey, Placed, Seen, dedup_key, place, value_hash
from eventflow.store.selection import SHORT, Selection, Which, aware
from eventflow.store.statements import INSERT_DEDUP, INSERT_EVENT
from eventflow.store.tables import OUTSIDE
from eventflow.store.writer import Writer

# What an event is but for its place in the log: the columns after `logged_at`, as they are stored.
Content = tuple[Any, ...]

_EVENT = table("event")


class SqliteLog:
    """The log's part of a SQLite store."""

    def __init__(self, database: Database, writer: Writer, clock: Clock) -> None:
        self._database = database
        self._reader = database.reader
        self._writer = writer
        self._clock = clock

    def append(
        self, events: Sequence[Event], *, drawn: bool = False, of_run: int = 0
    ) -> list[Event]:
        if not events:
            return []
        # The log counts hops, whoever emits does not.
        contents = [(*content_of(event)[:-1], 0) for event in events]
        hashes = [] if drawn else [value_hash(event) for event in events]

        def write(connection: sqlite3.Connection) -> tuple[list[int], int | None]:
            check_retried(connection, events)
            now = self._clock.now()
            at = micros_of(now)
            hops = _hops_of(connection, of_run, now) if of_run else 0
            if hops:
                contents[:] = [(*content[:-1], hops) for content in contents]
            after = newest_offset(connection)
            if drawn:
                placed = Placed([*range(after + 1, after + 1 + len(events))], [*range(len(events))])
            else:
                placed = place(events, hashes, _finder(connection), after=after)
            offsets, fresh = placed
            connection.executemany(
                INSERT_EVENT, [(offsets[n], None, at, *contents[n]) for n in fresh]
            )
            if not drawn:
                connection.executemany(
                    INSERT_DEDUP,
                    [
                        (*key, offsets[n], hashes[n], at)
                        for n in fresh
                        if (key := dedup_key(events[n])) is not None
                    ],
                )
            return offsets, at if len(fresh) == len(events) else None

        def done(connection: sqlite3.Connection, answer: tuple[list[int], int | None]) -> bool:
            # Of drawn ids nothing is remembered but the event itself; others are found again.
            row = connection.execute(EVENT_AT, answer[0][:1]).fetchone()
            return row is not None and event_of(row).id == events[0].id

        offsets, at = self._writer.do("append", write, done=done if drawn else None)
        if at is None:
            # Some were there before: their own time and turn are in the log.
            return [self._event_at(*placed) for placed in zip(offsets, events, strict=True)]
        return [
            event_of((offset, None, at, *content[:-1], None, content[-1]))
            for offset, content in zip(offsets, contents, strict=True)
        ]

    def undecided(self, limit: int) -> list[Event]:
        return [event_of(row) for row in self._reader.rows(UNDECIDED, (limit,))]

    def has_undecided(self, workflow_execution_id: int, *, after: int) -> bool:
        return bool(self._reader.rows(HAS_UNDECIDED, (workflow_execution_id, after)))

    def read(
        self, *, limit: int = 1000, newest: bool = False, **which: Unpack[Which]
    ) -> list[Event]:
        selection = Selection.of(which)
        if (
            newest
            and selection.before_or_at is None
            and any("*" in it for it in selection.patterns)
        ):
            # The index of keys does not have those of a pattern in their order: it would give all
            # that ever fitted, to be sorted. Most often the end of the log has enough of them.
            until = self.last_offset()
            if selection.until is not None:
                until = min(until, selection.until)
            near = replace(selection, after=max(selection.after, until - SHORT), until=until)
            found = self._read(near, limit, newest=True)
            if len(found) == limit or near.after == selection.after:
                return found
        return self._read(selection, limit, newest=newest)

    def _read(self, selection: Selection, limit: int, *, newest: bool) -> list[Event]:
        order = _EVENT.c.offset.desc() if newest else _EVENT.c.offset
        statement = select(*_EVENT.c).where(*meant_by(selection)).order_by(order)
        found = [event_of(row) for row in self._database.rows(*bound(statement.limit(limit)))]
        return found[::-1] if newest else found

    def count(self, **which: Unpack[Which]) -> EventCount:
        statement = (
            select(_EVENT.c.sender, func.count())
            .where(*meant_by(Selection.of(which)))
            .group_by(_EVENT.c.sender)
        )
        by_sender = dict(self._database.rows(*bound(statement)))
        return EventCount(total=sum(by_sender.values()), by_sender=by_sender)

    def offset_at(self, instant: datetime) -> int:
        rows = self._database.rows(OFFSET_AT, (micros_of(aware("instant", instant)),))
        return rows[0][0] if rows else 0

    def event_of_turn(self, turn: int) -> Event | None:
        rows = self._reader.rows(EVENT_OF_TURN, (turn,))
        return event_of(rows[0]) if rows else None

    def last_offset(self) -> int:
        return self._reader.value(NEWEST_OFFSET) or 0

    def decided_offset(self, offset: int) -> bool:
        rows = self._reader.rows(TURN_AT, (offset,))
        if rows:
            return rows[0][0] is not None
        # One that is gone was decided before: no other is ever pruned.
        return 0 < offset <= self.last_offset()

    def _event_at(self, offset: int, said: Event) -> Event:
        """The event at an offset; once it is pruned, what was said again stands for it (S3)."""
        rows = self._reader.rows(EVENT_AT, (offset,))
        if rows:
            return event_of(rows[0])
        at = self._reader.value(FIRST_USED, (said.namespace, said.sender, said.id))
        # It was decided, or it would be there: not later than now.
        turn = self._reader.value(NEWEST_TURN)
        return replace(said, offset=offset, logged_at=instant_of(at), turn=turn)


def content_of(event: Event) -> Content:
    """The columns of an event after `logged_at`."""
    return (
        event.key,
        json_text(event.value),
        event.namespace,
        event.sender,
        event.id,
        micros_of(event.time),
        json_text(event.attributes) if event.attributes else None,
        event.workflow_execution_id,
        event.hops,
    )


def event_of(row: Sequence[Any]) -> Event:
    """An event from all columns of its row, as they are stored."""
    offset, turn, logged_at, key, value, namespace, sender, id_, time, attributes, *rest = row
    scope, _, hops = rest
    return Event(
        key,
        read(value),
        namespace=namespace,
        sender=sender,
        id=id_,
        time=instant_of(time),
        attributes=read(attributes) if attributes is not None else {},
        workflow_execution_id=scope,
        offset=offset,
        logged_at=instant_of(logged_at),
        turn=turn or 0,
        hops=hops,
    )


def newest_offset(connection: sqlite3.Connection) -> int:
    """The highest offset given so far, also of events that are gone."""
    row = connection.execute(NEWEST_OFFSET).fetchone()
    return row[0] if row is not None else 0


def _hops_of(connection: sqlite3.Connection, run_id: int, now: datetime) -> int:
    """What an event of a task carries (S45); an item's are those of its run."""
    row = connection.execute(HOPS_OF_RUN, (run_id,)).fetchone()
    return calmed(row[0], instant_of(row[1]), now) if row is not None else 0


def _finder(connection: sqlite3.Connection) -> Callable[[DedupKey], Seen | None]:
    def find(key: DedupKey) -> Seen | None:
        row = connection.execute(FIND_SEEN, key).fetchone()
        return Seen(*row) if row is not None else None

    return find


def meant_by(selection: Selection) -> list[ColumnElement[bool]]:
    """What `selection` says, as SQL."""
    of, wanted = _EVENT.c, selection
    key: ColumnElement[str] = of.key
    if wanted.until is not None and wanted.until - wanted.after <= SHORT:
        # In the order of the log, and without the index of keys: that one would be gone through
        # from its beginning, however long the history of the keys that fit.
        key = literal_column("+key", Text)
    found = [of.offset > wanted.after, fits(list(wanted.patterns), key)]
    if wanted.until is not None:
        found.append(of.offset <= wanted.until)
    if wanted.namespace is not None:
        found.append(of.namespace == wanted.namespace)
    if wanted.sender is not None:
        found.append(of.sender == wanted.sender)
    # As they are stored: the parameters go to the driver itself.
    logged_at = type_coerce(of.logged_at, BigInteger)
    if wanted.since is not None:
        found.append(logged_at >= micros_of(wanted.since))
    if wanted.before_or_at is not None:
        found.append(logged_at <= micros_of(wanted.before_or_at))
    return found


def fits(patterns: list[str], key: ColumnElement[str] = _EVENT.c.key) -> ColumnElement[bool]:
    """The key fits one of the patterns; without any it is not the scheduler's own (S5)."""
    # In the words of the index of keys, or SQLite would not use it.
    outside: ColumnElement[bool] = literal_column(OUTSIDE)
    if not patterns:
        return outside
    one_fits = or_(*(_fits_one(key, pattern) for pattern in patterns))
    if any(pattern.startswith(RESERVED) for pattern in patterns):
        return one_fits
    return and_(outside, one_fits)


def _fits_one(key: ColumnElement[str], pattern: str) -> ColumnElement[bool]:
    if "*" not in pattern:
        return key == pattern
    fits: ColumnElement[bool] = func.key_matches(pattern, key)
    # The words before the first star narrow it down to a range of the index.
    head = pattern[: pattern.index("*")]
    return and_(key >= head, key < head[:-1] + "/", fits) if head else fits
