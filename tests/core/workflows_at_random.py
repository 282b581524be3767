"""Small workflows drawn at random: few names and few keys, so that rules meet each other."""

from typing import Any

from core_bench import Idle
from hypothesis import strategies as st

from eventflow import (
    AllOf,
    AnyOf,
    Condition,
    Event,
    EventCondition,
    Every,
    Not,
    RuleContext,
    TaskAction,
    TaskStatus,
    TaskStatusCondition,
    Workflow,
)
from eventflow.model.keys import task_key

TASKS = ("a", "b", "c")
KEYS = ("x", "y")


class Always(Condition):
    """A user's condition: met by every event that it is asked about."""

    def is_met(self, event: Event, context: RuleContext) -> bool:
        return True


STATUSES = st.sets(st.sampled_from(sorted(TaskStatus)), min_size=1, max_size=3).map(frozenset)
LEVELS = st.builds(TaskStatusCondition, st.sampled_from(TASKS), STATUSES)
OWN_KEYS = st.builds(
    task_key, st.just("w"), st.sampled_from(TASKS), st.sampled_from(["success", "failed", "*"])
)
PULSES = st.one_of(
    st.builds(EventCondition, st.sampled_from(KEYS)),
    st.builds(EventCondition, OWN_KEYS),
    st.builds(lambda key: Always([key]), st.sampled_from(KEYS)),
)


def _joined(members: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    some = st.lists(members, min_size=1, max_size=3)
    return st.one_of(
        some.map(lambda parts: AllOf(*parts)),
        some.map(lambda parts: AnyOf(*parts)),
        members.filter(lambda one: one.is_level).map(Not),
    )


CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    st.one_of(LEVELS, PULSES), _joined, max_leaves=5
)
# Keys of the core's own that a rule may listen to: it is decided in the turn of the event (S4).
INNER = st.sampled_from(
    [
        "eventflow.report.*",
        "eventflow.report.failed",
        "eventflow.command.*",
        "eventflow.command.task",
        "eventflow.timer.**",
    ]
).map(EventCondition)
STATUS_RULES = st.dictionaries(st.sampled_from(TASKS), STATUSES, min_size=1, max_size=3).map(
    lambda wanted: AllOf(*(TaskStatusCondition(name, status) for name, status in wanted.items()))
)
RULES = st.tuples(st.sampled_from(sorted(TaskAction)), st.one_of(STATUS_RULES, CONDITIONS, INNER))


@st.composite
def settings(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "retries": draw(st.integers(0, 2)),
        "retry_delay": draw(st.sampled_from([0, 5])),
        "timeout": draw(st.sampled_from([None, 30])),
        "autostart": draw(st.booleans()),
        "on_lost": draw(st.sampled_from(["retry", "retry", "fail"])),
        "max_lost": draw(st.integers(0, 2)),
        "periodic_expression": draw(st.sampled_from([None, None, None, Every(20)])),
        "overlap": draw(st.sampled_from(["skip", "restart"])),
        "allow_failure": draw(st.booleans()),
        "pool": draw(st.sampled_from(["default", "p", "q"])),
        "priority": draw(st.integers(-1, 1)),
        "max_active_items": draw(st.sampled_from([1, 2, 100])),
        "on_item_failure": draw(st.sampled_from(["finish", "stop"])),
    }


@st.composite
def workflows(
    draw: st.DrawFn,
    rules: st.SearchStrategy[Any] = RULES,
    config: st.SearchStrategy[dict[str, Any]] | None = None,
    *,
    maps: bool = False,
) -> Workflow:
    """A workflow of one to three tasks; with `maps` half of them are mapped (S43)."""
    config = settings() if config is None else config
    names = TASKS[: draw(st.integers(1, 3))]
    with Workflow(
        "w",
        max_active=draw(st.integers(1, 2)),
        timeout=draw(st.sampled_from([None, None, 120.0])),
    ) as workflow:
        made: list[Idle] = []
        for name in names:
            takes = [one.output for one in made if draw(st.integers(0, 4)) == 0]
            task = Idle(name, takes=takes, **draw(config))
            if maps and draw(st.booleans()):
                source = draw(st.sampled_from([None, None, *made]))
                task.map(source.output if source is not None else [1, 2])
            made.append(task)
    for name in names:
        for action, condition in draw(st.lists(rules, max_size=3)):
            if all(task in names for task in _tasks_of(condition)):
                workflow.action_on_condition(name, action, condition)
    return workflow


def _tasks_of(condition: Condition) -> set[str]:
    if isinstance(condition, TaskStatusCondition):
        return {condition.task}
    return {task for member in condition.members for task in _tasks_of(member)}
