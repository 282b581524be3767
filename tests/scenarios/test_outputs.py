"""The result of one task in the arguments of another (S38)."""

from typing import Any

import pytest
from scenario_tasks import Work

from eventflow import Operator, TaskAction, TaskStatus, Workflow
from eventflow.testing import VirtualScheduler

OK = ["INIT", "QUEUED", "RUNNING", "SUCCESS"]
MISSING = ["INIT", "QUEUED", "FAILED"]


class Takes(Work):
    """A task whose arguments take the outputs of others."""

    def __init__(self, name: str, *upstream: Operator, **config: Any) -> None:
        self._upstream = [one.output for one in upstream]
        super().__init__(name, **config)

    @property
    def arguments(self) -> Any:
        return {"all": self._upstream}


def inputs(scheduler: VirtualScheduler, task: str) -> list[dict[str, int]]:
    """For each start of a task: upstream -> sequence number of the run whose result it got."""
    numbers = {run.id: run.sequence_number for run in scheduler.execution().tasks}
    return [
        {name: numbers[run_id] for name, run_id in job.inputs.items()}
        for job in scheduler.started(task)
    ]


@pytest.mark.rule("S38")
def test_a_task_starts_once_all_whose_output_it_takes_have_succeeded() -> None:
    with Workflow("w") as workflow:
        a, b = Work("a"), Work("b")
        Takes("c", a, b)
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", after=10)
    scheduler.outcome("b", after=20)
    scheduler.run()

    scheduler.advance(seconds=19)
    assert scheduler.runs("c") == []
    scheduler.advance(seconds=1)

    assert scheduler.runs("c") == [(1, OK)]
    assert inputs(scheduler, "c") == [{"a": 1, "b": 1}]


@pytest.mark.rule("S38")
def test_every_run_takes_the_latest_success_and_every_attempt_of_it_the_same() -> None:
    with Workflow("w", completion="manual") as workflow:
        a = Work("a")
        a.action_on_event_received(TaskAction.RESTART, "again")
        b = Takes("b", a, retries=1, retry_delay=60)
        b.action_on_event_received(TaskAction.RESTART, "take")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a")
    scheduler.outcome("a")
    scheduler.outcome("a", TaskStatus.FAILED)
    scheduler.outcome("b", TaskStatus.FAILED)
    scheduler.run()

    scheduler.emit("take")  # fails, and waits for its retry
    scheduler.emit("again")  # a second success of a
    scheduler.advance(minutes=1)  # the second attempt of b's first run
    scheduler.emit("again")  # a failure of a: the success before it stands
    scheduler.emit("take")

    assert inputs(scheduler, "b") == [{"a": 1}, {"a": 1}, {"a": 2}]


@pytest.mark.rule("S38", "S25")
@pytest.mark.parametrize(
    ("config", "action", "runs"),
    [
        ({}, None, [(1, OK)]),
        ({}, TaskAction.STOP, [(1, OK)]),
        ({}, TaskAction.START, []),
        ({}, TaskAction.RESTART, []),
        ({"autostart": False}, None, []),
    ],
)
def test_the_start_after_its_outputs_is_implied_unless_the_task_says_otherwise(
    config: dict[str, Any], action: TaskAction | None, runs: list[Any]
) -> None:
    with Workflow("w", completion="manual") as workflow:
        a = Work("a")
        b = Takes("b", a, **config)
    if action is not None:
        b.action_on_event_received(action, "x")
    scheduler = VirtualScheduler(workflow)

    scheduler.run()

    assert scheduler.runs("b") == runs


@pytest.mark.rule("S38", "S30")
def test_a_missing_output_is_a_failure_that_no_retry_helps() -> None:
    with Workflow("w", completion="manual") as workflow:
        a = Work("a", autostart=False)
        b = Takes("b", a, retries=5)
        b.action_on_event_received(TaskAction.START, "x")
        after = Work("after")
        after.action_on_task_status(TaskAction.START, {b: TaskStatus.FAILED})
    scheduler = VirtualScheduler(workflow)
    execution = scheduler.run()

    scheduler.emit("x")
    assert scheduler.started("b") == []
    scheduler.start_task(execution, "a")
    scheduler.emit("x")

    assert scheduler.runs("b") == [(1, MISSING), (2, OK)]
    assert scheduler.runs("after") == [(1, OK)]
    failed, *_ = [run for run in scheduler.execution().tasks if run.task_name == "b"]
    (failure,) = scheduler.store.failures(failed.id)
    assert failure.type_name == "MissingOutputError"
    assert "takes the output of 'a'" in failure.message
