"""What is asked of the items in a file finds what is wrong: each question has its fault (S43)."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import invariants
import item_invariants as asked
import pytest
from machine_flows import Idle
from player import Player

from eventflow import Workflow

Question = Callable[[sqlite3.Connection], list[str]]

MAP = "(SELECT id FROM task_execution WHERE task = '{}' AND item < 0)"
ITEM = "(SELECT id FROM task_execution WHERE task = '{}' AND item = {} AND taken_from IS NULL)"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Maps of which one is done, one half done, one being stopped, one retried."""
    path = tmp_path_factory.mktemp("made") / "store.db"
    with Workflow("w") as workflow:
        Idle("done").map([1, 2, 3])
        Idle("half", max_active_items=2, timeout=60).map([1, 2, 3, 4])
        Idle("strict", max_active_items=2, on_item_failure="stop").map([1, 2, 3])
        Idle("plain")
    with Workflow("v") as other:
        Idle("again", max_active_items=1).map([1, 2])
    player = Player(path, [workflow, other])
    for number, name in enumerate(("w", "v")):
        player.register(number)
        player.client.run("default", name)
    go_on(player)
    for task, item, *kinds in [
        *(("done", item, "success") for item in range(3)),
        ("half", 0, "success"),
        ("half", 1, "running"),
        ("strict", 0, "failed"),
        ("again", 0, "success"),
        ("again", 1, "failed"),
        ("plain", -1, "running"),
    ]:
        for kind in kinds:
            report(player, kind, task, item)
    player.client.retry(2)
    go_on(player)
    player.close()
    return path


def go_on(player: Player) -> None:
    player.settle()
    player.begin_maps()
    player.settle()


def report(player: Player, kind: str, task: str, item: int) -> None:
    ((run_id,),) = player.rows(
        "SELECT id FROM task_execution WHERE task = ? AND item = ?", task, item
    )
    player.report(kind, run_id, 1)
    player.settle()


def statuses(path: Path, task: str) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT status FROM task_execution WHERE task = ? ORDER BY id", (task,)
        )
        return [status for (status,) in rows]


def test_the_store_that_is_spoilt_here_was_whole_and_has_maps_that_stand_in_every_way(
    made: Path,
) -> None:
    assert invariants.broken(made) == []
    assert statuses(made, "done") == ["SUCCESS", "SUCCESS", "SUCCESS", "SUCCESS"]
    assert statuses(made, "half") == ["RUNNING", "SUCCESS", "RUNNING", "QUEUED", "INIT"]
    assert statuses(made, "strict") == ["RUNNING", "FAILED", "STOPPING", "STOPPED"]
    before, after = ["FAILED", "SUCCESS", "FAILED"], ["RUNNING", "SUCCESS", "QUEUED"]
    assert statuses(made, "again") == [*before, *after]


@pytest.mark.rule("S43")
@pytest.mark.parametrize(
    ("question", "statement"),
    [
        (asked.counted_maps_have_their_items, "DELETE FROM task_execution WHERE id = {done:2}"),
        (
            asked.counted_maps_have_their_items,
            "UPDATE task_execution SET items = json_set(items, '$.levels[0]', 4) WHERE id = {done}",
        ),
        (
            asked.counted_maps_have_their_items,
            "UPDATE task_execution SET id = 9000 WHERE id = {done:1}",
        ),
        (
            asked.counted_maps_have_their_items,
            "UPDATE task_execution SET item = 9 WHERE id = {done:2}",
        ),
        (
            asked.maps_are_counted_before_they_run,
            "UPDATE task_execution SET items = NULL WHERE id = {done}",
        ),
        (
            asked.maps_are_counted_before_they_run,
            "UPDATE task_execution SET status = 'QUEUED' WHERE id = {half}",
        ),
        (
            asked.maps_are_counted_before_they_run,
            "UPDATE task_execution SET items = '{{}}' WHERE task = 'plain'",
        ),
        (
            asked.items_are_of_a_map,
            "UPDATE task_execution SET parent = 9000 WHERE id = {done:1}",
        ),
        (
            asked.items_are_of_a_map,
            "UPDATE task_execution SET parent = {half} WHERE id = {done:1}",
        ),
        (
            asked.items_are_of_a_map,
            "UPDATE task_execution SET sequence_number = 2 WHERE id = {done:1}",
        ),
        (
            asked.items_are_of_a_map,
            "UPDATE task_execution SET inputs = '{{}}' WHERE id = {done:1}",
        ),
        (
            asked.maps_live_as_long_as_their_items,
            "UPDATE task_execution SET status = 'STOPPED' WHERE id = {half}",
        ),
        (
            asked.maps_live_as_long_as_their_items,
            "UPDATE task_execution SET status = 'RUNNING' WHERE id = {done:1}",
        ),
        (
            asked.maps_live_as_long_as_their_items,
            "UPDATE task_execution SET status = 'RUNNING' WHERE id = {done}",
        ),
        (
            asked.maps_end_as_their_items_do,
            "UPDATE task_execution SET status = 'FAILED' WHERE id = {done:1}",
        ),
        (
            asked.maps_end_as_their_items_do,
            "UPDATE task_execution SET status = 'STOPPED' WHERE id = {done:1}",
        ),
        (
            asked.maps_end_as_their_items_do,
            "UPDATE task_execution SET status = 'FAILED' WHERE id = {done}",
        ),
        (
            asked.maps_end_as_their_items_do,
            "DELETE FROM attempt_failure WHERE type_name = 'ItemsFailedError'",
        ),
        (
            asked.no_item_begins_behind_a_failure_that_stops,
            "UPDATE task_execution SET status = 'RUNNING' WHERE id = {strict:1}",
        ),
        (
            asked.no_item_begins_behind_a_failure_that_stops,
            "UPDATE task_execution SET status = 'INIT' WHERE id = {strict:2}",
        ),
        (
            asked.no_item_begins_behind_a_failure_that_stops,
            "UPDATE task_execution SET status = 'STOPPING' WHERE id = {half}",
        ),
        (
            asked.as_many_items_are_active_as_may,
            "UPDATE task_execution SET status = 'QUEUED' WHERE id = {half:3}",
        ),
        (
            asked.as_many_items_are_active_as_may,
            "UPDATE task_execution SET status = 'SUCCESS' WHERE id = {half:1}",
        ),
        (
            asked.as_many_items_are_active_as_may,
            "UPDATE task_execution SET status = iif(id = {half:1}, 'INIT', 'RUNNING')"
            " WHERE id IN ({half:1}, {half:3})",
        ),
        (
            asked.nothing_is_ordered_of_a_map,
            "INSERT INTO outbox VALUES ({half}, 1, 'STOP', 1, 1)",
        ),
        (
            asked.nothing_is_ordered_of_a_map,
            "UPDATE timer SET task_execution_id = {half} WHERE task_execution_id = {half:1}",
        ),
        (
            asked.nothing_is_ordered_of_a_map,
            "UPDATE task_execution SET pool = 'p' WHERE id = {done}",
        ),
        (
            asked.idle_items_hold_nothing,
            "INSERT INTO outbox VALUES ({half:3}, 1, 'START', 1, 1)",
        ),
        (
            asked.idle_items_hold_nothing,
            "UPDATE timer SET task_execution_id = {done:1} WHERE task_execution_id = {half:1}",
        ),
        (asked.a_map_keeps_no_result, "INSERT INTO result VALUES ({done}, '[1]')"),
        (
            asked.items_are_taken_over_from_the_same_item,
            "UPDATE task_execution SET taken_from = {done:1} WHERE taken_from IS NOT NULL",
        ),
        (
            asked.items_are_taken_over_from_the_same_item,
            "DELETE FROM result WHERE task_execution_id ="
            " (SELECT taken_from FROM task_execution WHERE taken_from IS NOT NULL)",
        ),
        (
            asked.moves_of_items_are_no_facts,
            "UPDATE event SET value = json_set(value, '$.task_execution_id', {done:1})"
            " WHERE key = 'eventflow.task.w.done.running'",
        ),
        (
            invariants.every_status_is_a_fact,
            "UPDATE event SET value = json_set(value, '$.task_execution_id', {done:1})"
            " WHERE key = 'eventflow.task.w.done.running'",
        ),
        (
            invariants.results_are_of_successes,
            "DELETE FROM result WHERE task_execution_id = {done:1}",
        ),
        (
            invariants.histories_are_paths,
            "DELETE FROM task_history WHERE task_execution_id = {strict:2} AND status = 'STOPPED'",
        ),
        (
            invariants.starts_are_of_queued_attempts,
            "DELETE FROM outbox WHERE task_execution_id = {half:2}",
        ),
        (
            invariants.stops_are_of_attempts_that_end,
            "DELETE FROM outbox WHERE task_execution_id = {strict:1}",
        ),
    ],
)
def test_what_is_wrong_about_items_is_found(
    made: Path, tmp_path: Path, question: Question, statement: str
) -> None:
    path = Path(shutil.copy(made, tmp_path))
    with closing(sqlite3.connect(path)) as connection:
        assert question(connection) == []
        assert connection.execute(named(statement)).rowcount > 0
        assert question(connection) != []


def named(statement: str) -> str:
    """A statement in which `{half}` is the id of that map, and `{half:3}` of that item."""

    class Named:
        def __init__(self, task: str) -> None:
            self._task = task

        def __format__(self, item: str) -> str:
            return ITEM.format(self._task, item) if item else MAP.format(self._task)

    return statement.format(**{task: Named(task) for task in ("done", "half", "strict")})


def test_every_question_about_items_has_its_fault_here() -> None:
    """One that no test makes red may ask nothing."""
    (mark,) = (
        mark
        for mark in test_what_is_wrong_about_items_is_found.pytestmark
        if mark.name == "parametrize"
    )
    assert {question for question, _ in mark.args[1]} >= set(asked.ALL)
