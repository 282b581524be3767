"""Attempts that fail, take too long, or are lost; reports that come late (S26-S28)."""

import pytest
from scenario_tasks import Work

from eventflow import TaskAction, TaskStatus, Workflow
from eventflow.testing import VirtualScheduler

FAILED = TaskStatus.FAILED


@pytest.mark.rule("S27")
def test_a_failed_attempt_with_attempts_left_runs_again_after_its_delay() -> None:
    with Workflow("w") as workflow:
        Work("a", retries=2, retry_delay=10, retry_backoff=3)
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", FAILED)
    scheduler.outcome("a", FAILED)
    scheduler.run()

    scheduler.advance(seconds=9)
    assert scheduler.runs("a") == [(1, ["INIT", "QUEUED", "RUNNING", "RETRYING"])]
    scheduler.advance(seconds=1)
    scheduler.advance(seconds=29)
    assert scheduler.status() == "RUNNING"
    scheduler.advance(seconds=1)

    again = ["QUEUED", "RUNNING"]
    assert scheduler.runs("a") == [
        (1, ["INIT", *again, "RETRYING", *again, "RETRYING", *again, "SUCCESS"])
    ]
    assert [task.attempt for task in scheduler.execution().tasks] == [3]
    assert scheduler.status() == "SUCCESS"


@pytest.mark.rule("S27")
def test_when_no_attempt_is_left_the_task_has_failed() -> None:
    with Workflow("w") as workflow:
        Work("a", retries=1)
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", FAILED)
    scheduler.outcome("a", FAILED)

    scheduler.run()

    again = ["QUEUED", "RUNNING"]
    assert scheduler.runs("a") == [(1, ["INIT", *again, "RETRYING", *again, "FAILED"])]
    assert scheduler.status() == "FAILED"


@pytest.mark.rule("S27")
def test_an_exception_that_retry_on_does_not_name_is_not_retried() -> None:
    with Workflow("w") as workflow:
        Work("a", retries=5)
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", FAILED, retryable=False)

    scheduler.run()

    assert scheduler.runs("a") == [(1, ["INIT", "QUEUED", "RUNNING", "FAILED"])]


@pytest.mark.rule("S27")
def test_a_timeout_ends_the_attempt_and_is_retried_like_any_failure() -> None:
    with Workflow("w") as workflow:
        Work("a", timeout=60, retries=1)
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus.RUNNING)
    scheduler.run()

    scheduler.advance(seconds=59)
    assert scheduler.runs("a") == [(1, ["INIT", "QUEUED", "RUNNING"])]
    scheduler.advance(seconds=1)

    again = ["QUEUED", "RUNNING"]
    assert scheduler.runs("a") == [(1, ["INIT", *again, "RETRYING", *again, "SUCCESS"])]
    (task,) = scheduler.execution().tasks
    assert [failure.type_name for failure in scheduler.store.failures(task.id)] == [
        "TaskTimeoutError"
    ]


@pytest.mark.rule("S27", "S20")
def test_a_stop_while_it_waits_for_its_retry_ends_it_at_once() -> None:
    with Workflow("w") as workflow:
        a = Work("a", retries=1, retry_delay=60)
        a.action_on_event_received(TaskAction.STOP, "halt")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", FAILED)
    scheduler.run()

    scheduler.emit("halt")
    scheduler.advance(minutes=2)

    assert scheduler.runs("a") == [(1, ["INIT", "QUEUED", "RUNNING", "RETRYING", "STOPPED"])]
    assert scheduler.status() == "SUCCESS"


@pytest.mark.rule("S28")
def test_a_lost_attempt_runs_again_and_does_not_count_as_a_retry() -> None:
    with Workflow("w") as workflow:
        Work("a")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus.RUNNING)
    scheduler.run()

    scheduler.lose("a")

    again = ["QUEUED", "RUNNING"]
    assert scheduler.runs("a") == [(1, ["INIT", *again, "RETRYING", *again, "SUCCESS"])]
    assert scheduler.status() == "SUCCESS"


@pytest.mark.rule("S28")
def test_the_fourth_loss_in_a_row_is_a_failure() -> None:
    with Workflow("w") as workflow:
        Work("a")
    scheduler = VirtualScheduler(workflow)
    for _ in range(5):
        scheduler.outcome("a", TaskStatus.RUNNING)
    scheduler.run()

    for _ in range(4):
        scheduler.lose("a")

    (task,) = scheduler.execution().tasks
    assert (task.status, task.attempt) == (FAILED, 4)
    assert {failure.type_name for failure in scheduler.store.failures(task.id)} == {
        "WorkerLostError"
    }


@pytest.mark.rule("S28")
def test_an_attempt_that_lived_ten_minutes_begins_the_count_of_losses_anew() -> None:
    with Workflow("w") as workflow:
        Work("a", max_lost=1)
    scheduler = VirtualScheduler(workflow)
    for _ in range(5):
        scheduler.outcome("a", TaskStatus.RUNNING)
    scheduler.run()

    for _ in range(4):
        scheduler.advance(minutes=10)
        scheduler.lose("a")

    assert scheduler.status() == "RUNNING"


@pytest.mark.rule("S28")
def test_a_task_that_must_not_start_twice_fails_when_it_is_lost() -> None:
    with Workflow("w") as workflow:
        Work("a", on_lost="fail")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus.RUNNING)
    scheduler.run()

    scheduler.lose("a")

    assert scheduler.runs("a") == [(1, ["INIT", "QUEUED", "RUNNING", "FAILED"])]


@pytest.mark.rule("S26")
def test_late_and_repeated_reports_change_nothing() -> None:
    with Workflow("w") as workflow:
        Work("a", retries=1)
        Work("keeper").action_on_event_received(TaskAction.START, "never")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", FAILED)
    scheduler.run()
    before = scheduler.runs("a")

    scheduler.report("a", FAILED, attempt=1)
    scheduler.report("a", FAILED, attempt=2)
    scheduler.report("a", TaskStatus.RUNNING, attempt=2)
    scheduler.report("a", TaskStatus.SUCCESS, attempt=9)

    assert scheduler.runs("a") == before
    assert scheduler.status() == "RUNNING"


@pytest.mark.rule("S10", "S28")
def test_a_scheduler_that_starts_again_goes_on_from_the_last_commit() -> None:
    with Workflow("w") as workflow:
        a, b, c = Work("a"), Work("b"), Work("c")
        c.start_after([a, b])
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a")
    scheduler.outcome("b", after=60)
    scheduler.run()

    scheduler.restart_scheduler()
    scheduler.advance(minutes=1)

    assert scheduler.runs("c") == [(1, ["INIT", "QUEUED", "RUNNING", "SUCCESS"])]
    assert scheduler.status() == "SUCCESS"


@pytest.mark.rule("S27")
def test_the_drawn_jitter_is_data_that_came_with_the_report() -> None:
    with Workflow("w") as workflow:
        Work("a", retries=1, retry_delay=10, retry_jitter=1)
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", FAILED)  # its report says chance 0.5
    scheduler.run()

    scheduler.advance(seconds=14)
    scheduler.restart_scheduler()
    assert scheduler.runs("a") == [(1, ["INIT", "QUEUED", "RUNNING", "RETRYING"])]
    scheduler.advance(seconds=1)

    assert scheduler.status() == "SUCCESS"


@pytest.mark.rule("S27")
def test_a_backoff_that_leaves_all_bounds_does_not_stop_the_loop() -> None:
    with Workflow("w") as workflow:
        Work("a", retries=150, retry_delay=1, retry_backoff=1000)
    scheduler = VirtualScheduler(workflow)
    for _ in range(150):
        scheduler.outcome("a", FAILED)
    scheduler.run()

    scheduler.advance(days=7 * 151)

    assert [task.attempt for task in scheduler.execution().tasks] == [151]
    assert scheduler.status() == "SUCCESS"


@pytest.mark.rule("S28")
def test_a_loss_that_a_signal_to_the_scheduler_caused_does_not_count() -> None:
    with Workflow("w") as workflow:
        Work("a", max_lost=0)
    scheduler = VirtualScheduler(workflow)
    for _ in range(3):
        scheduler.outcome("a", TaskStatus.RUNNING)
    scheduler.run()

    for _ in range(3):
        scheduler.lose("a", counted=False)

    assert [task.attempt for task in scheduler.execution().tasks] == [4]
    assert scheduler.status() == "SUCCESS"


@pytest.mark.rule("S27", "S28")
def test_retries_and_losses_are_counted_apart() -> None:
    with Workflow("w") as workflow:
        Work("a", retries=1, max_lost=1)
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus.RUNNING)
    scheduler.outcome("a", FAILED)
    scheduler.outcome("a", TaskStatus.RUNNING)
    scheduler.outcome("a", FAILED)
    scheduler.run()

    scheduler.lose("a")  # the first loss; the next attempt fails, which begins that count anew
    scheduler.lose("a")

    assert [(task.status, task.attempt) for task in scheduler.execution().tasks] == [(FAILED, 4)]
