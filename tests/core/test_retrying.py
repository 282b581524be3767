"""Retry in the core alone: what is decided in the one turn of the command (S31)."""

from typing import Any

import pytest
from core_bench import START, Bench, Idle, ask

from eventflow import Event, TaskAction, TaskStatus, Workflow
from eventflow.core.completion import ending_of, tasks_to_come
from eventflow.core.decide import COMMAND, take
from eventflow.core.draft import Draft
from eventflow.core.retried import Retried
from eventflow.core.world import LiveExecution

SUCCESS, FAILED = TaskStatus.SUCCESS, TaskStatus.FAILED


def begun(**tasks: tuple[TaskStatus, int | None]) -> LiveExecution:
    """A retry in the very turn in which it began: no fact of it is decided yet.

    Args:
        tasks: Task -> how it stood, and the rule that started it. One that failed runs again.
    """
    with Workflow("w") as workflow:
        a, b, c = Idle("a"), Idle("b"), Idle("c")
        b.action_on_task_status(TaskAction.START, {a: SUCCESS})
        c.start_after(b)
    bench = Bench()
    plan = bench.register(workflow)
    told = [
        Retried(
            task=name, run_id=1, execution_id=7, status=status, again=status is FAILED, rule=rule
        ).to_json()
        for name, (status, rule) in tasks.items()
    ]
    value: dict[str, Any] = {
        "retry_of": 7,
        "namespace": "default",
        "workflow": "w",
        "snapshot": plan.snapshot,
        "params": {},
        "execution_type": "MANUAL",
        "scheduled_time": None,
        "trigger": None,
        "tasks": told,
    }
    take(Draft(bench.world), Event(COMMAND + "retry", value, sender="eventflow"), ask, START)
    return bench.world.executions[1]


@pytest.mark.rule("S29", "S31")
def test_what_is_to_run_again_holds_the_execution_open_with_all_that_follows() -> None:
    live = begun(a=(SUCCESS, None), b=(FAILED, 0))

    assert set(live.retried) == {"b"}
    assert tasks_to_come(live) == {"b", "c"}
    assert ending_of(live) is None


@pytest.mark.rule("S29", "S31")
def test_what_cannot_run_again_does_not_hold_it_open() -> None:
    """What it waits for was stopped by a rule, and nothing brings it back."""
    live = begun(a=(TaskStatus.STOPPED, None), b=(FAILED, 0))

    assert tasks_to_come(live) == set()
    assert ending_of(live) == ("SUCCESS", "")


@pytest.mark.rule("S31")
def test_a_retry_without_code_is_refused_and_changes_nothing() -> None:
    bench = Bench()

    decision = bench.command("retry", snapshot="cafe" * 16, retry_of=7)

    (outcome,) = decision.outcomes
    assert outcome.did.startswith("refused: the code of execution 7, snapshot cafecafecafe, is not")
    assert bench.world.executions == {}
