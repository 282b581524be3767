"""What must be so in the file of a store after every commit: one query each, one list of faults.

They ask the tables and nothing else, so that no fault of the code that reads can hide one of the
code that writes. Numbers in brackets are those of the architecture's list of invariants.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import groupby
from pathlib import Path

import item_invariants

from eventflow.model.status import ALIVE, BUSY, MOVES, WORKFLOW_ENDED, TaskStatus


def broken(path: Path, *, pruned: bool = False) -> list[str]:
    """What is wrong in the file at `path`, in words; empty when nothing is.

    Args:
        pruned: Whether something may have been let go: what asks for all of the log has another
            form then.
    """
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        asked = [IN_PRUNED.get(ask, ask) for ask in ALL] if pruned else ALL
        return [fault for ask in asked for fault in ask(connection)]


def undecided(path: Path) -> list[int]:
    """Offsets of events without a turn; none once a loop has fallen quiet (4)."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT offset FROM event WHERE turn IS NULL ORDER BY offset")
        return [offset for (offset,) in rows]


def _with_statuses(statement: str) -> str:
    """Put the statuses where a statement names a set of them."""
    sets = {":BUSY": BUSY, ":ALIVE": ALIVE, ":ENDED": WORKFLOW_ENDED}
    for name, statuses in sets.items():
        listed = ", ".join(f"'{status}'" for status in sorted(statuses))
        statement = statement.replace(name, f"({listed})")
    return statement


def sequence_numbers_are_dense(connection: sqlite3.Connection) -> list[str]:
    """(8)"""
    rows = connection.execute(
        "SELECT workflow_execution_id, task, COUNT(*), MIN(sequence_number), MAX(sequence_number)"
        " FROM task_execution WHERE parent = 0 GROUP BY 1, 2"
        " HAVING MIN(sequence_number) <> 1 OR MAX(sequence_number) <> COUNT(*)"
        " OR COUNT(DISTINCT sequence_number) <> COUNT(*)"
    )
    return [f"sequence numbers of {row}" for row in rows]


def histories_are_paths(connection: sqlite3.Connection) -> list[str]:
    """A run's statuses are a path in `MOVES`, and it stands where its path ends (6).

    One that was taken over has ended where it comes to be (S31).
    """
    rows = connection.execute(
        "SELECT run.id, run.status, history.status FROM task_execution run"
        " LEFT JOIN task_history history ON history.task_execution_id = run.id"
        " WHERE run.taken_from IS NULL"
        " ORDER BY run.id, history.turn, history.number"
    )
    faults = []
    for (run_id, stands), steps in groupby(rows, key=lambda row: (row[0], row[1])):
        path = [status for _, _, status in steps]
        before: list[TaskStatus | None] = [None, *path[:-1]]
        if path[-1] != stands or any(
            status not in MOVES[earlier] for earlier, status in zip(before, path, strict=True)
        ):
            faults.append(f"history of run {run_id}, which is {stands}: {path}")
    return faults


def one_run_is_busy(connection: sqlite3.Connection) -> list[str]:
    """At most one run with an executor, and at most one in INIT behind it (7).

    Of an item too, and its map waits for it: no other run of the task has items that are alive.
    """
    rows = connection.execute(
        _with_statuses(
            "SELECT workflow_execution_id, task, item,"
            " SUM(status IN :BUSY) busy, SUM(status = 'INIT') waiting"
            " FROM task_execution GROUP BY 1, 2, 3 HAVING busy > 1 OR waiting > 1"
        )
    )
    return [f"too many runs of {row}" for row in rows]


def turns_are_gapless(connection: sqlite3.Connection) -> list[str]:
    """Every decided event has a turn of its own, and the counter stands at the last (4)."""
    count, highest = connection.execute("SELECT COUNT(turn), MAX(turn) FROM event").fetchone()
    (counter,) = connection.execute("SELECT turn FROM cursor").fetchone()
    return [] if count == (highest or 0) == counter else [f"turns: {count}, {highest}, {counter}"]


def nothing_behind_the_cursor_is_undecided(connection: sqlite3.Connection) -> list[str]:
    """What was read was decided; facts beyond a batch's bound come behind the cursor (3, 4)."""
    rows = connection.execute(
        "SELECT event.offset FROM event, cursor"
        " WHERE event.turn IS NULL AND event.offset <= cursor.offset"
    )
    return [f"event {row} lies before the cursor, undecided" for row in rows]


def starts_are_of_queued_attempts(connection: sqlite3.Connection) -> list[str]:
    """A START is in the outbox if and only if its attempt is QUEUED and waits for no slot (9)."""
    rows = connection.execute(
        "SELECT run.id, run.status, run.attempt, run.reason, start.attempt FROM task_execution run"
        " FULL JOIN (SELECT * FROM outbox WHERE action = 'START') start"
        " ON start.task_execution_id = run.id AND start.attempt = run.attempt"
        " WHERE (run.status IS 'QUEUED' AND run.reason NOT LIKE 'waits for a slot of pool %')"
        " <> (start.attempt IS NOT NULL)"
    )
    return [f"run, status, attempt, reason, START of attempt: {row}" for row in rows]


def pools_in_use(connection: sqlite3.Connection) -> dict[tuple[str, str], tuple[int, int]]:
    """Namespace and pool -> how many of its slots are held, and how many runs wait (S44).

    An attempt holds its slot from its START to its end, and none while it is RETRYING.
    """
    rows = connection.execute(
        "SELECT execution.namespace, run.pool,"
        " SUM(run.status IN ('RUNNING', 'STOPPING', 'RESTARTING') OR (run.status = 'QUEUED' AND"
        "  start.attempt IS NOT NULL)), SUM(run.status = 'QUEUED' AND start.attempt IS NULL)"
        " FROM task_execution run"
        " JOIN workflow_execution execution ON execution.id = run.workflow_execution_id"
        " LEFT JOIN (SELECT * FROM outbox WHERE action = 'START') start"
        " ON start.task_execution_id = run.id AND start.attempt = run.attempt GROUP BY 1, 2"
    )
    return {(namespace, name): (held, waiting) for namespace, name, held, waiting in rows}


def slots_of(connection: sqlite3.Connection) -> dict[tuple[str, str], int | None]:
    """Of the pools that were set; `None` is any number."""
    rows = connection.execute("SELECT namespace, name, slots FROM pool")
    return {(namespace, name): slots for namespace, name, slots in rows}


def nobody_waits_while_a_slot_is_free(connection: sqlite3.Connection) -> list[str]:
    """A pool that nobody has set has none, but for `default`, which has no end of them (S44).

    That no more are held than there are cannot be asked here: a pool that was lowered has more
    for a while. The machine asks, since it knows what was held before.
    """
    slots = slots_of(connection)
    faults = []
    for key, (held, waiting) in pools_in_use(connection).items():
        most = slots.get(key, None if key[1] == "default" else 0)
        if waiting and (most is None or held < most):
            faults.append(f"pool {key} of {most} slots: {held} held, and {waiting} wait")
    return faults


def stops_are_of_attempts_that_end(connection: sqlite3.Connection) -> list[str]:
    """A STOP waits while its run is leaving or timed out, and for such a run there is one (9).

    None is for a run that no executor holds: one that has a sub-execution, or items.
    """
    rows = connection.execute(
        "SELECT run.id, run.status, run.timed_out, stop.attempt FROM task_execution run"
        " FULL JOIN (SELECT * FROM outbox WHERE action = 'STOP') stop"
        " ON stop.task_execution_id = run.id AND stop.attempt = run.attempt"
        " WHERE (run.status IN ('STOPPING', 'RESTARTING') OR (run.status = 'RUNNING' AND"
        " run.timed_out)) IS NOT (stop.attempt IS NOT NULL)"
        " AND (stop.attempt IS NOT NULL OR run.id NOT IN"
        " (SELECT parent_task_execution_id FROM workflow_execution) AND run.items IS NULL)"
    )
    return [f"run, status, timed out, STOP of attempt: {row}" for row in rows]


def ids_are_events(connection: sqlite3.Connection) -> list[str]:
    """A (namespace, sender, id) is one event, and the ledger of ids knows where (1)."""
    twice = connection.execute(
        "SELECT namespace, sender, id, COUNT(*) FROM event WHERE id <> ''"
        " GROUP BY 1, 2, 3 HAVING COUNT(*) > 1"
    )
    astray = connection.execute(
        "SELECT dedup.namespace, dedup.sender, dedup.id, dedup.offset FROM dedup"
        " LEFT JOIN event USING (offset, namespace, sender, id) WHERE event.key IS NULL"
    )
    return [f"twice in the log: {row}" for row in twice] + [f"not there: {row}" for row in astray]


def due_times_are_accounted_once(connection: sqlite3.Connection) -> list[str]:
    """A due time is fired or skipped, once: no range of skipped ones holds another (11)."""
    rows = connection.execute(
        "SELECT one.schedule, one.due_at, other.since, other.due_at, other.reason"
        " FROM schedule_firing one JOIN schedule_firing other"
        " ON one.schedule = other.schedule AND one.id <> other.id"
        " WHERE one.due_at = other.due_at"
        " OR (other.since IS NOT NULL AND one.due_at > other.since AND one.due_at < other.due_at"
        " AND one.since IS NULL)"
    )
    return [f"accounted for twice: {row}" for row in rows]


def periodic_executions_have_fired(connection: sqlite3.Connection) -> list[str]:
    """One execution for each due time that was fired, and none without (11); retries beside it."""
    rows = connection.execute(
        "SELECT COUNT(DISTINCT execution.id), firing.id, execution.scheduled_time"
        " FROM (SELECT * FROM schedule_firing WHERE reason = '' AND schedule LIKE 'schedule:%')"
        " firing FULL JOIN (SELECT * FROM workflow_execution WHERE execution_type = 'PERIODIC'"
        "  AND retry_of IS NULL) execution ON firing.due_at = execution.scheduled_time"
        " AND firing.schedule = 'schedule:' || execution.namespace || '/' || execution.workflow"
        " GROUP BY firing.schedule, firing.due_at, execution.scheduled_time"
        " HAVING COUNT(execution.id) <> 1 OR COUNT(firing.id) <> 1"
    )
    return [f"executions, firing, time: {row}" for row in rows]


def ended_executions_hold_nothing(connection: sqlite3.Connection) -> list[str]:
    """Ended is ended: nothing alive, nothing ordered, nothing due (6)."""
    rows = connection.execute(
        _with_statuses(
            "SELECT id, status, ended_at FROM workflow_execution WHERE"
            " (status IN :ENDED) <> (ended_at IS NOT NULL) OR (status IN :ENDED AND ("
            " id IN (SELECT workflow_execution_id FROM task_execution WHERE status IN :ALIVE)"
            " OR id IN (SELECT workflow_execution_id FROM outbox)"
            " OR id IN (SELECT workflow_execution_id FROM timer)))"
        )
    )
    return [f"execution {row} has ended, or has not, and holds something" for row in rows]


def timers_are_of_what_lives(connection: sqlite3.Connection) -> list[str]:
    """Nothing is due for a run that has ended."""
    rows = connection.execute(
        _with_statuses(
            "SELECT timer.key, run.status FROM timer JOIN task_execution run"
            " ON run.id = timer.task_execution_id WHERE run.status NOT IN :ALIVE"
        )
    )
    return [f"timer of a run that has ended: {row}" for row in rows]


def every_status_is_a_fact(connection: sqlite3.Connection) -> list[str]:
    """What rules are told is what the history says, but for the end of a dropped run (S12, S20),
    and for items (S43).
    """
    rows = connection.execute(
        "SELECT history.task_execution_id, history.status, history.n, fact.n FROM"
        " (SELECT task_execution_id, task_history.status, COUNT(*) n FROM task_history"
        "  JOIN task_execution run ON run.id = task_execution_id"
        "  WHERE NOT (run.dropped AND task_history.status = 'STOPPED') AND run.parent = 0"
        "  GROUP BY 1, 2) history"
        " FULL JOIN"
        " (SELECT value ->> 'task_execution_id' run_id, value ->> 'status' status, COUNT(*) n"
        "  FROM event WHERE key GLOB 'eventflow.task.*' GROUP BY 1, 2) fact"
        " ON fact.run_id = history.task_execution_id AND fact.status = history.status"
        " WHERE history.n IS NOT fact.n"
    )
    return [f"run, status, in its history, as facts: {row}" for row in rows]


def reports_move_their_own_attempt(connection: sqlite3.Connection) -> list[str]:
    """What a report moved is in the attempt that it is about (10)."""
    rows = connection.execute(
        "SELECT task_execution_id, status, attempt, event.key, value ->> 'attempt'"
        " FROM task_history JOIN event ON event.turn = task_history.turn"
        " AND event.key GLOB 'eventflow.report.*' AND value ->> 'run_id' = task_execution_id"
        " WHERE status <> 'QUEUED' AND attempt <> value ->> 'attempt'"
    )
    return [f"run, status, attempt, moved by a report about another attempt: {row}" for row in rows]


def results_are_of_successes(connection: sqlite3.Connection) -> list[str]:
    """A result is there once a run has succeeded, and for no other run (S37); a map's is put
    together from those of its items.
    """
    rows = connection.execute(
        "SELECT run.id, run.status, result.value FROM task_execution run"
        " LEFT JOIN result ON result.task_execution_id = run.id"
        " WHERE run.taken_from IS NULL"
        " AND (run.status = 'SUCCESS' AND run.items IS NULL) <> (result.value IS NOT NULL)"
    )
    return [f"run, status, result: {row}" for row in rows]


def sub_executions_live_with_their_runs(connection: sqlite3.Connection) -> list[str]:
    """One that is alive belongs to a run that is; a run that has one ends no sooner (S40).

    The end of a sub-execution is told by a fact, which may wait in the log behind a batch's bound.
    """
    orphans = connection.execute(
        _with_statuses(
            "SELECT sub.id, sub.status, run.id, run.status FROM workflow_execution sub"
            " LEFT JOIN task_execution run ON run.id = sub.parent_task_execution_id"
            " AND run.attempt = sub.parent_attempt AND run.task = sub.parent_task"
            " AND run.workflow_execution_id = sub.parent_execution_id"
            " WHERE sub.parent_execution_id > 0 AND sub.status NOT IN :ENDED"
            " AND (run.status IS NULL OR run.status NOT IN ('RUNNING', 'STOPPING', 'RESTARTING'))"
        )
    )
    bereft = connection.execute(
        _with_statuses(
            "SELECT run.id, run.status, sub.id, sub.status FROM task_execution run"
            " JOIN workflow_execution sub ON run.id = sub.parent_task_execution_id"
            " AND run.attempt = sub.parent_attempt"
            " WHERE run.status IN ('RUNNING', 'STOPPING', 'RESTARTING') AND sub.status IN :ENDED"
            " AND NOT EXISTS (SELECT 1 FROM event WHERE turn IS NULL"
            " AND workflow_execution_id = sub.id)"
        )
    )
    unstopped = connection.execute(
        _with_statuses(
            "SELECT run.id, run.status, sub.id, sub.status FROM task_execution run"
            " JOIN workflow_execution sub ON run.id = sub.parent_task_execution_id"
            " WHERE (run.status IN ('STOPPING', 'RESTARTING') OR run.timed_out)"
            " AND sub.status NOT IN :ENDED AND sub.stopping = ''"
        )
    )
    ordered = connection.execute(
        "SELECT outbox.task_execution_id, outbox.attempt, outbox.action FROM outbox"
        " JOIN workflow_execution sub ON sub.parent_task_execution_id = outbox.task_execution_id"
        " AND sub.parent_attempt = outbox.attempt"
    )
    return [
        *(f"order for a run that no executor holds: {row}" for row in ordered),
        *(f"sub-execution, status, run, status: {row}" for row in orphans),
        *(f"run, status, sub-execution that has ended: {row}" for row in bereft),
        *(f"run that leaves, sub-execution that is not stopped: {row}" for row in unstopped),
    ]


def references_hold(connection: sqlite3.Connection) -> list[str]:
    """Every row that another names is there."""
    return [f"dangling: {row}" for row in connection.execute("PRAGMA foreign_key_check")]


def what_is_taken_over_stands_as_its_origin(connection: sqlite3.Connection) -> list[str]:
    """One step of history, the status of the run that brought it, no result of its own (S31)."""
    rows = connection.execute(
        "SELECT run.id, run.status, origin.status, origin.taken_from, result.value,"
        " (SELECT COUNT(*) FROM task_history WHERE task_execution_id = run.id) steps"
        " FROM task_execution run JOIN workflow_execution execution"
        " ON execution.id = run.workflow_execution_id"
        " LEFT JOIN task_execution origin ON origin.id = run.taken_from"
        " LEFT JOIN result ON result.task_execution_id = run.id"
        " WHERE run.taken_from IS NOT NULL AND (execution.retry_of IS NULL"
        " OR run.status NOT IN ('SUCCESS', 'SKIPPED', 'STOPPED') OR run.status IS NOT origin.status"
        " OR run.sequence_number <> 1 OR origin.taken_from IS NOT NULL"
        " OR result.value IS NOT NULL OR steps <> 1)"
    )
    return [f"taken over: {row}" for row in rows]


def nothing_is_left_to_retry_once_it_has_ended(connection: sqlite3.Connection) -> list[str]:
    """What a retry is still to do is kept while it goes on, for tasks without a run (S31)."""
    rows = connection.execute(
        _with_statuses(
            "SELECT state.name, execution.status FROM state"
            " JOIN workflow_execution execution ON execution.id = state.workflow_execution_id"
            " WHERE state.name GLOB '@retried/*' AND (execution.status IN :ENDED"
            " OR execution.retry_of IS NULL OR EXISTS (SELECT 1 FROM task_execution run"
            "  WHERE run.workflow_execution_id = execution.id"
            "  AND '@retried/' || run.task = state.name))"
        )
    )
    return [f"still to be retried: {row}" for row in rows]


ALL: tuple[Callable[[sqlite3.Connection], list[str]], ...] = (
    sequence_numbers_are_dense,
    histories_are_paths,
    one_run_is_busy,
    turns_are_gapless,
    nothing_behind_the_cursor_is_undecided,
    starts_are_of_queued_attempts,
    nobody_waits_while_a_slot_is_free,
    stops_are_of_attempts_that_end,
    ids_are_events,
    due_times_are_accounted_once,
    periodic_executions_have_fired,
    ended_executions_hold_nothing,
    timers_are_of_what_lives,
    every_status_is_a_fact,
    reports_move_their_own_attempt,
    results_are_of_successes,
    what_is_taken_over_stands_as_its_origin,
    nothing_is_left_to_retry_once_it_has_ended,
    sub_executions_live_with_their_runs,
    references_hold,
    *item_invariants.ALL,
)


def turns_are_of_one_event(connection: sqlite3.Connection) -> list[str]:
    """In a log that was pruned: no turn stands twice, and none is beyond the counter (4)."""
    count, distinct, highest = connection.execute(
        "SELECT COUNT(turn), COUNT(DISTINCT turn), MAX(turn) FROM event"
    ).fetchone()
    (counter,) = connection.execute("SELECT turn FROM cursor").fetchone()
    fine = count == distinct and (highest or 0) <= counter
    return [] if fine else [f"turns: {count}, {distinct}, {highest}, {counter}"]


def ids_are_of_one_event(connection: sqlite3.Connection) -> list[str]:
    """In a log that was pruned: an id may be remembered longer than its event is kept (1)."""
    (newest,) = connection.execute(
        "SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'event'"
    ).fetchone()
    return [
        fault
        for fault in ids_are_events(connection)
        if not fault.startswith("not there")
        or connection.execute("SELECT MAX(offset) > ? FROM dedup", (newest,)).fetchone()[0]
    ]


def periodic_executions_were_due(connection: sqlite3.Connection) -> list[str]:
    """In a store that was pruned: no execution without its due time (11)."""
    rows = connection.execute(
        "SELECT execution.id FROM workflow_execution execution"
        " LEFT JOIN schedule_firing firing ON firing.due_at = execution.scheduled_time"
        " AND firing.schedule = 'schedule:' || execution.namespace || '/' || execution.workflow"
        " WHERE execution_type = 'PERIODIC' AND retry_of IS NULL"
        " GROUP BY execution.id HAVING COUNT(firing.id) <> 1"
    )
    return [f"execution without a firing: {row}" for row in rows]


def every_status_that_is_kept_is_a_fact(connection: sqlite3.Connection) -> list[str]:
    """In a log that was pruned: the facts of an execution stay as long as it does (S12)."""
    return [fault for fault in every_status_is_a_fact(connection) if ", None, " not in fault]


def what_is_kept_refers_to_what_is_there(connection: sqlite3.Connection) -> list[str]:
    """In a store that was pruned: the causes and the relatives of what is kept are kept."""
    names = {
        "the event that started execution": "SELECT id FROM workflow_execution WHERE"
        " trigger_turn > 0 AND trigger_turn NOT IN (SELECT turn FROM event WHERE turn > 0)",
        "the command that started execution": "SELECT id FROM workflow_execution WHERE"
        " command_offset > 0 AND command_offset NOT IN (SELECT offset FROM event)",
        "what was retried by": "SELECT id FROM workflow_execution WHERE"
        " retry_of NOT IN (SELECT id FROM workflow_execution)",
        "the execution above": "SELECT id FROM workflow_execution WHERE parent_execution_id > 0"
        " AND parent_execution_id NOT IN (SELECT id FROM workflow_execution)",
        "the event that started run": "SELECT id FROM task_execution WHERE"
        " trigger_turn > 0 AND trigger_turn NOT IN (SELECT turn FROM event WHERE turn > 0)",
        "the run that brought the result of": "SELECT id FROM task_execution WHERE"
        " taken_from NOT IN (SELECT id FROM task_execution)",
        "the event of decision": "SELECT turn FROM decision WHERE"
        " turn NOT IN (SELECT turn FROM event WHERE turn > 0)",
        "the event of verdict": "SELECT turn FROM verdict WHERE"
        " turn NOT IN (SELECT turn FROM event WHERE turn > 0)",
        # A command or a report that came too late, or is wrong, names one that is not there.
        "the execution of decision": "SELECT turn FROM decision WHERE"
        " workflow_execution_id NOT IN (SELECT id FROM workflow_execution)"
        " AND did IN ('started', 'restarted', 'stopped')",
        "the execution of verdict": "SELECT turn FROM verdict WHERE"
        " workflow_execution_id NOT IN (SELECT id FROM workflow_execution)",
        "the run of a value": "SELECT name FROM deterministic_value WHERE"
        " task_execution_id NOT IN (SELECT id FROM task_execution)",
        "the execution of state": "SELECT name FROM state WHERE workflow_execution_id > 0"
        " AND workflow_execution_id NOT IN (SELECT id FROM workflow_execution)",
        "the execution of data": "SELECT key FROM workflow_data WHERE"
        " workflow_execution_id NOT IN (SELECT id FROM workflow_execution)",
        "the snapshot of": "SELECT workflow_execution.id FROM workflow_execution WHERE"
        " snapshot NOT IN (SELECT hash FROM snapshot)",
    }
    return [
        f"gone is {name} {row[0]}"
        for name, statement in names.items()
        for row in connection.execute(statement)
    ]


IN_PRUNED = {
    turns_are_gapless: turns_are_of_one_event,
    ids_are_events: ids_are_of_one_event,
    periodic_executions_have_fired: periodic_executions_were_due,
    every_status_is_a_fact: every_status_that_is_kept_is_a_fact,
    references_hold: lambda connection: [
        *references_hold(connection),
        *what_is_kept_refers_to_what_is_there(connection),
    ],
}
