"""Actions that meet each other half way: START, STOP and RESTART of one task (S18-S21, S26)."""

import pytest
from scenario_tasks import Work

from eventflow import EventCondition, TaskAction, TaskStatus, Workflow
from eventflow.testing import VirtualScheduler

START, STOP, RESTART = TaskAction.START, TaskAction.STOP, TaskAction.RESTART
OK = ["INIT", "QUEUED", "RUNNING", "SUCCESS"]
STOPPED = ["INIT", "QUEUED", "RUNNING", "STOPPING", "STOPPED"]
RESTARTED = ["INIT", "QUEUED", "RUNNING", "RESTARTING", "STOPPED"]


def service(**config: object) -> VirtualScheduler:
    """One endless task that starts, stops and restarts by events; in manual completion."""
    with Workflow("w", completion="manual") as workflow:
        a = Work("a", autostart=False, **config)
        a.action_on_event_received(START, "start")
        a.action_on_event_received(STOP, "stop")
        a.action_on_event_received(RESTART, "restart")
    scheduler = VirtualScheduler(workflow)
    for _ in range(9):
        scheduler.outcome("a", TaskStatus.RUNNING)
    scheduler.run()
    return scheduler


def emit_together(scheduler: VirtualScheduler, *keys: str) -> None:
    """Several events that are in the log before the first of them is decided."""
    for key in keys:
        scheduler.client.emit(key)
    scheduler.run_until_idle()


def what_came_of(scheduler: VirtualScheduler, task: str = "a") -> list[str]:
    return [record.did for record in scheduler.decisions() if record.task == task]


@pytest.mark.rule("S20", "S21")
def test_a_stop_while_it_is_restarting_drops_the_successor() -> None:
    scheduler = service()
    scheduler.emit("start")

    emit_together(scheduler, "restart", "stop")

    assert scheduler.runs("a") == [
        (1, ["INIT", "QUEUED", "RUNNING", "RESTARTING", "STOPPING", "STOPPED"]),
        (2, ["INIT", "STOPPED"]),
    ]
    assert what_came_of(scheduler) == ["started", "restarted", "stopped"]
    assert len(scheduler.started("a")) == 1


@pytest.mark.rule("S19", "S20", "S21")
def test_a_start_right_after_finds_the_task_alive_and_one_after_its_end_starts_it() -> None:
    scheduler = service()
    scheduler.emit("start")

    emit_together(scheduler, "restart", "stop", "start")
    scheduler.emit("start")

    assert what_came_of(scheduler) == [
        "started",
        "restarted",
        "stopped",
        "ignored: alive",
        "started",
    ]
    assert [number for number, _ in scheduler.runs("a")] == [1, 2, 3]
    assert scheduler.runs("a")[2] == (3, ["INIT", "QUEUED", "RUNNING"])


@pytest.mark.rule("S19", "S20", "S21")
def test_restart_twice_then_stop_then_start() -> None:
    scheduler = service()
    scheduler.emit("start")

    emit_together(scheduler, "restart", "restart", "stop", "start")

    assert what_came_of(scheduler) == [
        "started",
        "restarted",
        "ignored: restart pending",
        "stopped",
        "ignored: alive",
    ]
    assert scheduler.runs("a") == [
        (1, ["INIT", "QUEUED", "RUNNING", "RESTARTING", "STOPPING", "STOPPED"]),
        (2, ["INIT", "STOPPED"]),
    ]


@pytest.mark.rule("S20", "S21")
def test_a_restart_of_a_task_that_is_stopping_lets_it_stop_and_starts_it_again() -> None:
    scheduler = service()
    scheduler.emit("start")

    emit_together(scheduler, "stop", "restart")

    assert scheduler.runs("a") == [(1, STOPPED), (2, ["INIT", "QUEUED", "RUNNING"])]
    assert what_came_of(scheduler) == ["started", "stopped", "restarted"]


@pytest.mark.rule("S20", "S21")
def test_stop_restart_stop_leaves_nothing_alive() -> None:
    scheduler = service()
    scheduler.emit("start")

    emit_together(scheduler, "stop", "restart", "stop")

    assert scheduler.runs("a") == [(1, STOPPED), (2, ["INIT", "STOPPED"])]
    assert what_came_of(scheduler) == ["started", "stopped", "restarted", "stopped"]


@pytest.mark.rule("S21")
def test_every_restart_that_finds_the_new_run_at_work_replaces_it() -> None:
    scheduler = service()
    for _ in range(3):
        scheduler.emit("restart")

    assert scheduler.runs("a") == [
        (1, RESTARTED),
        (2, RESTARTED),
        (3, ["INIT", "QUEUED", "RUNNING"]),
    ]


@pytest.mark.rule("S21", "S27")
def test_a_restart_of_a_task_that_waits_for_its_retry_starts_a_new_run_at_once() -> None:
    with Workflow("w", completion="manual") as workflow:
        Work("a", retries=1, retry_delay=60).action_on_event_received(RESTART, "restart")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus.FAILED)
    scheduler.run()

    scheduler.emit("restart")
    scheduler.advance(minutes=5)

    assert scheduler.runs("a") == [
        (1, ["INIT", "QUEUED", "RUNNING", "RETRYING", "STOPPED"]),
        (2, OK),
    ]


@pytest.mark.rule("S20")
def test_a_queued_task_that_is_stopped_never_runs() -> None:
    scheduler = service()

    emit_together(scheduler, "start", "stop")
    scheduler.advance(hours=1)

    assert scheduler.runs("a") == [(1, ["INIT", "QUEUED", "STOPPING", "STOPPED"])]
    assert scheduler.started("a") == []


@pytest.mark.rule("S21")
def test_a_queued_task_that_is_restarted_runs_once_as_its_successor() -> None:
    scheduler = service()

    emit_together(scheduler, "start", "restart")

    assert scheduler.runs("a") == [
        (1, ["INIT", "QUEUED", "RESTARTING", "STOPPED"]),
        (2, ["INIT", "QUEUED", "RUNNING"]),
    ]
    assert [job.task_execution.sequence_number for job in scheduler.started("a")] == [2]


@pytest.mark.rule("S20", "S26")
def test_a_report_after_the_stop_changes_nothing_and_is_recorded() -> None:
    scheduler = service()
    scheduler.emit("start")
    scheduler.emit("stop")

    for status in (TaskStatus.SUCCESS, TaskStatus.FAILED, TaskStatus.RUNNING):
        scheduler.report("a", status)

    assert scheduler.runs("a") == [(1, STOPPED)]
    assert [record.did for record in scheduler.decisions() if "late" in record.did] == [
        "ignored: late report success",
        "ignored: late report failed",
        "ignored: late report running",
    ]


@pytest.mark.rule("S26")
def test_a_report_of_an_earlier_run_does_not_touch_the_later_one() -> None:
    scheduler = service()
    scheduler.emit("restart")
    scheduler.emit("restart")

    scheduler.report("a", TaskStatus.FAILED, sequence_number=1)

    assert scheduler.runs("a") == [(1, RESTARTED), (2, ["INIT", "QUEUED", "RUNNING"])]


@pytest.mark.rule("S12")
def test_a_report_is_decided_after_what_was_in_the_log_when_it_came() -> None:
    scheduler = service()
    scheduler.emit("start")

    scheduler.client.emit("stop")  # in the log, and nobody has read it
    scheduler.report("a", TaskStatus.SUCCESS)

    assert scheduler.runs("a") == [(1, STOPPED)]


@pytest.mark.rule("S18")
def test_of_two_rules_of_one_task_on_one_event_the_first_acts_in_whatever_order_they_match() -> (
    None
):
    with Workflow("w", completion="manual") as workflow:
        a, b = Work("a"), Work("b")
        a.action_on_event_received(RESTART, "go.*")
        a.action_on_event_received(STOP, "go.now")
        b.action_on_event_received(STOP, "go.now")
        b.action_on_event_received(RESTART, "go.*")
    scheduler = VirtualScheduler(workflow)
    for name in ("a", "b", "a"):
        scheduler.outcome(name, TaskStatus.RUNNING)
    scheduler.run()

    scheduler.emit("go.now")

    assert scheduler.runs("a") == [(1, RESTARTED), (2, ["INIT", "QUEUED", "RUNNING"])]
    assert scheduler.runs("b") == [(1, STOPPED)]
    assert what_came_of(scheduler, "a") == ["restarted", "shadowed"]
    assert what_came_of(scheduler, "b") == ["stopped", "shadowed"]


@pytest.mark.rule("S18", "S36")
def test_a_condition_that_is_met_while_the_task_is_alive_has_consumed_what_it_remembered() -> None:
    with Workflow("w", completion="manual") as workflow:
        a = Work("a")
        a.action_on_condition(START, EventCondition("x") & EventCondition("y"))
        Work("after")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", after=60)
    scheduler.run()
    scheduler.emit("x")
    scheduler.emit("y")  # starts it

    scheduler.emit("x")
    scheduler.emit("y")  # met, and the task is alive
    scheduler.advance(minutes=2)
    scheduler.emit("y")  # alone: the x of before is gone
    assert scheduler.runs("a") == [(1, OK)]
    scheduler.emit("x")

    assert scheduler.runs("a") == [(1, OK), (2, OK)]
    assert what_came_of(scheduler) == ["started", "ignored: alive", "started"]


@pytest.mark.rule("S18", "S36")
def test_a_condition_that_is_shadowed_has_consumed_what_it_remembered() -> None:
    with Workflow("w", completion="manual") as workflow:
        a = Work("a", autostart=False)
        a.action_on_event_received(STOP, "y")
        a.action_on_condition(START, EventCondition("x") & EventCondition("y"))
        a.action_on_condition(START, EventCondition("x") & EventCondition("z"))
    scheduler = VirtualScheduler(workflow)
    scheduler.run()

    for key in ("x", "y", "y", "z"):
        scheduler.emit(key)

    assert scheduler.runs("a") == [(1, OK)]
    assert what_came_of(scheduler) == [
        "ignored: not alive",
        "shadowed",
        "ignored: not alive",
        "started",
    ]


@pytest.mark.rule("S20", "S22")
def test_a_successor_that_was_dropped_is_nobodys_latest() -> None:
    with Workflow("w", completion="manual") as workflow:
        a, b = Work("a"), Work("b")
        a.action_on_event_received(RESTART, "again")
        a.action_on_task_status(STOP, {a: TaskStatus.RESTARTING})
        b.action_on_task_status(START, {a: TaskStatus.STOPPED})
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus.RUNNING)
    scheduler.run()

    scheduler.emit("again")

    assert scheduler.runs("a") == [
        (1, ["INIT", "QUEUED", "RUNNING", "RESTARTING", "STOPPING", "STOPPED"]),
        (2, ["INIT", "STOPPED"]),
    ]
    assert scheduler.runs("b") == [(1, OK)]


@pytest.mark.rule("S19", "S20", "S21", "S25")
def test_commands_do_what_rules_do() -> None:
    with Workflow("w", completion="manual") as workflow:
        Work("a", autostart=False)
    scheduler = VirtualScheduler(workflow)
    for _ in range(3):
        scheduler.outcome("a", TaskStatus.RUNNING)
    execution = scheduler.run()

    scheduler.stop_task(execution, "a")
    scheduler.start_task(execution, "a")
    scheduler.start_task(execution, "a")
    scheduler.restart_task(execution, "a")
    scheduler.stop_task(execution, "a")

    assert scheduler.runs("a") == [(1, RESTARTED), (2, STOPPED)]
    assert what_came_of(scheduler) == [
        "ignored: not alive",
        "started",
        "ignored: alive",
        "restarted",
        "stopped",
    ]


@pytest.mark.rule("S4", "S19")
def test_a_rule_that_listens_to_a_command_is_decided_after_it() -> None:
    with Workflow("w", completion="manual") as workflow:
        Work("a", autostart=False).action_on_event_received(START, "eventflow.command.task")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus.RUNNING)
    execution = scheduler.run()

    scheduler.start_task(execution, "a")

    assert scheduler.runs("a") == [(1, ["INIT", "QUEUED", "RUNNING"])]
    assert what_came_of(scheduler) == ["started", "ignored: alive"]


@pytest.mark.rule("S4", "S29")
def test_a_rule_that_listens_to_every_timer_does_not_outlive_its_execution() -> None:
    with Workflow("w") as workflow:
        Work("a").action_on_event_received(RESTART, "eventflow.timer.**")
    scheduler = VirtualScheduler(workflow)

    scheduler.run()

    assert scheduler.runs("a") == [(1, OK)]
    assert scheduler.status() == "SUCCESS"
