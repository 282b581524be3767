"""FlowStep: one step of a flow as it is defined, and what it takes of those before it."""

import inspect
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from eventflow.flow.marks import Function, Marks, Skipped


class StepKind(StrEnum):
    """What a step is beside a function; one may be several of them."""

    FOREACH = "foreach"
    REPEAT = "repeat"
    JOIN = "join"
    OPTIONAL = "optional"
    APP = "app"


@dataclass(frozen=True, slots=True)
class Edge:
    """What a step takes of a predecessor.

    Attributes:
        keyword: The parameter that gets the result; empty for a positional argument.
        data: Whether the result is handed over; else it is order alone.
        skipped: What becomes of the step where the predecessor was skipped.
    """

    source: str
    keyword: str = ""
    data: bool = True
    skipped: Skipped = "none"


@dataclass(eq=False)
class FlowStep:
    """One step of a flow, as it is defined.

    Attributes:
        id: Its name in its flow, unique there.
        function: As it stands in the class, decorators and all.
        edges: What it takes of which predecessor: positional arguments first, order alone last.
        over: The predecessor each of whose elements is an item of this step; or empty.
        predecessors: What it needs, in the order of its arguments; order alone last.
        successors: What needs it, in order of definition.
        levels: Within how many foreach and repeat it lies; so deep are its results nested.
    """

    id: str
    function: Any
    marks: Marks = field(repr=False)
    edges: tuple[Edge, ...] = field(default=(), repr=False)
    over: str = ""
    predecessors: "tuple[FlowStep, ...]" = field(default=(), init=False, repr=False)
    successors: "tuple[FlowStep, ...]" = field(default=(), init=False, repr=False)
    levels: int = field(default=0, init=False, repr=False)

    @property
    def docstring(self) -> str:
        """Its documentation; empty without one."""
        return inspect.getdoc(self.call) or ""

    @property
    def call(self) -> Function:
        """The function beneath `staticmethod` and `classmethod`."""
        function: Function = getattr(self.function, "__func__", self.function)
        return function

    @cached_property
    def signature(self) -> inspect.Signature | None:
        """The function's; `None` where a builtin does not tell it."""
        return signature_of(self.call)

    @cached_property
    def data(self) -> tuple[Edge, ...]:
        """The edges that hand over a result."""
        return tuple(edge for edge in self.edges if edge.data)

    @property
    def kinds(self) -> frozenset[StepKind]:
        """What decorators have made of it."""
        marks = self.marks
        said = {
            StepKind.FOREACH: marks.fan_out or bool(self.over),
            StepKind.REPEAT: marks.repetitions is not None,
            StepKind.JOIN: marks.join is not None,
            StepKind.OPTIONAL: marks.condition is not None,
            StepKind.APP: marks.app is not None,
        }
        return frozenset(kind for kind, is_so in said.items() if is_so)

    @property
    def app_id(self) -> str:
        """The application that it runs; empty unless it is an `app` step."""
        return self.marks.app.app_id if self.marks.app is not None else ""

    @property
    def repetitions(self) -> int | Function | None:
        """What `repeat` was given."""
        return self.marks.repetitions


def signature_of(function: Any) -> inspect.Signature | None:
    """The signature of a function; `None` where a builtin does not tell it."""
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None
