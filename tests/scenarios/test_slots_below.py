"""Slots and sub-executions together: what is decided at once must fit (S20, S40, S44)."""

import pytest
from scenario_tasks import Work

from eventflow import TaskAction, TaskStatus, Workflow, WorkflowOperator
from eventflow.errors import DefinitionError
from eventflow.testing import VirtualScheduler


@pytest.mark.rule("S20", "S40", "S44")
def test_an_event_that_starts_a_task_below_and_stops_it_from_above_leaves_no_run_behind() -> None:
    with Workflow("child") as child:
        Work("keep")
        Work("ask", pool="p").action_on_event_received(TaskAction.START, "now")
    with Workflow("parent") as parent:
        sub = WorkflowOperator("sub", child)
        sub.action_on_event_received(TaskAction.STOP, "now")
        sub.action_on_event_received(TaskAction.START, "never")
    scheduler = VirtualScheduler(child, parent)
    scheduler.set_pool("p", 1)
    scheduler.outcome("keep", TaskStatus.RUNNING)
    above = scheduler.run(parent)
    scheduler.start_task(above, "sub")

    scheduler.emit("now")

    assert scheduler.runs("ask") == [(1, ["INIT", "STOPPED"])]
    assert scheduler.runs("sub") == [(1, ["INIT", "QUEUED", "RUNNING", "STOPPING", "STOPPED"])]
    assert [(pool.name, pool.held, pool.waiting) for pool in scheduler.pools()] == [("p", 0, 0)]


@pytest.mark.rule("S40", "S44")
def test_a_task_that_runs_a_workflow_takes_no_slot_of_its_own() -> None:
    with Workflow("child") as child:
        Work("a")
    with Workflow("parent") as parent:
        WorkflowOperator("sub", child)
    scheduler = VirtualScheduler(child, parent)
    scheduler.set_pool("default", 1)

    scheduler.run(parent)

    assert scheduler.runs("sub") == [(1, ["INIT", "QUEUED", "RUNNING", "SUCCESS"])]
    assert scheduler.runs("a") == [(1, ["INIT", "QUEUED", "RUNNING", "SUCCESS"])]


@pytest.mark.rule("S40", "S44")
def test_a_task_that_runs_a_workflow_is_given_no_pool() -> None:
    with Workflow("parent"), pytest.raises(DefinitionError, match="takes no slot of a pool"):
        WorkflowOperator("sub", "child", pool="p")


@pytest.mark.rule("S31", "S44")
def test_what_a_retry_runs_again_waits_for_its_slot_and_what_it_takes_over_holds_none() -> None:
    with Workflow("w") as workflow:
        done, slow = Work("done", pool="p"), Work("slow", pool="p", priority=1)
    del done, slow
    scheduler = VirtualScheduler(workflow)
    scheduler.set_pool("p", 1)
    scheduler.outcome("slow", TaskStatus.FAILED, after=5)
    old = scheduler.run()
    scheduler.advance(seconds=5)
    scheduler.outcome("slow", after=5)
    scheduler.outcome("slow", after=5)
    new = scheduler.retry(old)
    other = scheduler.retry(old)

    assert scheduler.runs("done", new) == [(1, ["SUCCESS"])]
    assert scheduler.runs("slow", new) == [(1, ["INIT", "QUEUED", "RUNNING"])]
    assert scheduler.runs("slow", other) == [(1, ["INIT", "QUEUED"])]
    assert [(pool.name, pool.held, pool.waiting) for pool in scheduler.pools()] == [("p", 1, 1)]
    scheduler.advance(seconds=10)
    assert [one.status for one in scheduler.executions()] == ["FAILED", "SUCCESS", "SUCCESS"]


@pytest.mark.rule("S31", "S40")
def test_the_retry_of_a_parent_runs_its_failed_task_as_a_new_sub_execution() -> None:
    with Workflow("child") as child:
        Work("a")
    with Workflow("parent") as parent:
        WorkflowOperator("one", child) >> WorkflowOperator("two", child)
    scheduler = VirtualScheduler(child, parent)
    scheduler.outcome("a")
    scheduler.outcome("a", TaskStatus.FAILED)
    old = scheduler.run(parent)
    assert scheduler.status(old) == "FAILED"

    new = scheduler.retry(old)

    assert scheduler.runs("one", new) == [(1, ["SUCCESS"])]
    assert scheduler.runs("two", new) == [(1, ["INIT", "QUEUED", "RUNNING", "SUCCESS"])]
    subs = scheduler.executions("child")
    links = [one.parent.workflow_execution_id for one in subs if one.parent is not None]
    assert links == [old.id, old.id, new.id]
    assert [one.status for one in subs] == ["SUCCESS", "FAILED", "SUCCESS"]


@pytest.mark.rule("S31", "S40")
def test_a_sub_execution_that_is_retried_by_hand_stands_alone() -> None:
    with Workflow("child") as child:
        Work("a")
    with Workflow("parent") as parent:
        WorkflowOperator("one", child)
    scheduler = VirtualScheduler(child, parent)
    scheduler.outcome("a", TaskStatus.FAILED)
    above = scheduler.run(parent)
    (sub,) = scheduler.executions("child")

    again = scheduler.retry(sub)

    assert (again.status, again.retry_of, again.parent) == ("SUCCESS", sub.id, None)
    assert scheduler.status(above) == "FAILED"
