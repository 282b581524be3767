"""Maps that cannot be: refused before anything of them runs; and what may be missing (S43)."""

from typing import Any

import pytest
from map_kit import (
    OK,
    SKIPPED,
    START,
    SUCCESS,
    Takes,
    handed,
    items,
    mapped_over,
    over,
    result,
    run_of,
)
from scenario_tasks import Work

from eventflow import Workflow
from eventflow.model.arguments import Output
from eventflow.model.mapped import Along, Each, Given, Mapped
from eventflow.testing import VirtualScheduler

pytestmark = pytest.mark.rule("S43")


def side_by_side(first: int, second: int) -> VirtualScheduler:
    with Workflow("w") as workflow:
        Work("a").map(range(first))
        Work("z").map(range(second))
        both = Along((Output("a"), Output("z")))
        Takes("b", Output("a", (0,)), Output("z", (0,))).map(Mapped((both,)))
    scheduler = VirtualScheduler(workflow)
    scheduler.run()
    return scheduler


def test_two_maps_of_one_length_go_side_by_side() -> None:
    scheduler = side_by_side(3, 3)

    assert handed(scheduler) == [(0,), (1,), (2,)]
    assert scheduler.status() == "SUCCESS"


def refusal(scheduler: VirtualScheduler, task: str = "b") -> str:
    """Why a map could not be started, before anything of it ran."""
    run = run_of(scheduler, task)
    assert scheduler.runs(task) == [(1, ["INIT", "QUEUED", "FAILED"])]
    assert scheduler.started(task) == []
    assert (run.items, items(scheduler, task)) == (None, [])
    (failure,) = scheduler.store.failures(run.id)
    assert run.reason.startswith("cannot be started: ")
    assert scheduler.status() == "FAILED"
    return f"{failure.type_name}: {failure.message}"


@pytest.mark.rule("S26")
def test_two_maps_that_do_not_agree_are_refused() -> None:
    assert refusal(side_by_side(3, 2)) == (
        "ItemsError: task 'b' takes items of several tasks side by side, and they do not have as "
        "many: 'a' has 3, 'z' has 2"
    )


@pytest.mark.rule("S26")
@pytest.mark.parametrize(
    ("value", "kind"), [({"a": 1}, "dict"), ("text", "str"), (None, "NoneType"), (7, "int")]
)
def test_a_result_that_is_no_list_is_refused(value: Any, kind: str) -> None:
    told = refusal(mapped_over(value, retries=3))

    assert told.startswith("ItemsError: task 'b' is mapped over the output of 'a', which returned")
    assert f"returned {kind} and not a list" in told


def test_one_result_that_is_no_list_among_nested_ones_is_refused_and_named() -> None:
    with Workflow("w") as workflow:
        Work("b").map(Work("a").map([0, 1]).output, nested=True)
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", result=[1])
    scheduler.outcome("a", result="no")
    scheduler.run()

    assert 'returned str in item [1] and not a list: "no"' in refusal(scheduler)


def test_an_item_of_an_upstream_that_has_none_of_that_number_is_refused() -> None:
    with Workflow("w") as workflow:
        Work("a").map([0, 1])
        Work("b").map(Mapped((Given((5, 6, 7)), Each(Output("a", (0,))))))
    scheduler = VirtualScheduler(workflow)
    for _ in range(2):
        scheduler.outcome("a", result=[1])
    scheduler.run()

    assert refusal(scheduler) == (
        "ItemsError: task 'b' has no item of 'a' to go with its own, in item [2]"
    )


def test_an_axis_along_another_where_that_has_no_item_is_refused() -> None:
    with Workflow("w") as workflow:
        a = Work("a").map([0, 1])
        Work("z").map(a.output, nested=True)
        Work("b").map(Mapped((Given((5, 6, 7)), Along((Output("z", (0,)),)))))
    scheduler = VirtualScheduler(workflow)
    for _ in range(2):
        scheduler.outcome("a", result=[1])
    scheduler.run()

    assert "has no item of 'z' to go with its own, in item [2]" in refusal(scheduler)


@pytest.mark.rule("S26")
@pytest.mark.parametrize("how", ["returned", "given"])
def test_more_items_than_max_items_are_refused_before_any_of_them_runs(how: str) -> None:
    if how == "given":
        scheduler = over(6, max_items=5)
        scheduler.run()
        assert "would have 6 items or more, mapped over what it was given; its max_items is 5" in (
            refusal(scheduler)
        )
    else:
        scheduler = mapped_over([0] * 6, max_items=5)
        assert "would have 6 items or more, mapped over 'a'; its max_items is 5" in (
            refusal(scheduler)
        )


def test_as_many_items_as_max_items_run() -> None:
    assert mapped_over([0] * 5, max_items=5).status() == "SUCCESS"


def test_a_product_that_is_too_large_is_refused() -> None:
    with Workflow("w") as workflow:
        Work("b", max_items=5).map(Mapped((Given((1, 2, 3)), Given((1, 2)))))
    scheduler = VirtualScheduler(workflow)
    scheduler.run()

    assert "would have 6 items or more" in refusal(scheduler)


@pytest.mark.rule("S38")
def test_the_output_of_a_skipped_task_is_no_items_where_it_may_be_missing() -> None:
    with Workflow("w") as workflow:
        a = Work("a")
        b = Work("b").map(a.output.or_none)
    b.action_on_task_status(START, {a: {SUCCESS, SKIPPED}})
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", SKIPPED, reason="nothing new")

    scheduler.run()

    assert scheduler.runs("b") == [(1, OK)]
    assert result(scheduler) == []


@pytest.mark.rule("S38")
def test_the_output_of_a_skipped_task_that_may_not_be_missing_fails_the_map() -> None:
    with Workflow("w") as workflow:
        a = Work("a")
        b = Work("b", retries=2).map(a.output)
    b.action_on_task_status(START, {a: SKIPPED})
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", SKIPPED)

    scheduler.run()

    assert scheduler.runs("b") == [(1, ["INIT", "QUEUED", "FAILED"])]
    assert scheduler.store.failures(run_of(scheduler).id)[0].type_name == "MissingOutputError"
