"""WorkflowOperator as it is written: what it takes, and what its definition says (S40)."""

from typing import Any

import pytest

from eventflow import PythonOperator, Workflow, WorkflowOperator
from eventflow.errors import DefinitionError, TaskError
from eventflow.model.family import with_sub_workflows
from eventflow.model.sketch import sketch_of
from eventflow.model.workflow import content_hash

pytestmark = pytest.mark.rule("S40")


def child(name: str = "child", description: str = "") -> Workflow:
    with Workflow(name, description=description) as workflow:
        PythonOperator("work", print)
    return workflow


def parent(of: Any, params: Any = None, name: str = "parent") -> tuple[Workflow, WorkflowOperator]:
    with Workflow(name, "home") as workflow:
        task = WorkflowOperator("sub", of, params)
    return workflow, task


@pytest.mark.parametrize(
    ("of", "names"),
    [
        ("child", ("home", "child")),
        ("deep/child", ("deep", "child")),
        (child(), ("default", "child")),
    ],
)
def test_a_workflow_is_named_by_object_name_or_namespace(of: Any, names: tuple[str, str]) -> None:
    assert parent(of)[1].runs_workflow == names


@pytest.mark.parametrize("of", ["a b", "a/b/c", "/child", "", "deep/", 7, None, Workflow])
def test_what_names_no_workflow_is_refused(of: Any) -> None:
    with pytest.raises(DefinitionError, match="'sub': workflow is a Workflow, or a name"):
        parent(of)


@pytest.mark.parametrize("params", [[1], "day=1", {1: 2}])
def test_params_are_a_dict_with_names(params: Any) -> None:
    with pytest.raises(DefinitionError, match="params is a dict"):
        parent("child", params)


@pytest.mark.parametrize("wrap", [lambda one: {"of": one}, lambda one: {"of": [{"deep": one}]}])
def test_a_task_itself_is_no_param(wrap: Any) -> None:
    with Workflow("parent"):
        one = PythonOperator("one", print)
        with pytest.raises(DefinitionError, match=r"result is one\.output"):
            WorkflowOperator("sub", "child", wrap(one))


@pytest.mark.rule("S41")
def test_the_definition_names_the_workflow_and_not_its_content() -> None:
    before, after = parent(child())[0], parent(child(description="changed"))[0]
    other, more = parent(child("other"))[0], parent(child(), {"n": 1})[0]
    hashes = [content_hash(one.definition()) for one in (before, after, other, more)]

    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3
    assert sketch_of(before.definition()).tasks["sub"].runs_workflow == ("default", "child")


def test_what_is_run_comes_before_what_runs_it_and_each_once() -> None:
    low = child("low")
    middle, _ = parent(low, name="middle")
    with Workflow("top") as top:
        WorkflowOperator("one", low)
        WorkflowOperator("two", middle)

    assert with_sub_workflows([top, middle]) == [low, middle, top]


def test_a_workflow_that_is_given_itself_takes_the_place_of_the_one_that_is_run() -> None:
    old, new = child(), child(description="changed")
    above, _ = parent(old)

    assert with_sub_workflows([above, new]) == [new, above]


def test_no_executor_has_anything_to_start() -> None:
    _, task = parent(child())

    with pytest.raises(TaskError, match="a scheduler does"):
        task.start(None)  # type: ignore[arg-type]
