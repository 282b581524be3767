"""FlowGraph: the steps of a flow and what comes after what. Nothing runs here."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from eventflow.errors import FlowDefinitionError
from eventflow.flow.drawing import graph_of
from eventflow.flow.marks import find_marks, name_of
from eventflow.flow.steps import FlowStep
from eventflow.model.graph import Graph
from eventflow.model.pictured import Pictured
from eventflow.model.suggest import nearest


class FlowGraph(Pictured):
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
            step.predecessors = tuple(self._by_id[name] for name in self.predecessors[step.id])
            step.successors = tuple(self._by_id[name] for name in self.successors[step.id])

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

    def to_graph(self) -> Graph:
        """Nodes and edges, to be drawn: Mermaid, SVG, DOT and JSON are made of it."""
        return graph_of(self.name, self.steps)

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
