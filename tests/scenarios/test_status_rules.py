"""Rules on task statuses: triggered by the edge, judged on the level (S22, S23)."""

import pytest
from scenario_tasks import Work

from eventflow import (
    AllOf,
    AnyOf,
    Condition,
    Event,
    EventCondition,
    Not,
    RuleContext,
    TaskAction,
    TaskStatus,
    Workflow,
)
from eventflow import TaskStatusCondition as Status
from eventflow.testing import VirtualScheduler

OK = ["INIT", "QUEUED", "RUNNING", "SUCCESS"]


@pytest.mark.rule("S22", "S23")
def test_a_task_after_two_others_starts_when_both_have_succeeded() -> None:
    with Workflow("w") as workflow:
        a, b, c = Work("a"), Work("b"), Work("c")
        [a, b] >> c
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", after=10)
    scheduler.outcome("b", after=20)
    scheduler.run()

    scheduler.advance(seconds=15)
    assert scheduler.runs("c") == []
    scheduler.advance(seconds=10)

    assert scheduler.runs("c") == [(1, OK)]
    assert scheduler.status() == "SUCCESS"


@pytest.mark.rule("S22")
def test_when_one_succeeds_again_while_the_other_stands_the_rule_is_met_again() -> None:
    with Workflow("w", completion="manual") as workflow:
        a, b, c = Work("a"), Work("b"), Work("c")
        c.start_after([a, b])
        a.action_on_event_received(TaskAction.START, "go")
    scheduler = VirtualScheduler(workflow)
    scheduler.run()
    assert scheduler.runs("c") == []

    scheduler.emit("go")
    scheduler.emit("go")

    assert scheduler.runs("a") == scheduler.runs("c") == [(1, OK), (2, OK)]
    assert scheduler.runs("b") == [(1, OK)]


@pytest.mark.rule("S22")
def test_a_rule_on_running_is_met_though_the_task_ends_in_the_same_batch() -> None:
    with Workflow("w") as workflow:
        a, b = Work("a"), Work("b")
        b.action_on_task_status(TaskAction.START, {a: TaskStatus.RUNNING})
    scheduler = VirtualScheduler(workflow)
    scheduler.run()

    assert scheduler.runs("b") == [(1, OK)]


@pytest.mark.rule("S22")
def test_a_wanted_status_may_be_a_set() -> None:
    with Workflow("w") as workflow:
        a, b = Work("a"), Work("b")
        b.action_on_task_status(TaskAction.START, {a: {TaskStatus.SUCCESS, TaskStatus.FAILED}})
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus.FAILED)
    scheduler.run()

    assert scheduler.runs("b") == [(1, OK)]
    assert scheduler.status() == "FAILED"


@pytest.mark.rule("S22", "S21")
def test_the_end_of_a_run_that_is_being_restarted_is_not_its_tasks_latest_status() -> None:
    with Workflow("w") as workflow:
        a, b = Work("a"), Work("b")
        a.action_on_event_received(TaskAction.RESTART, "again")
        b.action_on_task_status(TaskAction.START, {a: TaskStatus.STOPPED})
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus.RUNNING)
    scheduler.run()

    scheduler.emit("again")

    assert scheduler.runs("b") == []
    assert [number for number, _ in scheduler.runs("a")] == [1, 2]


@pytest.mark.rule("S36")
def test_a_pair_of_events_fires_on_each_completed_pair() -> None:
    with Workflow("w", completion="manual") as workflow:
        a = Work("a")
        a.action_on_condition(TaskAction.START, EventCondition("x") & EventCondition("y"))
    scheduler = VirtualScheduler(workflow)
    scheduler.run()

    for key in ("x", "x", "y", "y", "y", "x"):
        scheduler.emit(key)

    assert scheduler.runs("a") == [(1, OK), (2, OK)]


@pytest.mark.rule("S36")
def test_a_level_in_a_pair_is_read_when_the_event_comes_and_wakes_it_when_it_comes_later() -> None:
    with Workflow("w", completion="manual") as workflow:
        a, b = Work("a"), Work("b")
        b.action_on_condition(
            TaskAction.START, AllOf(EventCondition("x"), Status("a", TaskStatus.SUCCESS))
        )
        a.action_on_event_received(TaskAction.START, "go")
    scheduler = VirtualScheduler(workflow)
    scheduler.run()

    scheduler.emit("x")
    assert scheduler.runs("b") == []
    scheduler.emit("go")
    assert scheduler.runs("b") == [(1, OK)]
    scheduler.emit("x")

    assert scheduler.runs("b") == [(1, OK), (2, OK)]


@pytest.mark.rule("S36")
def test_any_of_fires_when_a_member_does_and_not_of_a_level_can_stand_beside_an_event() -> None:
    with Workflow("w", completion="manual") as workflow:
        Work("a")
        b, c = Work("b"), Work("c")
        b.action_on_condition(TaskAction.START, AnyOf(EventCondition("x"), EventCondition("y")))
        c.action_on_condition(
            TaskAction.START, EventCondition("x") & ~Status("a", TaskStatus.RUNNING)
        )
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", after=60)
    scheduler.run()

    scheduler.emit("y")
    scheduler.emit("x")
    assert scheduler.runs("c") == []
    scheduler.advance(minutes=2)

    assert scheduler.runs("b") == [(1, OK), (2, OK)]
    assert scheduler.runs("c") == [(1, OK)]


@pytest.mark.rule("S36")
def test_inner_latches_are_forgotten_when_the_outer_condition_fires() -> None:
    inner = AllOf(EventCondition("x"), EventCondition("y"))
    with Workflow("w", completion="manual") as workflow:
        a = Work("a")
        a.action_on_condition(
            TaskAction.START,
            AnyOf(inner, EventCondition("z")) & Not(Status("a", TaskStatus.RUNNING)),
        )
    scheduler = VirtualScheduler(workflow)
    scheduler.run()

    scheduler.emit("x")
    scheduler.emit("z")
    scheduler.emit("y")

    assert scheduler.runs("a") == [(1, OK)]


@pytest.mark.rule("S18", "S22")
def test_of_two_rules_on_one_fact_the_first_acts_whatever_kind_it_is() -> None:
    with Workflow("w", completion="manual") as workflow:
        a, b, c = Work("a"), Work("b"), Work("c")
        fact = "eventflow.task.w.a.success"
        b.action_on_event_received(TaskAction.START, fact)
        b.action_on_task_status(TaskAction.STOP, {a: TaskStatus.SUCCESS})
        c.action_on_task_status(TaskAction.START, {a: TaskStatus.SUCCESS})
        c.action_on_event_received(TaskAction.STOP, fact)
    scheduler = VirtualScheduler(workflow)
    execution = scheduler.run()

    assert scheduler.runs("b") == scheduler.runs("c") == [(1, OK)]
    done = [(one.task, one.rule, one.did) for one in scheduler.decisions(execution) if one.task]
    assert done == [
        ("b", 0, "started"),
        ("b", 1, "shadowed"),
        ("c", 0, "started"),
        ("c", 1, "shadowed"),
    ]


class Sees(Condition):
    """Met while `a` has the status of which it is told; asked about every fact of it."""

    def __init__(self, status: TaskStatus) -> None:
        super().__init__(["eventflow.task.w.a.*"])
        self._status = status

    def is_met(self, event: Event, context: RuleContext) -> bool:
        return context.get_task_status("a") is self._status


@pytest.mark.rule("S8", "S22")
@pytest.mark.parametrize("status", ["INIT", "QUEUED", "RUNNING", "SUCCESS"])
def test_a_condition_reads_the_status_of_the_fact_that_it_is_asked_about(status: str) -> None:
    with Workflow("w", completion="manual") as workflow:
        Work("a")
        Work("b").action_on_condition(TaskAction.START, Sees(TaskStatus(status)))
    scheduler = VirtualScheduler(workflow)

    scheduler.run()

    (started,) = [record for record in scheduler.decisions() if record.task == "b"]
    fact = scheduler.store.event_of_turn(started.turn)
    assert fact is not None
    assert fact.key == f"eventflow.task.w.a.{status.lower()}"


@pytest.mark.rule("S22", "S36")
def test_a_level_is_not_asked_about_a_run_that_is_not_the_latest() -> None:
    with Workflow("w", completion="manual") as workflow:
        a, b = Work("a"), Work("b")
        a.action_on_event_received(TaskAction.RESTART, "again")
        b.action_on_condition(TaskAction.START, ~Status(a, TaskStatus.RUNNING))
    scheduler = VirtualScheduler(workflow)
    for _ in range(2):
        scheduler.outcome("a", TaskStatus.RUNNING)
    scheduler.run()
    scheduler.emit("again")

    asked = [
        scheduler.store.event_of_turn(record.turn)
        for record in scheduler.decisions()
        if record.task == "b"
    ]
    assert [event.value for event in asked if event is not None and "stopped" in event.key] == []
    assert {event.value["sequence_number"] for event in asked if event is not None} == {1, 2}


@pytest.mark.rule("S22", "S29", "S30")
@pytest.mark.parametrize(
    ("ends", "handled", "status"),
    [
        (["SUCCESS"], 0, "SUCCESS"),
        (["FAILED"], 1, "FAILED"),
        (["SUCCESS", "FAILED"], 1, "FAILED"),
        (["FAILED", "SUCCESS"], 1, "SUCCESS"),
        (["FAILED", "FAILED"], 2, "FAILED"),
    ],
)
def test_a_handler_of_a_failure_runs_once_for_each_and_holds_nothing_open(
    ends: list[str], handled: int, status: str
) -> None:
    with Workflow("w") as workflow:
        a, handler = Work("a"), Work("handler")
        a.action_on_event_received(TaskAction.RESTART, "again")
        handler.action_on_task_status(TaskAction.START, {a: TaskStatus.FAILED})
        Work("keeper").action_on_event_received(TaskAction.START, "finish")
    scheduler = VirtualScheduler(workflow)
    for end in ends:
        scheduler.outcome("a", TaskStatus(end))
    scheduler.run()
    for _ in ends[1:]:
        scheduler.emit("again")

    scheduler.emit("finish")

    assert len(scheduler.runs("handler")) == handled
    assert scheduler.status() == status


@pytest.mark.rule("S22", "S36")
@pytest.mark.parametrize(("ends", "handled"), [("SUCCESS", []), ("FAILED", [(1, OK)])])
def test_two_wishes_about_one_task_must_both_be_met(ends: str, handled: list[object]) -> None:
    with Workflow("w") as workflow:
        a, b = Work("a"), Work("b")
        b.action_on_condition(
            TaskAction.START, AllOf(Status(a, "FAILED"), Status(a, {"SUCCESS", "FAILED"}))
        )
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus(ends))

    scheduler.run()

    assert scheduler.runs("b") == handled
    assert scheduler.status() == ends
