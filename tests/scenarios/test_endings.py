"""When an execution ends, and how (S29, S30)."""

import pytest
from scenario_tasks import Work

from eventflow import EventCondition, TaskAction, TaskStatus, Workflow
from eventflow import TaskStatusCondition as Status
from eventflow.testing import VirtualScheduler


@pytest.mark.rule("S29", "S30")
def test_a_failed_task_with_a_waiting_downstream_ends_the_execution_failed() -> None:
    with Workflow("w") as workflow:
        a, b, c = Work("a"), Work("b"), Work("c")
        a >> b >> c
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus.FAILED)

    scheduler.run()

    assert scheduler.status() == "FAILED"
    assert scheduler.runs("b") == []


@pytest.mark.rule("S29")
def test_a_branch_that_is_not_taken_does_not_hold_the_execution_open() -> None:
    with Workflow("w") as workflow:
        a, good, bad, after_bad = Work("a"), Work("good"), Work("bad"), Work("after_bad")
        good.action_on_task_status(TaskAction.START, {a: TaskStatus.SUCCESS})
        bad.action_on_task_status(TaskAction.START, {a: TaskStatus.FAILED})
        bad >> after_bad
    scheduler = VirtualScheduler(workflow)

    scheduler.run()

    assert scheduler.status() == "SUCCESS"
    assert scheduler.runs("good") != []
    assert scheduler.runs("bad") == scheduler.runs("after_bad") == []


@pytest.mark.rule("S29")
def test_a_task_that_waits_for_an_outside_event_holds_the_execution_open() -> None:
    with Workflow("w") as workflow:
        Work("a")
        b = Work("b")
        b.action_on_event_received(TaskAction.START, "approved")
    scheduler = VirtualScheduler(workflow)

    scheduler.run()
    assert scheduler.status() == "RUNNING"
    scheduler.emit("approved")

    assert scheduler.status() == "SUCCESS"


@pytest.mark.rule("S29")
def test_an_event_and_a_level_that_can_not_come_any_more_do_not_hold_it_open() -> None:
    with Workflow("w") as workflow:
        Work("a")
        b = Work("b")
        b.action_on_condition(
            TaskAction.START, EventCondition("approved") & Status("a", TaskStatus.SUCCESS)
        )
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus.FAILED)

    scheduler.run()

    assert scheduler.status() == "FAILED"


@pytest.mark.rule("S29")
def test_tasks_that_only_wait_for_each_other_do_not_hold_it_open() -> None:
    with Workflow("w") as workflow:
        Work("a")
        b, c = Work("b"), Work("c")
        b >> c
        c >> b
    scheduler = VirtualScheduler(workflow)

    scheduler.run()

    assert scheduler.status() == "SUCCESS"


@pytest.mark.rule("S29")
def test_manual_completion_waits_for_a_stop() -> None:
    with Workflow("w", completion="manual") as workflow:
        Work("a")
    scheduler = VirtualScheduler(workflow)
    execution = scheduler.run()
    scheduler.advance(days=1)
    assert scheduler.status() == "RUNNING"

    scheduler.stop_workflow(execution)

    assert scheduler.status() == "STOPPED"


@pytest.mark.rule("S29", "S20")
def test_from_a_stop_on_no_rule_acts() -> None:
    with Workflow("w") as workflow:
        a, b = Work("a"), Work("b")
        b.action_on_task_status(TaskAction.START, {a: TaskStatus.STOPPED})
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus.RUNNING)
    execution = scheduler.run()

    scheduler.stop_workflow(execution)

    assert scheduler.runs("a") == [(1, ["INIT", "QUEUED", "RUNNING", "STOPPING", "STOPPED"])]
    assert scheduler.runs("b") == []
    assert scheduler.status() == "STOPPED"


@pytest.mark.rule("S29", "S30")
def test_a_timeout_stops_the_execution_and_it_ends_failed() -> None:
    with Workflow("w", timeout=60) as workflow:
        Work("a")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus.RUNNING)
    scheduler.run()

    scheduler.advance(seconds=59)
    assert scheduler.status() == "RUNNING"
    scheduler.advance(seconds=1)

    assert scheduler.status() == "FAILED"
    assert scheduler.runs("a") == [(1, ["INIT", "QUEUED", "RUNNING", "STOPPING", "STOPPED"])]


@pytest.mark.rule("S30")
def test_an_allowed_failure_leaves_the_outcome_alone() -> None:
    with Workflow("w") as workflow:
        Work("a", allow_failure=True)
        Work("b")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus.FAILED)

    scheduler.run()

    assert scheduler.status() == "SUCCESS"


@pytest.mark.rule("S29", "S14")
def test_a_scoped_event_that_is_not_decided_yet_is_decided_before_the_end() -> None:
    with Workflow("w") as workflow:
        Work("a")
        b = Work("b", autostart=False)
        b.action_on_event_received(TaskAction.RESTART, "more")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", after=10)
    execution = scheduler.run()

    scheduler.client.emit("more", workflow_execution_id=execution.id)
    scheduler.advance(seconds=10)

    assert scheduler.runs("b") == [(1, ["INIT", "QUEUED", "RUNNING", "SUCCESS"])]
    assert scheduler.status() == "SUCCESS"
