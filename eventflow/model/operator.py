"""Operator: the template of a task, and the ways to write its rules."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from eventflow.errors import DefinitionError
from eventflow.model.condition import Condition
from eventflow.model.context import TaskContext
from eventflow.model.keys import check_name
from eventflow.model.settings import settings_from
from eventflow.model.status import TaskAction, TaskStatus
from eventflow.model.workflow import Wanted, Workflow, current_workflow

Ops = TypeVar("Ops", bound="Operator | list[Operator]")


@dataclass(frozen=True, slots=True)
class Output:
    """Stands for the result of a task's latest SUCCESS, in another operator's arguments (S38)."""

    task_name: str


class Operator(ABC):
    """The template of a task; making one inside `with Workflow(...):` puts the task there.

    Subclass it and write `start`. What `start` returns is the task's result, or else what
    `await_termination` returns; it must be JSON (S37).

    Args:
        name: One token; unique in its workflow.
        config: The settings of `OperatorConfigItem`, by name: `retries=2, timeout=60`.

    Raises:
        DefinitionError: If no workflow is open, the name is taken or bad, or a setting is unknown.
    """

    def __init__(self, name: str, **config: Any) -> None:
        check_name("task", name)
        self.name = name
        self.settings = settings_from(name, config)
        self.workflow: Workflow = current_workflow(name)
        self.workflow.add(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    @abstractmethod
    def start(self, context: TaskContext) -> Any:
        """Do the work, or begin it."""

    def await_termination(self, context: TaskContext, timeout: float | None = None) -> Any:
        """Wait for what `start` began; at most `timeout` seconds. Here: nothing was begun."""
        return None

    def stop(self, context: TaskContext) -> None:
        """Ask the work to end; called on another thread while `start` runs (S20).

        `context.should_stop()` is already true, so a task that looks needs no `stop` of its own.
        """
        return

    def get_metrics(self, context: TaskContext) -> Mapping[str, float]:
        """Figures to keep with the run; read when the attempt has ended."""
        return {}

    @property
    def output(self) -> Output:
        """Its result, for the arguments of another operator (S38)."""
        return Output(self.name)

    @property
    def arguments(self) -> Any:
        """What may hold outputs of other tasks; overridden by operators that take arguments."""
        return ()

    @property
    def takes(self) -> tuple[str, ...]:
        """Names of the tasks whose output its arguments take, in order."""
        return tuple(dict.fromkeys(output.task_name for output in _outputs(self.arguments)))

    @property
    def runs_workflow(self) -> tuple[str, str] | None:
        """Namespace and name of the workflow that it runs; `None` for a task with work (S40)."""
        return None

    @property
    def sub_workflow(self) -> Workflow | None:
        """The workflow that it runs, where that was given as an object."""
        return None

    @property
    def docs(self) -> str:
        """What it is for, in the words of its class; empty for the classes of eventflow's own."""
        kind = type(self)
        ours = kind.__module__.partition(".")[0] == "eventflow"
        return "" if ours else inspect.cleandoc(kind.__dict__.get("__doc__") or "")

    def describe(self) -> dict[str, Any]:
        """Its definition as JSON: part of a snapshot's content (S41)."""
        kind = type(self)
        return {
            "task": self.name,
            "operator": f"{kind.__module__}:{kind.__qualname__}",
            "settings": self.settings.describe(),
            "takes": list(self.takes),
        }

    def action_on_condition(self, action: TaskAction, condition: Condition) -> None:
        """Do `action` to this task whenever `condition` is met (S24)."""
        self.workflow.action_on_condition(self.name, action, condition)

    def action_on_event_received(self, action: TaskAction, event_key: str) -> None:
        """Do `action` to this task on each event whose key fits `event_key` (S24)."""
        self.workflow.action_on_event_received(self.name, event_key, action)

    def action_on_task_status(
        self, action: TaskAction, upstream_task_status_dict: "Mapping[Operator | str, Wanted]"
    ) -> None:
        """Do `action` to this task when the latest runs of all named tasks stand so (S22)."""
        self.workflow.action_on_task_status(self.name, action, upstream_task_status_dict)

    def start_after(self, tasks: "Operator | Iterable[Operator]") -> None:
        """Start this task when all `tasks` have succeeded (S23)."""
        upstream = [tasks] if isinstance(tasks, Operator) else list(tasks)
        for task in upstream:
            if not isinstance(task, Operator):
                raise DefinitionError(f"{self!r} can start after operators, got {task!r}")
        self.action_on_task_status(TaskAction.START, dict.fromkeys(upstream, TaskStatus.SUCCESS))

    def __rshift__(self, other: Ops) -> Ops:
        """`a >> b`: b starts after a. Returns the right side, so that chains can be written."""
        followers = other if isinstance(other, list) else [other]
        for follower in followers:
            if not isinstance(follower, Operator):
                raise DefinitionError(f"{self!r} >> takes operators, got {follower!r}")
            follower.start_after(self)
        return other

    def __rrshift__(self, others: "list[Operator]") -> "Operator":
        """`[a, b] >> c`: c starts after both."""
        self.start_after(others)
        return self


def fill(arguments: Any, inputs: Mapping[str, Any]) -> Any:
    """Arguments with every `Output` replaced by that task's result, at any depth."""
    match arguments:
        case Output(task_name):
            return inputs[task_name]
        case dict():
            return {key: fill(value, inputs) for key, value in arguments.items()}
        case list():
            return [fill(value, inputs) for value in arguments]
        case tuple():
            return tuple(fill(value, inputs) for value in arguments)
        case _:
            return arguments


def _outputs(arguments: Any) -> Iterator[Output]:
    match arguments:
        case Output():
            yield arguments
        case dict():
            for value in arguments.values():
                yield from _outputs(value)
        case list() | tuple():
            for value in arguments:
                yield from _outputs(value)
        case _:
            return
