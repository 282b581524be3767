"""Families of small workflows, drawn from the dice of a seed."""

from copy import copy
from random import Random
from typing import Any

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
    WorkflowOperator,
)
from eventflow.model.schedule import Schedule

TASKS = ("a", "b", "c", "d")
KEYS = ("x", "y", "z")
OFTEN = (None, None, None, Every(60), Cron("* * * * *"), Cron("*/2 * * * *"))
# Around the hours at which clocks change, in zones where they do so at 2, at midnight, and by half
# an hour.
ZONES = ("Europe/Berlin", "America/New_York", "America/Santiago", "Australia/Lord_Howe")
RESULTS: tuple[Any, ...] = ("done", [], [1, 2], [1, 2, 3], [[1], [2, 3]], None, {"n": 1})
POISON = "poison"
ENDS = ("SUCCESS", "FAILED", "SKIPPED", "STOPPED", "RUNNING")


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
    """Met by each second event, which it counts in durable state; some events are poison to it."""

    def is_met(self, event: Event, context: RuleContext) -> bool:
        if event.value == POISON:
            raise ValueError("it cannot judge this one")
        return bool(context.get_state(CounterStateDescriptor("n")).add() % 2 == 0)


def schedule(dice: Random) -> Schedule | None:
    """One that goes off all the time, or on the clocks of a zone, or none."""
    if dice.random() < 0.7:
        often: Schedule | None = dice.choice(OFTEN)
        return often
    hour = dice.choice(["*", 0, 1, 2, 3])
    return Cron(f"{dice.choice([0, 15, 30])} {hour} * * *", dice.choice(ZONES))


def family(dice: Random) -> list[Workflow]:
    """One or two workflows; the first may run the second (S40)."""
    child = _workflow(dice, "child", dice.randint(1, 2), None)
    if dice.random() < 0.5:
        child.schedule = None
        return [_workflow(dice, "w", dice.randint(1, 3), child), child]
    return [_workflow(dice, "w", dice.randint(1, 4), None)]


def floods(workflow: Workflow) -> bool:
    """Whether a day that is missed makes more executions than a history needs."""
    return workflow.catchup == "all" and workflow.schedule in OFTEN[3:]


def versions(dice: Random, workflow: Workflow) -> list[Workflow]:
    """The workflow, and how it may be found changed when the scheduler starts again."""
    found = [workflow]
    for number in range(2):
        version = copy(workflow)
        version.description = f"version {number}"
        version.schedule = schedule(dice)
        version.max_active = 1 + number
        found.append(version)
    return found


def _workflow(dice: Random, name: str, count: int, child: Workflow | None) -> Workflow:
    with Workflow(
        name,
        max_active=dice.randint(1, 3),
        timeout=dice.choice([None, None, 120.0]),
        schedule=schedule(dice),
        catchup=dice.choice(["none", "latest", "all"]),
        misfire_grace=dice.choice([None, 60, 1800]),
    ) as workflow:
        made: list[Idle] = []
        for task in TASKS[:count]:
            made.append(_task(dice, task, made))
        if child is not None:
            sub = WorkflowOperator("sub", child, **_runs(dice))
            if dice.random() < 0.5:
                sub.start_after(made[0])
            for action in dice.sample(sorted(TaskAction), 1):
                sub.action_on_condition(action, _condition(dice))
    _rules(dice, made)
    if dice.random() < 0.3:
        workflow.trigger_on_condition(_condition(dice))
    return workflow


def _task(dice: Random, name: str, made: list[Idle]) -> Idle:
    takes = [one.output.or_none for one in made if dice.random() < 0.25]
    task = Idle(name, takes=takes, **_runs(dice), **_settings(dice))
    if dice.random() < 0.35:
        source = dice.choice([None, None, *made])
        task.map([1, 2, 3, 4][: dice.randint(0, 4)] if source is None else source.output)
        if source is not None:
            task.start_after(source)
    elif made and dice.random() < 0.5:
        task.start_after(dice.choice(made))
    return task


def _runs(dice: Random) -> dict[str, Any]:
    return {
        "retries": dice.randint(0, 2),
        "retry_delay": dice.choice([0, 5]),
        "timeout": dice.choice([None, None, 30]),
    }


def _settings(dice: Random) -> dict[str, Any]:
    return {
        "autostart": dice.random() < 0.7,
        "on_lost": dice.choice(["retry", "retry", "fail"]),
        "max_lost": dice.randint(0, 2),
        "periodic_expression": dice.choice([None] * 6 + [Every(20)]),
        "overlap": dice.choice(["skip", "restart"]),
        "allow_failure": dice.random() < 0.5,
        "pool": dice.choice(["default", "p", "p"]),
        "priority": dice.randint(-1, 1),
        "max_active_items": dice.choice([1, 2, 100]),
        "max_items": dice.choice([3, 100, 100]),
        "on_item_failure": dice.choice(["finish", "stop"]),
    }


def _rules(dice: Random, made: list[Idle]) -> None:
    for one in made:
        for action in dice.choices(sorted(TaskAction), k=dice.choice([0, 1, 1, 2])):
            if dice.random() < 0.6:
                one.action_on_condition(action, _condition(dice))
            else:
                wanted = {TaskStatus(status) for status in dice.sample(ENDS, dice.randint(1, 2))}
                one.action_on_task_status(action, {dice.choice(made): wanted})


def _condition(dice: Random) -> Condition:
    if dice.random() < 0.2:
        return AllOf(_pulse(dice), _pulse(dice))
    return _pulse(dice)


def _pulse(dice: Random) -> Condition:
    key = dice.choice(KEYS)
    return EverySecond([key]) if dice.random() < 0.4 else EventCondition(key)
