"""A task that finds nothing to do ends SKIPPED (S27), and what stands on it goes on."""

import pytest
from scenario_tasks import Work

from eventflow import Every, TaskAction, TaskStatus, Workflow
from eventflow.core.explanation import Explained
from eventflow.core.telling import tell
from eventflow.errors import EventflowError
from eventflow.testing import VirtualScheduler

SUCCESS, SKIPPED, RUNNING = TaskStatus.SUCCESS, TaskStatus.SKIPPED, TaskStatus.RUNNING
SKIPS = ["INIT", "QUEUED", "RUNNING", "SKIPPED"]
WORKS = ["INIT", "QUEUED", "RUNNING", "SUCCESS"]


def text(explained: Explained) -> str:
    return "\n".join(tell(explained, lambda instant: f"{instant:%H:%M}"))


@pytest.mark.rule("S27", "S37")
def test_a_skipped_task_has_a_reason_and_neither_result_nor_failure_nor_a_second_attempt() -> None:
    with Workflow("w") as workflow:
        Work("a", retries=3)
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", SKIPPED, after=5, reason="no orders today")

    scheduler.run()
    scheduler.advance(hours=1)

    assert scheduler.runs("a") == [(1, SKIPS)]
    (task,) = scheduler.execution().tasks
    assert (task.status, task.attempt, task.reason) == (SKIPPED, 1, "no orders today")
    assert scheduler.store.failures(task.id) == []
    assert scheduler.store.result(task.id) is None
    (fact,) = scheduler.events("eventflow.task.w.a.skipped")
    assert fact.value["status"] == "SKIPPED"


@pytest.mark.rule("S22", "S27", "S30")
def test_a_rule_that_takes_a_skip_goes_on_and_one_that_wants_a_success_never_runs() -> None:
    with Workflow("w") as workflow:
        a, either, only = Work("a"), Work("either"), Work("only")
        either.action_on_task_status(TaskAction.START, {a: {SUCCESS, SKIPPED}})
        only.action_on_task_status(TaskAction.START, {a: SUCCESS})
        only >> Work("after_only")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", SKIPPED)

    scheduler.run()

    assert scheduler.runs("a") == [(1, SKIPS)]
    assert scheduler.runs("either") == [(1, WORKS)]
    assert scheduler.runs("only") == scheduler.runs("after_only") == []
    assert scheduler.status() == "SUCCESS"


@pytest.mark.rule("S27")
def test_a_task_that_failed_before_may_skip_in_its_next_attempt() -> None:
    with Workflow("w") as workflow:
        Work("a", retries=1)
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus.FAILED)
    scheduler.outcome("a", SKIPPED)

    scheduler.run()

    assert scheduler.runs("a") == [(1, [*SKIPS[:3], "RETRYING", *SKIPS[1:]])]
    (task,) = scheduler.execution().tasks
    assert [failure.attempt for failure in scheduler.store.failures(task.id)] == [1]
    assert scheduler.status() == "SUCCESS"


@pytest.mark.rule("S26")
@pytest.mark.parametrize("late", [SUCCESS, TaskStatus.FAILED, SKIPPED, RUNNING])
def test_a_report_after_the_skip_is_ignored(late: TaskStatus) -> None:
    with Workflow("w", completion="manual") as workflow:
        Work("a")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", SKIPPED)
    scheduler.run()

    scheduler.report("a", late)

    assert scheduler.runs("a") == [(1, SKIPS)]
    kind = late.value.lower()
    assert scheduler.decisions()[-1].did == f"ignored: late report {kind}"


@pytest.mark.rule("S26")
def test_a_late_skip_changes_no_success() -> None:
    with Workflow("w", completion="manual") as workflow:
        Work("a")
    scheduler = VirtualScheduler(workflow)
    scheduler.run()

    scheduler.report("a", SKIPPED)

    assert scheduler.runs("a") == [(1, WORKS)]


@pytest.mark.rule("S27")
def test_a_skip_after_the_timeout_is_a_failure_with_the_timeout() -> None:
    with Workflow("w") as workflow:
        Work("a", timeout=60)
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", SKIPPED, after=3600)
    scheduler.run()

    scheduler.advance(seconds=60)

    (task,) = scheduler.execution().tasks
    assert task.status == "FAILED"
    assert [one.type_name for one in scheduler.store.failures(task.id)] == ["TaskTimeoutError"]


@pytest.mark.rule("S27", "S34")
def test_a_periodic_task_that_skips_is_started_again_when_it_is_due() -> None:
    with Workflow("w") as workflow:
        Work("a", periodic_expression=Every(60))
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", SKIPPED)
    scheduler.outcome("a", SKIPPED)

    scheduler.run()
    scheduler.advance(minutes=2)

    assert scheduler.runs("a") == [(1, SKIPS), (2, SKIPS), (3, WORKS)]


@pytest.mark.rule("S44")
def test_a_skip_gives_its_slot_back() -> None:
    with Workflow("w") as workflow:
        Work("a", pool="p", priority=1)
        Work("b", pool="p")
    scheduler = VirtualScheduler(workflow)
    scheduler.set_pool("p", 1)
    scheduler.outcome("a", SKIPPED, after=60)

    scheduler.run()
    assert scheduler.runs("b") == [(1, ["INIT", "QUEUED"])]
    scheduler.advance(seconds=60)

    assert scheduler.runs("b") == [(1, WORKS)]
    assert [pool.held for pool in scheduler.pools()] == [0]


@pytest.mark.rule("S31")
def test_a_retry_takes_a_skipped_task_over() -> None:
    with Workflow("w") as workflow:
        a, b = Work("a"), Work("b")
        b.action_on_task_status(TaskAction.START, {a: {SUCCESS, SKIPPED}})
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", SKIPPED, reason="no orders today")
    scheduler.outcome("b", TaskStatus.FAILED)
    first = scheduler.run()

    second = scheduler.retry(first)

    assert scheduler.runs("a", second) == [(1, ["SKIPPED"])]
    assert scheduler.runs("b", second) == [(1, WORKS)]
    assert scheduler.status(second) == "SUCCESS"
    told = text(scheduler.explain(second.id, "a"))
    assert "There, a #1" in told
    assert "its code ended it so" not in told


@pytest.mark.rule("S42")
def test_explain_says_why_it_was_skipped_and_what_waits_for_ever() -> None:
    with Workflow("w", completion="manual") as workflow:
        a = Work("a")
        a >> Work("b")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", SKIPPED, reason="no orders today")
    scheduler.run()

    assert text(scheduler.explain(1, "a")).splitlines()[:2] == [
        "a #1 of execution 1 is SKIPPED (no orders today).",
        "  its code ended it so (TaskSkipped): no failure, and no result",
    ]
    never = "It cannot be met any more; it would take: a is SUCCESS (now SKIPPED)."
    assert never in text(scheduler.explain(1, "b"))


def test_the_reason_of_a_skip_is_cut_to_what_a_table_can_hold() -> None:
    with Workflow("w") as workflow:
        Work("a")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", SKIPPED, reason="x" * 10_000)

    scheduler.run()

    assert scheduler.execution().tasks[0].reason == "x" * 500


def test_an_attempt_can_be_told_to_end_in_no_other_way() -> None:
    with Workflow("w") as workflow:
        Work("a")

    with pytest.raises(EventflowError, match="SUCCESS, FAILED or SKIPPED"):
        VirtualScheduler(workflow).outcome("a", TaskStatus.STOPPED)
