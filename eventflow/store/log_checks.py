"""What must be so of the file, the log, and what was decided about it.

Events may be gone that nothing refers to: those that were pruned. Each had one offset and one turn,
so that of both as many are missing, anywhere; where only one of them is missing, something is lost.
"""

import sqlite3
from collections.abc import Iterator

from eventflow.store.checks import KEEP_A_COPY, LOOK_AT_IT, check, each

# The most faults that SQLite is asked to tell before it gives up.
_MOST_DAMAGE = 100
_RESTORE = "the file is damaged: keep it as it is, and restore the last good copy of the store"
_LOG = (
    "WITH log AS (SELECT COUNT(*) events, COUNT(turn) turns,"
    " COALESCE(MAX(offset), 0) top,"
    " COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'event'), 0) newest FROM event) "
)


@check("F13", "SQLite finds its pages, rows and indexes in order", remedy=_RESTORE)
def the_file_is_whole(connection: sqlite3.Connection) -> Iterator[str]:
    for (told,) in connection.execute(f"PRAGMA integrity_check({_MOST_DAMAGE})"):
        if told != "ok":
            yield told


@check("F49", "Every row that another names by a key is there")
def references_hold(connection: sqlite3.Connection) -> Iterator[str]:
    yield from each(
        connection,
        "row {1} of {0} names a row of {2} that is not there",
        'SELECT "table", rowid, parent, fkid FROM pragma_foreign_key_check()',
    )


@check("G1", "An offset without an event belongs to a pruned one, which had a turn too")
def no_event_is_missing(connection: sqlite3.Connection) -> Iterator[str]:
    yield from each(
        connection,
        "{} events are not there by their offsets, {} by their turns",
        "SELECT newest - events, cursor.turn - turns FROM log, cursor"
        " WHERE newest - events <> cursor.turn - turns OR newest < top",
        given=_LOG,
    )


@check("4", "Every decided event has a turn of its own, up to the last that was given")
def turns_are_given_once(connection: sqlite3.Connection) -> Iterator[str]:
    yield from each(
        connection,
        "turn {} is in the log {} times, and {} was the last that was given",
        "SELECT event.turn, COUNT(*), cursor.turn FROM event, cursor WHERE event.turn IS NOT NULL"
        " GROUP BY event.turn HAVING COUNT(*) > 1 OR event.turn > cursor.turn OR event.turn < 1",
    )


@check("3", "What the loop has read was decided; what is undecided lies behind the cursor")
def nothing_behind_the_cursor_is_undecided(connection: sqlite3.Connection) -> Iterator[str]:
    yield from each(
        connection,
        "event {} lies before the cursor at {}, undecided",
        "SELECT event.offset, cursor.offset FROM event, cursor"
        " WHERE event.turn IS NULL AND event.offset <= cursor.offset",
    )


@check("3", "Cursor and counters have not gone back behind what they were used for")
def counters_are_ahead(connection: sqlite3.Connection) -> Iterator[str]:
    yield from each(
        connection,
        "{} stands at {}, and {} was used",
        "SELECT 'the log', newest, offset FROM log, cursor WHERE offset > newest"
        " UNION ALL SELECT 'the counter of executions', execution_id,"
        " (SELECT MAX(id) FROM main.workflow_execution) used FROM cursor WHERE used > execution_id"
        " UNION ALL SELECT 'the counter of runs', task_execution_id,"
        " (SELECT MAX(id) FROM main.task_execution) used FROM cursor"
        " WHERE used > task_execution_id",
        given=_LOG,
    )


@check("1", "A namespace, sender and id is one event", remedy=LOOK_AT_IT)
def ids_are_events(connection: sqlite3.Connection) -> Iterator[str]:
    yield from each(
        connection,
        "id {2!r} of sender {1!r} in namespace {0!r} is {3} events",
        "SELECT namespace, sender, id, COUNT(*) FROM event WHERE id <> ''"
        " GROUP BY 1, 2, 3 HAVING COUNT(*) > 1",
    )


@check("1", "An id is remembered with the offset of its event, also past the event's end")
def ids_name_their_events(connection: sqlite3.Connection) -> Iterator[str]:
    yield from each(
        connection,
        "id {2!r} of sender {1!r} in namespace {0!r} names event {3}, which has another or never"
        " was",
        "SELECT dedup.namespace, dedup.sender, dedup.id, dedup.offset FROM dedup, log"
        " LEFT JOIN event ON event.offset = dedup.offset"
        " WHERE dedup.offset > log.newest OR (event.offset IS NOT NULL AND"
        " (event.namespace, event.sender, event.id) <> (dedup.namespace, dedup.sender, dedup.id))",
        given=_LOG,
    )


@check("4", "A decision or verdict is about an event that has its turn")
def decisions_are_about_events(connection: sqlite3.Connection) -> Iterator[str]:
    yield from each(
        connection,
        "a {} of turn {} is about no event",
        "SELECT 'decision', turn FROM decision WHERE turn NOT IN"
        " (SELECT turn FROM event WHERE turn IS NOT NULL)"
        " UNION ALL SELECT 'verdict', turn FROM verdict WHERE turn NOT IN"
        " (SELECT turn FROM event WHERE turn IS NOT NULL)",
    )


@check("G4", "An execution or run names the event that began it", remedy=LOOK_AT_IT)
def causes_are_events(connection: sqlite3.Connection) -> Iterator[str]:
    yield from each(
        connection,
        "{} {} was begun at turn {}, which no event has",
        "SELECT 'execution', id, trigger_turn FROM workflow_execution WHERE trigger_turn > 0"
        " AND trigger_turn NOT IN (SELECT turn FROM event WHERE turn IS NOT NULL)"
        " UNION ALL SELECT 'run', id, trigger_turn FROM task_execution WHERE trigger_turn > 0"
        " AND trigger_turn NOT IN (SELECT turn FROM event WHERE turn IS NOT NULL)",
    )


@check("F13", "What is kept as JSON can be read", remedy=KEEP_A_COPY)
def values_can_be_read(connection: sqlite3.Connection) -> Iterator[str]:
    for words, question in (
        ("event {}", "SELECT offset FROM event WHERE NOT json_valid(value)"),
        (
            "the result of run {}",
            "SELECT task_execution_id FROM result WHERE NOT json_valid(value)",
        ),
        (
            "the params of execution {}",
            "SELECT id FROM workflow_execution WHERE NOT json_valid(params)",
        ),
        (
            "workflow data {1!r} of execution {0}",
            "SELECT workflow_execution_id, key FROM workflow_data WHERE NOT json_valid(value)",
        ),
        (
            "the definition of snapshot {}",
            "SELECT hash FROM snapshot WHERE NOT json_valid(definition)",
        ),
    ):
        yield from each(connection, f"{words} is no JSON", question)


CHECKS = (
    the_file_is_whole,
    references_hold,
    values_can_be_read,
    no_event_is_missing,
    turns_are_given_once,
    nothing_behind_the_cursor_is_undecided,
    counters_are_ahead,
    ids_are_events,
    ids_name_their_events,
    decisions_are_about_events,
    causes_are_events,
)
