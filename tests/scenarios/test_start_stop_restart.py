"""START, STOP and RESTART (S18-S21)."""

import pytest
from scenario_tasks import Work

from eventflow import EventCondition, TaskAction, TaskStatus, Workflow
from eventflow.testing import VirtualScheduler


@pytest.mark.rule("S19")
def test_a_start_while_the_task_is_alive_starts_nothing() -> None:
    with Workflow("w") as workflow:
        a = Work("a")
        a.action_on_event_received(TaskAction.START, "go")
        Work("keeper").action_on_event_received(TaskAction.START, "never")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", after=60)
    execution = scheduler.run()

    scheduler.emit("go")
    scheduler.emit("go")
    scheduler.advance(minutes=2)
    scheduler.emit("go")

    assert scheduler.runs("a") == [
        (1, ["INIT", "QUEUED", "RUNNING", "SUCCESS"]),
        (2, ["INIT", "QUEUED", "RUNNING", "SUCCESS"]),
    ]
    assert [record.did for record in scheduler.decisions(execution) if record.task == "a"] == [
        "started",
        "ignored: alive",
        "started",
    ]


@pytest.mark.rule("S20")
def test_a_stopped_task_ends_stopped_whatever_its_code_returns_later() -> None:
    with Workflow("w") as workflow:
        a = Work("a")
        a.action_on_event_received(TaskAction.STOP, "halt")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", after=60)
    scheduler.run()

    scheduler.emit("halt")
    scheduler.advance(minutes=2)
    scheduler.report("a", TaskStatus.SUCCESS)

    assert scheduler.runs("a") == [(1, ["INIT", "QUEUED", "RUNNING", "STOPPING", "STOPPED"])]
    assert scheduler.status() == "SUCCESS"


@pytest.mark.rule("S20")
def test_a_stop_of_a_task_that_never_ran_is_ignored_and_the_event_still_does_its_work() -> None:
    with Workflow("w") as workflow:
        a = Work("a", autostart=False)
        a.action_on_event_received(TaskAction.STOP, "both")
        b = Work("b")
        b.action_on_event_received(TaskAction.START, "both")
    scheduler = VirtualScheduler(workflow)
    execution = scheduler.run()

    scheduler.emit("both")

    assert scheduler.runs("a") == []
    assert scheduler.runs("b") == [(1, ["INIT", "QUEUED", "RUNNING", "SUCCESS"])]
    assert [(r.task, r.did) for r in scheduler.decisions(execution) if r.task] == [
        ("a", "ignored: not alive"),
        ("b", "started"),
    ]


@pytest.mark.rule("S21")
def test_a_restarted_task_starts_again_only_after_the_running_one_has_stopped() -> None:
    with Workflow("retrain") as workflow:
        train = Work("train")
        train.action_on_event_received(TaskAction.RESTART, "data.fresh")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("train", TaskStatus.SUCCESS, after=1800)
    scheduler.outcome("train", TaskStatus.SUCCESS, after=600)

    scheduler.run()
    scheduler.advance(minutes=5)
    scheduler.emit("data.fresh")
    scheduler.advance(hours=1)

    assert scheduler.runs("train") == [
        (1, ["INIT", "QUEUED", "RUNNING", "RESTARTING", "STOPPED"]),
        (2, ["INIT", "QUEUED", "RUNNING", "SUCCESS"]),
    ]


@pytest.mark.rule("S21", "S25")
def test_the_first_restart_starts_a_task_that_does_not_start_by_itself() -> None:
    with Workflow("w") as workflow:
        a = Work("a", autostart=False)
        a.action_on_event_received(TaskAction.RESTART, "go")
    scheduler = VirtualScheduler(workflow)
    scheduler.run()
    assert scheduler.runs("a") == []

    scheduler.emit("go")

    assert scheduler.runs("a") == [(1, ["INIT", "QUEUED", "RUNNING", "SUCCESS"])]


@pytest.mark.rule("S18")
def test_of_two_rules_that_are_met_the_first_acts_and_the_second_is_shadowed() -> None:
    with Workflow("w") as workflow:
        a = Work("a")
        a.action_on_event_received(TaskAction.START, "go")
        a.action_on_condition(TaskAction.STOP, EventCondition("go"))
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus.RUNNING)
    execution = scheduler.run()

    scheduler.emit("go")

    assert [(r.rule, r.did) for r in scheduler.decisions(execution) if r.task] == [
        (0, "started"),
        (1, "shadowed"),
    ]
    assert scheduler.runs("a") == [(1, ["INIT", "QUEUED", "RUNNING"])]
