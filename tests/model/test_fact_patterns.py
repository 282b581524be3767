"""Patterns for status facts that can never fit are refused when the workflow is validated (S4)."""

import pytest

from eventflow import PythonOperator, TaskAction, Workflow
from eventflow.errors import DefinitionError


def listening_to(pattern: str) -> Workflow:
    with Workflow("shop") as workflow:
        PythonOperator("pack", print)
        send = PythonOperator("send", print)
        send.action_on_event_received(TaskAction.START, pattern)
    return workflow


@pytest.mark.rule("S4", "S5")
@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("eventflow.task.shop.pack.SUCCESS", "did you mean 'success'"),
        ("eventflow.task.shop.pack", "eventflow.task.<workflow>.<task>.<status>"),
        ("eventflow.task.shop.pakc.success", "did you mean 'pack'"),
        ("eventflow.workflow.shop.done", "eventflow.workflow.<workflow>.<status>"),
    ],
)
def test_a_pattern_that_no_fact_fits_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(DefinitionError, match=said):
        listening_to(pattern).validate()


@pytest.mark.rule("S4", "S5")
@pytest.mark.parametrize(
    "pattern",
    [
        "eventflow.task.shop.pack.success",
        "eventflow.task.shop.*.failed",
        "eventflow.task.elsewhere.any.*",
        "eventflow.task.**",
        "eventflow.workflow.*.failed",
        "orders.paid",
    ],
)
def test_a_pattern_that_a_fact_may_fit_is_taken(pattern: str) -> None:
    workflow = listening_to(pattern)

    workflow.validate()

    assert workflow.rules["send"][0].condition.wakes("shop") == (pattern,)
