"""Tasks and conditions that definitions are written with, and how a refusal is expected."""

from typing import Any

import pytest

from eventflow import Condition, Event, Operator, RuleContext, TaskContext, Workflow
from eventflow.errors import DefinitionError


class Step(Operator):
    """A task with arguments of its own."""

    def __init__(self, name: str, arguments: Any = (), **config: Any) -> None:
        self._arguments = arguments
        super().__init__(name, **config)

    @property
    def arguments(self) -> Any:
        return self._arguments

    def start(self, context: TaskContext) -> Any:
        return None


class Above(Condition):
    def __init__(self, key: str, limit: float, names: Any = ()) -> None:
        super().__init__([key])
        self._limit = limit
        self._names = names

    def is_met(self, event: Event, context: RuleContext) -> bool:
        return bool(event.value > self._limit)


class Forgetful(Condition):
    def __init__(self) -> None:
        self.forgot = "super().__init__"

    def is_met(self, event: Event, context: RuleContext) -> bool:
        return True


def refused(*parts: str) -> Any:
    """Refused with a message that holds every part."""
    pattern = "".join(f"(?=.*{part})" for part in parts)
    return pytest.raises(DefinitionError, match=f"(?s){pattern}")


def two_tasks() -> tuple[Workflow, Step, Step]:
    with Workflow("w") as workflow:
        return workflow, Step("a"), Step("b")
