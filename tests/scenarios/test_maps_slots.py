"""Items of mapped tasks have slots of their own, and open as a window does (S43, S44)."""

import pytest
from map_kit import (
    FAILED,
    OK,
    RUNNING,
    SKIPPED,
    SUCCESS,
    dids,
    handed,
    items,
    lose,
    over,
    paths,
    run_of,
    stand,
    tell,
)
from scenario_tasks import Work

from eventflow import Workflow
from eventflow.testing import VirtualScheduler

pytestmark = pytest.mark.rule("S43", "S44")
WAITS = "waits for a slot of pool 'gpu'"


def pool(scheduler: VirtualScheduler) -> tuple[int, int]:
    """How many hold a slot, and how many wait."""
    (found,) = [one for one in scheduler.pools() if one.name == "gpu"]
    return found.held, found.waiting


def alive(scheduler: VirtualScheduler) -> list[int]:
    """The numbers of the items that were opened and are alive."""
    return [item.item or 0 for item in items(scheduler) if not item.ended and item.status != "INIT"]


def test_each_item_takes_a_slot_and_the_task_itself_takes_none() -> None:
    scheduler = over(5, pool="gpu")
    scheduler.set_pool("gpu", 2)
    for _ in range(5):
        scheduler.outcome("b", after=10)
    scheduler.run()

    assert pool(scheduler) == (2, 3)
    assert stand(scheduler) == ["RUNNING", "RUNNING", "QUEUED", "QUEUED", "QUEUED"]
    assert [item.reason for item in items(scheduler)] == ["", "", WAITS, WAITS, WAITS]
    assert [item.pool for item in items(scheduler)] == ["gpu"] * 5
    assert run_of(scheduler).pool == ""
    scheduler.advance(seconds=10)
    assert pool(scheduler) == (2, 1)
    scheduler.advance(seconds=20)

    assert (pool(scheduler), paths(scheduler)) == ((0, 0), [OK] * 5)
    assert handed(scheduler) == [(number,) for number in range(5)]


def test_a_map_of_many_items_gives_way_to_what_has_more_priority_and_to_what_is_older() -> None:
    with Workflow("w") as workflow:
        Work("b", pool="gpu").map(range(3))
        Work("other", pool="gpu")
        Work("urgent", pool="gpu", priority=5)
    scheduler = VirtualScheduler(workflow)
    scheduler.run()
    assert pool(scheduler) == (0, 5)

    scheduler.set_pool("gpu", 1)

    order = [job.task_execution.task_name for job in scheduler._worker.jobs]
    assert order == ["urgent", "other", "b", "b", "b"]
    assert handed(scheduler) == [(0,), (1,), (2,)]


def test_items_with_more_priority_go_before_others_that_are_older() -> None:
    with Workflow("w") as workflow:
        Work("other", pool="gpu")
        Work("b", pool="gpu", priority=1).map(range(2))
    scheduler = VirtualScheduler(workflow)
    scheduler.run()

    scheduler.set_pool("gpu", 1)

    assert [job.task_execution.task_name for job in scheduler._worker.jobs] == ["b", "b", "other"]


def test_a_pool_that_is_taken_away_and_given_back_goes_on_where_it_was() -> None:
    scheduler = over(4, pool="gpu")
    scheduler.set_pool("gpu", 2)
    for _ in range(4):
        scheduler.outcome("b", after=10)
    scheduler.run()

    scheduler.set_pool("gpu", 0)
    scheduler.advance(seconds=30)
    assert stand(scheduler) == ["SUCCESS", "SUCCESS", "QUEUED", "QUEUED"]
    scheduler.restart_scheduler()
    assert pool(scheduler) == (0, 2)
    scheduler.set_pool("gpu", 1)
    assert pool(scheduler) == (1, 1)
    scheduler.advance(seconds=20)

    assert paths(scheduler) == [OK] * 4
    assert scheduler.runs("b") == [(1, OK)]


def test_an_item_that_is_retrying_holds_no_slot_and_keeps_its_age() -> None:
    scheduler = over(3, pool="gpu", retries=1, retry_delay=5)
    scheduler.set_pool("gpu", 1)
    scheduler.outcome("b", FAILED)
    scheduler.outcome("b", after=10)
    scheduler.run()
    assert pool(scheduler) == (1, 1)

    scheduler.advance(seconds=5)
    assert stand(scheduler) == ["QUEUED", "RUNNING", "QUEUED"]
    scheduler.advance(seconds=5)

    assert handed(scheduler) == [(0,), (1,), (0,), (2,)]


def test_no_more_items_are_alive_than_max_active_items_and_they_start_in_item_order() -> None:
    scheduler = over(7, max_active_items=3)
    for after in (5, 1, 9, 2, 2, 2, 2):
        scheduler.outcome("b", after=after)
    scheduler.run()
    seen = [alive(scheduler)]

    for _ in range(9):
        scheduler.advance(seconds=1)
        seen.append(alive(scheduler))

    assert seen[0] == [0, 1, 2]
    assert max(map(len, seen)) == 3
    assert handed(scheduler) == [(number,) for number in range(7)]
    assert scheduler.runs("b") == [(1, OK)]


@pytest.mark.parametrize("how", ["success", "failure", "skip", "retry", "loss"])
def test_an_item_leaves_the_window_when_it_has_ended_and_not_while_it_is_to_run_again(
    how: str,
) -> None:
    scheduler = over(3, max_active_items=2, retries=int(how == "retry"), retry_delay=60)
    for _ in range(3):
        scheduler.outcome("b", RUNNING)
    scheduler.run()
    first = items(scheduler)[0]

    if how == "loss":
        lose(scheduler, first)
    else:
        ends = {"success": SUCCESS, "failure": FAILED, "skip": SKIPPED, "retry": FAILED}
        tell(scheduler, first, ends[how])

    assert alive(scheduler) == ([0, 1] if how in ("retry", "loss") else [1, 2])


def test_a_window_that_is_wider_than_the_pool_waits_in_the_pool() -> None:
    scheduler = over(6, max_active_items=3, pool="gpu")
    scheduler.set_pool("gpu", 1)
    for _ in range(6):
        scheduler.outcome("b", after=1)
    scheduler.run()

    assert (pool(scheduler), stand(scheduler)) == (
        (1, 2),
        ["RUNNING", "QUEUED", "QUEUED", "INIT", "INIT", "INIT"],
    )
    scheduler.advance(seconds=6)
    assert paths(scheduler) == [OK] * 6


def test_items_in_a_pool_that_nobody_has_set_say_how_to_set_it() -> None:
    scheduler = over(2, pool="gpu")
    scheduler.run()

    told = f"{WAITS}, which has not been set: eventflow pool set gpu 2"
    assert {item.reason for item in items(scheduler)} == {told}
    scheduler.set_pool("gpu", 0)
    assert {item.reason for item in items(scheduler)} == {WAITS}
    assert dids(scheduler) == ["expanded"]


def test_two_executions_of_a_map_share_the_slots_and_not_the_window() -> None:
    scheduler = over(2, pool="gpu", max_active_items=1)
    scheduler.set_pool("gpu", 3)
    for _ in range(4):
        scheduler.outcome("b", after=10)
    first = scheduler.run()
    second = scheduler.run()

    assert pool(scheduler) == (2, 0)
    scheduler.advance(seconds=20)
    assert {scheduler.status(one) for one in (first, second)} == {"SUCCESS"}


def test_items_that_run_already_hold_the_slots_of_a_pool_that_is_set_then() -> None:
    scheduler = over(4, max_active_items=3)
    for _ in range(4):
        scheduler.outcome("b", after=10)
    scheduler.run()

    scheduler.set_pool("default", 1)
    (found,) = scheduler.pools()
    assert (found.held, found.waiting) == (3, 0)
    tell(scheduler, items(scheduler)[0], SUCCESS)
    (found,) = scheduler.pools()
    assert (found.held, found.waiting) == (2, 1)
    scheduler.advance(seconds=20)

    assert paths(scheduler) == [OK] * 4
