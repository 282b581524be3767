"""Circles of workflows that can be seen before anything runs (S45)."""

import time

import pytest

from eventflow import BashOperator, EventCondition, Workflow
from eventflow.core.circles import circles_among, in_words

pytestmark = [pytest.mark.rule("S45"), pytest.mark.fault("F41")]


def workflow(name: str, *keys: str, namespace: str = "default", **settings: int | None) -> Workflow:
    with Workflow(name, namespace, **settings) as made:
        BashOperator("work", bash_command="true")
    for key in keys:
        made.trigger_on_event(key)
    return made


def names(*workflows: Workflow) -> list[list[str]]:
    return [[one.name for one in circle] for circle in circles_among(workflows)]


@pytest.mark.parametrize(
    "key",
    [
        "eventflow.workflow.a.success",
        "eventflow.workflow.a.*",
        "eventflow.workflow.*.failed",
        "eventflow.task.a.work.running",
        "eventflow.**",
    ],
)
def test_f41_a_workflow_that_hears_its_own_facts_is_a_circle(key: str) -> None:
    assert names(workflow("a", key)) == [["a"]]


def test_f41_a_circle_of_several_is_told_once_and_by_its_shortest_way() -> None:
    a = workflow("a", "eventflow.workflow.c.success")
    b = workflow("b", "eventflow.workflow.a.success")
    c = workflow("c", "eventflow.task.b.work.success", "eventflow.workflow.a.failed")

    assert names(a, b, c) == [["a", "c"], ["b", "c", "a"]]
    assert "a -> c -> a" in in_words(circles_among([a, b, c])[0])


def test_f41_what_is_in_no_circle_is_not_named() -> None:
    assert names(
        workflow("a", "orders.paid"),
        workflow("b", "eventflow.workflow.a.success", "**"),
        workflow("c", "eventflow.workflow.b.success"),
        workflow("d", "eventflow.workflow.d.success", namespace="other"),
        workflow("d", "eventflow.workflow.c.success"),
    ) == [["d"]]


def test_f41_a_circle_within_a_combination_is_seen() -> None:
    made = workflow("a")
    made.trigger_on_condition(
        EventCondition("orders.paid") & EventCondition("eventflow.workflow.a.success")
    )

    assert names(made) == [["a"]]


def test_f41_a_circle_that_is_meant_is_not_told() -> None:
    assert names(workflow("a", "eventflow.workflow.a.success", max_hops=None)) == []


def test_f41_a_long_chain_that_leads_into_a_circle_is_looked_through_at_once() -> None:
    chain = [
        workflow(f"w{number}", f"eventflow.workflow.w{number - 1}.success")
        for number in range(1, 400)
    ]
    first = workflow("w0", "eventflow.workflow.w1.success")
    begin = time.process_time()

    assert names(first, *chain) == [["w0", "w1"]]
    # Looking at each with each took ten times as long.
    assert time.process_time() - begin < 1
