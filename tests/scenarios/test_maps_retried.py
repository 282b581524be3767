"""Retry of executions with mapped tasks: the items that succeeded are taken over (S31, S43)."""

import json

import pytest
from map_kit import (
    BAD,
    FAILED,
    OK,
    RUNNING,
    SKIPPED,
    START,
    SUCCESS,
    Takes,
    elements,
    handed,
    items,
    over,
    paths,
    result,
    run_of,
    stand,
)
from scenario_tasks import Work

from eventflow import Workflow
from eventflow.testing import VirtualScheduler

pytestmark = pytest.mark.rule("S31", "S43")


def partly(*statuses: str, **config: object) -> VirtualScheduler:
    """A map over given items that has ended; each that succeeded returned its number."""
    scheduler = over(len(statuses), **config)
    for number, status in enumerate(statuses):
        scheduler.outcome(
            "b", {"ok": SUCCESS, "bad": FAILED, "skip": SKIPPED}[status], result=number
        )
    scheduler.run()
    return scheduler


def test_items_that_succeeded_are_taken_over_and_the_others_run_again() -> None:
    scheduler = partly("ok", "bad", "ok", "ok", "bad", "ok")
    for number in ("one", "four"):
        scheduler.outcome("b", result=number)

    scheduler.retry(1)

    assert handed(scheduler)[6:] == [(1,), (4,)]
    assert result(scheduler) == [0, "one", 2, 3, "four", 5]
    assert [item.taken_from is not None for item in items(scheduler)] == [
        True,
        False,
        True,
        True,
        False,
        True,
    ]
    old = items(scheduler, "b", 1)
    assert [item.taken_from for item in items(scheduler) if item.taken_from] == [
        old[number].id for number in (0, 2, 3, 5)
    ]
    assert paths(scheduler) == [["SUCCESS"], OK, ["SUCCESS"], ["SUCCESS"], OK, ["SUCCESS"]]
    assert items(scheduler)[0].reason == "taken over"
    assert all(item.end_date is not None for item in items(scheduler))
    assert run_of(scheduler).items.by_status == {SUCCESS: 6}
    assert (scheduler.runs("b", 2), scheduler.status(2)) == ([(1, OK)], "SUCCESS")


def test_what_was_taken_over_is_told_in_rows_of_numbers_that_follow_each_other() -> None:
    scheduler = partly("ok", "ok", "bad", "ok")
    scheduler.retry(1)

    told = scheduler.events("eventflow.command.expand")[-1].value
    first = items(scheduler, "b", 1)[0].id
    assert told["taken"] == [[0, first, 2], [3, first + 3, 1]]
    assert told["levels"] == [4]


@pytest.mark.parametrize("shape", ["ok bad", "bad ok", "ok bad ok", "bad bad", "ok ok bad ok ok"])
@pytest.mark.parametrize("window", [1, 2, 100])
def test_the_window_passes_over_what_was_taken_over(shape: str, window: int) -> None:
    statuses = shape.split()
    scheduler = partly(*statuses, max_active_items=window)
    again = statuses.count("bad")
    for number in range(again):
        scheduler.outcome("b", after=number, result="new")

    scheduler.retry(1)
    scheduler.advance(seconds=10)

    assert len(scheduler.started("b")) == len(statuses) + again
    wanted = [number if status == "ok" else "new" for number, status in enumerate(statuses)]
    assert result(scheduler) == wanted
    assert scheduler.status() == "SUCCESS"


def test_the_retry_of_a_retry_takes_over_what_both_have_done() -> None:
    scheduler = partly("bad", "ok", "bad", "ok", "bad")
    scheduler.outcome("b", FAILED)
    scheduler.outcome("b", result="two")
    scheduler.outcome("b", FAILED)
    scheduler.retry(1)
    assert scheduler.status(2) == "FAILED"
    for name in ("zero", "four"):
        scheduler.outcome("b", result=name)

    scheduler.retry(2)

    assert handed(scheduler)[5:] == [(0,), (2,), (4,), (0,), (4,)]
    assert result(scheduler) == ["zero", 1, "two", 3, "four"]
    first, second = items(scheduler, "b", 1), items(scheduler, "b", 2)
    origins = [item.taken_from for item in items(scheduler)]
    assert origins == [None, first[1].id, second[2].id, first[3].id, None]


def test_items_are_taken_over_past_a_retry_that_was_stopped_before_it_had_any() -> None:
    scheduler = partly("ok", "bad")
    count = scheduler._unheld
    scheduler._unheld = lambda order: None
    scheduler.retry(1)
    scheduler.stop_workflow(2)
    scheduler._unheld = count
    assert scheduler.runs("b", 2) == [(1, ["INIT", "QUEUED", "STOPPED"])]
    scheduler.outcome("b", result="new")

    scheduler.retry(2)

    assert scheduler.runs("b", 3) == [(1, OK)]
    assert (handed(scheduler)[2:], result(scheduler)) == ([(1,)], [0, "new"])


def test_skipped_and_stopped_items_run_again() -> None:
    scheduler = over(4, max_active_items=3, on_item_failure="stop")
    scheduler.outcome("b", SKIPPED)
    scheduler.outcome("b", RUNNING)
    scheduler.outcome("b", FAILED, after=1)
    scheduler.outcome("b", RUNNING)
    scheduler.run()
    scheduler.advance(seconds=1)
    assert stand(scheduler) == ["SKIPPED", "STOPPED", "FAILED", "STOPPED"]

    scheduler.retry(1)

    assert handed(scheduler)[4:] == [(0,), (1,), (2,), (3,)]
    assert scheduler.runs("b", 2) == [(1, OK)]


def test_a_map_that_was_stopped_from_outside_goes_on_where_it_was() -> None:
    scheduler = over(4, max_active_items=1)
    scheduler.outcome("b", result="first")
    scheduler.outcome("b", RUNNING)
    scheduler.run()
    scheduler.stop_workflow(1)
    assert stand(scheduler) == ["SUCCESS", "STOPPED", "STOPPED", "STOPPED"]

    scheduler.retry(1)

    assert handed(scheduler)[2:] == [(1,), (2,), (3,)]
    assert result(scheduler) == ["first", None, None, None]


def test_a_map_that_succeeded_is_taken_over_whole_and_its_parts_can_be_asked_for() -> None:
    with Workflow("w") as workflow:
        a = Work("a").map([0, 1])
        b = Work("b").map(a.output)
        Takes("c", b.output)
    scheduler = VirtualScheduler(workflow)
    for number in range(2):
        scheduler.outcome("a", result=f"a{number}")
    scheduler.outcome("b", result="b0")
    scheduler.outcome("b", FAILED)
    scheduler.run()
    scheduler.outcome("b", result="b1")

    scheduler.retry(1)

    assert scheduler.runs("a", 2) == [(1, ["SUCCESS"])]
    taken = run_of(scheduler, "a")
    assert taken.taken_from == run_of(scheduler, "a", 1).id
    assert json.loads(scheduler.store.result(taken.id) or "") == ["a0", "a1"]
    assert scheduler.store.result(taken.id, (1,)) == '"a1"'
    assert scheduler.store.latest_result(2, "a") == '["a0","a1"]'
    assert handed(scheduler)[2:] == [(1,)]
    assert result(scheduler) == ["b0", "b1"]
    assert scheduler.runs("c", 2) == [(1, OK)]


def fails_first(value: list[str]) -> VirtualScheduler:
    """`a` gave two items; one of `b` failed, and so did `a` when it ran again after that."""
    with Workflow("w", completion="manual") as workflow:
        a = Work("a")
        b = Work("b").map(a.output)
        a.action_on_event_received(START, "go")
        b.action_on_task_status(START, {a: SUCCESS})
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", result=["x", "y"])
    scheduler.outcome("a", FAILED)
    scheduler.outcome("b", result="kept")
    scheduler.outcome("b", FAILED)
    scheduler.run()
    for _ in range(2):
        scheduler.emit("go")
    scheduler.stop_workflow(1)
    scheduler.outcome("a", result=value)
    return scheduler


@pytest.mark.parametrize("value", [["x", "y"], ["x", "y", "z"]])
def test_a_map_runs_whole_again_when_its_upstream_brought_a_result_of_its_own(
    value: list[str],
) -> None:
    scheduler = fails_first(value)

    scheduler.retry(1)

    assert scheduler.runs("a", 2) == [(1, OK)]
    assert elements(scheduler)[2:] == value
    assert not any(item.taken_from for item in items(scheduler))
    assert scheduler.runs("b", 2) == [(1, OK)]


def test_only_the_first_run_of_a_map_in_a_retry_takes_over() -> None:
    scheduler = partly("ok", "bad")
    scheduler.outcome("b", RUNNING)
    scheduler.retry(1)
    assert stand(scheduler) == ["SUCCESS", "RUNNING"]

    scheduler.restart_task(2, "b")

    assert scheduler.runs("b", 2)[1] == (2, OK)
    assert [item.taken_from for item in items(scheduler)] == [None, None]
    assert handed(scheduler)[3:] == [(0,), (1,)]


def test_a_retry_of_a_map_over_nested_items_takes_over_by_place() -> None:
    with Workflow("w") as workflow:
        a = Work("a").map([0, 1])
        Work("b").map(a.output, nested=True)
    scheduler = VirtualScheduler(workflow)
    for value in ([1], [2, 3]):
        scheduler.outcome("a", result=value)
    for status in (SUCCESS, FAILED, SUCCESS):
        scheduler.outcome("b", status, result="old")
    scheduler.run()
    scheduler.outcome("b", result="new")

    scheduler.retry(1)

    assert handed(scheduler)[3:] == [(1, 0)]
    assert elements(scheduler)[3:] == [2]
    assert result(scheduler) == [["old"], ["new", "old"]]


def test_items_taken_over_count_as_no_failures_and_a_failure_again_fails_the_task() -> None:
    scheduler = partly("ok", "bad")
    scheduler.outcome("b", FAILED)

    scheduler.retry(1)

    assert scheduler.runs("b", 2) == [(1, BAD)]
    assert run_of(scheduler).reason.startswith("1 of 2 items failed; item 1: ")


def test_a_stop_of_a_retried_map_leaves_what_was_taken_over() -> None:
    scheduler = partly("ok", "bad", "ok", "bad", max_active_items=1)
    scheduler.outcome("b", RUNNING)
    scheduler.retry(1)

    scheduler.stop_task(2, "b")

    assert stand(scheduler) == ["SUCCESS", "STOPPED", "SUCCESS", "STOPPED"]
    assert paths(scheduler)[2] == ["SUCCESS"]
    assert result(scheduler) == [0, None, 2, None]


def test_more_items_taken_over_than_a_page_holds() -> None:
    from eventflow.runtime import taken

    before, taken._PAGE = taken._PAGE, 2
    try:
        scheduler = partly("ok", "ok", "ok", "bad", "ok", "ok")
        scheduler.outcome("b", result="new")
        scheduler.retry(1)
    finally:
        taken._PAGE = before

    assert handed(scheduler)[6:] == [(3,)]
    assert result(scheduler) == [0, 1, 2, "new", 4, 5]


@pytest.mark.parametrize("shape", ["bad ok", "bad ok bad ok", "ok bad ok ok"])
def test_a_new_scheduler_knows_which_items_are_still_to_be_opened(shape: str) -> None:
    statuses = shape.split()
    scheduler = partly(*statuses, max_active_items=1)
    scheduler.outcome("b", RUNNING)
    scheduler.retry(1)

    live = scheduler._loop.world.executions[2]
    read = scheduler.store.load(scheduler._registry.plan).world.executions[2]
    (items_now,), (items_read,) = live.items.values(), read.items.values()
    assert (items_now.next, items_now.taken) == (items_read.next, items_read.taken)
    assert len(items_read.alive) == 1


def test_the_retry_of_a_retry_takes_over_from_a_map_over_what_was_taken_over() -> None:
    with Workflow("w") as workflow:
        a = Work("a")
        Work("b").map(a.output)
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", result=["x", "y", "z"])
    for status in (FAILED, FAILED, SUCCESS, SUCCESS, FAILED, SUCCESS):
        scheduler.outcome("b", status, result=status)
    scheduler.run()
    scheduler.retry(1)

    scheduler.retry(2)

    assert elements(scheduler) == ["x", "y", "z", "x", "y", "y"]
    assert result(scheduler) == ["SUCCESS"] * 3
    assert stand(scheduler, "b", 2) == ["SUCCESS", "FAILED", "SUCCESS"]


def test_behind_a_run_that_was_to_start_anew_nothing_is_taken_over() -> None:
    scheduler = partly("ok", "bad")
    count = scheduler._unheld
    scheduler._unheld = lambda order: None
    scheduler.retry(1)
    scheduler.restart_task(2, "b")
    scheduler.stop_workflow(2)
    scheduler._unheld = count

    scheduler.retry(2)

    assert [number for number, _ in scheduler.runs("b", 2)] == [1, 2]
    assert handed(scheduler)[2:] == [(0,), (1,)]
