"""A task that runs a workflow (S40)."""

import pytest
from scenario_tasks import Work
from subworkflows import (
    AGAIN,
    BAD,
    OK,
    ON,
    RESTARTED,
    STOPPED,
    child,
    driven,
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


def test_a_stop_of_the_task_stops_the_sub_execution() -> None:
    scheduler = VirtualScheduler(parent(child()))
    scheduler.outcome("work", RUNNING)
    above = scheduler.run()

    scheduler.stop_task(above, "sub")

    why = f"stopped with task sub of execution {above.id}: stopped by command"
    assert scheduler.runs("sub") == [(1, STOPPED)]
    assert scheduler.runs("work") == [(1, STOPPED)]
    assert subs(scheduler) == [("STOPPED", why)]
    # A task that was stopped has ended as planned (S30).
    assert scheduler.status(above) == "SUCCESS"


def test_a_stop_of_the_parent_stops_the_sub_execution_first() -> None:
    scheduler = VirtualScheduler(parent(child()))
    scheduler.outcome("work", RUNNING)
    above = scheduler.run()

    scheduler.stop_workflow(above, "enough")

    assert scheduler.runs("sub") == [(1, STOPPED)]
    assert scheduler.runs("work") == [(1, STOPPED)]
    assert [one.status for one in scheduler.executions()] == ["STOPPED", "STOPPED"]
    ends = [event.key for event in scheduler.events("eventflow.**") if "stopped" in event.key]
    assert [key for key in ends if not key.startswith("eventflow.report.")] == [
        "eventflow.task.child.work.stopped",
        "eventflow.workflow.child.stopped",
        "eventflow.task.parent.sub.stopped",
        "eventflow.workflow.parent.stopped",
    ]


def test_the_parents_timeout_stops_the_sub_execution() -> None:
    scheduler = VirtualScheduler(parent(child(), parent_timeout=60))
    scheduler.outcome("work", RUNNING)
    above = scheduler.run()

    scheduler.advance(minutes=2)

    assert scheduler.runs("sub") == [(1, STOPPED)]
    assert subs(scheduler)[0][0] == "STOPPED"
    assert scheduler.status(above) == "FAILED"


@pytest.mark.rule("S27")
def test_the_tasks_timeout_stops_the_sub_execution_and_fails_the_attempt() -> None:
    scheduler = VirtualScheduler(parent(child(), timeout=60, retries=1))
    scheduler.outcome("work", RUNNING)
    scheduler.outcome("work", after=10)
    above = scheduler.run()

    scheduler.advance(minutes=2)

    assert scheduler.runs("sub") == [(1, [*AGAIN, "SUCCESS"])]
    assert scheduler.runs("work") == [(1, STOPPED), (1, OK)]
    (run,) = scheduler.execution(above).tasks
    assert [one.type_name for one in scheduler.store.failures(run.id)] == ["TaskTimeoutError"]
    assert "longer than its timeout" in subs(scheduler)[0][1]


def test_a_timeout_passes_over_a_sub_execution_that_ended_in_time() -> None:
    scheduler = VirtualScheduler(parent(child(), timeout=60))
    scheduler.outcome("work", after=59)
    above = scheduler.run()

    scheduler.advance(minutes=5)

    assert scheduler.runs("sub") == [(1, OK)]
    assert scheduler.status(above) == "SUCCESS"


def test_stopped_from_below_the_task_goes_through_stopping() -> None:
    scheduler = VirtualScheduler(parent(child(), retries=3))
    scheduler.outcome("work", RUNNING)
    above = scheduler.run()
    below = newest(scheduler)

    scheduler.stop_workflow(below, "no more")

    assert scheduler.runs("sub") == [(1, STOPPED)]
    (run,) = scheduler.execution(above).tasks
    assert run.reason == f"execution {below.id} of child was stopped: no more"
    assert len(subs(scheduler)) == 1


def test_a_restart_makes_a_new_sub_execution_when_the_first_has_ended() -> None:
    scheduler = VirtualScheduler(parent(child()))
    scheduler.outcome("work", RUNNING)
    above = scheduler.run()

    scheduler.restart_task(above, "sub")

    assert scheduler.runs("sub") == [(1, RESTARTED), (2, OK)]
    assert [status for status, _ in subs(scheduler)] == ["STOPPED", "SUCCESS"]
    assert scheduler.status(above) == "SUCCESS"


def test_a_stop_while_a_restart_is_pending_drops_the_new_one() -> None:
    scheduler = VirtualScheduler(driven())
    scheduler.outcome("work", RUNNING)
    scheduler.run()
    scheduler.emit("go")

    scheduler.client.emit("fresh")
    scheduler.client.emit("enough")
    scheduler.run_until_idle()

    assert scheduler.runs("sub") == [
        (1, ["INIT", "QUEUED", "RUNNING", "RESTARTING", "STOPPING", "STOPPED"]),
        (2, ["INIT", "STOPPED"]),
    ]
    assert [status for status, _ in subs(scheduler)] == ["STOPPED"]


@pytest.mark.rule("S20")
def test_a_stop_while_the_run_is_queued_ends_it_and_nothing_is_created() -> None:
    scheduler = VirtualScheduler(driven())
    above = scheduler.run()

    scheduler.client.emit("go")
    scheduler.client.emit("enough")
    scheduler.run_until_idle()

    assert scheduler.runs("sub") == [(1, ["INIT", "QUEUED", "STOPPED"])]
    assert subs(scheduler) == []
    # Its order went before it was stopped; the command that came of it is not wanted any more.
    scheduler.client.subrun("default", "child", {}, link(scheduler, above), "default")
    scheduler.run_until_idle()
    assert subs(scheduler) == []
    assert "ignored: the run does not wait" in scheduler.decisions(above)[-1].did


@pytest.mark.rule("S21")
def test_a_restart_while_the_run_is_queued_runs_one_sub_execution() -> None:
    scheduler = VirtualScheduler(driven())
    scheduler.run()

    scheduler.client.emit("go")
    scheduler.client.emit("fresh")
    scheduler.run_until_idle()

    assert scheduler.runs("sub") == [(1, ["INIT", "QUEUED", "STOPPED"]), (2, OK)]
    assert len(subs(scheduler)) == 1


def test_an_order_that_is_delivered_twice_is_one_sub_execution() -> None:
    scheduler = VirtualScheduler(parent(child()))
    scheduler.outcome("work", RUNNING)
    above = scheduler.run()

    for _ in range(2):
        scheduler.client.subrun("default", "child", {}, link(scheduler, above), "default")
    scheduler.run_until_idle()

    assert scheduler.runs("sub") == [(1, ON)]
    assert len(subs(scheduler)) == 1


@pytest.mark.rule("S44")
def test_a_sub_execution_waits_for_its_turn_while_the_task_is_running() -> None:
    scheduler = VirtualScheduler(
        parent(one := child(max_active=1)), parent(one, "other"), parent(one, "third")
    )
    scheduler.outcome("work", after=60)
    scheduler.outcome("work", after=60)
    first, second, third = (scheduler.run(name) for name in ("parent", "other", "third"))

    assert scheduler.runs("sub") == [(1, ON)] * 3
    assert [status for status, _ in subs(scheduler)] == ["RUNNING", "INIT", "INIT"]
    scheduler.stop_task(third, "sub")
    assert scheduler.runs("sub", third) == [(1, STOPPED)]
    assert [status for status, _ in subs(scheduler)] == ["RUNNING", "INIT", "STOPPED"]
    scheduler.advance(seconds=90)
    assert scheduler.runs("sub", first) == [(1, OK)]
    assert scheduler.runs("sub", second) == [(1, ON)]
    scheduler.advance(seconds=90)

    assert scheduler.runs("sub", second) == [(1, OK)]
    assert [status for status, _ in subs(scheduler)] == ["SUCCESS", "SUCCESS", "STOPPED"]


@pytest.mark.rule("S27")
def test_the_tasks_time_runs_while_the_sub_execution_waits_for_its_turn() -> None:
    one = child(max_active=1)
    scheduler = VirtualScheduler(parent(one, timeout=60), one)
    scheduler.outcome("work", RUNNING)
    scheduler.run("child")
    scheduler.run("parent")

    scheduler.advance(minutes=2)

    assert scheduler.runs("sub") == [(1, BAD)]
    assert [status for status, _ in subs(scheduler)] == ["RUNNING", "STOPPED"]


def test_the_child_ends_in_the_batch_of_the_stop_and_ended_is_ended() -> None:
    scheduler = VirtualScheduler(driven())
    scheduler.outcome("work", RUNNING)
    scheduler.run()
    scheduler.emit("go")
    below = newest(scheduler)

    scheduler.client.emit("enough")
    scheduler.report("work", TaskStatus.SUCCESS, execution=below)

    # The log comes before the report (S12): the task was stopped before its work was done.
    assert scheduler.runs("sub") == [(1, STOPPED)]
    assert scheduler.runs("work") == [(1, STOPPED)]


def test_both_are_stopped_at_once() -> None:
    scheduler = VirtualScheduler(parent(child()))
    scheduler.outcome("work", RUNNING)
    above = scheduler.run()

    for execution in (newest(scheduler), above, newest(scheduler)):
        scheduler.client.stop(execution.id)
    scheduler.run_until_idle()

    assert scheduler.runs("sub") == [(1, STOPPED)]
    assert scheduler.runs("work") == [(1, STOPPED)]
    assert [one.status for one in scheduler.executions()] == ["STOPPED", "STOPPED"]


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


@pytest.mark.rule("S31")
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
