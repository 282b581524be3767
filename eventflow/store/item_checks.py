"""What must be so of mapped tasks and their items (S43).

Which tasks are mapped, and how, is asked of the definition that the snapshot has.
"""

import json
import sqlite3
from collections.abc import Iterator

from eventflow.store.checks import KEEP_A_COPY, LOOK_AT_IT, STOP_IT, check, each

# Every run of a task, not of an item, with what its definition says about maps. Each definition is
# read once, not once for each of its runs.
_MAPS = (
    "WITH defined AS MATERIALIZED (SELECT snapshot.hash, task.value ->> 'task' task,"
    " task.value -> 'mapped' IS NOT NULL mapped,"
    " COALESCE(task.value -> 'settings' ->> 'max_active_items', 1000) most,"
    " COALESCE(task.value -> 'settings' ->> 'on_item_failure', 'finish') policy"
    " FROM snapshot JOIN json_each(snapshot.definition, '$.tasks') task),"
    " map AS (SELECT run.*, defined.mapped, defined.most, defined.policy"
    " FROM task_execution run"
    " JOIN workflow_execution execution ON execution.id = run.workflow_execution_id"
    " JOIN defined ON defined.hash = execution.snapshot AND defined.task = run.task"
    " WHERE run.parent = 0),"
    " item AS (SELECT * FROM task_execution WHERE parent > 0) "
)


@check("S43", "A map that was counted has as many items, their ids and numbers in a row")
def counted_maps_have_their_items(connection: sqlite3.Connection) -> Iterator[str]:
    question = (
        "SELECT map.id, map.items, COUNT(item.id), MIN(item.id), MAX(item.id),"
        " MIN(item.item), MAX(item.item), COUNT(DISTINCT item.id - item.item)"
        " FROM map LEFT JOIN item ON item.parent = map.id WHERE map.items IS NOT NULL GROUP BY 1"
    )
    for run_id, told, *found in connection.execute(_MAPS + question):
        kept = json.loads(told)
        count, first = 1, kept["first"]
        for counts in kept["levels"]:
            count = count * counts if isinstance(counts, int) else sum(counts)
        expected = [0, None, None, None, None, 0]
        if count:
            expected = [count, first, first + count - 1, 0, count - 1, 1]
        if found != expected:
            yield (
                f"run {run_id} has {found[0]} items, ids from {found[1]} to {found[2]}, numbers "
                f"from {found[3]} to {found[4]}; it was counted to {count}, ids from {first}"
            )


@check("S43", "A mapped task has items from RUNNING on, and no other ever has")
def maps_are_counted_before_they_run(connection: sqlite3.Connection) -> Iterator[str]:
    # One that was refused, or stopped before it was counted, has none; nor has one that was taken
    # over, whose items are those of the run that brought its result.
    yield from each(
        connection,
        "run {} of task {!r} is {}; mapped: {}, counted: {}",
        "SELECT id, task, status, mapped, items IS NOT NULL FROM map WHERE"
        " CASE WHEN NOT mapped OR taken_from IS NOT NULL THEN items IS NOT NULL"
        " ELSE (status IN ('INIT', 'QUEUED') AND items IS NOT NULL) OR"
        " (status IN ('RUNNING', 'STOPPING', 'RESTARTING', 'SUCCESS') AND items IS NULL)"
        " OR status IN ('SKIPPED', 'RETRYING') END",
        given=_MAPS,
    )


@check("S43", "An item is of a map of its execution, task and sequence number")
def items_are_of_a_map(connection: sqlite3.Connection) -> Iterator[str]:
    # What the map says, no item says again.
    yield from each(
        connection,
        "item {} is of run {}; a map like that: {}",
        "SELECT item.id, item.parent, map.id FROM item LEFT JOIN map ON"
        " map.id = item.parent AND map.items IS NOT NULL AND map.task = item.task"
        " AND map.workflow_execution_id = item.workflow_execution_id"
        " AND map.sequence_number = item.sequence_number AND map.trigger_turn = item.trigger_turn"
        " WHERE map.id IS NULL OR item.items IS NOT NULL OR item.inputs IS NOT NULL"
        " OR item.dropped OR item.started_by <> 'map' OR item.item < 0",
        given=_MAPS,
    )


@check("S43", "A map is alive while one of its items is, and no longer", remedy=STOP_IT)
def maps_live_as_long_as_their_items(connection: sqlite3.Connection) -> Iterator[str]:
    yield from each(
        connection,
        "run {} is {}, and {} of its items are alive",
        "SELECT map.id, map.status, COUNT(item.id) FROM map"
        " LEFT JOIN item ON item.parent = map.id AND item.status IN :ALIVE"
        " WHERE map.items IS NOT NULL GROUP BY 1"
        " HAVING (map.status IN :ALIVE) <> (COUNT(item.id) > 0)",
        given=_MAPS,
    )


@check("S43", "A map ends as its items do", remedy=LOOK_AT_IT)
def maps_end_as_their_items_do(connection: sqlite3.Connection) -> Iterator[str]:
    # SUCCESS when each has succeeded or was skipped; FAILED, with a failure, when one has failed;
    # else somebody has stopped it.
    yield from each(
        connection,
        "run {} is {}, and its items are {}",
        "SELECT map.id, map.status, GROUP_CONCAT(DISTINCT item.status) FROM map"
        " LEFT JOIN item ON item.parent = map.id WHERE map.items IS NOT NULL GROUP BY 1 HAVING"
        " (map.status = 'SUCCESS' AND SUM(item.status NOT IN ('SUCCESS', 'SKIPPED')) > 0)"
        " OR (map.status = 'FAILED' AND (SUM(item.status = 'FAILED') = 0 OR NOT EXISTS"
        "  (SELECT 1 FROM attempt_failure WHERE task_execution_id = map.id"
        "   AND type_name = 'ItemsFailedError')))",
        given=_MAPS,
    )


@check(
    "S43", "Where one failure stops the other items, each that is alive was told", remedy=STOP_IT
)
def no_item_begins_behind_a_failure_that_stops(connection: sqlite3.Connection) -> Iterator[str]:
    yield from each(
        connection,
        "the items of run {} are to stop, and item {} is {}",
        "SELECT map.id, alive.id, alive.status FROM map JOIN item alive"
        " ON alive.parent = map.id AND alive.status IN :ALIVE AND alive.status <> 'STOPPING'"
        " WHERE (map.policy = 'stop' AND map.id IN"
        "  (SELECT parent FROM item WHERE status = 'FAILED'))"
        " OR map.status IN ('STOPPING', 'RESTARTING')",
        given=_MAPS,
    )


@check("S43", "As many items are active as may, and they begin in their order", remedy=STOP_IT)
def as_many_items_are_active_as_may(connection: sqlite3.Connection) -> Iterator[str]:
    yield from each(
        connection,
        "run {} may have {} items active: {} are, {} wait, the first as number {}; {} has begun",
        "SELECT map.id, map.most,"
        " SUM(item.status IN :ALIVE AND item.status <> 'INIT') active,"
        " SUM(item.status = 'INIT') waiting,"
        " MIN(item.item) FILTER (WHERE item.status = 'INIT') next,"
        " MAX(item.item) FILTER (WHERE item.status <> 'INIT' AND item.taken_from IS NULL) last"
        " FROM map JOIN item ON item.parent = map.id GROUP BY 1"
        " HAVING active > map.most OR (waiting > 0 AND active < map.most) OR last > next",
        given=_MAPS,
    )


@check("S43", "Nothing is ordered or due for a map: its items have orders, slots and timers")
def nothing_is_ordered_of_a_map(connection: sqlite3.Connection) -> Iterator[str]:
    yield from each(
        connection,
        "run {} is {}, with pool {!r}, order {}, timer {!r}",
        "SELECT map.id, map.status, map.pool, outbox.action, timer.key FROM map"
        " LEFT JOIN outbox ON outbox.task_execution_id = map.id AND map.items IS NOT NULL"
        " LEFT JOIN timer ON timer.task_execution_id = map.id"
        " WHERE map.mapped AND (outbox.action IS NOT NULL OR timer.key IS NOT NULL"
        "  OR map.pool <> '' OR map.attempt <> 1)",
        given=_MAPS,
    )


@check("S43", "An item that has not begun, or has ended, has no order and no timer", remedy=STOP_IT)
def idle_items_hold_nothing(connection: sqlite3.Connection) -> Iterator[str]:
    yield from each(
        connection,
        "item {} is {}, with order {}, timer {!r}",
        "SELECT item.id, item.status, outbox.action, timer.key FROM item"
        " LEFT JOIN outbox ON outbox.task_execution_id = item.id"
        " LEFT JOIN timer ON timer.task_execution_id = item.id"
        " WHERE (item.status = 'INIT' OR item.status NOT IN :ALIVE)"
        " AND (outbox.action IS NOT NULL OR timer.key IS NOT NULL)",
        given=_MAPS,
    )


@check("S43", "The result of a map is that of its items, and none of its own", remedy=LOOK_AT_IT)
def a_map_keeps_no_result(connection: sqlite3.Connection) -> Iterator[str]:
    yield from each(
        connection,
        "run {} has a result of its own",
        "SELECT map.id FROM map JOIN result ON result.task_execution_id = map.id WHERE map.mapped",
        given=_MAPS,
    )


@check("S43", "An item takes over only what the same item of an earlier run has brought")
def items_are_taken_over_from_the_same_item(connection: sqlite3.Connection) -> Iterator[str]:
    yield from each(
        connection,
        "item {} is {}, number {}; it took over from {}, which is number {} of task {!r}",
        "SELECT item.id, item.status, item.item, item.taken_from, origin.item, origin.task"
        " FROM item LEFT JOIN task_execution origin ON origin.id = item.taken_from"
        " LEFT JOIN result ON result.task_execution_id = origin.id"
        " WHERE item.taken_from IS NOT NULL AND (origin.item IS NOT item.item"
        " OR origin.task <> item.task OR result.value IS NULL OR item.status <> 'SUCCESS')",
        given=_MAPS,
    )


@check("S43", "Rules see the task alone: no fact is about an item", remedy=KEEP_A_COPY)
def moves_of_items_are_no_facts(connection: sqlite3.Connection) -> Iterator[str]:
    yield from each(
        connection,
        "event {}, {}, is about item {}",
        "SELECT event.offset, event.key, item.id FROM event"
        " JOIN task_execution item ON item.id = event.value ->> 'task_execution_id'"
        " WHERE event.key GLOB 'eventflow.task.*' AND item.parent > 0",
    )


CHECKS = (
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
