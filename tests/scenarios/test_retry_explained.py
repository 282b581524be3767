"""Why a task of a retry ran, or waits: back into the execution that is retried (S31, S42)."""

import pytest
from retry_kit import FAILED, RUNNING, START, SUCCESS, chain, failed
from scenario_tasks import Work

from eventflow import AllOf, AnyOf, Condition, EventCondition, Workflow, WorkflowExecution
from eventflow import TaskStatusCondition as Status
from eventflow.core.explanation import How, TaskExplained
from eventflow.core.telling import tell
from eventflow.runtime.standing import waiting
from eventflow.testing import VirtualScheduler

pytestmark = pytest.mark.rule("S31", "S42")


def told(scheduler: VirtualScheduler, execution: WorkflowExecution, task: str = "") -> list[str]:
    explained = scheduler.explain(execution.id, task or None)
    return tell(explained, lambda instant: f"{instant:%H:%M}")


def hows(scheduler: VirtualScheduler, execution: WorkflowExecution, task: str) -> list[object]:
    explained = scheduler.explain(execution.id, task)
    assert isinstance(explained, TaskExplained)
    return [(link.workflow_execution_id, link.task, link.how) for link in explained.chain]


def test_what_was_taken_over_and_what_ran_again_go_back_to_their_first_causes() -> None:
    scheduler, old = failed(chain(), "b")

    new = scheduler.retry(old)

    assert hows(scheduler, new, "a") == [
        (2, "a", How.TAKEN_OVER),
        (1, "a", How.AUTOSTART),
        (1, "", How.COMMAND),
    ]
    assert hows(scheduler, new, "c") == [
        (2, "c", How.RULE),
        (2, "b", How.RETRY),
        (1, "b", How.RULE),
        (1, "a", How.AUTOSTART),
        (1, "", How.COMMAND),
    ]
    assert told(scheduler, new, "a")[:3] == [
        "a #1 of execution 2 is SUCCESS (taken over from execution 1).",
        "a #1 was taken over from an earlier execution, at 00:00.",
        "There, a #1 started with its execution at 00:00.",
    ]
    assert told(scheduler, new, "b")[:3] == [
        "b #1 of execution 2 is SUCCESS.",
        "b #1 started again at 00:00, as in execution 1.",
        "There, b #1 started by its rule 0, START when a is SUCCESS, at 00:00:",
    ]
    assert told(scheduler, new)[:3] == [
        "Execution 2 of w is SUCCESS.",
        "Execution 2 of w started as the retry of execution 1, by command (offset 18) at 00:00.",
        "Execution 1 of w started by command (offset 2) at 00:00.",
    ]


def test_a_task_that_never_ran_names_what_was_taken_over() -> None:
    with Workflow("w") as workflow:
        a, b = Work("a"), Work("b")
        b.action_on_task_status(START, {a: SUCCESS})
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", RUNNING)
    old = scheduler.run()
    # The success of a is reported after the stop was decided: it ends STOPPED, b never runs.
    scheduler.stop_workflow(old)
    scheduler.outcome("b", FAILED)
    second = scheduler.retry(old)
    third = scheduler.retry(second)
    assert scheduler.status(third) == "SUCCESS"

    assert hows(scheduler, third, "b") == [
        (3, "b", How.RETRY),
        (2, "b", How.RULE),
        (2, "a", How.RETRY),
        (1, "a", How.AUTOSTART),
        (1, "", How.COMMAND),
    ]


@pytest.mark.parametrize(
    ("condition", "began"),
    [
        (
            AllOf(EventCondition("go"), Status("a", {SUCCESS, FAILED})),
            "again at 00:01, as in execution 1, once the statuses of its rule stood.",
        ),
        (
            AnyOf(EventCondition("never"), Status("a", {SUCCESS, FAILED})),
            "by its rule 0, START when event never or a is SUCCESS or FAILED, at 00:01:",
        ),
    ],
)
def test_what_waits_to_run_again_says_for_what(condition: Condition, began: str) -> None:
    with Workflow("w", max_active=1) as workflow:
        Work("a")
        b = Work("b")
        b.action_on_condition(START, condition)
        Work("c").start_after(b)
        Work("d")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", FAILED)
    scheduler.outcome("b", FAILED)
    old = scheduler.run()
    scheduler.emit("go")
    scheduler.outcome("a", after=100)

    new = scheduler.retry(old)
    waits = scheduler.retry(old)

    once = "runs again, as in execution 1, once a is SUCCESS or FAILED"
    assert f"  it {once} (now RUNNING)" in told(scheduler, new, "b")
    lines = waiting(scheduler.store, new, workflow, str)
    assert f"b {once} (now RUNNING)" in lines
    assert "c waits for b is SUCCESS (not started yet)" in lines
    assert "  it is taken over from execution 1 once the execution begins" in told(
        scheduler, waits, "d"
    )
    assert "  it runs again, as in execution 1, once the execution begins" in told(
        scheduler, waits, "a"
    )
    scheduler.advance(seconds=100)
    assert f"b #1 started {began}" in told(scheduler, new, "b")
