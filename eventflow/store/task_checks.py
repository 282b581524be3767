"""What must be so of the runs of tasks: their numbers, their history, what is told of it."""

import sqlite3
from collections.abc import Iterator
from itertools import groupby

from eventflow.model.status import MOVES, TaskStatus
from eventflow.store.checks import LOOK_AT_IT, STOP_IT, check, each


@check("8", "The runs of a task in an execution are numbered 1, 2, 3 and so on")
def sequence_numbers_are_dense(connection: sqlite3.Connection) -> Iterator[str]:
    yield from each(
        connection,
        "task {1!r} of execution {0} has {2} runs, numbered from {3} to {4}",
        "SELECT workflow_execution_id, task, COUNT(*), MIN(sequence_number), MAX(sequence_number)"
        " FROM task_execution WHERE parent = 0 GROUP BY 1, 2"
        " HAVING MIN(sequence_number) <> 1 OR MAX(sequence_number) <> COUNT(*)"
        " OR COUNT(DISTINCT sequence_number) <> COUNT(*)",
    )


@check("6", "The statuses of a run are a path that is allowed, and it stands at its end")
def histories_are_paths(connection: sqlite3.Connection) -> Iterator[str]:
    # One that was taken over has ended where it comes to be (S31).
    rows = connection.execute(
        "SELECT run.id, run.status, history.status FROM task_execution run"
        " LEFT JOIN task_history history ON history.task_execution_id = run.id"
        " WHERE run.taken_from IS NULL"
        " ORDER BY run.id, history.turn, history.number"
    )
    for (run_id, stands), steps in groupby(rows, key=lambda row: (row[0], row[1])):
        path = [status for _, _, status in steps]
        before: list[TaskStatus | None] = [None, *path[:-1]]
        if path[-1] != stands or any(
            status not in MOVES[earlier] for earlier, status in zip(before, path, strict=True)
        ):
            yield f"run {run_id} is {stands}, and its history is {path}"


@check("7", "A task, or an item, has at most one run with an executor and one that waits behind it")
def one_run_is_busy(connection: sqlite3.Connection) -> Iterator[str]:
    yield from each(
        connection,
        "task {1!r}, item {2}, of execution {0}: {3} runs are with an executor, {4} wait",
        "SELECT workflow_execution_id, task, item,"
        " SUM(status IN :BUSY) busy, SUM(status = 'INIT') waiting"
        " FROM task_execution WHERE status IN :ALIVE"
        " GROUP BY 1, 2, 3 HAVING busy > 1 OR waiting > 1",
    )


@check("S12", "What rules are told of a run is what its history says", remedy=LOOK_AT_IT)
def every_status_is_a_fact(connection: sqlite3.Connection) -> Iterator[str]:
    # Not so the end of a dropped run (S20), and items (S43). Facts about executions that were
    # pruned may stay.
    yield from each(
        connection,
        "run {} was {}: {} times by its history, {} times by facts",
        "SELECT run_id, status, SUM(1 - told) moves, SUM(told) facts FROM"
        " (SELECT task_execution_id run_id, task_history.status, 0 told FROM task_history"
        "  JOIN task_execution run ON run.id = task_execution_id"
        "  WHERE NOT (run.dropped AND task_history.status = 'STOPPED') AND run.parent = 0"
        "  UNION ALL SELECT value ->> 'task_execution_id', value ->> 'status', 1"
        "  FROM event WHERE key GLOB 'eventflow.task.*' AND (workflow_execution_id IS NULL OR"
        "  workflow_execution_id IN (SELECT id FROM workflow_execution)))"
        " GROUP BY 1, 2 HAVING moves <> facts",
    )


@check("10", "What a report has moved is in the attempt that it was about")
def reports_move_their_own_attempt(connection: sqlite3.Connection) -> Iterator[str]:
    yield from each(
        connection,
        "run {} became {} in attempt {}, by {} about attempt {}",
        "SELECT task_execution_id, status, attempt, event.key, value ->> 'attempt'"
        " FROM task_history JOIN event ON event.turn = task_history.turn"
        " AND event.key GLOB 'eventflow.report.*' AND value ->> 'run_id' = task_execution_id"
        " WHERE status <> 'QUEUED' AND attempt <> value ->> 'attempt'",
    )


@check("S37", "A run has a result once it has succeeded, and no other has", remedy=LOOK_AT_IT)
def results_are_of_successes(connection: sqlite3.Connection) -> Iterator[str]:
    # That of a map is put together from those of its items.
    yield from each(
        connection,
        "run {}, which is {}, has {} of its own",
        "SELECT run.id, run.status,"
        " CASE WHEN result.value IS NULL THEN 'no result' ELSE 'a result' END"
        " FROM task_execution run LEFT JOIN result ON result.task_execution_id = run.id"
        " WHERE run.taken_from IS NULL"
        " AND (run.status = 'SUCCESS' AND run.items IS NULL) <> (result.value IS NOT NULL)",
    )


@check("S31", "A run that was taken over stands as the one that brought its result")
def what_is_taken_over_stands_as_its_origin(connection: sqlite3.Connection) -> Iterator[str]:
    # One step of history, and no result of its own.
    yield from each(
        connection,
        "run {} is {}, and took over from {}, which is {}; {} steps of history",
        "SELECT run.id, run.status, run.taken_from, origin.status,"
        " (SELECT COUNT(*) FROM task_history WHERE task_execution_id = run.id) steps"
        " FROM task_execution run JOIN workflow_execution execution"
        " ON execution.id = run.workflow_execution_id"
        " LEFT JOIN task_execution origin ON origin.id = run.taken_from"
        " LEFT JOIN result ON result.task_execution_id = run.id"
        " WHERE run.taken_from IS NOT NULL AND (execution.retry_of IS NULL"
        " OR run.status NOT IN ('SUCCESS', 'SKIPPED', 'STOPPED') OR run.status IS NOT origin.status"
        " OR run.sequence_number <> 1 OR origin.taken_from IS NOT NULL"
        " OR result.value IS NOT NULL OR steps <> 1)",
    )


@check("S31", "What a retry is still to do is kept only while it goes on", remedy=STOP_IT)
def nothing_is_left_to_retry_once_it_has_ended(connection: sqlite3.Connection) -> Iterator[str]:
    yield from each(
        connection,
        "execution {}, which is {}, keeps {}",
        "SELECT execution.id, execution.status, state.name FROM state"
        " JOIN workflow_execution execution ON execution.id = state.workflow_execution_id"
        " WHERE state.name GLOB '@retried/*' AND (execution.status IN :ENDED"
        " OR execution.retry_of IS NULL OR EXISTS (SELECT 1 FROM task_execution run"
        "  WHERE run.workflow_execution_id = execution.id"
        "  AND '@retried/' || run.task = state.name))",
    )


CHECKS = (
    sequence_numbers_are_dense,
    histories_are_paths,
    one_run_is_busy,
    every_status_is_a_fact,
    reports_move_their_own_attempt,
    results_are_of_successes,
    what_is_taken_over_stands_as_its_origin,
    nothing_is_left_to_retry_once_it_has_ended,
)
