"""In a retry: tasks that wait for statuses, and rules that what is taken over wakes (S31)."""

from collections.abc import Callable

import pytest
from retry_kit import (
    BAD,
    ENDED,
    FAILED,
    OK,
    OVER,
    RESTART,
    RUNNING,
    START,
    STOP,
    SUCCESS,
    chain,
    failed,
    runs,
)
from scenario_tasks import Work

from eventflow import (
    AllOf,
    AnyOf,
    EventCondition,
    Not,
    TaskAction,
    TaskStatus,
    Workflow,
    WorkflowExecution,
)
from eventflow import TaskStatusCondition as Status
from eventflow.testing import VirtualScheduler

pytestmark = pytest.mark.rule("S31")


def test_a_rule_on_an_event_and_a_status_waits_for_the_status_alone() -> None:
    with Workflow("w") as workflow:
        a, b = Work("a"), Work("b")
        b.action_on_condition(START, AllOf(EventCondition("go"), Status(a, {SUCCESS, FAILED})))
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", FAILED)
    scheduler.outcome("b", FAILED)
    old = scheduler.run()
    go = scheduler.emit("go", 1)
    assert scheduler.status(old) == "FAILED"
    scheduler.outcome("a", after=10)

    new = scheduler.retry(old)

    assert scheduler.runs("b", new) == []
    scheduler.advance(seconds=10)
    assert runs(scheduler, new) == {"a": [(1, OK)], "b": [(1, OK)]}
    assert [job.trigger_event.offset for job in scheduler.started("b")] == [go.offset] * 2


def test_a_rule_on_the_absence_of_a_status_waits_until_it_stands() -> None:
    with Workflow("w", completion="manual") as workflow:
        a, b = Work("a"), Work("b")
        a.action_on_event_received(RESTART, "again")
        b.action_on_condition(START, AllOf(EventCondition("go"), Not(Status(a, SUCCESS))))
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", FAILED)
    scheduler.outcome("b", FAILED)
    old = scheduler.run()
    scheduler.emit("go")
    scheduler.emit("again")
    scheduler.stop_workflow(old)
    assert runs(scheduler, old) == {"a": [(1, BAD), (2, OK)], "b": [(1, BAD)]}

    new = scheduler.retry(old)

    assert runs(scheduler, new) == {"a": [(1, OVER)]}
    scheduler.emit("again")
    assert runs(scheduler, new) == {"a": [(1, OVER), (2, OK)], "b": [(1, OK)]}


@pytest.mark.parametrize(("by_event", "waits"), [(True, False), (False, True)])
def test_of_a_rule_that_one_of_two_things_met_only_the_status_is_waited_for(
    by_event: bool, waits: bool
) -> None:
    with Workflow("w", completion="manual") as workflow:
        a, b = Work("a"), Work("b")
        a.action_on_event_received(RESTART, "again")
        b.action_on_condition(START, AnyOf(EventCondition("go"), Status(a, SUCCESS)))
    scheduler = VirtualScheduler(workflow)
    if by_event:
        scheduler.outcome("a", FAILED)
    scheduler.outcome("b", FAILED)
    old = scheduler.run()
    if by_event:
        scheduler.emit("go")
    scheduler.outcome("a", FAILED)
    scheduler.emit("again")
    scheduler.stop_workflow(old)
    scheduler.outcome("a", RUNNING)

    new = scheduler.retry(old)

    assert (scheduler.runs("b", new) == []) is waits


@pytest.mark.parametrize("action", [START, RESTART])
def test_a_task_that_never_ran_follows_what_is_taken_over_once(action: TaskAction) -> None:
    with Workflow("w") as workflow:
        a, b, c = Work("a"), Work("b"), Work("c", autostart=False)
        b.action_on_event_received(STOP, "drain")
        c.action_on_task_status(action, {a: SUCCESS, b: TaskStatus.STOPPED})
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("b", RUNNING)
    old = scheduler.run()
    # Both before the executor answers: when b has ended, no rule acts any more.
    scheduler.client.emit("drain")
    scheduler.stop_workflow(old)
    assert runs(scheduler, old) == {"a": [(1, OK)], "b": [(1, ENDED)]}

    new = scheduler.retry(old)

    assert runs(scheduler, new) == {"a": [(1, OVER)], "b": [(1, ["STOPPED"])], "c": [(1, OK)]}
    assert [one.did for one in scheduler.decisions(new)] == ["started", "started"]
    assert (new.status, new.tasks[2].started_by) == ("SUCCESS", "eventflow.task.w.a.success")


def test_a_rule_on_two_taken_over_tasks_and_the_absence_of_a_third_judges_all_levels() -> None:
    """In the old execution b had ended before c could have started: it must not start now."""
    with Workflow("w") as workflow:
        a, b, c = Work("a"), Work("b"), Work("c")
        b.action_on_event_received(START, "go")
        c.action_on_condition(START, AllOf(Status(a, SUCCESS), Not(Status(b, SUCCESS))))
        Work("fails")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", after=10)
    scheduler.outcome("fails", FAILED)
    old = scheduler.run()
    scheduler.emit("go")
    scheduler.advance(seconds=10)
    assert runs(scheduler, old) == {"a": [(1, OK)], "b": [(1, OK)], "fails": [(1, BAD)]}

    new = scheduler.retry(old)

    assert runs(scheduler, new) == {"a": [(1, OVER)], "b": [(1, OVER)], "fails": [(1, OK)]}


def test_rules_of_what_is_taken_over_or_runs_again_are_not_woken_by_what_is_taken_over() -> None:
    with Workflow("w") as workflow:
        a, b, c = Work("a"), Work("b"), Work("c")
        for task in (b, c):
            task.action_on_task_status(RESTART, {a: SUCCESS})
            task.action_on_event_received(START, "never")
    scheduler, old = failed_and_stopped(workflow, "c")

    new = scheduler.retry(old)

    assert runs(scheduler, new) == {"a": [(1, OVER)], "b": [(1, OVER)], "c": [(1, OK)]}
    started = [(one.task, one.action, one.rule) for one in scheduler.decisions(new) if one.task]
    assert started == [("c", "retry", 0)]


def test_another_rule_of_what_waits_is_not_woken_by_what_is_taken_over() -> None:
    with Workflow("w") as workflow:
        a, b, d = Work("a"), Work("b"), Work("d")
        b.action_on_condition(START, AllOf(EventCondition("go"), Status(a, {SUCCESS, FAILED})))
        b.action_on_task_status(START, {d: SUCCESS})
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", FAILED, after=10)
    scheduler.outcome("b")
    scheduler.outcome("b", FAILED)
    old = scheduler.run()
    scheduler.emit("go")
    scheduler.advance(seconds=10)
    assert runs(scheduler, old) == {"a": [(1, BAD)], "b": [(1, OK), (2, BAD)], "d": [(1, OK)]}
    scheduler.outcome("a", after=10)

    new = scheduler.retry(old)

    assert scheduler.runs("b", new) == []
    scheduler.advance(seconds=10)
    assert runs(scheduler, new) == {"a": [(1, OK)], "b": [(1, OK)], "d": [(1, OVER)]}


def failed_and_stopped(
    workflow: Workflow, *tasks: str
) -> tuple[VirtualScheduler, WorkflowExecution]:
    scheduler = VirtualScheduler(workflow)
    for task in tasks:
        scheduler.outcome(task, FAILED)
    execution = scheduler.run()
    if not execution.ended:
        scheduler.stop_workflow(execution)
    return scheduler, scheduler.execution(execution)


def test_a_workflow_that_listens_to_the_task_does_not_start_for_what_is_taken_over() -> None:
    with Workflow("other") as other:
        Work("x")
    other.trigger_on_event("eventflow.task.w.*.success")
    scheduler = VirtualScheduler(chain(), other)
    scheduler.outcome("b", FAILED)
    old = scheduler.run("w")
    assert len(scheduler.executions("other")) == 1

    scheduler.retry(old)

    keys = [one.trigger_event.key for one in scheduler.executions("other") if one.trigger_event]
    assert keys == [f"eventflow.task.w.{name}.success" for name in "abc"]
    told = [event.value.get("taken_over") for event in scheduler.events("eventflow.task.w.a.*")]
    assert told == [None, None, None, None, True]


def test_a_stop_while_tasks_wait_to_run_again_ends_it_stopped() -> None:
    with Workflow("w") as workflow:
        a, b = Work("a"), Work("b")
        b.action_on_task_status(START, {a: {SUCCESS, FAILED}})
    scheduler, old = failed(workflow, "a", "b")
    scheduler.outcome("a", after=100)
    new = scheduler.retry(old)

    scheduler.stop_workflow(new)

    assert runs(scheduler, new) == {"a": [(1, ENDED)]}
    assert scheduler.status(new) == "STOPPED"


def waiting() -> tuple[VirtualScheduler, WorkflowExecution]:
    """A retry in which b waits for a, which goes on, to run again."""
    with Workflow("w") as workflow:
        a, b = Work("a"), Work("b")
        b.action_on_condition(START, AllOf(EventCondition("go"), Status(a, {SUCCESS, FAILED})))
        b.action_on_event_received(STOP, "drop")
        b.action_on_event_received(RESTART, "now")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", FAILED)
    scheduler.outcome("b", FAILED)
    old = scheduler.run()
    scheduler.emit("go")
    scheduler.outcome("a", after=100)
    return scheduler, scheduler.retry(old)


@pytest.mark.parametrize(
    "begin",
    [
        lambda scheduler, new: scheduler.emit("now"),
        lambda scheduler, new: scheduler.start_task(new, "b"),
        lambda scheduler, new: scheduler.restart_task(new, "b"),
    ],
)
def test_a_rule_or_command_starts_at_once_what_waits_to_run_again_and_it_runs_once(
    begin: Callable[[VirtualScheduler, WorkflowExecution], object],
) -> None:
    scheduler, new = waiting()
    assert scheduler.runs("b", new) == []

    begin(scheduler, new)
    assert scheduler.runs("b", new) == [(1, OK)]
    scheduler.advance(seconds=100)

    assert runs(scheduler, new) == {"a": [(1, OK)], "b": [(1, OK)]}


@pytest.mark.parametrize("outside", [False, True])
def test_what_waits_to_run_again_and_is_stopped_does_not(outside: bool) -> None:
    scheduler, new = waiting()

    if outside:
        assert scheduler.stop_task(new, "b") == "stopped"
    else:
        scheduler.emit("drop")
    scheduler.advance(seconds=100)
    assert runs(scheduler, new) == {"a": [(1, OK)]}
    scheduler.stop_workflow(new)

    # Stopped from outside it is still to run again, for whoever retries this one.
    if outside:
        assert scheduler.runs("b", scheduler.retry(new)) == [(1, OK)]
    else:
        assert scheduler.runs("b", scheduler.retry(new)) == []


def test_a_scheduler_that_dies_at_any_step_loses_nothing_of_a_retry() -> None:
    """Between all batches a new scheduler reads the store: the histories are the same."""
    with Workflow("w", max_active=1) as workflow:
        a, b, c = Work("a"), Work("b"), Work("c")
        d, e = Work("d"), Work("e")
        a >> b
        c.action_on_condition(START, AllOf(EventCondition("go"), Status(b, {SUCCESS, FAILED})))
        d.start_after([a, b])
        e.start_after(c)
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("b", FAILED)
    scheduler.outcome("c", FAILED)
    old = scheduler.run()
    scheduler.emit("go")
    ahead = scheduler.run()
    scheduler.outcome("b", after=30)
    scheduler.outcome("b", after=30)
    scheduler.restart_scheduler()
    new = scheduler.retry(old)
    scheduler.restart_scheduler()

    scheduler.stop_workflow(ahead)
    for _ in range(6):
        scheduler.restart_scheduler()
        scheduler.advance(seconds=10)

    assert runs(scheduler, new) == {
        "a": [(1, OVER)],
        "b": [(1, OK)],
        "c": [(1, OK)],
        "d": [(1, OK)],
        "e": [(1, OK)],
    }
    assert scheduler.status(new) == "SUCCESS"


@pytest.mark.rule("S44")
def test_a_retry_waits_for_its_turn_and_keeps_its_picture() -> None:
    with Workflow("w", max_active=1) as workflow:
        Work("a") >> Work("b") >> Work("c")
    scheduler, old = failed(workflow, "b")
    scheduler.outcome("a", after=100)
    ahead = scheduler.run()

    new = scheduler.retry(old)
    assert (new.status, new.tasks) == ("INIT", ())
    scheduler.restart_scheduler()
    scheduler.advance(seconds=100)

    assert scheduler.status(ahead) == "SUCCESS"
    assert runs(scheduler, new) == {"a": [(1, OVER)], "b": [(1, OK)], "c": [(1, OK)]}
    assert scheduler.store.state(new.id, ("default", "w")) == {}
