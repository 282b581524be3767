"""Workflows and tasks as they are defined, and their definition as content.

A refusal names the thing that is wrong and the way out.
"""

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from model_kit import Above, Step, refused

from eventflow import (
    Catchup,
    Cron,
    Every,
    TaskAction,
    TaskStatus,
    Workflow,
)
from eventflow.model.workflow import content_hash

START, STOP, RESTART = TaskAction.START, TaskAction.STOP, TaskAction.RESTART
SUCCESS = TaskStatus.SUCCESS


def test_a_second_task_of_one_name_is_refused() -> None:
    with Workflow("w") as workflow:
        first = Step("train")
        with refused("workflow 'w' has a task 'train' already", "another name"):
            Step("train")

    assert workflow.tasks == {"train": first}


def test_an_operator_outside_a_workflow_is_refused() -> None:
    with refused("operator 'train' is made outside a workflow", "with Workflow"):
        Step("train")
    with Workflow("w"):
        Step("a")
    with refused("operator 'b' is made outside a workflow"):
        Step("b")


@pytest.mark.rule("S6")
@pytest.mark.parametrize("name", ["", "a.b", "two words", "päck", None, 5, "x" * 129])
def test_a_bad_name_is_refused(name: Any) -> None:
    with Workflow("w") as workflow, refused("task name"):
        Step(name)
    assert workflow.tasks == {}
    with refused("workflow name"):
        Workflow(name)
    with refused("namespace name"):
        Workflow("w", name)


def test_a_workflow_inside_another_is_refused_and_the_outer_goes_on() -> None:
    with Workflow("outer") as outer:
        with refused("'inner' is opened inside workflow 'outer'", "close the outer"):  # noqa: SIM117
            with Workflow("inner"):
                raise AssertionError("never reached")
        task = Step("a")

    assert task.workflow is outer


def test_a_fault_inside_the_block_closes_it() -> None:
    with pytest.raises(ZeroDivisionError), Workflow("w"):
        raise ZeroDivisionError
    with Workflow("next") as following:
        assert Step("a").workflow is following


def test_a_workflow_may_be_opened_again_for_more_tasks() -> None:
    with Workflow("w") as workflow:
        Step("a")
    with workflow:
        Step("b")

    assert list(workflow.tasks) == ["a", "b"]


def test_threads_that_define_workflows_at_once_do_not_mix_their_tasks() -> None:
    together = threading.Barrier(2, timeout=10)
    made: dict[str, Workflow] = {}

    def define(name: str) -> None:
        with Workflow(name) as workflow:
            for number in range(50):
                together.wait()
                Step(f"{name}_{number}")
        made[name] = workflow

    threads = [threading.Thread(target=define, args=(name,)) for name in ("left", "right")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    for name, workflow in made.items():
        assert list(workflow.tasks) == [f"{name}_{number}" for number in range(50)]
    assert sorted(made) == ["left", "right"]


def test_a_workflow_without_a_task_is_not_valid() -> None:
    with refused("'w' has no task", "with Workflow"):
        Workflow("w").validate()


@pytest.mark.parametrize(
    ("field", "value", "parts"),
    [
        ("schedule", "0 2 * * *", ("schedule must be", "Cron\\(")),
        ("schedule", 30, ("schedule must be", "Every\\(")),
        ("schedule", timedelta(seconds=5), ("schedule must be",)),
        ("catchup", "some", ("catchup is 'none', 'latest' or 'all', got 'some'",)),
        ("catchup", None, ("catchup is",)),
        ("completion", "never", ("completion is 'auto' or 'manual', got 'never'",)),
        ("max_active", 0, ("max_active is a number from 1",)),
        ("max_active", True, ("max_active",)),
        ("max_active", 1.5, ("max_active",)),
        ("max_hops", 0, ("max_hops is a number from 1 to 1000000, or None",)),
        ("max_hops", True, ("max_hops",)),
        ("max_hops", 2.0, ("max_hops",)),
        ("max_hops", "32", ("max_hops",)),
        ("max_hops", 1_000_001, ("max_hops",)),
        ("timeout", 0, ("timeout is seconds over 0",)),
        ("timeout", "60", ("timeout",)),
        ("timeout", float("inf"), ("timeout",)),
        ("timeout", float("nan"), ("timeout",)),
        ("timeout", 1e300, ("timeout",)),
        ("misfire_grace", -1, ("misfire_grace",)),
        ("misfire_grace", float("inf"), ("misfire_grace",)),
        ("tags", "nightly", ("tags are several texts, got 'nightly'",)),
        ("tags", [1], ("tags are several texts",)),
    ],
)
def test_a_bad_setting_of_a_workflow_is_refused(
    field: str, value: Any, parts: tuple[str, ...]
) -> None:
    with refused("workflow 'w'", *parts):
        Workflow("w", **{field: value})


def full(**changes: Any) -> Workflow:
    """A workflow with one of everything; `changes` say what is different."""
    told: dict[str, Any] = {
        "name": "w",
        "namespace": "ns",
        "schedule": Cron("0 2 * * *", tz="Europe/Berlin"),
        "tags": {"red", "green", "blue"},
        "retry_on": {ValueError, KeyError, OSError},
        "limit": 3,
        "names": {"x", "y", "z"},
        "wanted": {SUCCESS, TaskStatus.SKIPPED},
        "action": START,
        "key": "data.*",
        "trigger": "data.arrived",
        "second": "b",
        "takes": True,
    } | changes
    workflow = _workflow(told, changes)
    with workflow:
        a = Step("a", retry_on=told["retry_on"], **changes.get("config", {}))
        b = Step(told["second"], a.output if told["takes"] else ())
        Step("c")
    b.action_on_event_received(told["action"], told["key"])
    b.action_on_condition(STOP, Above("x", told["limit"], told["names"]))
    workflow.action_on_task_status("c", START, {"a": told["wanted"]})
    workflow.trigger_on_event(told["trigger"])
    return workflow


def _workflow(told: dict[str, Any], changes: dict[str, Any]) -> Workflow:
    own = (
        "completion",
        "timeout",
        "max_active",
        "max_hops",
        "catchup",
        "misfire_grace",
        "description",
    )
    return Workflow(
        told["name"],
        told["namespace"],
        schedule=told["schedule"],
        tags=told["tags"],
        **{field: changes[field] for field in own if field in changes},
    )


CHANGES: list[dict[str, Any]] = [
    {"name": "other"},
    {"namespace": "other"},
    {"schedule": None},
    {"schedule": Cron("0 3 * * *", tz="Europe/Berlin")},
    {"schedule": Cron("0 2 * * *")},
    {"schedule": Every(30)},
    {"completion": "manual"},
    {"timeout": 60},
    {"max_active": 1},
    {"max_hops": 33},
    {"max_hops": None},
    {"catchup": "all"},
    {"catchup": Catchup.NONE},
    {"misfire_grace": 5},
    {"tags": {"red"}},
    {"description": "another"},
    {"retry_on": {ValueError}},
    {"config": {"retries": 1}},
    {"config": {"timeout": 1}},
    {"config": {"periodic_expression": Every(5)}},
    {"limit": 4},
    {"names": {"x"}},
    {"names": ["x", "y", "z", "z"]},
    {"wanted": {SUCCESS}},
    {"action": RESTART},
    {"key": "data.**"},
    {"trigger": "data.gone"},
    {"second": "bb"},
    {"takes": False},
]


@pytest.mark.rule("S41")
def test_a_definition_is_json_and_the_same_each_time_it_is_written() -> None:
    text = json.dumps(full().definition(), allow_nan=False)

    assert json.loads(text) == full().definition()
    assert content_hash(full().definition()) == content_hash(json.loads(text))


@pytest.mark.rule("S41")
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_any_change_makes_another_content(change: dict[str, Any]) -> None:
    assert content_hash(full(**change).definition()) != content_hash(full().definition())


def test_the_order_of_rules_is_content_and_the_order_of_tags_is_not() -> None:
    def version(*keys: str, tags: tuple[str, ...] = ()) -> str:
        with Workflow("w", tags=tags) as workflow:
            a = Step("a")
        for key in keys:
            a.action_on_event_received(START, key)
        return content_hash(workflow.definition())

    assert version("x", "y") != version("y", "x")
    assert version("x", tags=("a", "b")) == version("x", tags=("b", "a", "b"))
