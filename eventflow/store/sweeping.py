"""What of the log and beside it may go once executions are gone: found by reading, in windows.

A window is a range of turns. What is decided while a window is looked through gets later turns and
refers to these, or to what is kept for an execution that stays; so what was found may be deleted
in a later transaction.
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import Connection

from eventflow.store.columns import micros_of
from eventflow.store.cut import Cut
from eventflow.store.database import Database

WINDOW = 5_000

_LAST_OLD = "SELECT MAX(turn) FROM event WHERE turn IS NOT NULL AND logged_at < ?"
_FIRST = "SELECT MIN(turn) FROM event WHERE turn IS NOT NULL"
_EVENTS = (
    "SELECT turn, offset, workflow_execution_id FROM event WHERE turn > ? AND turn <= ?"
    " AND logged_at < ? AND (? IS NULL OR namespace = ?) ORDER BY turn"
)
_DECIDED = (
    "SELECT turn, workflow_execution_id FROM decision WHERE turn > ? AND turn <= ?"
    " AND workflow_execution_id IS NOT NULL"
)
_SAID = (
    "SELECT turn, workflow_execution_id FROM verdict WHERE turn > ? AND turn <= ?"
    " AND workflow_execution_id IS NOT NULL"
)
_SAID_AGAIN = "SELECT of_turn FROM verdict WHERE of_turn > 0 AND of_turn > ? AND of_turn <= ?"
_STANDING = "SELECT id FROM workflow_execution WHERE id IN (SELECT value FROM json_each(?))"
_STARTS = (
    "SELECT id, trigger_turn FROM workflow_execution WHERE trigger_turn BETWEEN 1 AND ?"
    " UNION ALL SELECT workflow_execution_id, trigger_turn FROM task_execution"
    " WHERE trigger_turn BETWEEN 1 AND ?"
    " UNION ALL SELECT execution.id, event.turn FROM workflow_execution execution"
    " JOIN event ON event.offset = execution.command_offset WHERE event.turn <= ?"
)
_IDS = (
    "SELECT namespace, sender, id FROM dedup WHERE (namespace, sender, id) > (?, ?, ?)"
    " AND at < ? AND (? IS NULL OR namespace = ?)"
    " AND NOT EXISTS (SELECT 1 FROM event WHERE event.offset = dedup.offset)"
    " ORDER BY namespace, sender, id LIMIT ?"
)

_FIRED = (
    "SELECT id, schedule, due_at FROM schedule_firing"
    " WHERE schedule LIKE 'schedule:%' AND due_at < ?"
)
_NEWEST = (
    "SELECT schedule, MAX(due_at) FROM schedule_firing WHERE schedule LIKE 'schedule:%'"
    " GROUP BY schedule"
)
_STARTED = (
    "SELECT id, 'schedule:' || namespace || '/' || workflow, scheduled_time FROM workflow_execution"
    " WHERE execution_type = 'PERIODIC' AND retry_of IS NULL"
)


class Gone(NamedTuple):
    """An event that may go: its place in the log, and its turn."""

    offset: int
    turn: int


def events_to_go(database: Database, cut: Cut, doomed: frozenset[int]) -> Iterator[list[Gone]]:
    """The old events that nothing which stays refers to, window by window.

    Args:
        doomed: Executions that are still there, and are to be taken for gone.
    """
    before = micros_of(cut.before)
    with database.session() as session:
        connection = session.connection()
        (last,) = connection.exec_driver_sql(_LAST_OLD, (before,)).one()
        (first,) = connection.exec_driver_sql(_FIRST).one()
        last = last or 0
        starts = {
            turn
            for owner, turn in connection.exec_driver_sql(_STARTS, (last, last, last))
            if owner not in doomed
        }
    begin = (first or 1) - 1
    while begin < last:
        end = min(begin + WINDOW, last)
        with database.session() as session:
            connection = session.connection()
            found = _window(connection, (begin, end), (before, cut.namespace), doomed)
        yield [gone for gone in found if gone.turn not in starts]
        begin = end


def _window(
    connection: Connection,
    turns: tuple[int, int],
    which: tuple[int | None, str | None],
    doomed: frozenset[int],
) -> list[Gone]:
    before, space = which
    events = connection.exec_driver_sql(_EVENTS, (*turns, before, space, space)).all()
    named = [
        *connection.exec_driver_sql(_DECIDED, turns),
        *connection.exec_driver_sql(_SAID, turns),
    ]
    owners = {owner for _, owner in named} | {scope for *_, scope in events if scope is not None}
    listed = (json.dumps(sorted(owners)),)
    stand = {one for (one,) in connection.exec_driver_sql(_STANDING, listed)} - doomed
    wanted = {turn for turn, owner in named if owner in stand}
    wanted |= {turn for (turn,) in connection.exec_driver_sql(_SAID_AGAIN, turns)}
    return [
        Gone(offset, turn)
        for turn, offset, scope in events
        if scope not in stand and turn not in wanted
    ]


def firings_to_go(database: Database, cut: Cut, doomed: frozenset[int]) -> list[int]:
    """Old firings of schedules whose executions are gone.

    The newest of a schedule stays: what is due later is told by it from what was fired (S33).

    Args:
        doomed: Executions that are still there, and are to be taken for gone.
    """
    with database.session() as session:
        connection = session.connection()
        stay = {
            (schedule, at)
            for one, schedule, at in connection.exec_driver_sql(_STARTED)
            if one not in doomed
        }
        stay |= {(schedule, at) for schedule, at in connection.exec_driver_sql(_NEWEST)}
        fired = connection.exec_driver_sql(_FIRED, (micros_of(cut.before),)).all()
    mine = f"schedule:{cut.namespace}/" if cut.namespace is not None else ""
    return [
        one
        for one, schedule, at in fired
        if (schedule, at) not in stay and schedule.startswith(mine)
    ]


def ids_to_go(database: Database, cut: Cut, most: int) -> Iterator[list[tuple[Any, ...]]]:
    """Ids that are remembered no more: past the window, and their events are gone (S3)."""
    after: tuple[Any, ...] = ("", "", "")
    space = cut.namespace
    while True:
        found = database.rows(_IDS, (*after, micros_of(cut.ids_before), space, space, most))
        if not found:
            return
        after = tuple(found[-1])
        yield [tuple(row) for row in found]
