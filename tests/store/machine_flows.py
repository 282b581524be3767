"""Small workflows drawn at random for the machine round the real loop, mapped tasks among them."""

from copy import copy
from typing import Any

from hypothesis import strategies as st

from eventflow import (
    AllOf,
    Condition,
    CounterStateDescriptor,
    Cron,
    Event,
    EventCondition,
    Every,
    Operator,
    RuleContext,
    TaskAction,
    TaskContext,
    TaskStatus,
    Workflow,
)

TASKS = ("a", "b", "c")
KEYS = ("x", "y")
SCHEDULES = (None, Every(60), Cron("* * * * *"), Cron("*/2 * * * *"))
# What tasks return: lists to map over, some of lists, and what nothing can be mapped over.
RESULTS = ('"done"', "[]", "[1,2]", "[[1],[2,3]]", "[7,8,9]", "null")


class Idle(Operator):
    """A task whose code never runs; `takes` names the outputs that it takes."""

    def __init__(self, name: str, *, takes: Any = (), **config: Any) -> None:
        self._takes = takes
        super().__init__(name, **config)

    @property
    def arguments(self) -> Any:
        return self._takes

    def start(self, context: TaskContext) -> Any:
        raise AssertionError("no code runs here")


class EverySecond(Condition):
    """Met by each second event; it counts in durable state."""

    def is_met(self, event: Event, context: RuleContext) -> bool:
        return context.get_state(CounterStateDescriptor("n")).add() % 2 == 0


STATUSES = st.sets(
    st.sampled_from(["SUCCESS", "FAILED", "SKIPPED", "STOPPED", "RUNNING"]), min_size=1
)
# A command of the core's own too: a rule that listens to it acts in the very turn of it (S4).
INNER = st.just("eventflow.command.expand")
PULSES = (st.sampled_from(KEYS) | INNER).map(EventCondition) | st.sampled_from(KEYS).map(
    lambda key: EverySecond([key])
)
CONDITIONS = PULSES | st.lists(PULSES, min_size=2, max_size=2).map(lambda two: AllOf(*two))
CONFIGS = st.fixed_dictionaries(
    {
        "retries": st.integers(0, 2),
        "retry_delay": st.sampled_from([0, 5]),
        "timeout": st.sampled_from([None, 30]),
        "autostart": st.booleans(),
        "on_lost": st.sampled_from(["retry", "retry", "fail"]),
        "max_lost": st.integers(0, 2),
        "periodic_expression": st.sampled_from([None, None, None, Every(20)]),
        "overlap": st.sampled_from(["skip", "restart"]),
        "allow_failure": st.booleans(),
        "pool": st.sampled_from(["default", "p", "p"]),
        "priority": st.integers(-1, 1),
        "max_active_items": st.sampled_from([1, 1, 2, 100]),
        "max_items": st.sampled_from([3, 100, 100]),
        "on_item_failure": st.sampled_from(["finish", "stop"]),
    }
)
# Drawn evenly: lists that are drawn by Hypothesis are mostly short, or empty.
GIVEN = st.sampled_from([[], [1], [1, 2], [1, 2, 3], [1, 2, 3, 4], [5, 6, 7, 8]])


@st.composite
def workflows(draw: st.DrawFn, mapped: st.SearchStrategy[bool] | None = None) -> Workflow:
    """One small workflow with rules on events and statuses, retries, time-outs, schedules, maps.

    Args:
        mapped: Drawn for each task: whether it has items.
    """
    is_mapped = st.booleans() if mapped is None else mapped
    with Workflow(
        "w",
        max_active=draw(st.integers(1, 2)),
        timeout=draw(st.sampled_from([None, None, 120.0])),
        schedule=draw(st.sampled_from(SCHEDULES)),
        catchup=draw(st.sampled_from(["none", "latest", "all"])),
    ) as workflow:
        made: list[Idle] = []
        for name in TASKS[: draw(st.integers(1, 3))]:
            takes = [one.output for one in made if draw(st.integers(0, 3)) == 0]
            task = Idle(name, takes=takes, **draw(CONFIGS))
            if draw(is_mapped):
                map_over(draw, task, made)
            made.append(task)
    for one in made:
        for action in draw(st.lists(st.sampled_from(sorted(TaskAction)), max_size=3)):
            if draw(st.booleans()):
                one.action_on_condition(action, draw(CONDITIONS))
            else:
                upstream = draw(st.sampled_from(made))
                wanted = {TaskStatus(status) for status in draw(STATUSES)}
                one.action_on_task_status(action, {upstream: wanted})
    if draw(st.booleans()):
        workflow.trigger_on_condition(draw(CONDITIONS))
    return workflow


@st.composite
def mapping_workflows(draw: st.DrawFn) -> Workflow:
    """Tasks that begin one after the other, mapped but for one in four; few other rules."""
    with Workflow("w", max_active=2, timeout=draw(st.sampled_from([None, None, 120.0]))) as made:
        tasks: list[Idle] = []
        for name in TASKS[: draw(st.sampled_from([1, 2, 3, 3]))]:
            takes = [one.output.or_none for one in tasks if draw(st.integers(0, 3)) == 0]
            task = Idle(name, takes=takes, **{**draw(CONFIGS), "autostart": True})
            if draw(st.integers(0, 3)):
                map_over(draw, task, tasks)
            for upstream in task.takes:
                ended = ["SUCCESS", "SKIPPED", *draw(st.sampled_from([[], ["FAILED"]]))]
                task.action_on_task_status(TaskAction.START, {upstream: set(ended)})
            tasks.append(task)
    for one in tasks:
        for action in draw(st.lists(st.sampled_from(sorted(TaskAction)), max_size=1)):
            one.action_on_condition(action, draw(CONDITIONS))
    return made


def map_over(draw: st.DrawFn, task: Operator, made: list[Idle]) -> None:
    """Give it items: some, those of a result, or those of another map, one by one or nested."""
    source = draw(st.sampled_from([None, *made, *made[-1:], *made[-1:]]))
    if source is None:
        task.map(draw(GIVEN))
        return
    output = source.output.or_none if draw(st.booleans()) else source.output
    task.map(output, nested=source.mapped is not None and draw(st.booleans()))
    if draw(st.integers(0, 3)):
        task.start_after(source)


def versions_of(workflow: Workflow) -> list[Workflow]:
    """The workflow, one with another description, and one with each other schedule."""
    versions = [workflow]
    for number, schedule in enumerate(SCHEDULES):
        version = copy(workflow)
        version.description = f"version {number}"
        version.schedule = schedule
        version.max_active = 1 + number % 2
        versions.append(version)
    return versions
