"""A task that runs a workflow (S40)."""

import pytest
from scenario_tasks import Work
from subworkflows import (
    AGAIN,
    BAD,
    OK,
    ON,
    child,
    link,
    newest,
    parent,
    subs,
)

from eventflow import TaskAction, TaskStatus, Workflow, WorkflowOperator
from eventflow.testing import VirtualScheduler

RUNNING, FAILED = TaskStatus.RUNNING, TaskStatus.FAILED

pytestmark = pytest.mark.rule("S40")


def test_the_sub_executions_success_is_the_tasks() -> None:
    below_it = child()
    with Workflow("parent") as workflow:
        sub = WorkflowOperator("sub", below_it, {"day": 3})
        Work("after").start_after(sub)
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("work", after=60)

    above = scheduler.run()
    assert scheduler.runs("sub") == [(1, ON)]
    below = newest(scheduler)
    assert below.params == {"day": 3}
    assert below.parent is not None
    assert (below.parent.workflow_execution_id, below.parent.task_name) == (above.id, "sub")
    assert below.parent.task_execution_id == scheduler.execution(above).tasks[0].id
    scheduler.advance(minutes=2)

    assert scheduler.runs("sub") == [(1, OK)]
    assert scheduler.runs("after") == [(1, OK)]
    assert [one.status for one in scheduler.executions()] == ["SUCCESS", "SUCCESS"]
    assert scheduler.execution(above).parent is None


def test_its_result_names_the_sub_execution() -> None:
    first, second = child(), child("reports")
    with Workflow("parent") as workflow:
        sub = WorkflowOperator("sub", first)
        WorkflowOperator("report", second, {"of": [sub.output]})
    scheduler = VirtualScheduler(workflow)

    scheduler.run()

    found = {"workflow_execution_id": newest(scheduler).id, "workflow": "child"}
    assert newest(scheduler, "reports").params == {"of": [found]}


def test_no_executor_is_handed_the_task() -> None:
    scheduler = VirtualScheduler(parent(child()))

    scheduler.run()

    assert scheduler.started("sub") == []
    assert len(scheduler.started("work")) == 1


def test_a_task_of_the_child_sees_the_link() -> None:
    scheduler = VirtualScheduler(parent(child()))

    above = scheduler.run()

    (job,) = scheduler.started("work")
    assert job.workflow_execution.parent.workflow_execution_id == above.id


def test_a_failed_sub_execution_fails_the_task() -> None:
    scheduler = VirtualScheduler(parent(child()))
    scheduler.outcome("work", FAILED)

    above = scheduler.run()

    (run,) = scheduler.execution(above).tasks
    below = newest(scheduler)
    assert scheduler.runs("sub") == [(1, BAD)]
    assert scheduler.status(above) == "FAILED"
    (failure,) = scheduler.store.failures(run.id)
    assert failure.type_name == "SubWorkflowFailedError"
    assert failure.message == f"execution {below.id} of child has FAILED: failed: work"


def test_a_retry_makes_a_new_sub_execution() -> None:
    scheduler = VirtualScheduler(parent(child(), retries=2, retry_delay=10))
    scheduler.outcome("work", FAILED, after=5)
    scheduler.outcome("work", FAILED, after=5)

    above = scheduler.run()
    scheduler.advance(seconds=14)
    assert len(subs(scheduler)) == 1
    scheduler.advance(minutes=1)

    assert scheduler.runs("sub") == [(1, [*AGAIN, "RETRYING", "QUEUED", "RUNNING", "SUCCESS"])]
    assert [status for status, _ in subs(scheduler)] == ["FAILED", "FAILED", "SUCCESS"]
    links = [one.parent for one in scheduler.executions("child")]
    assert [link.attempt for link in links if link is not None] == [1, 2, 3]
    assert scheduler.status(above) == "SUCCESS"


def test_retry_on_other_exceptions_does_not_retry_it() -> None:
    scheduler = VirtualScheduler(parent(child(), retries=2, retry_on=[ValueError]))
    scheduler.outcome("work", FAILED)

    scheduler.run()

    assert scheduler.runs("sub") == [(1, BAD)]


@pytest.mark.rule("S41")
def test_a_retry_runs_the_newest_snapshot() -> None:
    scheduler = VirtualScheduler(parent("child", retries=1, retry_delay=10), child())
    scheduler.outcome("work", FAILED)
    scheduler.run("parent")

    scheduler.register(child(description="changed"))
    scheduler.advance(minutes=1)

    first, second = scheduler.executions("child")
    assert first.snapshot != second.snapshot
    assert scheduler.runs("sub") == [(1, [*AGAIN, "SUCCESS"])]


def test_an_order_that_is_delivered_twice_is_one_sub_execution() -> None:
    scheduler = VirtualScheduler(parent(child()))
    scheduler.outcome("work", RUNNING)
    above = scheduler.run()

    for _ in range(2):
        scheduler.client.subrun("default", "child", {}, link(scheduler, above), "default")
    scheduler.run_until_idle()

    assert scheduler.runs("sub") == [(1, ON)]
    assert len(subs(scheduler)) == 1


@pytest.mark.rule("S26")
def test_a_late_word_of_an_earlier_sub_execution_moves_nothing() -> None:
    scheduler = VirtualScheduler(parent(child(), retries=1))
    scheduler.outcome("work", FAILED)
    scheduler.outcome("work", RUNNING)
    scheduler.run()
    first, second = scheduler.executions("child")

    scheduler.client.subended(first)
    scheduler.run_until_idle()

    assert scheduler.runs("sub") == [(1, AGAIN)]
    assert scheduler.status(second) == "RUNNING"


@pytest.mark.rule("S26")
def test_the_same_word_again_moves_nothing_while_the_run_waits_or_when_it_has_ended() -> None:
    scheduler = VirtualScheduler(parent(child(), retries=1, retry_delay=10))
    scheduler.outcome("work", FAILED)
    above = scheduler.run()
    scheduler.client.subended(newest(scheduler))
    scheduler.advance(minutes=1)

    scheduler.client.subended(newest(scheduler))
    scheduler.run_until_idle()

    assert scheduler.runs("sub") == [(1, [*AGAIN, "SUCCESS"])]
    (run,) = scheduler.execution(above).tasks
    assert len(scheduler.store.failures(run.id)) == 1


@pytest.mark.rule("S28")
def test_a_lost_report_is_ignored_and_the_same_sub_execution_goes_on() -> None:
    scheduler = VirtualScheduler(parent(child(), on_lost="fail"))
    scheduler.outcome("work", after=60)
    above = scheduler.run()

    scheduler.lose("sub")
    assert scheduler.runs("sub") == [(1, ON)]
    assert "ignored: report lost" in scheduler.decisions(above)[-1].did
    scheduler.advance(minutes=2)

    assert scheduler.runs("sub") == [(1, OK)]
    assert len(subs(scheduler)) == 1


@pytest.mark.rule("S28")
def test_a_lost_task_of_the_child_runs_again_in_the_same_sub_execution() -> None:
    scheduler = VirtualScheduler(parent(child()))
    scheduler.outcome("work", RUNNING)
    scheduler.run()

    scheduler.lose("work")

    assert scheduler.runs("sub") == [(1, OK)]
    assert scheduler.runs("work") == [(1, [*AGAIN, "SUCCESS"])]


def test_two_tasks_run_the_same_workflow_each_for_itself() -> None:
    one = child()
    with Workflow("parent") as workflow:
        WorkflowOperator("left", one, {"side": "left"})
        WorkflowOperator("right", one, {"side": "right"})
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("work", FAILED)

    scheduler.run()

    assert scheduler.runs("left") == [(1, BAD)]
    assert scheduler.runs("right") == [(1, OK)]
    assert [one.params["side"] for one in scheduler.executions("child")] == ["left", "right"]


@pytest.mark.rule("S22")
def test_rules_see_the_status_of_the_task() -> None:
    one = child()
    with Workflow("parent") as workflow:
        sub = WorkflowOperator("sub", one, allow_failure=True)
        Work("clean_up").action_on_task_status(TaskAction.START, {sub: FAILED})
        Work("go_on").start_after(sub)
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("work", FAILED)

    above = scheduler.run()

    assert scheduler.runs("clean_up") == [(1, OK)]
    assert scheduler.runs("go_on") == []
    assert scheduler.status(above) == "SUCCESS"


@pytest.mark.rule("S30")
def test_workflow_rules_see_the_end_of_a_sub_execution() -> None:
    with Workflow("audit") as audit:
        Work("look")
    audit.trigger_on_event("eventflow.workflow.child.success")
    scheduler = VirtualScheduler(parent(child()), audit)

    above = scheduler.run()

    (audited,) = scheduler.executions("audit")
    assert audited.trigger_event is not None
    assert audited.trigger_event.value["parent"]["workflow_execution_id"] == above.id


@pytest.mark.rule("S14")
def test_an_event_of_the_child_is_seen_there_alone() -> None:
    with Workflow("child") as one:
        Work("work").action_on_event_received(TaskAction.START, "go")
    with Workflow("parent") as workflow:
        WorkflowOperator("sub", one)
        Work("other").action_on_event_received(TaskAction.START, "go")
    scheduler = VirtualScheduler(workflow)
    above = scheduler.run()

    scheduler.emit("go", workflow_execution_id=newest(scheduler).id)

    assert scheduler.runs("work") == [(1, OK)]
    assert scheduler.runs("sub") == [(1, OK)]
    assert scheduler.runs("other") == []
    assert scheduler.status(above) == "RUNNING"


@pytest.mark.rule("S17")
def test_a_task_runs_a_paused_workflow_as_a_command_does() -> None:
    one = child()
    scheduler = VirtualScheduler(parent(one), one)
    scheduler.pause(one)

    scheduler.run("parent")

    assert scheduler.runs("sub") == [(1, OK)]


@pytest.mark.rule("S26")
@pytest.mark.parametrize("name", ["x", "default/x", "elsewhere/child"])
def test_an_unknown_workflow_fails_the_task_for_good(name: str) -> None:
    scheduler = VirtualScheduler(parent(name, retries=3), child())

    above = scheduler.run()

    (run,) = scheduler.execution(above).tasks
    assert scheduler.runs("sub") == [(1, ["INIT", "QUEUED", "FAILED"])]
    where = ("default", "x") if "x" in name else ("elsewhere", "child")
    message = f"no workflow {where[1]!r} is registered in namespace {where[0]!r}"
    assert run.reason.startswith(f"cannot be started: {message}")
    assert scheduler.status(above) == "FAILED"


def test_a_workflow_of_another_namespace_runs_there() -> None:
    one = child(namespace="deep")
    scheduler = VirtualScheduler(parent("deep/child"), one)

    scheduler.run()

    assert scheduler.runs("sub") == [(1, OK)]
    assert newest(scheduler).namespace == "deep"
