"""What conditions remember, and what becomes of those that fail (S13, S24, S35, S36)."""

from typing import Any

import pytest
from scenario_tasks import Work

from eventflow import (
    AllOf,
    AnyOf,
    Condition,
    CounterStateDescriptor,
    Event,
    EventCondition,
    Not,
    RuleContext,
    TaskAction,
    TaskStatus,
    TaskStatusCondition,
    ValueStateDescriptor,
    Workflow,
)
from eventflow.testing import VirtualScheduler

START = TaskAction.START
OK = ["INIT", "QUEUED", "RUNNING", "SUCCESS"]
X, Y, Z = (EventCondition(key) for key in "xyz")


class EveryThird(Condition):
    """Met by each third event that it is asked about."""

    def __init__(self, key: str, *, shared: bool = False) -> None:
        super().__init__([key])
        self._count = CounterStateDescriptor("count", shared=shared)

    def is_met(self, event: Event, context: RuleContext) -> bool:
        return context.get_state(self._count).add() % 3 == 0


class Seen(Condition):
    """Met by a value that was not there before; keeps them in a list that it changes in place."""

    def __init__(self, key: str) -> None:
        super().__init__([key])
        self._seen: ValueStateDescriptor[list[Any]] = ValueStateDescriptor("seen", default=[])

    def is_met(self, event: Event, context: RuleContext) -> bool:
        state = context.get_state(self._seen)
        seen = state.value()
        if event.value in seen:
            return False
        seen.append(event.value)
        state.update(seen)
        return True


class Asks(Condition):
    """Does what a test gives it."""

    def __init__(self, key: str, does: Any) -> None:
        super().__init__([key])
        self._does = does

    def is_met(self, event: Event, context: RuleContext) -> bool:
        return self._does(event, context)


def started_by(condition: Condition) -> VirtualScheduler:
    """Task `a` starts on a condition, task `b` on the event `b`."""
    with Workflow("w", completion="manual") as workflow:
        a, b = Work("a", autostart=False), Work("b")
        a.action_on_condition(START, condition)
        b.action_on_event_received(START, "b")
    scheduler = VirtualScheduler(workflow)
    scheduler.run()
    return scheduler


def starts_after(condition: Condition, *keys: str) -> list[int]:
    """After which of the events (from 1) the task started."""
    scheduler = started_by(condition)
    found, before = [], 0
    for number, key in enumerate(keys, 1):
        scheduler.emit(key)
        runs = len(scheduler.runs("a"))
        found += [number] * (runs - before)
        before = runs
    return found


@pytest.mark.rule("S36")
@pytest.mark.parametrize(
    ("condition", "keys", "starts"),
    [
        (X, "xyx", [1, 3]),
        (X & Y, "xy", [2]),
        (X & Y, "yx", [2]),
        (X & Y, "xxyyx", [3, 5]),
        (X & Y & Z, "xyzzyx", [3, 6]),
        (X | Y, "xzy", [1, 3]),
        ((X | Y) & Z, "xyzz", [3]),
        ((X | Y) & Z, "zxy", [2]),
        ((X & Y) | Z, "xzy", [2, 3]),
        ((X & Y) & Z, "xyzz", [3]),
        (AllOf(AllOf(X, Y), AllOf(X, Z)), "xyz", [3]),
        (AllOf(AllOf(X, Y), AllOf(X, Z)), "xyzyz", [3]),
        (AllOf(AnyOf(AllOf(X, Y), Z), X), "xzy", [2]),
        (AllOf(AnyOf(AllOf(X, Y), Z), X), "xzyxz", [2, 4]),
        (EventCondition("*") & X, "x", [1]),
        (AnyOf(EveryThird("x"), X), "xx", [1, 2]),
        (AnyOf(X, AllOf(X, Y)), "xyy", [1, 2]),
        (AnyOf(AllOf(X, Y), AllOf(X, Z)), "xyz", [2, 3]),
        (AllOf(X, X), "xx", [1, 2]),
    ],
)
def test_combinations_of_events_fire_when_they_are_complete(
    condition: Condition, keys: str, starts: list[int]
) -> None:
    assert starts_after(condition, *keys) == starts


@pytest.mark.rule("S36", "S22")
@pytest.mark.parametrize(
    ("condition", "keys", "starts"),
    [
        (X & TaskStatusCondition("b", TaskStatus.SUCCESS), ["x", "b", "x"], [2, 3]),
        (X & Not(TaskStatusCondition("b", TaskStatus.SUCCESS)), ["x", "b", "x"], [1]),
        (AnyOf(TaskStatusCondition("b", TaskStatus.SUCCESS), X), ["b", "x", "b"], [1, 2, 3]),
        (AnyOf(TaskStatusCondition("b", TaskStatus.SUCCESS)), ["x", "b", "b"], [2, 3]),
        (AllOf(AllOf(TaskStatusCondition("b", TaskStatus.SUCCESS))), ["x", "b", "b"], [2, 3]),
        (AllOf(X, Y, TaskStatusCondition("b", "SUCCESS")), ["b", "y", "x", "x", "b", "y"], [3, 6]),
    ],
)
def test_levels_in_combinations_are_read_now_and_wake_them(
    condition: Condition, keys: list[str], starts: list[int]
) -> None:
    assert starts_after(condition, *keys) == starts


@pytest.mark.rule("S35")
def test_a_condition_remembers_for_each_place_and_each_rule_of_its_own() -> None:
    third = EveryThird("x")
    with Workflow("w", completion="manual") as workflow:
        a, b = Work("a", autostart=False), Work("b", autostart=False)
        a.action_on_condition(START, third)
        b.action_on_condition(START, AllOf(third, third))
        b.action_on_condition(TaskAction.STOP, third)
    scheduler = VirtualScheduler(workflow)
    scheduler.run()

    for _ in range(6):
        scheduler.emit("x")

    assert len(scheduler.runs("a")) == len(scheduler.runs("b")) == 2
    assert sorted(scheduler._loop.world.executions[1].state) == [
        "a/0:count",
        "b/0.0:count",
        "b/0.1:count",
        "b/1:count",
    ]


@pytest.mark.rule("S35")
def test_what_is_remembered_belongs_to_the_execution() -> None:
    with Workflow("w", completion="manual") as workflow:
        Work("a", autostart=False).action_on_condition(START, Seen("x"))
    scheduler = VirtualScheduler(workflow)
    first = scheduler.run()
    scheduler.emit("x", 1)
    second = scheduler.run()

    scheduler.emit("x", 1)
    scheduler.emit("x", 2)

    assert len(scheduler.runs("a", first)) == 2
    assert len(scheduler.runs("a", second)) == 2


@pytest.mark.rule("S35")
def test_shared_state_is_one_for_the_execution_whatever_the_rule() -> None:
    with Workflow("w", completion="manual") as workflow:
        for name in ("a", "b", "c"):
            Work(name, autostart=False).action_on_condition(START, EveryThird("x", shared=True))
    scheduler = VirtualScheduler(workflow)
    scheduler.run()

    scheduler.emit("x")  # asked three times, in the order of the tasks

    assert [len(scheduler.runs(name)) for name in "abc"] == [0, 0, 1]


@pytest.mark.rule("S35", "S15")
def test_what_a_workflow_rule_remembers_belongs_to_the_workflow() -> None:
    with Workflow("w") as workflow:
        Work("a")
    workflow.trigger_on_condition(EveryThird("x"))
    workflow.trigger_on_condition(X & Y)
    scheduler = VirtualScheduler(workflow)

    for key in ("x", "x", "y", "x", "y"):
        scheduler.emit(key)
        scheduler.restart_scheduler()

    # The first pair, the third x (which also begins a pair), the second pair.
    assert len(scheduler.executions()) == 3


@pytest.mark.rule("S13")
@pytest.mark.parametrize(
    ("does", "says"),
    [
        (lambda event, context: 1 / 0, "ZeroDivisionError"),
        (lambda event, context: event.value["rows"], "TypeError"),
        (lambda event, context: context.get_task_status("bb") == "SUCCESS", "no task 'bb'"),
        (lambda event, context: "yes", "it answers True or False"),
        (
            lambda event, context: context.get_state(ValueStateDescriptor("s")).update({1, 2}),
            "state 's' cannot be kept",
        ),
        (
            lambda event, context: context.get_state(ValueStateDescriptor("s")).update("x" * 2**19),
            "too many",
        ),
    ],
)
def test_a_condition_that_fails_is_a_verdict_with_its_error_and_the_loop_goes_on(
    does: Any, says: str
) -> None:
    with Workflow("w", completion="manual") as workflow:
        Work("a", autostart=False).action_on_condition(START, Asks("x", does))
        Work("b", autostart=False).action_on_event_received(START, "x")
    workflow.trigger_on_condition(Asks("y", does))
    scheduler = VirtualScheduler(workflow)
    scheduler.run()

    scheduler.emit("x")
    scheduler.emit("y")

    assert scheduler.runs("a") == []
    assert scheduler.runs("b") == [(1, OK)]
    verdict, of_workflow = scheduler.store._shelves.verdicts
    assert (verdict.task, verdict.met, says in verdict.error) == ("a", False, True)
    assert (of_workflow.task, of_workflow.met, bool(of_workflow.error)) == ("", False, True)


@pytest.mark.rule("S13", "S35")
def test_a_condition_that_fails_has_written_nothing() -> None:
    def counts_and_fails(event: Event, context: RuleContext) -> bool:
        count = context.get_state(CounterStateDescriptor("n", shared=True)).add()
        if event.value == "fail":
            raise ValueError(count)
        return count == 2

    scheduler = started_by(Asks("x", counts_and_fails))

    scheduler.emit("x", "count")
    scheduler.emit("x", "fail")
    assert scheduler.runs("a") == []
    scheduler.emit("x", "count")

    assert scheduler.runs("a") == [(1, OK)]


@pytest.mark.rule("S24")
def test_a_condition_is_only_asked_for_events_that_its_keys_match() -> None:
    asked: list[str] = []

    def note(event: Event, context: RuleContext) -> bool:
        asked.append(event.key)
        return False

    scheduler = started_by(AllOf(Asks("x.*", note), Y) | Asks("z", note))

    for key in ("x", "x.1", "x.1.2", "y", "z", "x.2"):
        scheduler.emit(key)

    assert asked == ["x.1", "z", "x.2"]


@pytest.mark.rule("S9")
def test_only_the_answers_of_users_conditions_are_recorded() -> None:
    with Workflow("w", completion="manual") as workflow:
        a, b, c = Work("a"), Work("b"), Work("c")
        a >> b
        b.action_on_condition(START, X & (Y | TaskStatusCondition("a", TaskStatus.SUCCESS)))
        c.action_on_condition(START, EveryThird("x") | Z)
    workflow.trigger_on_condition(X & Y)
    scheduler = VirtualScheduler(workflow)
    scheduler.run()

    for key in "xyz":
        scheduler.emit(key)

    said = scheduler.store.verdicts()
    assert [(one.workflow_execution_id, one.task, one.rule, one.met) for one in said] == [
        (1, "c", 0, False),
        (1, "c", 0, True),
        (2, "c", 0, True),  # of the execution that x and y started
    ]


class Truth:
    """A truth value of a library's own."""

    def __init__(self, value: bool) -> None:
        self._value = value

    def __bool__(self) -> bool:
        return self._value


class Says(Condition):
    """Answers what the event says."""

    def __init__(self, answers: dict[str, object]) -> None:
        super().__init__(["go"])
        self._answers = answers

    def is_met(self, event: Event, context: RuleContext) -> bool:
        answer: Any = self._answers[event.value]
        return answer


@pytest.mark.rule("S24", "S13")
def test_a_truth_value_of_a_library_is_an_answer_and_what_is_always_truthy_is_a_mistake() -> None:
    answers: dict[str, object] = {
        "yes": Truth(True),
        "no": Truth(False),
        "one": 1,
        "half": 0.5,
        "none": None,
        "text": "False",
        "list": [False],
    }
    with Workflow("w") as workflow:
        Work("a").action_on_condition(TaskAction.START, Says(answers))
        Work("b").action_on_event_received(TaskAction.START, "never")
    scheduler = VirtualScheduler(workflow)
    scheduler.run()

    for name in answers:
        scheduler.emit("go", name)

    verdicts = scheduler.store.verdicts()
    assert [one.met for one in verdicts] == [True, False, True, True, False, False, False]
    assert [bool(one.error) for one in verdicts] == [False] * 5 + [True] * 2
