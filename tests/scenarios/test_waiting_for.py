"""What an execution says that it is waiting for (S42)."""

import pytest
from scenario_tasks import Work

from eventflow import (
    AllOf,
    Condition,
    Event,
    EventCondition,
    Every,
    RuleContext,
    TaskAction,
    TaskStatus,
    TaskStatusCondition,
    Workflow,
)
from eventflow.core.telling import tell
from eventflow.runtime.standing import waiting
from eventflow.testing import VirtualScheduler

pytestmark = pytest.mark.rule("S42")
START = TaskAction.START


class Big(Condition):
    """Met by a large value."""

    def is_met(self, event: Event, context: RuleContext) -> bool:
        return bool(event.value > 10)


def waits(scheduler: VirtualScheduler, workflow: Workflow, execution: int = 1) -> list[str]:
    record = scheduler.execution(execution)
    return waiting(scheduler.store, record, workflow, lambda instant: f"{instant:%H:%M:%S}")


def test_a_task_waits_for_an_event_an_upstream_and_the_rest_of_what_is_half_met() -> None:
    with Workflow("w") as workflow:
        a, b, c = Work("a"), Work("b"), Work("c")
        a.action_on_event_received(START, "go")
        b.start_after(a)
        half = AllOf(EventCondition("x"), EventCondition("y"), TaskStatusCondition(a, "SUCCESS"))
        c.action_on_condition(START, half)
    scheduler = VirtualScheduler(workflow)
    scheduler.run()

    scheduler.emit("x")

    assert waits(scheduler, workflow) == [
        "a waits for event go",
        "b waits for a is SUCCESS (not started yet)",
        "c waits for event y, and a is SUCCESS (not started yet); event x has come",
    ]


def test_a_condition_of_the_users_tells_what_it_said_last() -> None:
    with Workflow("w") as workflow:
        Work("a").action_on_condition(START, Big(["amount"]))
    scheduler = VirtualScheduler(workflow)
    scheduler.run()
    asked_for = "a waits for condition Big on amount"
    assert waits(scheduler, workflow) == [asked_for]

    no = scheduler.emit("amount", 1)
    assert waits(scheduler, workflow) == [
        f"{asked_for}; asked last for amount (offset {no.offset}): not met"
    ]
    wrong = scheduler.emit("amount", "much")
    assert waits(scheduler, workflow) == [
        f"{asked_for}; asked last for amount (offset {wrong.offset}): failed"
    ]


def test_clocks_say_when_they_are_due() -> None:
    with Workflow("w", timeout=600) as workflow:
        Work("polls", periodic_expression=Every(seconds=60))
        Work("first", periodic_expression=Every(seconds=90), autostart=False)
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("polls", TaskStatus.SUCCESS, after=5)
    scheduler.run()
    scheduler.advance(seconds=10)

    assert waits(scheduler, workflow) == [
        "polls is due again at 00:01:00",
        "first is due at 00:01:30",
        "w times out at 00:10:00",
    ]


def test_a_retry_says_what_failed_and_when_it_runs_again() -> None:
    with Workflow("w") as workflow:
        Work("a", retries=2, retry_delay=30)
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus.FAILED, after=5)
    scheduler.run()
    scheduler.advance(seconds=6)

    (line,) = waits(scheduler, workflow)

    assert line.startswith("a #1 is RETRYING: attempt 1 failed (")
    assert line.endswith("; it runs again at 00:00:35")


@pytest.mark.rule("S44")
def test_an_execution_in_init_says_for_whose_turn_it_waits() -> None:
    with Workflow("w", max_active=1) as workflow:
        Work("a").action_on_event_received(START, "go")
    scheduler = VirtualScheduler(workflow)
    for _ in range(3):
        scheduler.run()

    turn = "its turn: at most 1 executions of w run at once (max_active)"
    assert waits(scheduler, workflow, 2) == [turn]
    assert waits(scheduler, workflow, 3) == [f"{turn}; 1 wait before it"]


def test_what_is_being_stopped_says_since_when_and_for_how_long() -> None:
    with Workflow("w") as workflow:
        Work("a", stop_grace=20)
        Work("b")
    scheduler = VirtualScheduler(workflow)
    for task in ("a", "b"):
        scheduler.outcome(task, TaskStatus.RUNNING)
    scheduler.run()
    scheduler.advance(seconds=7)

    scheduler.client.task(1, "a", TaskAction.STOP)
    scheduler.client.task(1, "b", TaskAction.RESTART)
    scheduler._loop.step()  # decided, and not handed over yet

    assert waits(scheduler, workflow) == [
        "a #1 is STOPPING since 00:00:07, for at most 20 s (stopped by command)",
        "b #2 waits for its earlier run to stop",
    ]


def test_a_run_that_moves_says_so_and_one_that_is_over_waits_for_nothing() -> None:
    with Workflow("w") as workflow:
        Work("a")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus.SUCCESS, after=60)
    scheduler.run()
    assert waits(scheduler, workflow) == ["a #1 is RUNNING since 00:00:00"]

    scheduler.advance(seconds=60)
    assert waits(scheduler, workflow) == []


@pytest.mark.rule("S41")
def test_a_parked_execution_says_why() -> None:
    with Workflow("w") as workflow:
        Work("a").action_on_event_received(START, "go")
    scheduler = VirtualScheduler(workflow)
    scheduler.run()
    scheduler.store.park({1: "the file is gone"})

    assert waits(scheduler, workflow) == [
        "its code, and is parked until that is at hand: the file is gone"
    ]


@pytest.mark.rule("S29", "S42")
def test_an_execution_that_is_being_stopped_says_why_and_waits_for_nothing_else() -> None:
    with Workflow("w") as workflow:
        load = Work("load")
        Work("final").start_after(load)
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("load", TaskStatus.RUNNING)
    execution = scheduler.run()
    scheduler.client.stop(execution.id, "wrong day")
    scheduler._loop.step()  # decided, and the worker has not stopped yet

    found = scheduler.execution(execution)
    first, second = waiting(scheduler.store, found, workflow, "{:%H:%M}".format)
    explained = scheduler.explain(execution.id, "final")

    assert first == "its tasks to stop (wrong day)"
    assert second.startswith("load #1 is STOPPING since 00:00")
    assert second.endswith("(wrong day)")
    said = "\n".join(tell(explained, str))
    assert "the execution is being stopped, so nothing starts: wrong day" in said
    scheduler.run_until_idle()
    (run,) = scheduler.execution(execution).tasks
    assert (run.status, run.reason) == ("STOPPED", "wrong day")
