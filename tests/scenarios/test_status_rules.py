"""Rules on task statuses: triggered by the edge, judged on the level (S22, S23)."""

import pytest
from scenario_tasks import Work

from eventflow import AllOf, AnyOf, EventCondition, Not, TaskAction, TaskStatus, Workflow
from eventflow import TaskStatusCondition as Status
from eventflow.testing import VirtualScheduler

OK = ["INIT", "QUEUED", "RUNNING", "SUCCESS"]


@pytest.mark.rule("S22", "S23")
def test_a_task_after_two_others_starts_when_both_have_succeeded() -> None:
    with Workflow("w") as workflow:
        a, b, c = Work("a"), Work("b"), Work("c")
        [a, b] >> c
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", after=10)
    scheduler.outcome("b", after=20)
    scheduler.run()

    scheduler.advance(seconds=15)
    assert scheduler.runs("c") == []
    scheduler.advance(seconds=10)

    assert scheduler.runs("c") == [(1, OK)]
    assert scheduler.status() == "SUCCESS"


@pytest.mark.rule("S22")
def test_when_one_succeeds_again_while_the_other_stands_the_rule_is_met_again() -> None:
    with Workflow("w", completion="manual") as workflow:
        a, b, c = Work("a"), Work("b"), Work("c")
        c.start_after([a, b])
        a.action_on_event_received(TaskAction.START, "go")
    scheduler = VirtualScheduler(workflow)
    scheduler.run()
    assert scheduler.runs("c") == []

    scheduler.emit("go")
    scheduler.emit("go")

    assert scheduler.runs("a") == scheduler.runs("c") == [(1, OK), (2, OK)]
    assert scheduler.runs("b") == [(1, OK)]


@pytest.mark.rule("S22")
def test_a_rule_on_running_is_met_though_the_task_ends_in_the_same_batch() -> None:
    with Workflow("w") as workflow:
        a, b = Work("a"), Work("b")
        b.action_on_task_status(TaskAction.START, {a: TaskStatus.RUNNING})
    scheduler = VirtualScheduler(workflow)
    scheduler.run()

    assert scheduler.runs("b") == [(1, OK)]


@pytest.mark.rule("S22")
def test_a_wanted_status_may_be_a_set() -> None:
    with Workflow("w") as workflow:
        a, b = Work("a"), Work("b")
        b.action_on_task_status(TaskAction.START, {a: {TaskStatus.SUCCESS, TaskStatus.FAILED}})
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus.FAILED)
    scheduler.run()

    assert scheduler.runs("b") == [(1, OK)]
    assert scheduler.status() == "FAILED"


@pytest.mark.rule("S22", "S21")
def test_the_end_of_a_run_that_is_being_restarted_is_not_its_tasks_latest_status() -> None:
    with Workflow("w") as workflow:
        a, b = Work("a"), Work("b")
        a.action_on_event_received(TaskAction.RESTART, "again")
        b.action_on_task_status(TaskAction.START, {a: TaskStatus.STOPPED})
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus.RUNNING)
    scheduler.run()

    scheduler.emit("again")

    assert scheduler.runs("b") == []
    assert [number for number, _ in scheduler.runs("a")] == [1, 2]


@pytest.mark.rule("S36")
def test_a_pair_of_events_fires_on_each_completed_pair() -> None:
    with Workflow("w", completion="manual") as workflow:
        a = Work("a")
        a.action_on_condition(TaskAction.START, EventCondition("x") & EventCondition("y"))
    scheduler = VirtualScheduler(workflow)
    scheduler.run()

    for key in ("x", "x", "y", "y", "y", "x"):
        scheduler.emit(key)

    assert scheduler.runs("a") == [(1, OK), (2, OK)]


@pytest.mark.rule("S36")
def test_a_level_in_a_pair_is_read_when_the_event_comes_and_wakes_it_when_it_comes_later() -> None:
    with Workflow("w", completion="manual") as workflow:
        a, b = Work("a"), Work("b")
        b.action_on_condition(
            TaskAction.START, AllOf(EventCondition("x"), Status("a", TaskStatus.SUCCESS))
        )
        a.action_on_event_received(TaskAction.START, "go")
    scheduler = VirtualScheduler(workflow)
    scheduler.run()

    scheduler.emit("x")
    assert scheduler.runs("b") == []
    scheduler.emit("go")
    assert scheduler.runs("b") == [(1, OK)]
    scheduler.emit("x")

    assert scheduler.runs("b") == [(1, OK), (2, OK)]


@pytest.mark.rule("S36")
def test_any_of_fires_when_a_member_does_and_not_of_a_level_can_stand_beside_an_event() -> None:
    with Workflow("w", completion="manual") as workflow:
        Work("a")
        b, c = Work("b"), Work("c")
        b.action_on_condition(TaskAction.START, AnyOf(EventCondition("x"), EventCondition("y")))
        c.action_on_condition(
            TaskAction.START, EventCondition("x") & ~Status("a", TaskStatus.RUNNING)
        )
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", after=60)
    scheduler.run()

    scheduler.emit("y")
    scheduler.emit("x")
    assert scheduler.runs("c") == []
    scheduler.advance(minutes=2)

    assert scheduler.runs("b") == [(1, OK), (2, OK)]
    assert scheduler.runs("c") == [(1, OK)]


@pytest.mark.rule("S36")
def test_inner_latches_are_forgotten_when_the_outer_condition_fires() -> None:
    inner = AllOf(EventCondition("x"), EventCondition("y"))
    with Workflow("w", completion="manual") as workflow:
        a = Work("a")
        a.action_on_condition(
            TaskAction.START,
            AnyOf(inner, EventCondition("z")) & Not(Status("a", TaskStatus.RUNNING)),
        )
    scheduler = VirtualScheduler(workflow)
    scheduler.run()

    scheduler.emit("x")
    scheduler.emit("z")
    scheduler.emit("y")

    assert scheduler.runs("a") == [(1, OK)]
