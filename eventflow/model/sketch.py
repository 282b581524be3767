"""A workflow read back from its definition: to look at, never to run.

Pictures and listings of what a store holds are made from this, so that looking at a workflow does
not import its file, and works for one whose program has ended.
"""

from dataclasses import dataclass
from typing import Any

from eventflow.errors import DefinitionError
from eventflow.model.condition import (
    AllOf,
    AnyOf,
    Condition,
    EventCondition,
    Not,
    TaskStatusCondition,
)
from eventflow.model.context import RuleContext
from eventflow.model.event import Event
from eventflow.model.mapped import Mapped, mapped_from
from eventflow.model.schedule import schedule_from
from eventflow.model.settings import TaskSettings
from eventflow.model.status import TaskAction
from eventflow.model.workflow import Workflow


@dataclass(frozen=True, slots=True)
class SketchedTask:
    """A task as its definition has it."""

    name: str
    settings: TaskSettings
    takes: tuple[str, ...]
    definition: dict[str, Any]

    @property
    def runs_workflow(self) -> tuple[str, str] | None:
        named = self.definition.get("workflow")
        return (named["namespace"], named["name"]) if named is not None else None

    @property
    def sub_workflow(self) -> Workflow | None:
        return None

    @property
    def takes_if_any(self) -> tuple[str, ...]:
        return tuple(self.definition.get("takes_if_any", ()))

    @property
    def mapped(self) -> Mapped | None:
        told = self.definition.get("mapped")
        return mapped_from(told) if told is not None else None

    def check_places(self) -> None:
        """They were checked when the definition was made."""

    def describe(self) -> dict[str, Any]:
        return self.definition


class SketchedCondition(Condition):
    """Stands for a condition of a user's: its name and keys are known, its code is not."""

    def is_met(self, event: Event, context: RuleContext) -> bool:
        raise DefinitionError(f"condition {type(self).__name__} is a sketch; it cannot be asked")


def sketch_of(definition: dict[str, Any]) -> Workflow:
    """The workflow that `Workflow.definition()` described."""
    schedule = definition.get("schedule")
    workflow = Workflow(
        definition["workflow"],
        definition.get("namespace", "default"),
        schedule=schedule_from(schedule) if schedule else None,
        completion=definition.get("completion", "auto"),
        timeout=definition.get("timeout_s"),
        max_active=definition.get("max_active", 16),
        max_hops=definition.get("max_hops"),
        catchup=definition.get("catchup", "latest"),
        tags=definition.get("tags", ()),
        description=definition.get("description", ""),
    )
    tasks = definition.get("tasks", [])
    for task in tasks:
        about = {name: value for name, value in task.items() if name != "rules"}
        takes = tuple(task.get("takes", ()))
        workflow.add(SketchedTask(task["task"], _settings(task), takes, about))
    for task in tasks:
        for rule in task.get("rules", ()):
            action, condition = TaskAction(rule["action"]), _condition(rule["when"])
            workflow.action_on_condition(task["task"], action, condition)
    for trigger in definition.get("triggers", ()):
        workflow.trigger_on_condition(_condition(trigger))
    return workflow


def _settings(task: dict[str, Any]) -> TaskSettings:
    told = dict(task.get("settings", {}))
    # Names of exception classes, which are not imported to be looked at.
    told.pop("retry_on", None)
    if "periodic_expression" in told:
        told["periodic_expression"] = schedule_from(told["periodic_expression"])
    return TaskSettings(**told)


def _condition(told: dict[str, Any]) -> Condition:
    match told:
        case {"event": str(key)}:
            return EventCondition(key)
        case {"task": str(task), "status": status}:
            return TaskStatusCondition(task, status)
        case {"all": members}:
            return AllOf(*map(_condition, members))
        case {"any": members}:
            return AnyOf(*map(_condition, members))
        case {"not": member}:
            return Not(_condition(member))
        case _:
            name = str(told.get("condition", "")).rpartition(":")[2] or "Condition"
            return _named(name.rpartition(".")[2])(told.get("keys", ()))


def _named(name: str) -> type[SketchedCondition]:
    """A class of that name: pictures show the class of a condition."""
    return type(name, (SketchedCondition,), {})
