"""Operator: the template of a task, and the ways to write its rules."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self, TypeVar

from eventflow.errors import DefinitionError
from eventflow.model.arguments import Output, places_in
from eventflow.model.condition import Condition
from eventflow.model.context import TaskContext
from eventflow.model.jsonvalue import JsonValueError, encode
from eventflow.model.keys import check_name
from eventflow.model.mapped import Mapped, check_map, mapped_over
from eventflow.model.settings import settings_from
from eventflow.model.status import TaskAction, TaskStatus
from eventflow.model.workflow import Wanted, Workflow, current_workflow

Ops = TypeVar("Ops", bound="Operator | list[Operator]")


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
        self._map: tuple[Any, bool] | Mapped | None = None
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

    def map(self, items: "Iterable[Any] | Output | Mapped", *, nested: bool = False) -> Self:
        """Make this a mapped task: one run of its code for each item, all of them one task (S43).

        Args:
            items: A list of JSON values; or `other.output`. Of a task that is not mapped itself
                that is a list, and each element is an item. Of a mapped task each item's result is
                one: item 7 here comes from item 7 there. Or axes of your own.
            nested: Of a mapped task whose results are lists: each element of each is an item.

        Returns:
            The operator itself. Its result is the list of its items' results, in item order.

        Raises:
            DefinitionError: If the items are something else, or the task cannot be mapped.
        """
        if self._map is not None:
            raise DefinitionError(f"operator {self.name!r} is mapped already")
        if self.runs_workflow is not None:
            raise DefinitionError(
                f"operator {self.name!r} runs a workflow, which cannot be mapped; map the tasks of "
                f"that workflow"
            )
        if isinstance(items, Mapped):
            self._map = items
        elif isinstance(items, Output):
            self._map = (items, nested)
        else:
            self._map = (_checked_items(self.name, items), nested)
        return self

    @property
    def mapped(self) -> Mapped | None:
        """Over what it is mapped; `None` for a task with one run of its code (S43)."""
        if self._map is None or isinstance(self._map, Mapped):
            return self._map
        source, nested = self._map
        upstream = None
        if isinstance(source, Output):
            task = self.workflow.tasks.get(source.task_name)
            upstream = task.mapped if task is not None else None
            if nested and upstream is None:
                raise DefinitionError(
                    f"operator {self.name!r}: nested=True is for the output of a mapped task, and "
                    f"{source.task_name!r} is not one"
                )
        elif nested:
            raise DefinitionError(f"operator {self.name!r}: nested=True is for an output")
        return mapped_over(source, upstream, nested=nested)

    @property
    def output(self) -> Output:
        """Its result, for the arguments of another operator (S38)."""
        return Output(self.name)

    @property
    def arguments(self) -> Any:
        """What may hold outputs of other tasks; overridden by operators that take arguments."""
        return ()

    def check_places(self) -> None:
        """Refuse items and arguments that no result can fill (S38, S43).

        Raises:
            DefinitionError: If there are some.
        """
        tasks = self.workflow.tasks
        check_map(
            self.name,
            self.mapped,
            places_in(self.arguments),
            lambda name: tasks[name].mapped if name in tasks else None,
        )

    @property
    def takes(self) -> tuple[str, ...]:
        """Names of the tasks whose output its arguments and items take, in order."""
        return tuple(dict.fromkeys(output.task_name for output in self._outputs()))

    @property
    def takes_if_any(self) -> tuple[str, ...]:
        """Those of them that need have no output: a skipped task's is `None`."""
        outputs = list(self._outputs())
        needed = {output.task_name for output in outputs if not output.optional}
        names = dict.fromkeys(output.task_name for output in outputs)
        return tuple(name for name in names if name not in needed)

    def _outputs(self) -> Iterator[Output]:
        mapped = self.mapped
        if mapped is not None:
            yield from mapped.outputs
        for place in places_in(self.arguments):
            if isinstance(place, Output):
                yield place

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
            **self._describe_map(),
        }

    def _describe_map(self) -> dict[str, Any]:
        mapped = self.mapped
        told: dict[str, Any] = {}
        if may_lack := self.takes_if_any:
            told["takes_if_any"] = list(may_lack)
        if mapped is not None:
            told["mapped"] = mapped.describe()
        return told

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


def _checked_items(name: str, items: Any) -> tuple[Any, ...]:
    if isinstance(items, Operator):
        raise DefinitionError(
            f"operator {name!r}: map is given the task {items.name!r} itself; its result is "
            f"{items.name}.output"
        )
    if isinstance(items, str | bytes | Mapping) or not isinstance(items, Iterable):
        raise DefinitionError(
            f"operator {name!r}: map takes a list of items or the output of a task, got "
            f"{items!r:.200}"
        )
    checked = tuple(items)
    try:
        encode(list(checked))
    except JsonValueError as error:
        raise DefinitionError(f"operator {name!r}: items are JSON values: {error}") from error
    return checked
