"""The operators that a flow's steps become. They hold no run: each attempt asks for its own."""

import copy
from collections.abc import Callable
from typing import Any, Protocol

from eventflow.errors import DefinitionError
from eventflow.flow.axes import Taken
from eventflow.flow.steps import FlowStep
from eventflow.model.arguments import Element, Place
from eventflow.model.context import TaskContext
from eventflow.model.operator import Operator
from eventflow.operators.app import AppOperator
from eventflow.operators.appservice import RunOrder


class Run(Protocol):
    """What an operator needs of the run of a flow."""

    def attempt(self, name: str, context: TaskContext, work: Callable[[], Any]) -> Any: ...

    def call(self, name: str, context: TaskContext) -> Any: ...

    def input_of(self, name: str, context: TaskContext) -> Any: ...

    def count(self, name: str, context: TaskContext) -> list[int]: ...

    def stop(self, context: TaskContext) -> None: ...


FindRun = Callable[[TaskContext], Run]


def place_of_value(taken: Taken) -> Place:
    """Where the engine has what an item takes of a predecessor."""
    return Element(taken.element) if taken.element is not None else taken.output.or_none


class StepOperator(Operator):
    """A step whose function runs here.

    Args:
        find_run: Gives the run that an attempt belongs to.
        places: What it takes of its predecessors.
    """

    def __init__(
        self,
        step: FlowStep,
        places: list[Place],
        find_run: FindRun,
        **config: Any,
    ) -> None:
        self.step = step
        self._places = places
        self._find_run = find_run
        super().__init__(step.id, **config)

    @property
    def arguments(self) -> Any:
        return self._places

    @property
    def docs(self) -> str:
        return self.step.docstring

    def start(self, context: TaskContext) -> Any:
        run = self._find_run(context)
        return run.attempt(self.name, context, lambda: run.call(self.name, context))

    def stop(self, context: TaskContext) -> None:
        self._find_run(context).stop(context)

    def describe(self) -> dict[str, Any]:
        return {**super().describe(), "step": _named(self.step)}


class CountOperator(Operator):
    """Works out how often a step is repeated, where that is known late."""

    def __init__(self, name: str, step: FlowStep, places: list[Place], find_run: FindRun) -> None:
        self.step = step
        self._places = places
        self._find_run = find_run
        super().__init__(name)

    @property
    def arguments(self) -> Any:
        return self._places

    @property
    def docs(self) -> str:
        return f"Counts the repetitions of {self.step.id}."

    def start(self, context: TaskContext) -> Any:
        return self._find_run(context).count(self.step.id, context)


class AppStepOperator(AppOperator):
    """A step that runs at a remote service."""

    def __init__(
        self,
        step: FlowStep,
        places: list[Place],
        find_run: FindRun,
        **config: Any,
    ) -> None:
        if step.marks.app is None:
            raise DefinitionError(f"step {step.id!r} is no app")
        self.step = step
        self._find_run = find_run
        super().__init__(
            step.id,
            step.marks.app.app_id,
            input=places[0] if places else None,
            **{**step.marks.app.arguments, **config},
        )

    @property
    def docs(self) -> str:
        return self.step.docstring

    def start(self, context: TaskContext) -> Any:
        run = self._find_run(context)
        return run.attempt(self.name, context, lambda: super(AppStepOperator, self).start(context))

    def _order(self, context: TaskContext) -> RunOrder:
        filled = copy.copy(self)
        filled.input = self._find_run(context).input_of(self.name, context)
        return super(AppStepOperator, filled)._order(context)

    def describe(self) -> dict[str, Any]:
        return {**super().describe(), "step": _named(self.step)}


def _named(step: FlowStep) -> str:
    return f"{step.call.__module__}:{getattr(step.call, '__qualname__', step.id)}"
