"""Who sees an event, and what it starts (S14-S17, S24, S35, S38, S44)."""

from typing import Any

import pytest
from scenario_tasks import Work

from eventflow import (
    Condition,
    Event,
    RuleContext,
    TaskAction,
    TaskContext,
    TaskStatus,
    ValueStateDescriptor,
    Workflow,
    WorkflowStatus,
)
from eventflow.testing import VirtualScheduler

OK = ["INIT", "QUEUED", "RUNNING", "SUCCESS"]


class SumReaches(Condition):
    """Met once by the event that brings the sum of the values to `total`."""

    def __init__(self, key: str, total: int, *, shared: bool = False) -> None:
        super().__init__([key])
        self._total = total
        self._sum: ValueStateDescriptor[int] = ValueStateDescriptor("sum", default=0, shared=shared)

    def is_met(self, event: Event, context: RuleContext) -> bool:
        state = context.get_state(self._sum)
        before = state.value()
        state.update(before + event.value)
        return before < self._total <= before + event.value


class Takes(Work):
    """A task whose arguments take outputs."""

    def __init__(self, name: str, arguments: Any, **config: Any) -> None:
        self._arguments = arguments
        super().__init__(name, **config)

    @property
    def arguments(self) -> Any:
        return self._arguments

    def start(self, context: TaskContext) -> Any:
        raise AssertionError("no code runs in virtual time")


@pytest.mark.rule("S14")
def test_a_scoped_event_is_seen_by_its_execution_only() -> None:
    with Workflow("w") as workflow:
        Work("a").action_on_event_received(TaskAction.START, "go")
    scheduler = VirtualScheduler(workflow)
    first, second = scheduler.run(), scheduler.run()

    scheduler.emit("go", workflow_execution_id=second.id)

    assert scheduler.runs("a", first) == []
    assert scheduler.runs("a", second) == [(1, OK)]
    assert [scheduler.status(first), scheduler.status(second)] == ["RUNNING", "SUCCESS"]


@pytest.mark.rule("S15")
def test_an_event_is_seen_by_every_running_execution_of_its_namespace() -> None:
    with Workflow("w") as workflow:
        Work("a").action_on_event_received(TaskAction.START, "orders.*.paid")
    with Workflow("elsewhere", namespace="other") as elsewhere:
        Work("a").action_on_event_received(TaskAction.START, "orders.**")
    scheduler = VirtualScheduler(workflow, elsewhere)
    here = [scheduler.run(), scheduler.run()]
    there = scheduler.run(elsewhere)

    scheduler.emit("orders.1.paid")

    assert [scheduler.runs("a", execution) for execution in here] == [[(1, OK)], [(1, OK)]]
    assert scheduler.runs("a", there) == []


@pytest.mark.rule("S15", "S16")
def test_a_trigger_starts_one_execution_an_event_which_does_not_see_it_as_an_input() -> None:
    with Workflow("w") as workflow:
        Work("a")
        b = Work("b")
        b.action_on_event_received(TaskAction.START, "data.*")
    workflow.trigger_on_event("data.arrived")
    workflow.trigger_on_event("data.*")
    scheduler = VirtualScheduler(workflow)

    scheduler.emit("data.arrived", {"rows": 10})

    (execution,) = scheduler.executions()
    assert execution.execution_type == "EVENT"
    assert scheduler.runs("a") == [(1, OK)]
    assert scheduler.runs("b") == []
    job = scheduler.started("a")[0]
    assert job.trigger_event.value == {"rows": 10}
    assert job.workflow_execution.trigger_event.value == {"rows": 10}


@pytest.mark.rule("S16", "S24")
def test_a_task_started_by_an_event_reads_that_one() -> None:
    with Workflow("w") as workflow:
        Work("a").action_on_event_received(TaskAction.START, "go")
    scheduler = VirtualScheduler(workflow)
    scheduler.run()

    scheduler.emit("go", {"n": 1})

    assert scheduler.started("a")[0].trigger_event.value == {"n": 1}


@pytest.mark.rule("S16")
def test_an_execution_sees_only_what_comes_after_its_start() -> None:
    with Workflow("w") as workflow:
        Work("a").action_on_event_received(TaskAction.START, "go")
    scheduler = VirtualScheduler(workflow)
    scheduler.emit("go")

    scheduler.run()

    assert scheduler.runs("a") == []


@pytest.mark.rule("S15", "S30")
def test_a_status_of_another_workflow_starts_this_one() -> None:
    with Workflow("first") as first:
        Work("a")
    with Workflow("second") as second:
        Work("b")
    second.trigger_on_event("eventflow.task.first.a.success")
    scheduler = VirtualScheduler(first, second)

    scheduler.run(first)

    assert scheduler.runs("b") == [(1, OK)]


@pytest.mark.rule("S17")
def test_events_for_a_paused_workflow_start_nothing_and_running_executions_go_on() -> None:
    with Workflow("w") as workflow:
        Work("a").action_on_event_received(TaskAction.START, "go")
    workflow.trigger_on_event("data.arrived")
    scheduler = VirtualScheduler(workflow)
    execution = scheduler.run()
    scheduler.pause(workflow)

    scheduler.emit("data.arrived")
    scheduler.emit("go")
    scheduler.resume(workflow)
    scheduler.emit("data.arrived")

    assert scheduler.runs("a", execution) == [(1, OK)]
    assert [one.execution_type for one in scheduler.executions()] == ["MANUAL", "EVENT"]


@pytest.mark.rule("S17", "S42")
def test_an_event_for_a_paused_workflow_leaves_a_note_only_where_its_key_matched() -> None:
    with Workflow("w") as workflow:
        Work("a")
    workflow.trigger_on_event("data.*")
    workflow.trigger_on_condition(SumReaches("data.arrived", 1))
    with Workflow("other") as other:
        Work("b")
    other.trigger_on_event("else")
    scheduler = VirtualScheduler(workflow, other)
    scheduler.pause(workflow)
    scheduler.pause(other)

    event = scheduler.emit("data.arrived", 1)

    came_to = scheduler.store.decisions(command_offset=event.offset)
    assert [(one.workflow, one.action, one.did) for one in came_to] == [
        ("w", "trigger", "ignored: paused")
    ]
    assert scheduler.store.verdicts() == []


@pytest.mark.rule("S24", "S35")
def test_a_condition_of_the_users_remembers_what_it_has_seen() -> None:
    with Workflow("w") as workflow:
        a = Work("a")
        a.action_on_condition(TaskAction.START, SumReaches("number", 100))
    scheduler = VirtualScheduler(workflow)
    scheduler.run()

    for number in (40, 50):
        scheduler.emit("number", number)
    scheduler.restart_scheduler()
    assert scheduler.runs("a") == []
    scheduler.emit("number", 30)

    assert scheduler.runs("a") == [(1, OK)]


@pytest.mark.rule("S35")
def test_state_is_private_to_its_rule_unless_it_is_shared() -> None:
    with Workflow("w", completion="manual") as workflow:
        for name, shared in (("a", False), ("b", False), ("c", True), ("d", True)):
            task = Work(name)
            task.action_on_condition(TaskAction.START, SumReaches("number", 30, shared=shared))
    scheduler = VirtualScheduler(workflow)
    scheduler.run()

    scheduler.emit("number", 10)
    assert [len(scheduler.runs(name)) for name in "abcd"] == [0, 0, 0, 0]
    scheduler.emit("number", 10)

    # Both shared rules add to one sum: 10, 20, then 30 at the first of them.
    assert [len(scheduler.runs(name)) for name in "abcd"] == [0, 0, 1, 0]


@pytest.mark.rule("S13")
@pytest.mark.fault("F39")
def test_f39_a_condition_that_raises_is_a_failed_verdict_and_stops_no_other_rule() -> None:
    class Broken(Condition):
        def is_met(self, event: Event, context: RuleContext) -> bool:
            raise ValueError("no")

    with Workflow("w", completion="manual") as workflow:
        Work("a").action_on_condition(TaskAction.START, Broken(["go"]))
        Work("b").action_on_event_received(TaskAction.START, "go")
    scheduler = VirtualScheduler(workflow)
    scheduler.run()

    scheduler.emit("go")

    assert scheduler.runs("a") == []
    assert scheduler.runs("b") == [(1, OK)]


@pytest.mark.rule("S38")
def test_a_task_that_takes_an_output_starts_after_it_and_is_bound_to_that_run() -> None:
    with Workflow("w") as workflow:
        a = Work("a")
        Takes("b", {"number": [a.output]}, retries=1)
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", after=10, result=42)
    scheduler.outcome("b", TaskStatus.FAILED)
    scheduler.run()

    scheduler.advance(seconds=10)

    (a_run,) = [task for task in scheduler.execution().tasks if task.task_name == "a"]
    assert [job.inputs for job in scheduler.started("b")] == [{"a": a_run.id}] * 2
    assert scheduler.store.result(a_run.id) == "42"


@pytest.mark.rule("S38")
def test_a_task_whose_output_is_missing_has_failed_and_is_not_retried() -> None:
    with Workflow("w") as workflow:
        a = Work("a")
        b = Takes("b", a.output, retries=3)
        b.action_on_event_received(TaskAction.START, "go")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus.FAILED)
    scheduler.run()

    scheduler.emit("go")

    assert scheduler.runs("b") == [(1, ["INIT", "QUEUED", "FAILED"])]
    (task,) = [task for task in scheduler.execution().tasks if task.task_name == "b"]
    assert [failure.type_name for failure in scheduler.store.failures(task.id)] == [
        "MissingOutputError"
    ]


@pytest.mark.rule("S44", "S29")
def test_executions_beyond_max_active_wait_and_begin_in_order_when_one_ends() -> None:
    with Workflow("w", max_active=2) as workflow:
        Work("a")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus.FAILED, after=10)
    scheduler.outcome("a", after=20)
    scheduler.outcome("a", after=20)
    executions = [scheduler.run() for _ in range(4)]
    statuses = [WorkflowStatus.RUNNING] * 2 + [WorkflowStatus.INIT] * 2
    assert [scheduler.status(one) for one in executions] == statuses

    scheduler.advance(seconds=10)
    assert [scheduler.status(one) for one in executions] == [
        "FAILED",
        "RUNNING",
        "RUNNING",
        "INIT",
    ]
    scheduler.stop_workflow(executions[3])
    scheduler.advance(seconds=60)

    assert [scheduler.status(one) for one in executions] == [
        "FAILED",
        "SUCCESS",
        "SUCCESS",
        "STOPPED",
    ]


@pytest.mark.rule("S9", "S13")
def test_a_condition_that_changes_the_value_changes_it_for_nobody_else() -> None:
    class Spoils(Condition):
        def is_met(self, event: Event, context: RuleContext) -> bool:
            event.value["n"].append("spoiled")
            return len(event.value["n"]) == 2

    with Workflow("w", completion="manual") as workflow:
        for name in ("a", "b"):
            Work(name).action_on_condition(TaskAction.START, Spoils(["go"]))
    scheduler = VirtualScheduler(workflow)
    scheduler.run()

    scheduler.emit("go", {"n": [1]})

    assert scheduler.runs("a") == scheduler.runs("b") == [(1, OK)]
    assert [event.value for event in scheduler.events("go")] == [{"n": [1]}]
