"""What must be so of what waits to be done: orders, slots of pools, timers."""

import sqlite3
from collections.abc import Iterator

from eventflow.store.checks import LOOK_AT_IT, STOP_IT, check, each


def _of_no_attempt(connection: sqlite3.Connection, action: str) -> Iterator[str]:
    """Orders that are not of their run's latest attempt."""
    rows = connection.execute(
        "SELECT waits.attempt, waits.task_execution_id, run.status, run.attempt"
        " FROM outbox waits LEFT JOIN task_execution run ON run.id = waits.task_execution_id"
        " WHERE waits.action = ? AND run.attempt IS NOT waits.attempt",
        (action,),
    )
    for attempt, run_id, status, latest in rows:
        yield f"a {action} waits for attempt {attempt} of run {run_id}, {status} in {latest}"


@check("9", "A START waits in the outbox if and only if its attempt is QUEUED", remedy=STOP_IT)
def starts_are_of_queued_attempts(connection: sqlite3.Connection) -> Iterator[str]:
    # One that waits for a slot has none yet.
    yield from each(
        connection,
        "run {} is {} in attempt {}, and a START waits for attempt {}",
        "SELECT run.id, run.status, run.attempt, start.attempt FROM task_execution run"
        " LEFT JOIN outbox start ON start.action = 'START'"
        " AND start.task_execution_id = run.id AND start.attempt = run.attempt"
        " WHERE (run.status = 'QUEUED' AND run.reason NOT LIKE 'waits for a slot of pool %')"
        " <> (start.attempt IS NOT NULL)",
    )
    yield from _of_no_attempt(connection, "START")


@check("9", "A STOP waits in the outbox if and only if its run leaves or timed out", remedy=STOP_IT)
def stops_are_of_attempts_that_end(connection: sqlite3.Connection) -> Iterator[str]:
    # None is for a run that no executor holds: one that has a sub-execution, or items.
    yield from each(
        connection,
        "run {} is {}, timed out: {}, and a STOP waits for attempt {}",
        "SELECT run.id, run.status, run.timed_out, stop.attempt FROM task_execution run"
        " LEFT JOIN outbox stop ON stop.action = 'STOP'"
        " AND stop.task_execution_id = run.id AND stop.attempt = run.attempt"
        " WHERE (run.status IN ('STOPPING', 'RESTARTING') OR (run.status = 'RUNNING' AND"
        " run.timed_out)) <> (stop.attempt IS NOT NULL)"
        " AND (stop.attempt IS NOT NULL OR run.id NOT IN"
        " (SELECT parent_task_execution_id FROM workflow_execution) AND run.items IS NULL)",
    )
    yield from _of_no_attempt(connection, "STOP")


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
        " LEFT JOIN outbox start ON start.action = 'START'"
        " AND start.task_execution_id = run.id AND start.attempt = run.attempt GROUP BY 1, 2"
    )
    return {(namespace, name): (held, waiting) for namespace, name, held, waiting in rows}


def slots_of(connection: sqlite3.Connection) -> dict[tuple[str, str], int | None]:
    """Of the pools that were set; `None` is any number."""
    rows = connection.execute("SELECT namespace, name, slots FROM pool")
    return {(namespace, name): slots for namespace, name, slots in rows}


@check(
    "S44",
    "Nobody waits for a slot of a pool while one is free",
    remedy="set the pool again to as many slots as it has, by 'eventflow pool set'; report the "
    "fault",
)
def nobody_waits_while_a_slot_is_free(connection: sqlite3.Connection) -> Iterator[str]:
    # That no more are held than there are is not asked: a pool that was lowered has more for a
    # while.
    slots = slots_of(connection)
    for (namespace, name), (held, waiting) in pools_in_use(connection).items():
        most = slots.get((namespace, name), None if name == "default" else 0)
        if waiting and (most is None or held < most):
            yield (
                f"pool {name!r} of namespace {namespace!r} has {most} slots: {held} are held, and "
                f"{waiting} wait"
            )


@check("6", "Nothing is due for a run that has ended", remedy=LOOK_AT_IT)
def timers_are_of_what_lives(connection: sqlite3.Connection) -> Iterator[str]:
    yield from each(
        connection,
        "timer {!r} is of run {}, which is {}",
        "SELECT timer.key, run.id, run.status FROM timer JOIN task_execution run"
        " ON run.id = timer.task_execution_id WHERE run.status NOT IN :ALIVE",
    )


CHECKS = (
    starts_are_of_queued_attempts,
    stops_are_of_attempts_that_end,
    nobody_waits_while_a_slot_is_free,
    timers_are_of_what_lives,
)
