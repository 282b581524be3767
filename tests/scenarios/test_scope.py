"""Who sees which event: scopes, namespaces, turns, pauses (S4, S14-S17)."""

import pytest
from scenario_tasks import Work

from eventflow import Every, TaskAction, TaskStatus, Workflow
from eventflow.errors import ReservedKeyError
from eventflow.testing import VirtualScheduler

START, STOP, RESTART = TaskAction.START, TaskAction.STOP, TaskAction.RESTART
OK = ["INIT", "QUEUED", "RUNNING", "SUCCESS"]


def listening(name: str, *keys: str, namespace: str = "default") -> Workflow:
    """One task for each key; it never ends by itself."""
    with Workflow(name, namespace, completion="manual") as workflow:
        for number, key in enumerate(keys):
            Work(f"on_{number}").action_on_event_received(START, key)
    return workflow


@pytest.mark.rule("S14")
def test_a_broadcast_is_seen_by_all_and_a_scoped_event_by_one_execution_and_workflow_rules() -> (
    None
):
    other = listening("other", "news")
    other.trigger_on_event("news")
    workflow = listening("w", "news")
    scheduler = VirtualScheduler(workflow, other)
    executions = [scheduler.run(workflow), scheduler.run(workflow), scheduler.run(other)]

    scheduler.emit("news", workflow_execution_id=executions[1].id)
    assert [len(scheduler.runs("on_0", one)) for one in executions] == [0, 1, 0]
    assert [one.execution_type for one in scheduler.executions(other)] == ["MANUAL", "EVENT"]

    scheduler.emit("news")
    assert [len(scheduler.runs("on_0", one)) for one in executions] == [1, 2, 1]
    assert len(scheduler.executions(other)) == 3


@pytest.mark.rule("S14")
def test_an_event_for_an_execution_that_has_ended_or_never_was_is_kept_and_does_nothing() -> None:
    with Workflow("w") as workflow:
        Work("a")
    scheduler = VirtualScheduler(workflow)
    ended = scheduler.run()

    for number in (ended.id, 999):
        scheduler.emit("news", workflow_execution_id=number)

    assert [event.workflow_execution_id for event in scheduler.events("news")] == [ended.id, 999]
    assert all(event.turn for event in scheduler.events("news"))


@pytest.mark.rule("S14", "S22")
def test_facts_are_seen_in_their_own_execution_only() -> None:
    with Workflow("w", completion="manual") as workflow:
        a = Work("a")
        b, c = Work("b"), Work("c")
        a >> b
        a.action_on_event_received(START, "go")
        c.action_on_event_received(START, "eventflow.task.w.a.success")
    scheduler = VirtualScheduler(workflow)
    first, second = scheduler.run(), scheduler.run()

    scheduler.emit("go", workflow_execution_id=second.id)

    assert [scheduler.runs(name, first) for name in "abc"] == [[], [], []]
    assert [scheduler.runs(name, second) for name in "abc"] == [[(1, OK)]] * 3


@pytest.mark.rule("S15")
def test_what_matches_in_another_namespace_sees_nothing() -> None:
    here, there = listening("w", "**"), listening("w", "**", namespace="there")
    here.trigger_on_event("news.*")
    there.trigger_on_event("news.*")
    scheduler = VirtualScheduler(here, there)

    scheduler.emit("news.today", namespace="there")

    assert [one.namespace for one in scheduler.executions()] == ["there"]


@pytest.mark.rule("S15")
def test_executions_hear_an_event_in_the_order_of_their_ids_whatever_they_run() -> None:
    first, second = listening("z", "news"), listening("a", "*")
    scheduler = VirtualScheduler(first, second)
    for workflow in (first, second, second, first, second):
        scheduler.run(workflow)

    scheduler.emit("news")

    started = [record for record in scheduler.decisions() if record.task]
    assert [record.workflow_execution_id for record in started] == [1, 2, 3, 4, 5]


@pytest.mark.rule("S15")
def test_a_workflow_of_which_several_rules_are_met_starts_one_execution() -> None:
    with Workflow("w") as workflow:
        Work("a")
    for key in ("data.*", "data.arrived", "**"):
        workflow.trigger_on_event(key)
    scheduler = VirtualScheduler(workflow)

    scheduler.emit("data.arrived")
    scheduler.emit("data.other")

    assert len(scheduler.executions()) == 2


@pytest.mark.rule("S5", "S4")
@pytest.mark.parametrize(
    ("pattern", "sees"),
    [("**", False), ("*.*.*.*.*", False), ("eventflow.task.*.b.success", True)],
)
def test_only_a_pattern_that_begins_so_sees_the_schedulers_own(pattern: str, sees: bool) -> None:
    with Workflow("w", completion="manual") as workflow:
        Work("a").action_on_event_received(START, pattern)
        Work("b")
    scheduler = VirtualScheduler(workflow)

    scheduler.run()

    assert bool(scheduler.runs("a")) is sees


@pytest.mark.rule("S4")
def test_a_key_of_the_schedulers_own_can_not_be_emitted() -> None:
    scheduler = VirtualScheduler(listening("w", "eventflow.task.w.on_0.success"))
    execution = scheduler.run()

    with pytest.raises(ReservedKeyError):
        scheduler.emit("eventflow.task.w.on_0.success", workflow_execution_id=execution.id)

    assert scheduler.runs("on_0") == []


@pytest.mark.rule("S16")
def test_each_task_reads_the_event_that_started_it() -> None:
    with Workflow("w") as workflow:
        Work("first", retries=1)
        second, third = Work("second"), Work("third")
        second.action_on_event_received(RESTART, "again")
        third.action_on_event_received(START, "periodic")
    workflow.trigger_on_event("begin")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("first", TaskStatus.FAILED)
    scheduler.outcome("second", TaskStatus.RUNNING)
    scheduler.emit("begin", "why")

    scheduler.emit("again", "because")
    scheduler.emit("periodic", "so")

    def read(task: str) -> list[object]:
        return [job.trigger_event.value for job in scheduler.started(task)]

    assert read("first") == ["why", "why"]
    assert read("second") == ["why", "because"]
    assert read("third") == ["so"]


@pytest.mark.rule("S16")
def test_a_task_that_no_event_started_reads_none() -> None:
    with Workflow("w") as workflow:
        Work("a", periodic_expression=Every(10))
    scheduler = VirtualScheduler(workflow)
    scheduler.run()

    scheduler.advance(seconds=10)

    assert [job.trigger_event for job in scheduler.started("a")] == [None, None]


@pytest.mark.rule("S17")
def test_a_paused_workflow_remembers_nothing_of_what_it_did_not_see() -> None:
    with Workflow("w") as workflow:
        Work("a")
    workflow.trigger_on_event("x")
    scheduler = VirtualScheduler(workflow)
    scheduler.pause(workflow)
    scheduler.pause(workflow)
    scheduler.emit("x")
    scheduler.restart_scheduler()
    scheduler.emit("x")
    assert scheduler.executions() == []

    scheduler.resume(workflow)
    scheduler.emit("x")

    assert len(scheduler.executions()) == 1
    assert [record.did for record in scheduler.decisions() if record.did != "started"] == [
        "registered",
        "paused",
        "ignored: paused already",
        "ignored: paused",
        "ignored: paused",
        "resumed",
    ]


@pytest.mark.rule("S17")
def test_an_event_that_nobody_wants_is_kept() -> None:
    scheduler = VirtualScheduler(listening("w", "x"))

    event = scheduler.emit("nobody.listens", {"n": 1})

    (kept,) = scheduler.events("nobody.**")
    assert (kept.offset, kept.value, kept.turn > 0) == (event.offset, {"n": 1}, True)
    assert scheduler.executions() == []
