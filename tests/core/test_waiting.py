"""What a task still waits for, and which can never start (S42)."""

from collections.abc import Mapping

import pytest

from eventflow import (
    AnyOf,
    BashOperator,
    EventCondition,
    Not,
    TaskAction,
    TaskStatus,
    TaskStatusCondition,
    Workflow,
)
from eventflow.core.waiting import never_start, waits_for


def operator(name: str, **config: object) -> BashOperator:
    return BashOperator(name, bash_command="true", **config)


def wanted(workflow: Workflow, statuses: Mapping[str, TaskStatus | None]) -> list[object]:
    return [(one.task, one.missing, one.possible) for one in waits_for(workflow, statuses)]


@pytest.mark.rule("S42")
def test_a_join_names_the_upstreams_that_have_not_come_yet() -> None:
    with Workflow("diamond") as workflow:
        a, b, c = operator("a"), operator("b"), operator("c")
        c.start_after([a, b])

    found = wanted(workflow, {"a": TaskStatus.SUCCESS, "b": TaskStatus.RUNNING})

    assert found == [("c", ("b is SUCCESS (now RUNNING)",), True)]


def test_a_branch_not_taken_is_not_waited_for_nor_what_follows_it() -> None:
    with Workflow("branch") as workflow:
        a, b, c = operator("a"), operator("b"), operator("c")
        b.action_on_task_status(TaskAction.START, {a: TaskStatus.FAILED})
        c.start_after(b)

    found = wanted(workflow, {"a": TaskStatus.SUCCESS})

    assert found == [
        ("b", ("a is FAILED (now SUCCESS)",), False),
        ("c", ("b is SUCCESS (not started yet)",), False),
    ]


def test_an_event_from_outside_can_always_come() -> None:
    with Workflow("outside") as workflow:
        a, b = operator("a"), operator("b")
        when = EventCondition("x.y") & TaskStatusCondition(a, "SUCCESS")
        b.action_on_condition(TaskAction.START, when)
        b.action_on_event_received(TaskAction.RESTART, "again")

    assert wanted(workflow, {"a": TaskStatus.SUCCESS}) == [
        ("b", ("event x.y",), True),
        ("b", ("event again",), True),
    ]
    assert wanted(workflow, {"a": TaskStatus.FAILED})[0] == (
        "b",
        ("event x.y", "a is SUCCESS (now FAILED)"),
        False,
    )


def test_either_of_two_is_said_with_or_and_a_not_with_not() -> None:
    with Workflow("either") as workflow:
        a, b, c, d = (operator(name) for name in "abcd")
        c.action_on_condition(
            TaskAction.START,
            AnyOf(TaskStatusCondition(a, "SUCCESS"), TaskStatusCondition(b, "SUCCESS")),
        )
        d.action_on_condition(TaskAction.START, Not(TaskStatusCondition(a, "RUNNING")))

    running = {"a": TaskStatus.RUNNING, "b": TaskStatus.RUNNING}

    assert [one.missing for one in waits_for(workflow, running)] == [
        ("a is SUCCESS (now RUNNING) or b is SUCCESS (now RUNNING)",),
        ("not (a is RUNNING)",),
    ]


def test_what_no_rule_clock_or_beginning_reaches_can_never_start() -> None:
    with Workflow("lost") as workflow:
        first = operator("first")
        by_hand = operator("by_hand", autostart=False)
        follows = operator("follows")
        follows.start_after(by_hand)
        operator("hourly", periodic_expression="@hourly", autostart=False)
        operator("after").start_after(first)
        ring_a, ring_b = operator("ring_a"), operator("ring_b")
        ring_a.start_after(ring_b)
        ring_b.start_after(ring_a)

    assert never_start(workflow) == ["by_hand", "follows", "ring_a", "ring_b"]


def test_an_own_tasks_event_comes_only_if_that_task_can() -> None:
    with Workflow("own") as workflow:
        operator("by_hand", autostart=False)
        b, c = operator("b"), operator("c")
        b.action_on_event_received(TaskAction.START, "eventflow.task.own.by_hand.success")
        c.action_on_event_received(TaskAction.START, "eventflow.task.another.by_hand.success")

    assert never_start(workflow) == ["by_hand", "b"]
