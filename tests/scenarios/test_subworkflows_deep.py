"""Workflows that run workflows that run workflows: chains, circles, params and crashes (S40)."""

import pytest
from scenario_tasks import Work
from subworkflows import AGAIN, BAD, OK, ON, STOPPED, child, driven, newest, parent, subs

from eventflow import TaskAction, TaskStatus, Workflow, WorkflowOperator
from eventflow.errors import DefinitionError
from eventflow.testing import VirtualScheduler

RUNNING, FAILED = TaskStatus.RUNNING, TaskStatus.FAILED

pytestmark = pytest.mark.rule("S40")


def three_deep() -> Workflow:
    """top runs middle runs bottom, which has `work`."""
    return parent(parent(child("bottom"), "middle"), "top")


def test_a_stop_in_the_middle_goes_down_in_one_decision_and_ends_go_up() -> None:
    scheduler = VirtualScheduler(three_deep())
    scheduler.outcome("work", RUNNING)
    top = scheduler.run()
    assert scheduler.runs("sub") == [(1, ON), (1, ON)]

    scheduler.stop_workflow(newest(scheduler, "middle"), "enough")

    assert scheduler.runs("sub") == [(1, STOPPED), (1, STOPPED)]
    assert scheduler.runs("work") == [(1, STOPPED)]
    assert [one.status for one in scheduler.executions()] == ["SUCCESS", "STOPPED", "STOPPED"]
    assert scheduler.status(top) == "SUCCESS"
    stopping = scheduler.events("eventflow.task.*.*.stopping")
    command = scheduler.events("eventflow.command.stop")[-1]
    # All that went down was decided in one turn: its facts are in the log side by side.
    below = [event.key.split(".")[2] for event in stopping]
    assert below == ["middle", "bottom", "top"]
    assert stopping[1].turn - command.turn == 2


def test_a_stop_at_the_top_stops_all_of_it() -> None:
    scheduler = VirtualScheduler(three_deep())
    scheduler.outcome("work", RUNNING)
    top = scheduler.run()

    scheduler.stop_workflow(top)

    assert [one.status for one in scheduler.executions()] == ["STOPPED"] * 3
    ends = [event.key.split(".")[2] for event in scheduler.events("eventflow.workflow.*.stopped")]
    assert ends == ["bottom", "middle", "top"]


def test_a_failure_at_the_bottom_is_retried_where_retries_are() -> None:
    middle = parent(child("bottom"), "middle", retries=1)
    scheduler = VirtualScheduler(parent(middle, "top"))
    scheduler.outcome("work", FAILED)

    top = scheduler.run()

    assert scheduler.runs("sub") == [(1, OK), (1, [*AGAIN, "SUCCESS"])]
    assert [status for status, _ in subs(scheduler, "bottom")] == ["FAILED", "SUCCESS"]
    assert scheduler.status(top) == "SUCCESS"


def test_an_event_that_starts_work_below_and_stops_it_above_leaves_nothing_alive() -> None:
    with Workflow("child") as one:
        Work("work").action_on_event_received(TaskAction.START, "now")
    workflow = parent(one)
    workflow.action_on_event_received("sub", "now", TaskAction.STOP)
    workflow.action_on_event_received("sub", "begin", TaskAction.START)
    scheduler = VirtualScheduler(workflow)
    scheduler.run()
    scheduler.emit("begin")

    scheduler.emit("now")

    assert scheduler.runs("sub") == [(1, STOPPED)]
    assert scheduler.runs("work") == [(1, ["INIT", "QUEUED", "STOPPING", "STOPPED"])]
    assert [status for status, _ in subs(scheduler)] == ["STOPPED"]


@pytest.mark.parametrize("name", ["parent", "default/parent"])
def test_a_workflow_that_runs_itself_is_refused(name: str) -> None:
    with pytest.raises(DefinitionError, match=r"'sub': .*cannot run itself: parent -> parent"):
        VirtualScheduler(parent(name))


def test_workflows_that_run_each_other_as_objects_are_refused_with_the_circle() -> None:
    inner = parent("top", "inner")
    top = parent(parent(inner, "middle"), "top")

    with pytest.raises(DefinitionError, match="top -> middle -> inner -> top"):
        top.validate()


def test_a_workflow_that_is_run_twice_is_no_circle() -> None:
    one = child()
    with Workflow("parent") as workflow:
        WorkflowOperator("left", one)
        WorkflowOperator("right", one)

    workflow.validate()


def test_a_circle_by_name_ends_at_the_depth_limit() -> None:
    ping, pong = parent("pong", "ping"), parent("ping", "pong")
    for workflow in (ping, pong):
        workflow.max_active = 100
    scheduler = VirtualScheduler(ping, pong)

    first = scheduler.run("ping")

    assert len(scheduler.executions()) == 33
    assert {one.status for one in scheduler.executions()} == {"FAILED"}
    last = scheduler.execution(scheduler.executions()[-1])
    (run,) = last.tasks
    assert run.reason.startswith("cannot be started: 32 executions stand above one another")
    assert f"the first is {first.id} of ping" in run.reason


@pytest.mark.rule("S44")
def test_a_circle_that_would_wait_for_itself_fails_instead() -> None:
    ping, pong = parent("pong", "ping"), parent("ping", "pong")
    ping.max_active = 2
    scheduler = VirtualScheduler(ping, pong)

    scheduler.run("ping")

    assert {one.status for one in scheduler.executions()} == {"FAILED"}
    assert len(scheduler.executions()) == 4
    assert scheduler.runs("sub")[-1] == (1, ["INIT", "QUEUED", "FAILED"])
    (run,) = scheduler.execution(scheduler.executions()[-1]).tasks
    assert "it would wait for ever: all 2 executions of ping" in run.reason


@pytest.mark.rule("S38")
def test_params_are_filled_with_outputs_at_any_depth() -> None:
    one = child()
    with Workflow("parent") as workflow:
        load = Work("load")
        WorkflowOperator("sub", one, {"a": {"rows": [load.output, 1]}, "b": 2})
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("load", result=[7, None])

    scheduler.run()

    assert newest(scheduler).params == {"a": {"rows": [[7, None], 1]}, "b": 2}


@pytest.mark.rule("S38")
def test_params_may_be_an_output_as_a_whole_and_a_retry_gets_the_same() -> None:
    one = child()
    with Workflow("parent") as workflow:
        load = Work("load")
        load.action_on_event_received(TaskAction.RESTART, "again")
        WorkflowOperator("sub", one, load.output, retries=1, retry_delay=60)
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("load", result={"n": 1})
    scheduler.outcome("load", result={"n": 2})
    scheduler.outcome("work", FAILED)
    scheduler.run()

    scheduler.emit("again")
    scheduler.advance(minutes=2)

    assert scheduler.runs("sub") == [(1, [*AGAIN, "SUCCESS"])]
    assert [one.params for one in scheduler.executions("child")] == [{"n": 1}, {"n": 1}]


@pytest.mark.rule("S38")
def test_params_that_are_no_object_fail_the_task() -> None:
    one = child()
    with Workflow("parent") as workflow:
        load = Work("load")
        WorkflowOperator("sub", one, load.output, retries=3)
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("load", result=[1])

    above = scheduler.run()

    assert scheduler.runs("sub") == [(1, ["INIT", "QUEUED", "FAILED"])]
    run = scheduler.execution(above).tasks[-1]
    assert "an object of names and values, got [1]" in run.reason
    assert subs(scheduler) == []


@pytest.mark.rule("S6")
def test_params_that_are_no_json_fail_the_task() -> None:
    scheduler = VirtualScheduler(parent(child(), params={"what": object}))

    above = scheduler.run()

    (run,) = scheduler.execution(above).tasks
    assert scheduler.runs("sub") == [(1, ["INIT", "QUEUED", "FAILED"])]
    assert run.reason.startswith("cannot be started: params of task 'sub': params of workflow")


@pytest.mark.rule("S6")
def test_params_that_are_too_large_fail_the_task_and_nothing_else() -> None:
    one = child()
    with Workflow("parent") as workflow:
        load = Work("load")
        WorkflowOperator("sub", one, {"rows": load.output})
        WorkflowOperator("other", one)
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("load", result="x" * 300_000)

    above = scheduler.run()

    assert scheduler.runs("sub") == [(1, ["INIT", "QUEUED", "FAILED"])]
    assert scheduler.runs("other") == [(1, OK)]
    run = next(one for one in scheduler.execution(above).tasks if one.task_name == "sub")
    assert "params of task 'sub'" in run.reason
    assert "at most" in run.reason


@pytest.mark.rule("S10")
@pytest.mark.parametrize("dies_at", range(1, 9))
def test_a_scheduler_that_starts_again_goes_on_with_the_same_sub_execution(dies_at: int) -> None:
    scheduler = VirtualScheduler(parent(three_deep(), "above", retries=1))
    scheduler.outcome("work", FAILED, after=3)
    scheduler.outcome("work", after=3)
    scheduler.run()

    for second in range(1, 9):
        if second == dies_at:
            scheduler.restart_scheduler()
        scheduler.advance(seconds=1)

    assert scheduler.runs("sub") == [(1, [*AGAIN, "SUCCESS"]), (1, BAD), (1, BAD), (1, OK), (1, OK)]
    assert [status for status, _ in subs(scheduler, "bottom")] == ["FAILED", "SUCCESS"]


@pytest.mark.rule("S10")
def test_what_was_stopping_ends_after_the_scheduler_starts_again() -> None:
    scheduler = VirtualScheduler(driven())
    scheduler.outcome("work", RUNNING)
    scheduler.run()
    scheduler.emit("go")
    scheduler.restart_scheduler()

    scheduler.emit("fresh")
    scheduler.restart_scheduler()
    scheduler.advance(seconds=1)

    assert scheduler.runs("sub") == [(1, [*ON, "RESTARTING", "STOPPED"]), (2, OK)]
    assert [status for status, _ in subs(scheduler)] == ["STOPPED", "SUCCESS"]
