"""Items of mapped tasks by S26's table: retries, time-outs, losses, skips, reports (S43)."""

import pytest
from map_kit import (
    BAD,
    ENDED,
    FAILED,
    OK,
    RUNNING,
    SKIPPED,
    SUCCESS,
    Takes,
    dids,
    handed,
    items,
    lose,
    lose_all,
    over,
    paths,
    result,
    run_of,
    stand,
    tell,
)
from scenario_tasks import Work

from eventflow import Workflow
from eventflow.executors.port import AttemptKey, Report, ReportKind
from eventflow.testing import VirtualScheduler

pytestmark = pytest.mark.rule("S43")
AGAIN = ["INIT", "QUEUED", "RUNNING", "RETRYING", "QUEUED", "RUNNING"]


@pytest.mark.rule("S27")
def test_each_item_has_retries_of_its_own_and_the_task_runs_on_meanwhile() -> None:
    scheduler = over(3, retries=1, retry_delay=30)
    for status in (FAILED, SUCCESS, FAILED):
        scheduler.outcome("b", status)
    scheduler.run()

    assert stand(scheduler) == ["RETRYING", "SUCCESS", "RETRYING"]
    assert scheduler.runs("b") == [(1, OK[:3])]
    scheduler.advance(seconds=29)
    assert stand(scheduler) == ["RETRYING", "SUCCESS", "RETRYING"]
    scheduler.advance(seconds=1)

    assert paths(scheduler) == [[*AGAIN, "SUCCESS"], OK, [*AGAIN, "SUCCESS"]]
    assert [item.attempt for item in items(scheduler)] == [2, 1, 2]
    assert scheduler.runs("b") == [(1, OK)]
    assert [len(scheduler.store.failures(item.id)) for item in items(scheduler)] == [1, 0, 1]


@pytest.mark.rule("S27")
def test_one_item_that_has_failed_fails_the_task_when_the_others_have_ended() -> None:
    scheduler = over(4, retries=1)
    for status, after in ((SUCCESS, 9), (FAILED, 1), (FAILED, 0), (SUCCESS, 3)):
        scheduler.outcome("b", status, after=after)
    scheduler.outcome("b", FAILED, after=1)
    scheduler.outcome("b", SUCCESS)
    scheduler.run()

    scheduler.advance(seconds=8)
    assert scheduler.runs("b") == [(1, OK[:3])]
    scheduler.advance(seconds=1)

    assert scheduler.runs("b") == [(1, BAD)]
    assert stand(scheduler) == ["SUCCESS", "SUCCESS", "FAILED", "SUCCESS"]
    run = run_of(scheduler)
    assert run.reason == "1 of 4 items failed; item 2: RuntimeError: it was to fail"
    (failure,) = scheduler.store.failures(run.id)
    assert (failure.type_name, failure.message) == ("ItemsFailedError", run.reason)
    assert scheduler.store._shelves.runs[run.id].failures == 1
    assert scheduler.status() == "FAILED"


def test_the_first_of_several_that_failed_is_named_by_its_index_whichever_was_first() -> None:
    with Workflow("w") as workflow:
        a = Work("a").map([0, 1])
        Work("b").map(a.output, nested=True)
    scheduler = VirtualScheduler(workflow)
    for value in ([1], [2, 3]):
        scheduler.outcome("a", result=value)
    for status, after in ((SUCCESS, 0), (FAILED, 5), (FAILED, 1)):
        scheduler.outcome("b", status, after=after)
    scheduler.run()
    scheduler.advance(seconds=5)

    assert run_of(scheduler).reason == (
        "2 of 3 items failed; the first is item [1, 0]: RuntimeError: it was to fail"
    )


@pytest.mark.rule("S20")
def test_a_map_that_stops_on_a_failure_stops_what_runs_and_starts_nothing_more() -> None:
    scheduler = over(5, max_active_items=3, on_item_failure="stop")
    scheduler.outcome("b", RUNNING)
    scheduler.outcome("b", FAILED, after=2)
    scheduler.outcome("b", SUCCESS, after=1)
    scheduler.outcome("b", RUNNING)
    scheduler.run()
    scheduler.advance(seconds=2)

    assert paths(scheduler) == [ENDED, BAD, OK, ENDED, ["INIT", "STOPPED"]]
    reasons = {item.reason for item in items(scheduler) if item.status == "STOPPED"}
    assert reasons == {"item 1 has failed"}
    assert len(scheduler.started("b")) == 4
    assert scheduler.runs("b") == [(1, BAD)]
    assert run_of(scheduler).reason.startswith("1 of 5 items failed; item 1: ")


def test_a_map_that_stops_on_a_failure_ends_at_once_when_nothing_else_is_alive() -> None:
    scheduler = over(3, max_active_items=1, on_item_failure="stop")
    scheduler.outcome("b", FAILED)
    scheduler.run()

    assert paths(scheduler) == [BAD, ["INIT", "STOPPED"], ["INIT", "STOPPED"]]
    assert {item.reason for item in items(scheduler)[1:]} == {"item 0 has failed"}
    assert (scheduler.runs("b"), scheduler.status()) == ([(1, BAD)], "FAILED")


def test_a_failure_that_is_retried_stops_nothing_yet() -> None:
    scheduler = over(2, retries=1, on_item_failure="stop")
    scheduler.outcome("b", FAILED)
    scheduler.outcome("b", after=5)
    scheduler.run()
    scheduler.advance(seconds=5)

    assert stand(scheduler) == ["SUCCESS", "SUCCESS"]
    assert scheduler.runs("b") == [(1, OK)]


def test_a_map_that_stops_on_a_failure_stops_what_is_retrying_too() -> None:
    scheduler = over(2, retries=1, retry_delay=60, on_item_failure="stop")
    scheduler.outcome("b", FAILED)
    scheduler.outcome("b", FAILED, retryable=False)
    scheduler.run()

    assert paths(scheduler) == [[*AGAIN[:4], "STOPPED"], BAD]
    assert scheduler.runs("b") == [(1, BAD)]
    scheduler.advance(minutes=2)
    assert len(scheduler.started("b")) == 2


@pytest.mark.rule("S27")
def test_the_time_out_is_that_of_each_attempt_of_an_item_and_not_of_the_task() -> None:
    scheduler = over(3, timeout=10, max_active_items=1, retries=1)
    scheduler.outcome("b", after=8)
    scheduler.outcome("b", RUNNING)
    scheduler.outcome("b", after=8)
    scheduler.outcome("b", after=8)
    scheduler.run()

    due = [timer.run_id for timer in scheduler._loop.world.timers.values()]
    assert due == [items(scheduler)[0].id]
    scheduler.advance(seconds=18)
    assert paths(scheduler)[:2] == [OK, AGAIN]
    scheduler.advance(seconds=16)

    assert paths(scheduler) == [OK, [*AGAIN, "SUCCESS"], OK]
    (failure,) = scheduler.store.failures(items(scheduler)[1].id)
    assert failure.type_name == "TaskTimeoutError"
    assert scheduler.runs("b") == [(1, OK)]
    assert scheduler.store.timers() == []


@pytest.mark.rule("S28")
def test_a_lost_item_runs_again_and_does_not_count_against_its_retries() -> None:
    scheduler = over(3, max_lost=1)
    for _ in range(3):
        scheduler.outcome("b", RUNNING)
    scheduler.outcome("b", after=1)
    scheduler.outcome("b", RUNNING)
    scheduler.run()

    lose(scheduler, items(scheduler)[1])
    scheduler.advance(seconds=1)
    assert paths(scheduler)[1] == [*AGAIN, "SUCCESS"]
    lose(scheduler, items(scheduler)[2])
    lose(scheduler, items(scheduler)[2], attempt=2)

    assert paths(scheduler)[2] == [*AGAIN, "FAILED"]
    assert stand(scheduler) == ["RUNNING", "SUCCESS", "FAILED"]
    tell(scheduler, items(scheduler)[0], SUCCESS)
    assert "item 2: lost: its worker died" in run_of(scheduler).reason
    assert scheduler.runs("b") == [(1, BAD)]


@pytest.mark.rule("S28", "S11")
def test_items_that_must_not_start_twice_fail_when_they_are_lost() -> None:
    scheduler = over(2, on_lost="fail")
    for _ in range(2):
        scheduler.outcome("b", RUNNING)
    scheduler.run()

    lose_all(scheduler)

    assert paths(scheduler) == [BAD, BAD]
    assert all(job.must_not_repeat for job in scheduler.started("b"))
    assert scheduler.runs("b") == [(1, BAD)]


@pytest.mark.rule("S28")
def test_the_task_itself_cannot_be_lost_or_told_to_have_ended() -> None:
    scheduler = over(1)
    scheduler.outcome("b", after=5)
    scheduler.run()

    for status in (SUCCESS, FAILED, RUNNING, SKIPPED):
        scheduler.report("b", status)

    # Its items were counted twice, and the second time they could not be.
    key = AttemptKey(run_of(scheduler).id, 1)
    scheduler._loop.inbox.put(Report(key=key, kind=ReportKind.REFUSED))
    scheduler.run_until_idle()

    assert scheduler.runs("b") == [(1, OK[:3])]
    assert [did for did in dids(scheduler) if did.startswith("ignored")] == [
        f"ignored: report {kind} of a run that no executor holds"
        for kind in ("success", "failed", "running", "skipped", "refused")
    ]
    scheduler.advance(seconds=5)
    assert scheduler.runs("b") == [(1, OK)]


@pytest.mark.rule("S26")
def test_late_and_repeated_reports_of_items_move_nothing_and_count_nothing() -> None:
    scheduler = over(3, retries=1)
    scheduler.outcome("b", FAILED)
    scheduler.outcome("b", result="first")
    scheduler.outcome("b", RUNNING)
    scheduler.outcome("b", after=9)
    scheduler.run()
    first, second, third = items(scheduler)

    tell(scheduler, first, FAILED, attempt=1)
    for status in (FAILED, SUCCESS, RUNNING):
        tell(scheduler, second, status)
    tell(scheduler, third, RUNNING)

    assert stand(scheduler) == ["RUNNING", "SUCCESS", "RUNNING"]
    tell(scheduler, third, SUCCESS)
    tell(scheduler, third, FAILED)
    scheduler.advance(seconds=9)
    tell(scheduler, first, FAILED, attempt=2)

    assert result(scheduler) == [None, "first", "told"]
    assert paths(scheduler) == [[*AGAIN, "SUCCESS"], OK, OK]
    assert scheduler.runs("b") == [(1, OK)]


def test_an_end_that_is_told_of_a_queued_item_passes_through_running() -> None:
    scheduler = over(2)
    held = []
    scheduler._worker.submit = held.append
    scheduler.run()
    assert stand(scheduler) == ["QUEUED", "QUEUED"]

    for item in items(scheduler):
        tell(scheduler, item, SUCCESS)

    assert paths(scheduler) == [OK, OK]
    assert result(scheduler) == ["told", "told"]
    assert len(held) == 2


def test_a_skipped_item_is_null_in_the_list() -> None:
    with Workflow("w") as workflow:
        Takes("c", Work("b").map(range(3)).output)
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("b", result="x")
    scheduler.outcome("b", SKIPPED, reason="nothing new")
    scheduler.outcome("b", result="z")
    scheduler.run()

    assert paths(scheduler) == [OK, [*OK[:3], "SKIPPED"], OK]
    assert items(scheduler)[1].reason == "nothing new"
    assert result(scheduler) == ["x", None, "z"]
    assert (scheduler.runs("b"), scheduler.runs("c")) == ([(1, OK)], [(1, OK)])


def test_a_map_of_which_every_item_skipped_is_a_success() -> None:
    scheduler = over(2)
    for _ in range(2):
        scheduler.outcome("b", SKIPPED)
    scheduler.run()

    assert stand(scheduler) == ["SKIPPED", "SKIPPED"]
    assert result(scheduler) == [None, None]
    assert (scheduler.runs("b"), scheduler.status()) == ([(1, OK)], "SUCCESS")


@pytest.mark.rule("S38")
def test_where_a_result_may_be_missing_a_skipped_item_is_an_empty_list() -> None:
    with Workflow("w") as workflow:
        a = Work("a").map(range(3))
        Work("b").map(a.output.or_none, nested=True)
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", result=[1])
    scheduler.outcome("a", SKIPPED)
    scheduler.outcome("a", result=[2, 3])
    scheduler.run()

    assert handed(scheduler) == [(0, 0), (2, 0), (2, 1)]
    assert result(scheduler) == [[None], [], [None, None]]


@pytest.mark.rule("S38")
def test_a_skipped_item_leaves_nothing_to_nest_where_a_result_is_needed() -> None:
    with Workflow("w") as workflow:
        Work("b").map(Work("a").map(range(2)).output, nested=True)
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", result=[1])
    scheduler.outcome("a", SKIPPED)
    scheduler.run()

    assert scheduler.runs("b") == [(1, ["INIT", "QUEUED", "FAILED"])]
    assert scheduler.store.failures(run_of(scheduler).id)[0].type_name == "MissingOutputError"


@pytest.mark.rule("S30")
def test_a_map_that_may_fail_does_not_fail_its_execution() -> None:
    scheduler = over(2, allow_failure=True)
    scheduler.outcome("b", FAILED)
    scheduler.run()

    assert (scheduler.runs("b"), scheduler.status()) == ([(1, BAD)], "SUCCESS")
