"""A changed workflow: what runs keeps its rules, what comes takes the newest (S41)."""

import pytest
from scenario_tasks import Work

from eventflow import EventCondition, TaskAction, TaskStatus, Workflow
from eventflow.testing import VirtualScheduler

START = TaskAction.START
OK = ["INIT", "QUEUED", "RUNNING", "SUCCESS"]


def version(key: str, *, trigger: str = "begin", task: str = "a", **settings: int) -> Workflow:
    """One task that starts on `key`."""
    with Workflow("w", **settings) as workflow:
        Work(task).action_on_event_received(START, key)
    workflow.trigger_on_event(trigger)
    return workflow


@pytest.mark.rule("S41")
@pytest.mark.fault("F43")
def test_f43_a_running_execution_keeps_its_rules_and_a_new_one_takes_the_newest() -> None:
    scheduler = VirtualScheduler(version("old"))
    before = scheduler.run()
    scheduler.register(version("new"))
    after = scheduler.run()
    assert before.snapshot != after.snapshot

    scheduler.emit("old")
    assert [scheduler.runs("a", one) for one in (before, after)] == [[(1, OK)], []]
    scheduler.emit("new")

    assert [scheduler.runs("a", one) for one in (before, after)] == [[(1, OK)], [(1, OK)]]
    assert [scheduler.status(one) for one in (before, after)] == ["SUCCESS", "SUCCESS"]


@pytest.mark.rule("S41", "S15")
def test_workflow_rules_are_those_of_the_newest() -> None:
    scheduler = VirtualScheduler(version("x", trigger="one"))
    scheduler.register(version("x", trigger="two"))

    scheduler.emit("one")
    assert scheduler.executions() == []
    scheduler.emit("two")

    assert len(scheduler.executions()) == 1


@pytest.mark.rule("S41")
def test_registering_the_same_definition_again_changes_nothing() -> None:
    scheduler = VirtualScheduler(version("x"))
    first = scheduler.run()
    scheduler.register(version("x"))

    second = scheduler.run()

    assert first.snapshot == second.snapshot
    assert [record.did for record in scheduler.decisions()].count("registered") == 1


@pytest.mark.rule("S41", "S44")
def test_an_execution_that_waits_keeps_the_snapshot_that_it_was_made_with() -> None:
    scheduler = VirtualScheduler(version("old", max_active=1))
    first, second = scheduler.run(), scheduler.run()
    scheduler.register(version("new", max_active=1))

    scheduler.emit("old")  # ends the first; the second begins, after this event
    scheduler.emit("new")
    assert scheduler.runs("a", second) == []
    scheduler.emit("old")

    assert [scheduler.status(one) for one in (first, second)] == ["SUCCESS", "SUCCESS"]


@pytest.mark.rule("S41")
def test_a_scheduler_that_starts_again_knows_old_snapshots_and_the_newest() -> None:
    scheduler = VirtualScheduler(version("old"))
    before = scheduler.run()
    scheduler.register(version("new", task="b"))
    scheduler.restart_scheduler()
    after = scheduler.run()

    scheduler.emit("old")
    scheduler.emit("new")

    assert scheduler.runs("a", before) == [(1, OK)]
    assert scheduler.runs("b", after) == [(1, OK)]


@pytest.mark.rule("S35", "S41")
def test_what_the_workflow_rules_remember_outlives_a_new_version() -> None:
    def pair(description: str) -> Workflow:
        with Workflow("w", description=description) as workflow:
            Work("a")
        workflow.trigger_on_condition(EventCondition("x") & EventCondition("y"))
        return workflow

    scheduler = VirtualScheduler(pair("first"))
    scheduler.emit("x")
    scheduler.register(pair("second"))

    scheduler.emit("y")

    assert len(scheduler.executions()) == 1


@pytest.mark.rule("S44")
def test_a_raised_limit_lets_those_begin_that_waited_oldest_first() -> None:
    scheduler = VirtualScheduler(version("x", max_active=1))
    executions = [scheduler.run() for _ in range(4)]

    scheduler.register(version("x", max_active=3))

    statuses = [scheduler.status(one) for one in executions]
    assert statuses == ["RUNNING", "RUNNING", "RUNNING", "INIT"]


@pytest.mark.rule("S44")
def test_a_lowered_limit_stops_nothing_and_counts_for_those_that_come() -> None:
    scheduler = VirtualScheduler(version("x", max_active=2))
    executions = [scheduler.run(), scheduler.run()]
    scheduler.register(version("x", task="b", max_active=1))
    executions.append(scheduler.run())
    assert [scheduler.status(one) for one in executions] == ["RUNNING", "RUNNING", "INIT"]

    scheduler.stop_workflow(executions[0])
    assert scheduler.status(executions[2]) == "INIT"
    scheduler.stop_workflow(executions[1])

    assert scheduler.status(executions[2]) == "RUNNING"


@pytest.mark.rule("S16", "S44")
def test_an_execution_that_waits_sees_no_event_before_it_begins() -> None:
    scheduler = VirtualScheduler(version("x", max_active=1))
    first, second = scheduler.run(), scheduler.run()

    scheduler.emit("x")
    assert scheduler.runs("a", first) == [(1, OK)]
    assert scheduler.runs("a", second) == []
    assert scheduler.status(second) == "RUNNING"
    scheduler.emit("x")

    assert scheduler.runs("a", second) == [(1, OK)]


@pytest.mark.rule("S29", "S44")
def test_an_execution_that_is_stopped_while_it_waits_has_never_begun() -> None:
    scheduler = VirtualScheduler(version("x", max_active=1))
    scheduler.run()
    second = scheduler.run()

    scheduler.stop_workflow(second)

    stopped = scheduler.execution(second)
    assert (stopped.status, stopped.begin_date, stopped.tasks) == ("STOPPED", None, ())


@pytest.mark.rule("S44")
@pytest.mark.parametrize("most", [1, 2, 3])
def test_never_more_run_at_once_than_may_and_all_get_their_turn(most: int) -> None:
    with Workflow("w", max_active=most) as workflow:
        Work("a")
    workflow.trigger_on_event("go")
    scheduler = VirtualScheduler(workflow)
    for _ in range(7):
        scheduler.outcome("a", TaskStatus.SUCCESS, after=10)
    for _ in range(7):
        scheduler.emit("go")

    for _ in range(7):
        running = [one for one in scheduler.executions() if one.status == "RUNNING"]
        ended = [one for one in scheduler.executions() if one.ended]
        assert len(running) == min(most, 7 - len(ended))
        scheduler.advance(seconds=10)

    assert [one.status for one in scheduler.executions()] == ["SUCCESS"] * 7
    begun = [one.begin_date for one in scheduler.executions()]
    assert begun == sorted(begun)
