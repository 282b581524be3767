"""What must be so of executions: their end, their schedules, and those that tasks run."""

import sqlite3
from collections.abc import Iterator

from eventflow.store.checks import KEEP_A_COPY, LOOK_AT_IT, STOP_IT, check, each

_EXECUTIONS = " (SELECT id FROM main.workflow_execution)"


@check("6", "An execution that has ended has nothing that is alive, ordered or due")
def ended_executions_hold_nothing(connection: sqlite3.Connection) -> Iterator[str]:
    yield from each(
        connection,
        "execution {} is {}, has ended: {}, and holds something or was not told so",
        "SELECT id, status, ended_at IS NOT NULL FROM workflow_execution WHERE"
        " (status IN :ENDED) <> (ended_at IS NOT NULL) OR (status IN :ENDED AND ("
        " id IN (SELECT workflow_execution_id FROM task_execution WHERE status IN :ALIVE)"
        " OR id IN (SELECT workflow_execution_id FROM outbox)"
        " OR id IN (SELECT workflow_execution_id FROM timer)))",
    )


@check("11", "A due time of a schedule is fired or skipped, once", remedy=LOOK_AT_IT)
def due_times_are_accounted_once(connection: sqlite3.Connection) -> Iterator[str]:
    # No range of skipped ones holds one that is accounted for by itself, and none stands twice.
    yield from each(
        connection,
        "{}: the time {} (microseconds since 1970) is accounted for twice",
        "SELECT schedule, due_at FROM (SELECT schedule, due_at, since,"
        " LAG(due_at) OVER by_time latest,"
        " MAX(due_at) FILTER (WHERE since IS NULL) OVER (by_time ROWS BETWEEN UNBOUNDED PRECEDING"
        "  AND 1 PRECEDING) single"
        " FROM schedule_firing WINDOW by_time AS (PARTITION BY schedule ORDER BY due_at))"
        " WHERE latest = due_at OR single > since",
    )


@check("11", "A due time that was fired has one execution, and no other has one")
def periodic_executions_have_fired(connection: sqlite3.Connection) -> Iterator[str]:
    # Retries come beside it.
    yield from each(
        connection,
        "{}: {} executions at {} (microseconds since 1970), which was fired {} times",
        "SELECT schedule, SUM(1 - fired) executions, at, SUM(fired) FROM"
        " (SELECT schedule, due_at at, 1 fired FROM schedule_firing"
        "  WHERE reason = '' AND schedule LIKE 'schedule:%'"
        "  UNION ALL SELECT 'schedule:' || namespace || '/' || workflow, scheduled_time, 0"
        "  FROM workflow_execution WHERE execution_type = 'PERIODIC' AND retry_of IS NULL)"
        " GROUP BY schedule, at HAVING executions > 1 OR SUM(fired) <> 1",
    )


@check("11", "A due time that was fired has an execution, unless that was pruned")
def firings_have_executions(connection: sqlite3.Connection) -> Iterator[str]:
    # Firings outlive executions. No more of them may be without one than executions are gone.
    question = (
        "SELECT schedule, due_at FROM schedule_firing firing"
        " WHERE reason = '' AND schedule LIKE 'schedule:%' AND (schedule, due_at) NOT IN"
        " (SELECT 'schedule:' || namespace || '/' || workflow, scheduled_time"
        "  FROM workflow_execution WHERE execution_type = 'PERIODIC' AND retry_of IS NULL"
        "  AND scheduled_time IS NOT NULL)"
    )
    (gone,) = connection.execute(
        "SELECT execution_id - (SELECT COUNT(*) FROM workflow_execution) FROM cursor"
    ).fetchone()
    if sum(1 for _ in connection.execute(question)) > gone:
        yield from each(connection, "{}: no execution at {} (microseconds since 1970)", question)


@check(
    "S40", "A sub-execution that is alive belongs to an attempt that waits for it", remedy=STOP_IT
)
def sub_executions_live_with_their_runs(connection: sqlite3.Connection) -> Iterator[str]:
    yield from each(
        connection,
        "execution {} is {}, and its run {} is {}",
        "SELECT sub.id, sub.status, sub.parent_task_execution_id, run.status"
        " FROM workflow_execution sub"
        " LEFT JOIN task_execution run ON run.id = sub.parent_task_execution_id"
        " AND run.attempt = sub.parent_attempt AND run.task = sub.parent_task"
        " AND run.workflow_execution_id = sub.parent_execution_id"
        " WHERE sub.parent_execution_id > 0 AND sub.status NOT IN :ENDED"
        " AND (run.status IS NULL OR run.status NOT IN ('RUNNING', 'STOPPING', 'RESTARTING'))",
    )


@check("S40", "A run ends with its sub-execution, and stops it when it leaves", remedy=STOP_IT)
def runs_end_with_their_sub_executions(connection: sqlite3.Connection) -> Iterator[str]:
    # The end of a sub-execution is told by a fact, which may wait in the log behind a batch's
    # bound.
    yield from each(
        connection,
        "run {} is {}, and its sub-execution {} is {}",
        "SELECT run.id, run.status, sub.id, sub.status FROM task_execution run"
        " JOIN workflow_execution sub ON run.id = sub.parent_task_execution_id"
        " WHERE (run.attempt = sub.parent_attempt"
        "  AND run.status IN ('RUNNING', 'STOPPING', 'RESTARTING') AND sub.status IN :ENDED"
        "  AND NOT EXISTS (SELECT 1 FROM event WHERE turn IS NULL"
        "   AND workflow_execution_id = sub.id))"
        " OR ((run.status IN ('STOPPING', 'RESTARTING') OR run.timed_out)"
        "  AND sub.status NOT IN :ENDED AND sub.stopping = '')",
    )


@check("S40", "Nothing is ordered of a run that a sub-execution does the work of", remedy=STOP_IT)
def sub_executions_have_no_orders(connection: sqlite3.Connection) -> Iterator[str]:
    yield from each(
        connection,
        "{} waits for attempt {} of run {}, which has sub-execution {}",
        "SELECT outbox.action, outbox.attempt, outbox.task_execution_id, sub.id FROM outbox"
        " JOIN workflow_execution sub ON sub.parent_task_execution_id = outbox.task_execution_id"
        " AND sub.parent_attempt = outbox.attempt",
    )


@check("F49", "What belongs to an execution or a run is gone when that is", remedy=LOOK_AT_IT)
def nothing_is_left_of_what_is_gone(connection: sqlite3.Connection) -> Iterator[str]:
    for words, question in (
        (
            "state {1!r} of execution {0}",
            "SELECT workflow_execution_id, name FROM state WHERE"
            " workflow_execution_id > 0 AND workflow_execution_id NOT IN",
        ),
        (
            "data {1!r} of execution {0}",
            "SELECT workflow_execution_id, key FROM workflow_data"
            " WHERE workflow_execution_id NOT IN",
        ),
        (
            "timer {1!r} of execution {0}",
            "SELECT workflow_execution_id, key FROM timer WHERE"
            " workflow_execution_id > 0 AND workflow_execution_id NOT IN",
        ),
        (
            "a decision of turn {1} about execution {0}",
            # A command about one that never was is refused, one that comes after its end ignored,
            # and its decision says so; that goes with the event.
            "SELECT workflow_execution_id, turn FROM decision WHERE did NOT LIKE 'refused: %'"
            " AND NOT (did LIKE 'ignored: %' AND EXISTS (SELECT 1 FROM event"
            " WHERE event.turn = decision.turn AND event.key LIKE 'eventflow.command.%'))"
            " AND workflow_execution_id > 0 AND workflow_execution_id NOT IN",
        ),
    ):
        yield from each(
            connection,
            f"{words} is there, and that is not",
            question + _EXECUTIONS,
        )
    yield from each(
        connection,
        "value {1!r} of run {0} is there, and that is not",
        "SELECT task_execution_id, name FROM deterministic_value"
        " WHERE task_execution_id NOT IN (SELECT id FROM main.task_execution)",
    )


@check("S41", "The snapshot of a workflow or an execution is there", remedy=KEEP_A_COPY)
def snapshots_are_kept(connection: sqlite3.Connection) -> Iterator[str]:
    yield from each(
        connection,
        "{} {} has snapshot {}, which is not there",
        "SELECT 'execution', id, snapshot FROM workflow_execution"
        " WHERE snapshot NOT IN (SELECT hash FROM snapshot)"
        " UNION ALL SELECT 'workflow', namespace || '/' || name, snapshot FROM workflow"
        " WHERE snapshot NOT IN (SELECT hash FROM snapshot)",
    )


@check("S45", "An event's execution is one hop behind it, and within its limit", remedy=LOOK_AT_IT)
def hops_follow_their_events(connection: sqlite3.Connection) -> Iterator[str]:
    # Of an event that was judged again it counts from 0; retries and sub-executions have others'.
    yield from each(
        connection,
        "execution {} has {} hops, its event {}, and its workflow allows {}",
        "SELECT made.id, made.hops, event.hops, snapshot.definition ->> 'max_hops' most"
        " FROM workflow_execution made JOIN event ON event.turn = made.trigger_turn"
        " JOIN snapshot ON snapshot.hash = made.snapshot"
        " WHERE made.execution_type = 'EVENT' AND made.retry_of IS NULL"
        " AND (made.hops NOT IN (1, event.hops + 1) OR made.hops > most)",
    )


CHECKS = (
    ended_executions_hold_nothing,
    due_times_are_accounted_once,
    periodic_executions_have_fired,
    firings_have_executions,
    sub_executions_live_with_their_runs,
    runs_end_with_their_sub_executions,
    sub_executions_have_no_orders,
    nothing_is_left_of_what_is_gone,
    snapshots_are_kept,
    hops_follow_their_events,
)
