"""The rules of a workflow as they are written: conditions, arrows, outputs.

A refusal names the thing that is wrong and the way out.
"""

from collections.abc import Callable
from typing import Any

import pytest
from model_kit import Above, Forgetful, Step, refused, two_tasks

from eventflow import (
    AllOf,
    AnyOf,
    Condition,
    EventCondition,
    Not,
    TaskAction,
    TaskRule,
    TaskStatus,
    TaskStatusCondition,
    Workflow,
    WorkflowRule,
)
from eventflow.model.arguments import Output, fill

START, STOP, RESTART = TaskAction.START, TaskAction.STOP, TaskAction.RESTART
SUCCESS = TaskStatus.SUCCESS


@pytest.mark.parametrize("action", ["START", None, "BEGIN", SUCCESS])
def test_a_rule_takes_an_action(action: Any) -> None:
    _, a, _ = two_tasks()

    with refused("action is TaskAction.START, RESTART or STOP", repr(action)):
        a.action_on_event_received(action, "x")


@pytest.mark.parametrize("condition", ["x", None, SUCCESS, Above])
def test_a_rule_takes_a_condition(condition: Any) -> None:
    workflow, a, _ = two_tasks()

    with refused("a rule takes a Condition"):
        a.action_on_condition(START, condition)
    with refused("a rule takes a Condition"):
        workflow.trigger_on_condition(condition)
    assert workflow.triggers == []


@pytest.mark.parametrize("key", ["", "a..b", "a.**.b", "ä", 5])
def test_a_rule_on_a_bad_key_is_refused(key: Any) -> None:
    workflow, a, _ = two_tasks()

    with refused("event pattern"):
        a.action_on_event_received(START, key)
    with refused("event pattern"):
        workflow.trigger_on_event(key)
    with refused("event pattern"):
        Above(key, 1)


@pytest.mark.parametrize(
    "use",
    [
        lambda task, it: task.action_on_condition(START, it),
        lambda task, it: task.workflow.trigger_on_condition(it),
        lambda task, it: AllOf(it),
        lambda task, it: EventCondition("x") | it,
        lambda task, it: ~it,
        lambda task, it: TaskRule(it, START),
        lambda task, it: WorkflowRule(it),
    ],
)
def test_a_condition_that_did_not_call_its_base_is_refused_wherever_it_is_used(
    use: Callable[[Step, Condition], object],
) -> None:
    _, a, _ = two_tasks()

    with refused("condition Forgetful names no event keys", r"super\(\).__init__"):
        use(a, Forgetful())


def test_a_rule_of_a_task_that_is_not_there_is_refused_with_the_nearest() -> None:
    workflow, _, _ = two_tasks()
    with workflow:
        Step("train")

    with refused("workflow 'w' has no task 'trian'", "did you mean 'train'"):
        workflow.action_on_event_received("trian", "x", START)


@pytest.mark.rule("S22")
def test_a_status_rule_on_a_task_of_another_workflow_is_refused() -> None:
    workflow, a, _ = two_tasks()
    with Workflow("other"):
        foreign, namesake = Step("far"), Step("b")

    for upstream in (foreign, namesake):
        with refused("waits for the status of", "not in workflow 'w'", "trigger_on_event"):
            a.action_on_task_status(START, {upstream: SUCCESS})
        with refused("waits for the status of", "not in workflow 'w'", "trigger_on_event"):
            a.start_after(upstream)
        with refused("waits for the status of", "not in workflow 'w'", "trigger_on_event"):
            upstream >> a
        with refused("waits for the status of", "not in workflow 'w'", "trigger_on_event"):
            a.action_on_condition(
                START, EventCondition("x") & TaskStatusCondition(upstream, SUCCESS)
            )
    assert workflow.rules == {"a": [], "b": []}


def test_a_status_rule_on_a_name_that_is_not_there_is_refused_with_the_nearest() -> None:
    with Workflow("w"):
        Step("train")
        serve = Step("serve")

    with refused("'trian', which is not in workflow 'w'", "did you mean 'train'"):
        serve.action_on_task_status(START, {"trian": SUCCESS})


@pytest.mark.rule("S22")
@pytest.mark.parametrize(
    ("wanted", "part"),
    [
        (set(), "empty set"),
        ([], "empty set"),
        ("DONE", "'DONE' is not a valid TaskStatus; a task status is one of INIT, QUEUED"),
        ({SUCCESS, "DONE"}, "a task status is one of"),
        (5, "a task status is one of"),
        (None, "a task status is one of"),
    ],
)
def test_a_wanted_status_is_one_or_a_set_of_them(wanted: Any, part: str) -> None:
    _, a, b = two_tasks()

    with refused(part):
        b.action_on_task_status(START, {a: wanted})


def test_a_status_rule_on_nothing_is_refused() -> None:
    _, a, _ = two_tasks()

    with refused("task 'a': a status rule needs at least one task"):
        a.action_on_task_status(START, {})
    with refused("needs at least one task"):
        a.start_after([])


@pytest.mark.parametrize("upstream", [5, None])
def test_a_status_rule_on_what_is_no_task_is_refused(upstream: Any) -> None:
    _, a, _ = two_tasks()

    with refused("task name"):
        a.action_on_task_status(START, {upstream: SUCCESS})


@pytest.mark.rule("S36")
def test_a_level_in_a_workflow_rule_is_refused() -> None:
    workflow, _, _ = two_tasks()

    with refused("workflow rule has no execution", "'a'", "eventflow.task.<workflow>.a.<status>"):
        workflow.trigger_on_condition(EventCondition("x") & TaskStatusCondition("a", SUCCESS))
    assert workflow.triggers == []


@pytest.mark.rule("S36")
def test_not_of_a_pulse_is_refused_at_any_depth() -> None:
    pulse, level = EventCondition("x"), TaskStatusCondition("a", SUCCESS)

    for inner in (pulse, Above("x", 1), pulse & level, AnyOf(level, pulse), AllOf(AllOf(pulse))):
        with refused(f"Not\\({type(inner).__name__}\\)", "Not takes task statuses"):
            Not(inner)
    Not(AnyOf(level, AllOf(level, ~level)))


@pytest.mark.parametrize("combination", [AllOf, AnyOf])
def test_a_combination_takes_conditions(combination: type[AllOf] | type[AnyOf]) -> None:
    with refused("takes conditions, got 'x'", r"EventCondition\('x'\)"):
        combination("x")  # type: ignore[arg-type]  the fault is the point
    with refused("needs at least one condition"):
        combination()
    with refused("Not takes a condition, got 'x'"):
        Not("x")  # type: ignore[arg-type]


def rules_of(workflow: Workflow) -> dict[str, list[tuple[str, list[str]]]]:
    """Task -> (action, upstream tasks) of each of its rules."""
    return {
        name: [
            (rule.action.value, [member.task for member in rule.condition.members])
            for rule in rules
        ]
        for name, rules in workflow.rules.items()
        if rules
    }


def chain(a: Step, b: Step, c: Step, d: Step) -> None:
    assert (a >> b >> c) is c


def fan_out(a: Step, b: Step, c: Step, d: Step) -> None:
    assert (a >> [b, c]) == [b, c]


def fan_in(a: Step, b: Step, c: Step, d: Step) -> None:
    assert ([a, b] >> c) is c


def diamond(a: Step, b: Step, c: Step, d: Step) -> None:
    a >> [b, c] >> d


def after_one(a: Step, b: Step, c: Step, d: Step) -> None:
    b.start_after(a)


def after_many(a: Step, b: Step, c: Step, d: Step) -> None:
    d.start_after(task for task in (a, b, c))


@pytest.mark.rule("S23")
@pytest.mark.parametrize(
    ("write", "rules"),
    [
        (chain, {"b": [("START", ["a"])], "c": [("START", ["b"])]}),
        (fan_out, {"b": [("START", ["a"])], "c": [("START", ["a"])]}),
        (fan_in, {"c": [("START", ["a", "b"])]}),
        (
            diamond,
            {"b": [("START", ["a"])], "c": [("START", ["a"])], "d": [("START", ["b", "c"])]},
        ),
        (after_one, {"b": [("START", ["a"])]}),
        (after_many, {"d": [("START", ["a", "b", "c"])]}),
    ],
)
def test_arrows_are_rules(write: Callable[..., None], rules: dict[str, Any]) -> None:
    with Workflow("w") as workflow:
        tasks = [Step(name) for name in "abcd"]

    write(*tasks)

    assert rules_of(workflow) == rules


@pytest.mark.parametrize("other", ["b", None, 5, ["b"]])
def test_an_arrow_to_what_is_no_operator_is_refused(other: Any) -> None:
    _, a, _ = two_tasks()

    with refused("takes operators, got"):
        a >> other
    with refused("can start after operators, got"):
        a.start_after([other])


@pytest.mark.rule("S38")
@pytest.mark.parametrize(
    ("config", "own_action", "starts"),
    [
        ({}, None, True),
        ({}, STOP, True),
        ({}, START, False),
        ({}, RESTART, False),
        ({"autostart": False}, None, False),
    ],
)
def test_a_task_starts_after_those_whose_output_it_takes_unless_it_says_otherwise(
    config: dict[str, Any], own_action: TaskAction | None, starts: bool
) -> None:
    with Workflow("w") as workflow:
        a, b = Step("a"), Step("b")
        c = Step("c", {"deep": [b.output, (a.output, 1)], "again": a.output}, **config)
    if own_action is not None:
        c.action_on_event_received(own_action, "x")

    implied = [rule for rule in rules_of(workflow).get("c", []) if rule[1]]

    assert c.takes == ("b", "a")
    assert implied == ([("START", ["b", "a"])] if starts else [])


def test_an_output_of_a_task_that_is_not_here_is_not_valid() -> None:
    with Workflow("w") as workflow:
        Step("train")
        Step("serve", [Output("trian")])

    with refused("task 'serve'", "'trian', which is not in workflow 'w'", "did you mean 'train'"):
        workflow.validate()


def test_outputs_are_filled_in_wherever_they_stand() -> None:
    arguments = {"a": Output("x"), "b": [1, (Output("y"), Output("x"))], "c": "x"}

    results = {Output("x"): 7, Output("y"): None}
    filled = fill(arguments, results.__getitem__)

    assert filled == {"a": 7, "b": [1, (None, 7)], "c": "x"}
