"""PythonOperator and `@task`: what is refused, what is described, how arguments are filled."""

import functools
from typing import Any

import pytest

from eventflow.errors import DefinitionError
from eventflow.model.workflow import Workflow
from eventflow.operators.python import PythonOperator, task


def double(number: int, *, by: int = 2) -> int:
    return number * by


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"python_callable": 3}, "python_callable must be a function, got 3"),
        ({"python_callable": double, "op_args": [1, 2]}, "too many positional arguments"),
        ({"python_callable": double, "op_kwargs": {"of": 1}}, "'number'"),
        ({"python_callable": double, "op_args": "one"}, "op_args is a list, got 'one'"),
        ({"python_callable": double, "op_kwargs": {1: 2}}, "op_kwargs is a dict with names"),
        ({"python_callable": double, "op_args": [1], "retires": 2}, "did you mean 'retries'"),
    ],
)
def test_a_wrong_definition_is_refused_and_names_the_operator(
    arguments: dict[str, Any], message: str
) -> None:
    with Workflow("w") as workflow, pytest.raises(DefinitionError) as caught:
        PythonOperator("twice", **arguments)

    assert "operator 'twice'" in str(caught.value)
    assert message in str(caught.value)
    assert workflow.tasks == {}


def test_an_argument_that_is_missing_is_found_when_the_workflow_is_complete() -> None:
    with Workflow("w") as workflow:
        PythonOperator("twice", double)

    with pytest.raises(DefinitionError, match=r"operator 'twice'.*missing a required argument"):
        workflow.validate()


def test_an_item_is_the_first_argument() -> None:
    with Workflow("w") as workflow:
        PythonOperator("twice", double).map([1, 2])
        PythonOperator("none", dict).map([1, 2])

    workflow.validate()


@pytest.mark.parametrize(
    ("function", "arguments"), [(str.upper, ["a"]), (len, ["a"]), ("a".upper, []), (dict, [])]
)
def test_whatever_can_be_called_has_a_definition(function: Any, arguments: list[str]) -> None:
    with Workflow("w") as workflow:
        PythonOperator("one", function, arguments)

    assert workflow.definition() == workflow.definition()


def test_a_task_in_place_of_its_output_is_refused() -> None:
    with Workflow("w"):
        first = PythonOperator("first", double, [1])

        with pytest.raises(DefinitionError, match=r"its result is first\.output"):
            PythonOperator("second", double, [{"deep": [first]}])


def test_outputs_in_arguments_are_what_it_takes() -> None:
    with Workflow("w") as workflow:
        a = PythonOperator("a", double, [1])
        b = PythonOperator("b", double, [1])
        c = PythonOperator("c", lambda *args, **more: None, [[a.output]], {"x": {"y": b.output}})

    assert c.takes == ("a", "b")
    assert len(workflow.rules["c"]) == 1


def test_a_definition_is_plain_and_the_same_each_time() -> None:
    def define() -> dict[str, Any]:
        with Workflow("w") as workflow:
            a = PythonOperator("a", functools.partial(double, by=3), [object()])
            PythonOperator("b", double, [a.output], {"by": 4})
        return workflow.definition()

    first, second = define(), define()

    assert first == second
    a, b = first["tasks"]
    assert a["python_callable"] == b["python_callable"] == f"{__name__}:double"
    assert a["op_args"] == [{"type": "builtins:object"}]
    assert (b["op_args"], b["op_kwargs"]) == ([{"output": "a"}], {"by": 4})


def test_a_decorated_function_makes_tasks_of_its_name() -> None:
    @task
    def load() -> list[int]:
        return [1]

    @task(retries=2, name="summed")
    def total(rows: list[int]) -> int:
        return sum(rows)

    with Workflow("w") as workflow:
        rows = load()
        once = total(rows.output)
        again = total.named("again", retries=5)(rows.output)

    assert list(workflow.tasks) == ["load", "summed", "again"]
    assert (once.settings.retries, again.settings.retries) == (2, 5)
    assert once.takes == ("load",)
    assert total.function([1, 2]) == 3
    assert total.__name__ == "total"


def test_a_decorated_function_may_be_defined_inside_the_workflow() -> None:
    with Workflow("w") as workflow:

        @task
        def load() -> int:
            return 1

        load()
        with pytest.raises(DefinitionError, match="has a task 'load' already"):
            load()

    assert list(workflow.tasks) == ["load"]


def test_a_call_outside_a_workflow_says_what_to_do() -> None:
    with pytest.raises(DefinitionError, match=r"put it under 'with Workflow"):
        task(double)(1)
    with pytest.raises(DefinitionError, match="@task is for functions"):
        task(retries=1)(3)  # type: ignore[arg-type]  the fault that is looked for
