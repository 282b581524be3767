"""A task that runs a workflow is stopped with it, from above and from below (S40)."""

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

from eventflow import TaskAction, TaskStatus
from eventflow.testing import VirtualScheduler

RUNNING = TaskStatus.RUNNING

pytestmark = pytest.mark.rule("S40")


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


@pytest.mark.rule("S29")
def test_no_rule_of_a_sub_execution_acts_on_the_command_that_stops_it() -> None:
    below = child()
    with below:
        late = Work("late")
    late.action_on_event_received(TaskAction.START, "eventflow.command.stop")
    scheduler = VirtualScheduler(parent(below))
    scheduler.outcome("work", RUNNING)
    above = scheduler.run()

    scheduler.stop_workflow(above)

    assert scheduler.runs("late") == []
    assert scheduler.runs("work") == [(1, STOPPED)]


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
