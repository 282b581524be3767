"""Retry of an ended execution: what is taken over, runs again, or follows its rules (S31)."""

from collections.abc import Callable
from typing import Any

import pytest
from scenario_tasks import Work

from eventflow import (
    AllOf,
    AnyOf,
    EventCondition,
    Every,
    Not,
    Operator,
    TaskAction,
    TaskStatus,
    Workflow,
    WorkflowExecution,
)
from eventflow import TaskStatusCondition as Status
from eventflow.errors import ConflictError, DuplicateEventError, NotFoundError
from eventflow.model.event import MAX_EVENT_BYTES
from eventflow.model.jsonvalue import encode
from eventflow.testing import VirtualScheduler

pytestmark = pytest.mark.rule("S31")
START, RESTART, STOP = TaskAction.START, TaskAction.RESTART, TaskAction.STOP
SUCCESS, FAILED, RUNNING = TaskStatus.SUCCESS, TaskStatus.FAILED, TaskStatus.RUNNING
OK = ["INIT", "QUEUED", "RUNNING", "SUCCESS"]
BAD = ["INIT", "QUEUED", "RUNNING", "FAILED"]
ENDED = ["INIT", "QUEUED", "RUNNING", "STOPPING", "STOPPED"]
OVER = ["SUCCESS"]
Runs = dict[str, list[tuple[int, list[str]]]]


class Takes(Work):
    """A task whose arguments take the outputs of others."""

    def __init__(self, name: str, *upstream: Operator, **config: Any) -> None:
        self._upstream = [one.output for one in upstream]
        super().__init__(name, **config)

    @property
    def arguments(self) -> Any:
        return {"all": self._upstream}


def chain() -> Workflow:
    with Workflow("w") as workflow:
        Work("a") >> Work("b") >> Work("c")
    return workflow


def runs(scheduler: VirtualScheduler, execution: WorkflowExecution) -> Runs:
    """Every task that has a run, with all its runs."""
    names = {run.task_name for run in scheduler.execution(execution).tasks}
    return {name: scheduler.runs(name, execution) for name in sorted(names)}


def failed(workflow: Workflow, *tasks: str) -> tuple[VirtualScheduler, WorkflowExecution]:
    """An execution that has ended, in which these tasks failed."""
    scheduler = VirtualScheduler(workflow)
    for task in tasks:
        scheduler.outcome(task, FAILED)
    execution = scheduler.run()
    assert execution.status == "FAILED"
    return scheduler, execution


def test_what_succeeded_is_taken_over_what_failed_runs_again_and_the_rest_follows() -> None:
    scheduler = VirtualScheduler(chain())
    scheduler.outcome("a", result={"rows": 3})
    scheduler.outcome("b", FAILED)
    old = scheduler.run(params={"day": "2026-01-01"})

    new = scheduler.retry(old)

    assert runs(scheduler, new) == {"a": [(1, OVER)], "b": [(1, OK)], "c": [(1, OK)]}
    assert (new.status, new.retry_of, new.params) == ("SUCCESS", old.id, {"day": "2026-01-01"})
    assert (new.snapshot, new.execution_type) == (old.snapshot, old.execution_type)
    assert runs(scheduler, old) == {"a": [(1, OK)], "b": [(1, BAD)]}
    assert len(scheduler.started("a")) == 1
    taken, again, _ = new.tasks
    assert scheduler.store.latest_result(new.id, "a") == '{"rows":3}'
    assert scheduler.store.result(taken.id) == '{"rows":3}'
    assert taken.taken_from == old.tasks[0].id
    assert (taken.reason, taken.started_by) == ("taken over from execution 1", "retry")
    assert scheduler.store.history(taken.id)[0].reason == "taken over from execution 1"
    assert (again.started_by, again.trigger_turn) == (
        "eventflow.task.w.a.success",
        old.tasks[1].trigger_turn,
    )


def test_a_fan_in_waits_for_both_that_failed() -> None:
    with Workflow("w") as workflow:
        a, b, c, d = Work("a"), Work("b"), Work("c"), Work("d")
        a >> [b, c]
        d.start_after([b, c])
    scheduler, old = failed(workflow, "b", "c")
    scheduler.outcome("b", after=10)
    scheduler.outcome("c", after=20)

    new = scheduler.retry(old)

    scheduler.advance(seconds=10)
    assert scheduler.runs("d", new) == []
    scheduler.advance(seconds=10)
    assert runs(scheduler, new) == {
        "a": [(1, OVER)],
        "b": [(1, OK)],
        "c": [(1, OK)],
        "d": [(1, OK)],
    }


def test_a_branch_that_was_not_taken_is_not_taken_by_the_retry_either() -> None:
    with Workflow("w") as workflow:
        a, good, bad = Work("a"), Work("good"), Work("bad")
        good.action_on_task_status(START, {a: SUCCESS})
        bad.action_on_task_status(START, {a: FAILED})
    scheduler, old = failed(workflow, "good")

    new = scheduler.retry(old)

    assert runs(scheduler, new) == {"a": [(1, OVER)], "good": [(1, OK)]}
    assert scheduler.status(new) == "SUCCESS"


def test_a_handler_of_the_failure_that_ran_is_taken_over_and_not_run_again() -> None:
    with Workflow("w") as workflow:
        a, mend, after = Work("a"), Work("mend"), Work("after")
        mend.action_on_task_status(START, {a: FAILED})
        after.start_after(a)
    scheduler, old = failed(workflow, "a")
    assert runs(scheduler, old) == {"a": [(1, BAD)], "mend": [(1, OK)]}

    new = scheduler.retry(old)

    assert runs(scheduler, new) == {"a": [(1, OK)], "after": [(1, OK)], "mend": [(1, OVER)]}
    assert scheduler.status(new) == "SUCCESS"


def test_a_handler_that_ran_runs_once_more_when_its_upstream_fails_once_more() -> None:
    with Workflow("w") as workflow:
        a, mend = Work("a"), Work("mend")
        mend.action_on_task_status(START, {a: FAILED})
    scheduler, old = failed(workflow, "a")
    scheduler.outcome("a", FAILED)

    new = scheduler.retry(old)

    assert runs(scheduler, new) == {"a": [(1, BAD)], "mend": [(1, OVER), (2, OK)]}


def test_a_handler_that_failed_does_not_run_when_there_is_nothing_to_handle_any_more() -> None:
    with Workflow("w") as workflow:
        a, mend = Work("a"), Work("mend")
        mend.action_on_task_status(START, {a: FAILED})
    scheduler, old = failed(workflow, "a", "mend")

    new = scheduler.retry(old)

    assert runs(scheduler, new) == {"a": [(1, OK)]}
    assert scheduler.status(new) == "SUCCESS"


@pytest.mark.parametrize("outside", [False, True])
def test_what_a_rule_stopped_is_taken_over_what_a_command_stopped_runs_again(outside: bool) -> None:
    with Workflow("w") as workflow:
        serve, check = Work("serve"), Work("check")
        serve.action_on_event_received(STOP, "drain")
        check.start_after(serve)
        Work("fails")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("serve", RUNNING)
    scheduler.outcome("fails", FAILED)
    old = scheduler.run()
    if outside:
        scheduler.stop_task(old, "serve")
    else:
        scheduler.emit("drain")

    new = scheduler.retry(old)

    assert scheduler.runs("serve", old) == [(1, ENDED)]
    again = {"serve": [(1, OK)], "check": [(1, OK)]} if outside else {"serve": [(1, ["STOPPED"])]}
    assert runs(scheduler, new) == {"fails": [(1, OK)], **again}
    assert scheduler.status(new) == "SUCCESS"


def test_a_rule_that_comes_after_a_command_has_not_stopped_the_task() -> None:
    with Workflow("w") as workflow:
        Work("a").action_on_event_received(STOP, "eventflow.command.task")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", RUNNING)
    old = scheduler.run()
    scheduler.stop_task(old, "a")

    new = scheduler.retry(old)

    assert runs(scheduler, new) == {"a": [(1, OK)]}


def test_what_was_alive_when_the_execution_was_stopped_runs_again() -> None:
    with Workflow("w") as workflow:
        a, b = Work("a"), Work("b", retries=3, retry_delay=60)
        Work("c").start_after([a, b])
        Work("done")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", RUNNING)
    scheduler.outcome("b", FAILED)
    old = scheduler.run()
    scheduler.stop_workflow(old, "enough")
    assert (scheduler.status(old), scheduler.execution(old).reason) == ("STOPPED", "enough")

    new = scheduler.retry(old)

    assert runs(scheduler, new) == {
        "a": [(1, OK)],
        "b": [(1, OK)],
        "c": [(1, OK)],
        "done": [(1, OVER)],
    }


def test_a_successor_that_was_dropped_is_passed_over() -> None:
    with Workflow("w") as workflow:
        a = Work("a")
        a.action_on_event_received(RESTART, "again")
        a.action_on_event_received(STOP, "stop")
        Work("fails")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", RUNNING)
    scheduler.outcome("fails", FAILED)
    old = scheduler.run()
    # Both before the executor answers: the successor still waits when the stop comes.
    scheduler.client.emit("again")
    scheduler.client.emit("stop")
    scheduler.run_until_idle()
    assert scheduler.runs("a", old) == [
        (1, ["INIT", "QUEUED", "RUNNING", "RESTARTING", "STOPPING", "STOPPED"]),
        (2, ["INIT", "STOPPED"]),
    ]

    new = scheduler.retry(old)

    assert runs(scheduler, new) == {"a": [(1, ["STOPPED"])], "fails": [(1, OK)]}


def test_an_execution_that_ran_too_long_goes_on_where_it_was() -> None:
    with Workflow("w", timeout=60) as workflow:
        a, b, c = Work("a"), Work("b"), Work("c")
        a >> b >> c
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("b", after=1000)
    old = scheduler.run()
    scheduler.advance(seconds=60)
    assert scheduler.status(old) == "FAILED"

    new = scheduler.retry(old)

    assert runs(scheduler, new) == {"a": [(1, OVER)], "b": [(1, OK)], "c": [(1, OK)]}


@pytest.mark.rule("S16")
def test_a_task_that_an_event_started_gets_the_same_event_again() -> None:
    with Workflow("w") as workflow:
        Work("a").action_on_event_received(START, "go")
        Work("b")
    workflow.trigger_on_event("begin")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", FAILED)
    scheduler.outcome("b", FAILED)
    scheduler.emit("begin", {"n": 1})
    event = scheduler.emit("go", {"n": 7})
    old = scheduler.execution()

    new = scheduler.retry(old)

    assert (new.status, new.execution_type) == ("SUCCESS", "EVENT")
    first, second = (job.trigger_event for job in scheduler.started("a"))
    assert (second.offset, second.value, second.turn) == (event.offset, {"n": 7}, first.turn)
    first, second = (job.trigger_event for job in scheduler.started("b"))
    assert (second.key, second.value, second.offset) == ("begin", {"n": 1}, first.offset)
    assert new.trigger_event == old.trigger_event
    assert [run.started_by for run in new.tasks] == ["go", "autostart"]


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


def test_a_second_retry_takes_over_from_where_each_result_came() -> None:
    with Workflow("w") as workflow:
        a = Work("a")
        b = Takes("b", a)
        c = Takes("c", a, b)
        d = Takes("d", c)
        assert d is not None
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", result=1)
    scheduler.outcome("b", FAILED)
    old = scheduler.run()
    scheduler.outcome("b", result=2)
    scheduler.outcome("c", FAILED)
    second = scheduler.retry(old)
    scheduler.outcome("c", result=3)

    third = scheduler.retry(second)

    assert runs(scheduler, second) == {"a": [(1, OVER)], "b": [(1, OK)], "c": [(1, BAD)]}
    assert runs(scheduler, third) == {
        "a": [(1, OVER)],
        "b": [(1, OVER)],
        "c": [(1, OK)],
        "d": [(1, OK)],
    }
    assert (third.status, third.retry_of) == ("SUCCESS", second.id)
    taken = {run.task_name: run for run in third.tasks}
    assert taken["a"].taken_from == old.tasks[0].id
    assert taken["a"].reason == "taken over from execution 1"
    assert taken["b"].taken_from == second.tasks[1].id
    assert taken["b"].reason == "taken over from execution 2"
    results = [scheduler.store.latest_result(third.id, name) for name in "abc"]
    assert results == ["1", "2", "3"]
    bound = scheduler.started("c")[-1].inputs
    assert [scheduler.store.result(bound[name]) for name in "ab"] == ["1", "2"]


def test_a_retry_of_a_retry_that_was_stopped_before_it_began_is_one_of_the_first() -> None:
    with Workflow("w", max_active=1) as workflow:
        Work("a") >> Work("b")
        Work("hold").action_on_event_received(START, "never")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("b", FAILED)
    old = scheduler.run()
    scheduler.stop_workflow(old)
    holds = scheduler.run()
    second = scheduler.retry(old)
    assert second.status == "INIT"
    scheduler.stop_workflow(second)
    assert (scheduler.status(second), scheduler.execution(second).tasks) == ("STOPPED", ())
    assert scheduler.store.state(second.id, ("default", "w")) == {}

    third = scheduler.retry(second)
    scheduler.stop_workflow(holds)

    assert runs(scheduler, third) == {"a": [(1, OVER)], "b": [(1, OK)]}
    assert third.tasks == ()
    assert scheduler.execution(third).tasks[0].taken_from == old.tasks[0].id


def test_a_retry_that_is_stopped_while_tasks_wait_leaves_them_to_the_next() -> None:
    with Workflow("w", completion="manual") as workflow:
        a, b = Work("a"), Work("b")
        b.action_on_condition(START, AllOf(EventCondition("go"), Status(a, SUCCESS)))
        a.action_on_event_received(RESTART, "again")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("b", FAILED)
    old = scheduler.run()
    go = scheduler.emit("go")
    scheduler.outcome("a", FAILED)
    scheduler.emit("again")
    scheduler.stop_workflow(old)
    scheduler.outcome("a", FAILED)
    second = scheduler.retry(old)
    assert runs(scheduler, second) == {"a": [(1, BAD)]}
    scheduler.stop_workflow(second)
    assert scheduler.store.state(second.id, ("default", "w")) == {}

    third = scheduler.retry(second)

    assert runs(scheduler, third) == {"a": [(1, OK)], "b": [(1, OK)]}
    assert [job.trigger_event.offset for job in scheduler.started("b")] == [go.offset] * 2


def test_an_execution_that_has_not_ended_is_not_retried() -> None:
    scheduler = VirtualScheduler(chain())
    scheduler.outcome("a", RUNNING)
    old = scheduler.run()

    with pytest.raises(ConflictError, match="execution 1 is RUNNING: stop it first, or wait"):
        scheduler.retry(old)

    assert len(scheduler.executions()) == 1
    assert len(scheduler.events("eventflow.command.*")) == 2


def test_an_execution_that_is_not_there_is_not_retried() -> None:
    with pytest.raises(NotFoundError, match="no workflow execution 7"):
        VirtualScheduler(chain()).retry(7)


def test_an_execution_in_which_nothing_is_left_to_do_is_not_retried() -> None:
    with Workflow("w") as workflow:
        a, good, bad = Work("a"), Work("good"), Work("bad")
        good.action_on_task_status(START, {a: SUCCESS})
        bad.action_on_task_status(START, {a: FAILED})
    scheduler = VirtualScheduler(workflow)
    old = scheduler.run()

    with pytest.raises(ConflictError, match=r"every task would be taken over.*execution start w"):
        scheduler.retry(old)


def test_an_execution_that_was_stopped_while_a_task_waited_can_be_retried_for_that_one() -> None:
    with Workflow("w") as workflow:
        Work("a")
        Work("b").action_on_event_received(START, "approved")
    scheduler = VirtualScheduler(workflow)
    old = scheduler.run()
    scheduler.stop_workflow(old)

    new = scheduler.retry(old)
    assert (new.status, runs(scheduler, new)) == ("RUNNING", {"a": [(1, OVER)]})
    scheduler.emit("approved")

    assert (scheduler.status(new), scheduler.runs("b", new)) == ("SUCCESS", [(1, OK)])


def test_two_retries_are_two_executions_and_a_repeated_key_is_one() -> None:
    scheduler, old = failed(chain(), "b")
    scheduler.outcome("b", FAILED)

    first = scheduler.retry(old, idempotency_key="monday")
    again = scheduler.retry(old, idempotency_key="monday")
    other = scheduler.retry(old, idempotency_key="tuesday")

    assert (first.id, again.id, other.id) == (2, 2, 3)
    assert (first.status, other.status, other.retry_of) == ("FAILED", "SUCCESS", old.id)
    with pytest.raises(DuplicateEventError):
        scheduler.retry(first, idempotency_key="monday")


@pytest.mark.rule("S35")
def test_what_conditions_remembered_is_forgotten() -> None:
    with Workflow("w") as workflow:
        Work("a")
        b = Work("b")
        b.action_on_condition(START, AllOf(EventCondition("x"), EventCondition("y")))
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", FAILED)
    old = scheduler.run()
    scheduler.emit("x")
    scheduler.stop_workflow(old)
    assert scheduler.store.state(old.id, ("default", "w")) != {}

    new = scheduler.retry(old)
    assert scheduler.store.state(new.id, ("default", "w")) == {}
    scheduler.emit("y")
    assert scheduler.runs("b", new) == []
    scheduler.emit("x")

    assert runs(scheduler, new) == {"a": [(1, OK)], "b": [(1, OK)]}


def test_sequence_numbers_begin_at_1_whatever_the_old_ones_were() -> None:
    with Workflow("w", completion="manual") as workflow:
        a, b = Work("a"), Work("b")
        for task in (a, b):
            task.action_on_event_received(RESTART, "again")
    scheduler = VirtualScheduler(workflow)
    old = scheduler.run()
    scheduler.emit("again")
    scheduler.outcome("b", FAILED)
    scheduler.outcome("a")
    scheduler.emit("again")
    scheduler.stop_workflow(old)
    assert [run.sequence_number for run in scheduler.execution(old).tasks] == [1, 1, 2, 2, 3, 3]

    new = scheduler.retry(old)
    assert runs(scheduler, new) == {"a": [(1, OVER)], "b": [(1, OK)]}
    scheduler.emit("again")

    assert runs(scheduler, new) == {"a": [(1, OVER), (2, OK)], "b": [(1, OK), (2, OK)]}


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


@pytest.mark.rule("S41")
def test_the_old_snapshot_runs_when_a_newer_one_is_registered() -> None:
    scheduler, old = failed(chain(), "b")
    with Workflow("w") as newer:
        Work("a") >> Work("b") >> Work("c") >> Work("d")
    scheduler.register(newer)

    new = scheduler.retry(old)

    assert runs(scheduler, new) == {"a": [(1, OVER)], "b": [(1, OK)], "c": [(1, OK)]}
    assert (new.snapshot, new.status) == (old.snapshot, "SUCCESS")
    assert scheduler.run().snapshot != old.snapshot


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


@pytest.mark.rule("S39")
def test_workflow_data_is_carried_over_and_is_its_own_from_then_on() -> None:
    scheduler, old = failed(chain(), "b")
    scheduler.store.write_data(old.id, "model", '"v1"')

    new = scheduler.retry(old)
    scheduler.store.write_data(new.id, "model", '"v2"')

    assert scheduler.store.read_data(old.id, "model") == '"v1"'
    other = scheduler.retry(old)
    assert scheduler.store.read_data(other.id, "model") == '"v1"'


def test_a_task_that_missed_an_output_runs_again_and_gets_it() -> None:
    with Workflow("w") as workflow:
        a = Work("a")
        b = Takes("b", a)
        b.action_on_task_status(START, {a: {SUCCESS, FAILED}})
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", FAILED)
    old = scheduler.run()
    assert runs(scheduler, old) == {"a": [(1, BAD)], "b": [(1, ["INIT", "QUEUED", "FAILED"])]}

    new = scheduler.retry(old)

    assert runs(scheduler, new) == {"a": [(1, OK)], "b": [(1, OK)]}


@pytest.mark.rule("S34")
def test_a_periodic_task_is_taken_over_and_its_clock_begins_anew() -> None:
    with Workflow("w") as workflow:
        Work("tick", periodic_expression=Every(minutes=1))
        Work("fails")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("fails", FAILED)
    old = scheduler.run()
    scheduler.stop_workflow(old)

    new = scheduler.retry(old)
    assert runs(scheduler, new) == {"fails": [(1, OK)], "tick": [(1, OVER)]}
    scheduler.advance(minutes=1)

    assert scheduler.runs("tick", new) == [(1, OVER), (2, OK)]


@pytest.mark.rule("S33")
def test_the_retry_of_a_periodic_execution_stands_for_the_same_due_time() -> None:
    with Workflow("w", schedule=Every(hours=1)) as workflow:
        Work("a")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", FAILED)
    scheduler.advance(hours=1)
    old = scheduler.execution()

    new = scheduler.retry(old)

    assert (new.execution_type, new.scheduled_time) == ("PERIODIC", old.scheduled_time)
    assert old.scheduled_time is not None


def test_the_picture_of_an_execution_may_be_larger_than_an_event_of_a_users() -> None:
    with Workflow("w") as workflow:
        hub = Work("hub")
        for number in range(1_600):
            hub >> Work(f"task_with_a_long_name_{number}")
    scheduler, old = failed(workflow, "task_with_a_long_name_7", "task_with_a_long_name_1599")

    new = scheduler.retry(old)

    (command,) = scheduler.events("eventflow.command.retry")
    assert len(encode(command.value)) > MAX_EVENT_BYTES
    assert (new.status, len(new.tasks)) == ("SUCCESS", 1_601)
    ran = [run.task_name for run in new.tasks if run.taken_from is None]
    assert ran == ["task_with_a_long_name_7", "task_with_a_long_name_1599"]
