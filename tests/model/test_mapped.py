"""What tasks are mapped over: how it is written, described, and refused (S43)."""

import json
from typing import Any

import pytest
from model_kit import Step, refused

from eventflow import Operator, Workflow, WorkflowOperator
from eventflow.errors import DefinitionError
from eventflow.model.arguments import Element, Output
from eventflow.model.mapped import Along, Each, Given, Mapped, mapped_from
from eventflow.model.sketch import sketch_of

pytestmark = pytest.mark.rule("S43")


def chain(how: str) -> tuple[Workflow, Operator]:
    """`b` is mapped in one of the ways there are; `a` has one axis or none."""
    with Workflow("w") as workflow:
        a, b = Step("a"), Step("b")
        match how:
            case "given":
                b.map([1, {"x": None}, "three"])
            case "no item":
                b.map([])
            case "returned":
                b.map(a.output)
            case "returned, if any":
                b.map(a.output.or_none)
            case "item for item":
                b.map(a.map([1, 2]).output)
            case "item for item, if any":
                b.map(a.map([1, 2]).output.or_none)
            case "nested":
                b.map(a.map([1, 2]).output, nested=True)
            case "nested, if any":
                b.map(a.map([1, 2]).output.or_none, nested=True)
            case "axes":
                a.map([1, 2])
                b.map(Mapped((Along((Output("a"),)), Given((7, 8)), Each(Output("a", (0,))))))
    return workflow, b


AXIS = Along((Output("a"),))
HOW: dict[str, Mapped] = {
    "given": Mapped((Given((1, {"x": None}, "three")),), Element(0)),
    "no item": Mapped((Given(()),), Element(0)),
    "returned": Mapped((Each(Output("a")),), Element(0)),
    "returned, if any": Mapped((Each(Output("a", (), True)),), Element(0)),
    "item for item": Mapped((AXIS,), Output("a", (0,))),
    "item for item, if any": Mapped((AXIS,), Output("a", (0,), True)),
    "nested": Mapped((AXIS, Each(Output("a", (0,)))), Element(1)),
    "nested, if any": Mapped((AXIS, Each(Output("a", (0,), True))), Element(1)),
    "axes": Mapped((AXIS, Given((7, 8)), Each(Output("a", (0,))))),
}


@pytest.mark.parametrize("how", sorted(HOW))
def test_a_map_is_what_was_said_and_is_read_back_so_from_its_definition(how: str) -> None:
    workflow, b = chain(how)
    workflow.validate()

    assert b.mapped == HOW[how]
    told = json.loads(json.dumps(workflow.definition()))
    assert mapped_from(told["tasks"][1]["mapped"]) == HOW[how]
    sketch = sketch_of(told)
    assert sketch.tasks["b"].mapped == HOW[how]
    assert sketch.definition() == told


@pytest.mark.rule("S41")
def test_each_way_of_mapping_is_another_definition() -> None:
    told = [json.dumps(chain(how)[0].definition()) for how in HOW]

    assert len(set(told)) == len(HOW)


@pytest.mark.rule("S38")
@pytest.mark.parametrize(("how", "takes"), [("given", ()), ("returned", ("a",)), ("axes", ("a",))])
def test_what_its_items_come_from_is_what_a_task_takes_and_starts_after(
    how: str, takes: tuple[str, ...]
) -> None:
    workflow, b = chain(how)

    assert b.takes == takes
    assert len(workflow.rules_of("b")) == len(takes)


def test_a_map_of_a_map_of_a_map_has_its_axes() -> None:
    with Workflow("w"):
        a = Step("a").map([1])
        b = Step("b").map(a.output, nested=True)
        c = Step("c").map(b.output)
        d = Step("d").map(c.output, nested=True)

    assert d.mapped == Mapped(
        (
            Along((Output("c"),)),
            Along((Output("c", (0,)),)),
            Each(Output("c", (0, 1))),
        ),
        Element(2),
    )


def test_a_task_may_be_mapped_over_one_that_is_mapped_later() -> None:
    with Workflow("w") as workflow:
        a = Step("a")
        b = Step("b").map(a.output)
        a.map([1, 2])
    workflow.validate()

    assert b.mapped == HOW["item for item"]


@pytest.mark.parametrize(
    ("items", "told"),
    [
        ("abc", "map takes a list of items or the output of a task, got 'abc'"),
        (b"abc", "got b'abc'"),
        ({"a": 1}, r"got \{'a': 1\}"),
        (7, "got 7"),
        (None, "got None"),
        ([1, {2, 3}], "items are JSON values"),
        ([float("nan")], "items are JSON values"),
        ([object()], "items are JSON values"),
    ],
)
def test_items_that_are_no_list_of_json_values_are_refused(items: Any, told: str) -> None:
    with Workflow("w"), refused("operator 'b'", told):
        Step("b").map(items)


def test_the_task_itself_in_place_of_its_output_is_refused() -> None:
    with Workflow("w"):
        a = Step("a")
        with refused("operator 'b'", r"its result is a\.output"):
            Step("b").map(a)


@pytest.mark.parametrize("first", [[1], []])
def test_a_task_is_mapped_once(first: list[int]) -> None:
    with Workflow("w"):
        b = Step("b").map(first)

        with refused("operator 'b' is mapped already"):
            b.map([2])


def test_a_task_that_runs_a_workflow_cannot_be_mapped() -> None:
    with Workflow("below") as below:
        Step("x")
    with Workflow("w"):
        b = WorkflowOperator("b", below)

        with refused("operator 'b' runs a workflow, which cannot be mapped"):
            b.map([1])


@pytest.mark.parametrize("items", ["given", "plain"])
def test_nested_is_for_the_output_of_a_mapped_task(items: str) -> None:
    with Workflow("w") as workflow:
        a = Step("a")
        b = Step("b").map([1] if items == "given" else a.output, nested=True)

    with refused("operator 'b'", "nested=True is for"):
        workflow.validate()
    with pytest.raises(DefinitionError, match="nested=True is for"):
        _ = b.mapped


def out_of_range(arguments: Any, mapped: Mapped | None) -> Workflow:
    """`a` is mapped over one axis, and `z` is not; `b` looks at both as it should not."""
    with Workflow("w") as workflow:
        Step("a").map([1, 2])
        Step("z")
        b = Step("b", arguments)
        if mapped is not None:
            b.map(mapped)
    return workflow


GIVEN = Given((1, 2))


@pytest.mark.parametrize(
    ("arguments", "mapped", "told"),
    [
        ((), Mapped(()), "task 'b' is mapped over no axis; give at least one"),
        ([Element(0)], None, "task 'b' has no element of axis 0"),
        ([Element(1)], Mapped((GIVEN,)), "task 'b' has no element of axis 1"),
        ([Element(0)], Mapped((AXIS,)), "task 'b' has no element of axis 0"),
        ((), Mapped((AXIS,), Element(0)), "elements are of axes over given items or over a result"),
        ([Output("a", (0,))], None, r"picks a result of 'a' by axes \[0\], and has 0 there"),
        ([Output("a", (1,))], Mapped((GIVEN,)), r"picks a result of 'a' by axes \[1\], and has 1"),
        ([Output("z", (0,))], Mapped((GIVEN,)), r"takes item \[0\] of 'z', which is mapped over 0"),
        ([Output("a", (0, 0))], Mapped((GIVEN,)), r"takes item \[0, 0\] of 'a', which is mapped"),
        ((), Mapped((Each(Output("a", (0,))),)), r"picks a result of 'a' by axes \[0\], and has 0"),
        ((), Mapped((Along((Output("z"),)),)), "cannot be mapped along axis 0 of 'z', which has 0"),
        (
            (),
            Mapped((GIVEN, Along((Output("a", (0,)),)))),
            "cannot be mapped along axis 1 of 'a', which has 1",
        ),
        ((), Mapped((GIVEN,), Output("a", (1,))), r"by axes \[1\], and has 1 there"),
        ((), Mapped((Along((Output("a"), Output("z"))),)), "along axis 0 of 'z'"),
    ],
)
def test_places_that_stand_for_nothing_are_refused(
    arguments: Any, mapped: Mapped | None, told: str
) -> None:
    with refused("task 'b'", told):
        out_of_range(arguments, mapped).validate()


@pytest.mark.parametrize(
    ("arguments", "mapped"),
    [
        ([Element(0), Output("a", (0,)), Output("a"), Output("z")], Mapped((GIVEN,))),
        ([Output("a", (1,))], Mapped((GIVEN, GIVEN), Element(1))),
        ([{"deep": [Output("a")]}], None),
    ],
)
def test_places_that_stand_for_something_are_taken(arguments: Any, mapped: Mapped | None) -> None:
    out_of_range(arguments, mapped).validate()
