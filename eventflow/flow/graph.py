"""FlowGraph and FlowStep: the steps of a flow and what comes after what. Nothing runs here."""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from eventflow.errors import FlowDefinitionError
from eventflow.flow.marks import Function, Marks, Skipped, find_marks, name_of
from eventflow.model.suggest import nearest


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
        graph: The graph that it stands in.
    """

    id: str
    function: Any
    marks: Marks = field(repr=False)
    edges: tuple[Edge, ...] = field(default=(), repr=False)
    over: str = ""
    graph: "FlowGraph | None" = field(default=None, init=False, repr=False)

    @property
    def docstring(self) -> str:
        """Its documentation; empty without one."""
        return inspect.getdoc(self.call) or ""

    @property
    def call(self) -> Function:
        """The function beneath `staticmethod` and `classmethod`."""
        function: Function = getattr(self.function, "__func__", self.function)
        return function

    @property
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

    @property
    def predecessors(self) -> "tuple[FlowStep, ...]":
        """What it needs, in the order of its arguments; order alone last."""
        return tuple(self._named(dict.fromkeys(edge.source for edge in self.edges)))

    @property
    def successors(self) -> "tuple[FlowStep, ...]":
        """What needs it, in order of definition."""
        return tuple(self._named(self.graph.successors[self.id] if self.graph else ()))

    def _named(self, names: Iterable[str]) -> "Iterator[FlowStep]":
        return (self.graph[name] for name in names if self.graph is not None)


class FlowGraph:
    """The steps of a flow, in order of definition.

    Attributes:
        name: The flow's.
        steps: All steps.
        predecessors: Step -> the steps that it needs, by id.
        successors: Step -> the steps that need it, by id, in order of definition.
    """

    def __init__(self, name: str, steps: Iterable[FlowStep]) -> None:
        self.name = name
        self.steps: tuple[FlowStep, ...] = tuple(steps)
        self._by_id = {step.id: step for step in self.steps}
        self.predecessors: dict[str, tuple[str, ...]] = {
            step.id: tuple(dict.fromkeys(edge.source for edge in step.edges)) for step in self.steps
        }
        following: dict[str, list[str]] = {step.id: [] for step in self.steps}
        for name, before in self.predecessors.items():
            for source in before:
                following[source].append(name)
        self.successors: dict[str, tuple[str, ...]] = {
            name: tuple(after) for name, after in following.items()
        }
        for step in self.steps:
            step.graph = self

    def __repr__(self) -> str:
        return f"<FlowGraph {self.name!r}: {len(self.steps)} steps>"

    def __iter__(self) -> Iterator[FlowStep]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, name: str) -> FlowStep:
        return self._by_id[name]

    @property
    def start_steps(self) -> tuple[FlowStep, ...]:
        """The steps that need no other; they get the flow's input."""
        return tuple(step for step in self.steps if not step.edges)

    def get_step(self, definition: Any) -> FlowStep:
        """The step of a function, a method of the flow, an id, or a FlowStep.

        Raises:
            FlowDefinitionError: If this flow has no such step.
        """
        if isinstance(definition, FlowStep):
            definition = definition.id
        if isinstance(definition, str):
            found = self._by_id.get(definition)
        else:
            found = self._of_function(definition)
        if found is None:
            told = name_of(definition)
            raise FlowDefinitionError(
                f"flow {self.name!r} has no step {told!r}{nearest(told, self._by_id)}"
            )
        return found

    def _of_function(self, function: Any) -> FlowStep | None:
        marks = find_marks(function)
        for step in self.steps:
            if marks is not None and step.marks is marks:
                return step
        # A step of the class above that is written anew below goes by its name.
        return self._by_id.get(marks.name or name_of(function)) if marks is not None else None


def check_cycle(
    successors: Mapping[str, Iterable[str]],
) -> tuple[bool, list[str] | None]:
    """Look for a circle among steps.

    Args:
        successors: Step -> the steps that come after it.

    Returns:
        `(False, None)`; or `(True, path)` with the steps of one circle in order, the first of them
        at both ends.
    """
    done: set[str] = set()
    for first in successors:
        # On the path: each step with what of its successors is still to be looked at.
        path: dict[str, Iterator[str]] = {} if first in done else {first: iter(successors[first])}
        while path:
            last = next(reversed(path))
            following = next(path[last], None)
            if following is None:
                done.add(last)
                del path[last]
            elif following in path:
                names = list(path)
                return True, [*names[names.index(following) :], following]
            elif following not in done:
                path[following] = iter(successors.get(following, ()))
    return False, None
