"""What must be so of the items of mapped tasks after every commit (S43): see `invariants.py`.

Which tasks are mapped, and how, is asked of the definition that the snapshot has.
"""

import json
import sqlite3
from collections.abc import Callable
from typing import Any

from eventflow.model.status import ALIVE

_ALIVE = "(" + ", ".join(f"'{status}'" for status in sorted(ALIVE)) + ")"
# Every run of a task, not of an item, with what its definition says about maps.
_MAPS = (
    "WITH map AS (SELECT run.*, task.value -> 'mapped' IS NOT NULL mapped,"
    " COALESCE(task.value -> 'settings' ->> 'max_active_items', 1000) most,"
    " COALESCE(task.value -> 'settings' ->> 'on_item_failure', 'finish') policy"
    " FROM task_execution run"
    " JOIN workflow_execution execution ON execution.id = run.workflow_execution_id"
    " JOIN snapshot ON snapshot.hash = execution.snapshot"
    " JOIN json_each(snapshot.definition, '$.tasks') task ON task.value ->> 'task' = run.task"
    " WHERE run.parent = 0),"
    " item AS (SELECT * FROM task_execution WHERE parent > 0) "
)


def _ask(connection: sqlite3.Connection, question: str) -> list[tuple[Any, ...]]:
    return connection.execute(_MAPS + question.replace(":ALIVE", _ALIVE)).fetchall()


def counted_maps_have_their_items(connection: sqlite3.Connection) -> list[str]:
    """As many rows as were counted, their ids and numbers in a row; all of it in one commit."""
    rows = _ask(
        connection,
        "SELECT map.id, map.items, COUNT(item.id), MIN(item.id), MAX(item.id),"
        " MIN(item.item), MAX(item.item), COUNT(DISTINCT item.id - item.item)"
        " FROM map LEFT JOIN item ON item.parent = map.id WHERE map.items IS NOT NULL GROUP BY 1",
    )
    faults = []
    for run_id, told, *found in rows:
        kept = json.loads(told)
        count, first = 1, kept["first"]
        for counts in kept["levels"]:
            count = count * counts if isinstance(counts, int) else sum(counts)
        expected = [0, None, None, None, None, 0]
        if count:
            expected = [count, first, first + count - 1, 0, count - 1, 1]
        if found != expected:
            faults.append(f"items of map {run_id}: {found}, and not {expected}")
    return faults


def maps_are_counted_before_they_run(connection: sqlite3.Connection) -> list[str]:
    """A map has items from RUNNING on, and no other task ever has.

    One that was refused, or stopped before it was counted, has none; nor has one that was taken
    over, whose items are those of the run that brought its result.
    """
    rows = _ask(
        connection,
        "SELECT id, task, status, mapped, items FROM map WHERE"
        " CASE WHEN NOT mapped OR taken_from IS NOT NULL THEN items IS NOT NULL"
        " ELSE (status IN ('INIT', 'QUEUED') AND items IS NOT NULL) OR"
        " (status IN ('RUNNING', 'STOPPING', 'RESTARTING', 'SUCCESS') AND items IS NULL)"
        " OR status IN ('SKIPPED', 'RETRYING') END",
    )
    return [f"run, task, status, whether it is a map, its items: {row}" for row in rows]


def items_are_of_a_map(connection: sqlite3.Connection) -> list[str]:
    """Of one of their execution, task and sequence number; what a map says, no item says again."""
    rows = _ask(
        connection,
        "SELECT item.id, item.parent, map.id FROM item LEFT JOIN map ON"
        " map.id = item.parent AND map.items IS NOT NULL AND map.task = item.task"
        " AND map.workflow_execution_id = item.workflow_execution_id"
        " AND map.sequence_number = item.sequence_number AND map.trigger_turn = item.trigger_turn"
        " WHERE map.id IS NULL OR item.items IS NOT NULL OR item.inputs IS NOT NULL"
        " OR item.dropped OR item.started_by <> 'map' OR item.item < 0",
    )
    return [f"item, its parent, the map that was found: {row}" for row in rows]


def maps_live_as_long_as_their_items(connection: sqlite3.Connection) -> list[str]:
    """While one of them has not ended, and no longer: no item outlives its map."""
    rows = _ask(
        connection,
        "SELECT map.id, map.status, COUNT(item.id) FROM map"
        " LEFT JOIN item ON item.parent = map.id AND item.status IN :ALIVE"
        " WHERE map.items IS NOT NULL GROUP BY 1"
        " HAVING (map.status IN :ALIVE) <> (COUNT(item.id) > 0)",
    )
    return [f"map, its status, how many of its items are alive: {row}" for row in rows]


def maps_end_as_their_items_do(connection: sqlite3.Connection) -> list[str]:
    """SUCCESS when each item has succeeded or was skipped; FAILED, with a failure, when one has
    failed; else somebody has stopped it.
    """
    rows = _ask(
        connection,
        "SELECT map.id, map.status, GROUP_CONCAT(DISTINCT item.status) FROM map"
        " LEFT JOIN item ON item.parent = map.id WHERE map.items IS NOT NULL GROUP BY 1 HAVING"
        " (map.status = 'SUCCESS' AND SUM(item.status NOT IN ('SUCCESS', 'SKIPPED')) > 0)"
        " OR (map.status = 'FAILED' AND (SUM(item.status = 'FAILED') = 0 OR NOT EXISTS"
        "  (SELECT 1 FROM attempt_failure WHERE task_execution_id = map.id"
        "   AND type_name = 'ItemsFailedError')))",
    )
    return [f"map, its status, those of its items: {row}" for row in rows]


def no_item_begins_behind_a_failure_that_stops(connection: sqlite3.Connection) -> list[str]:
    """Where one failure stops the others, each that is alive has been told to stop."""
    rows = _ask(
        connection,
        "SELECT map.id, alive.id, alive.status FROM map JOIN item alive"
        " ON alive.parent = map.id AND alive.status IN :ALIVE AND alive.status <> 'STOPPING'"
        " WHERE (map.policy = 'stop' AND EXISTS"
        "  (SELECT 1 FROM item WHERE parent = map.id AND status = 'FAILED'))"
        " OR map.status IN ('STOPPING', 'RESTARTING')",
    )
    return [f"map whose items are to stop, item, its status: {row}" for row in rows]


def as_many_items_are_active_as_may(connection: sqlite3.Connection) -> list[str]:
    """No more than `max_active_items`; fewer only when none waits. They begin in item order."""
    rows = _ask(
        connection,
        "SELECT map.id, map.most,"
        " SUM(item.status IN :ALIVE AND item.status <> 'INIT') active,"
        " SUM(item.status = 'INIT') waiting,"
        " MIN(item.item) FILTER (WHERE item.status = 'INIT') next,"
        " MAX(item.item) FILTER (WHERE item.status <> 'INIT' AND item.taken_from IS NULL) last"
        " FROM map JOIN item ON item.parent = map.id GROUP BY 1"
        " HAVING active > map.most OR (waiting > 0 AND active < map.most) OR last > next",
    )
    return [f"map, most, active items, waiting ones, next, last that began: {row}" for row in rows]


def nothing_is_ordered_of_a_map(connection: sqlite3.Connection) -> list[str]:
    """No executor holds it and no clock runs for it: its items have orders, slots and timers."""
    rows = _ask(
        connection,
        "SELECT map.id, map.status, map.pool, outbox.action, timer.key FROM map"
        " LEFT JOIN outbox ON outbox.task_execution_id = map.id AND map.items IS NOT NULL"
        " LEFT JOIN timer ON timer.task_execution_id = map.id"
        " WHERE map.mapped AND (outbox.action IS NOT NULL OR timer.key IS NOT NULL"
        "  OR map.pool <> '' OR map.attempt <> 1)",
    )
    return [f"map, status, pool, order, timer: {row}" for row in rows]


def idle_items_hold_nothing(connection: sqlite3.Connection) -> list[str]:
    """One that has not begun or has ended has no order, no timer, and never had an attempt more."""
    rows = _ask(
        connection,
        "SELECT item.id, item.status, outbox.action, timer.key FROM item"
        " LEFT JOIN outbox ON outbox.task_execution_id = item.id"
        " LEFT JOIN timer ON timer.task_execution_id = item.id"
        " WHERE (item.status = 'INIT' OR item.status NOT IN :ALIVE)"
        " AND (outbox.action IS NOT NULL OR timer.key IS NOT NULL)",
    )
    return [f"item, status, order, timer: {row}" for row in rows]


def a_map_keeps_no_result(connection: sqlite3.Connection) -> list[str]:
    """Its result is that of its items, where each stands by itself."""
    rows = _ask(
        connection,
        "SELECT map.id, result.value FROM map"
        " JOIN result ON result.task_execution_id = map.id WHERE map.mapped",
    )
    return [f"map, its own result: {row}" for row in rows]


def items_are_taken_over_from_the_same_item(connection: sqlite3.Connection) -> list[str]:
    """What an item has taken over was brought by that item of an earlier run of the task."""
    rows = _ask(
        connection,
        "SELECT item.id, item.item, origin.item, origin.task, result.value FROM item"
        " LEFT JOIN task_execution origin ON origin.id = item.taken_from"
        " LEFT JOIN result ON result.task_execution_id = origin.id"
        " WHERE item.taken_from IS NOT NULL AND (origin.item IS NOT item.item"
        " OR origin.task <> item.task OR result.value IS NULL OR item.status <> 'SUCCESS')",
    )
    return [f"item, number, that of its origin, task, result: {row}" for row in rows]


def moves_of_items_are_no_facts(connection: sqlite3.Connection) -> list[str]:
    """Rules see the task alone."""
    rows = connection.execute(
        "SELECT event.offset, event.key, item.id FROM event"
        " JOIN task_execution item ON item.id = event.value ->> 'task_execution_id'"
        " WHERE event.key GLOB 'eventflow.task.*' AND item.parent > 0"
    )
    return [f"fact about an item: {row}" for row in rows]


ALL: tuple[Callable[[sqlite3.Connection], list[str]], ...] = (
    counted_maps_have_their_items,
    maps_are_counted_before_they_run,
    items_are_of_a_map,
    maps_live_as_long_as_their_items,
    maps_end_as_their_items_do,
    no_item_begins_behind_a_failure_that_stops,
    as_many_items_are_active_as_may,
    nothing_is_ordered_of_a_map,
    idle_items_hold_nothing,
    a_map_keeps_no_result,
    items_are_taken_over_from_the_same_item,
    moves_of_items_are_no_facts,
)
