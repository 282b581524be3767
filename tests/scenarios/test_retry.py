"""Retry of an ended execution: what is taken over, and what runs again (S31)."""

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
    Takes,
    chain,
    failed,
    runs,
)
from scenario_tasks import Work

from eventflow import (
    Every,
    Workflow,
)
from eventflow.testing import VirtualScheduler

pytestmark = pytest.mark.rule("S31")


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
