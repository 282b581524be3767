"""A scheduler that starts again goes on with mapped tasks wherever they stood (S43, S10)."""

from collections.abc import Callable

import pytest
from map_kit import (
    ENDED,
    FAILED,
    OK,
    RUNNING,
    SUCCESS,
    Takes,
    handed,
    items,
    over,
    paths,
    result,
    run_of,
    stand,
    tell,
)
from scenario_tasks import Work

from eventflow import Workflow
from eventflow.errors import DefinitionError
from eventflow.executors.port import AttemptKey
from eventflow.runtime.left import lost_attempts
from eventflow.testing import VirtualScheduler

pytestmark = pytest.mark.rule("S43", "S10")


def restless(scheduler: VirtualScheduler) -> None:
    """Let a new scheduler read the store before each of its steps, and after each order."""
    step, step_of = scheduler._new_loop, type(scheduler._loop).step

    def renew() -> object:
        loop = step()
        loop.step = again
        return loop

    def again() -> bool:
        inbox = scheduler._loop.inbox
        scheduler._loop = renew()
        scheduler._loop.inbox = inbox
        return bool(step_of(scheduler._loop))

    scheduler._loop.step = again


STORIES: dict[str, Callable[[VirtualScheduler], None]] = {
    "runs": lambda scheduler: scheduler.advance(seconds=60),
    "stops": lambda scheduler: scheduler.stop_task(1, "b"),
    "restarts": lambda scheduler: (scheduler.restart_task(1, "b"), scheduler.advance(seconds=90)),
    "is stopped whole": lambda scheduler: scheduler.stop_workflow(1),
    "is retried": lambda scheduler: (scheduler.stop_workflow(1), scheduler.retry(1)),
}


def tale(story: str, *, restless_too: bool) -> object:
    with Workflow("w") as workflow:
        a = Work("a").map([0, 1])
        b = Work("b", retries=1, retry_delay=5, max_active_items=2, pool="gpu").map(
            a.output, nested=True
        )
        Takes("c", b.output)
    scheduler = VirtualScheduler(workflow)
    scheduler.set_pool("gpu", 1)
    for value in ([1, 2], [3, 4, 5]):
        scheduler.outcome("a", result=value)
    for status, after in ((SUCCESS, 2), (FAILED, 1), (SUCCESS, 3), (FAILED, 1), (SUCCESS, 1)):
        scheduler.outcome("b", status, after=after, result=after)
    if restless_too:
        restless(scheduler)
    scheduler.run()
    scheduler.advance(seconds=4)
    STORIES[story](scheduler)
    return (
        [
            (task, scheduler.runs(task, one), paths(scheduler, task, one) if task != "c" else None)
            for one in scheduler.executions()
            for task in "abc"
            if scheduler.runs(task, one)
        ],
        handed(scheduler),
        scheduler.decisions(),
    )


@pytest.mark.parametrize("story", sorted(STORIES))
def test_read_again_before_every_step_a_map_comes_out_the_same(story: str) -> None:
    assert tale(story, restless_too=True) == tale(story, restless_too=False)


@pytest.mark.parametrize("policy", ["finish", "stop"])
def test_failures_of_items_that_were_counted_before_are_still_known(policy: str) -> None:
    scheduler = over(3, on_item_failure=policy, max_active_items=2)
    scheduler.outcome("b", FAILED)
    for _ in range(2):
        scheduler.outcome("b", RUNNING)
    scheduler._worker.cancel = lambda key: None
    scheduler.run()
    scheduler.restart_scheduler()

    for item in items(scheduler):
        tell(scheduler, item, SUCCESS)

    ended = ["FAILED", "SUCCESS", "SUCCESS"] if policy == "finish" else None
    assert stand(scheduler) == (ended or ["FAILED", "STOPPED", "STOPPED"])
    assert run_of(scheduler).reason.startswith("1 of 3 items failed; item 0: ")


def test_the_first_of_several_failures_is_known_again() -> None:
    scheduler = over(4)
    for status in (SUCCESS, FAILED, FAILED, RUNNING):
        scheduler.outcome("b", status)
    scheduler.run()
    scheduler.restart_scheduler()

    tell(scheduler, items(scheduler)[3], SUCCESS)

    told = "2 of 4 items failed; the first is item 1: RuntimeError: it was to fail"
    assert run_of(scheduler).reason == told


@pytest.mark.rule("S20")
def test_a_map_that_was_stopping_goes_on_stopping() -> None:
    scheduler = over(3, max_active_items=2)
    for _ in range(2):
        scheduler.outcome("b", RUNNING)
    scheduler._worker.cancel = lambda key: None
    scheduler.run()
    scheduler.stop_task(1, "b")
    scheduler.restart_scheduler()
    assert stand(scheduler) == ["STOPPING", "STOPPING", "STOPPED"]

    for item in items(scheduler)[:2]:
        tell(scheduler, item, SUCCESS)

    assert paths(scheduler) == [ENDED, ENDED, ["INIT", "STOPPED"]]
    assert scheduler.runs("b") == [(1, ENDED)]


@pytest.mark.rule("S41")
def test_a_map_whose_code_is_not_at_hand_is_parked_and_goes_on_when_it_is() -> None:
    scheduler = over(3, max_active_items=1)
    scheduler.outcome("b", result="first")
    scheduler.outcome("b", RUNNING)
    scheduler.outcome("b", result="last")
    scheduler.run()
    plan = scheduler._registry.plan

    def gone(snapshot: str) -> object:
        raise DefinitionError("its code is gone")

    scheduler._registry.plan = gone
    loaded = scheduler.store.load(gone)
    assert loaded.parked == {1: "its code is gone"}
    assert (loaded.world.executions, loaded.world.homes) == ({}, {})
    scheduler.restart_scheduler()
    scheduler.advance(minutes=1)
    scheduler._registry.plan = plan
    scheduler.restart_scheduler()
    assert stand(scheduler) == ["SUCCESS", "RUNNING", "INIT"]

    tell(scheduler, items(scheduler)[1], SUCCESS)

    assert result(scheduler) == ["first", "told", "last"]
    assert scheduler.runs("b") == [(1, OK)]


@pytest.mark.rule("S28")
def test_items_of_which_nothing_was_found_are_lost_and_the_task_itself_is_not() -> None:
    scheduler = over(4, max_active_items=2)
    scheduler.outcome("b", SUCCESS)
    for _ in range(2):
        scheduler.outcome("b", RUNNING)
    scheduler.run()
    scheduler.restart_scheduler()

    found = lost_attempts(scheduler._loop.world, set(), counted=True)

    assert [report.key for report in found] == [
        AttemptKey(item.id, 1) for item in items(scheduler)[1:3]
    ]
    for report in found:
        scheduler._loop.inbox.put(report)
    scheduler.run_until_idle()
    assert paths(scheduler)[1] == [*OK[:3], "RETRYING", *OK[1:]]
    assert scheduler.runs("b") == [(1, OK)]
