"""Over which axes each step of a flow has items, and where an item finds its arguments (S43).

A foreach and a repeat each open an axis, which every step behind it has too, until a join. That of
a repeat ends at once: a successor takes its results as one list. Pure arithmetic on the graph.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from eventflow.errors import FlowDefinitionError
from eventflow.flow.graph import FlowGraph
from eventflow.flow.steps import FlowStep
from eventflow.model.arguments import Output


class Opened(StrEnum):
    """What opens an axis."""

    FOREACH = "foreach"
    REPEAT = "repeat"


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis, by what it is about: two steps with the same one have items that belong together.

    Attributes:
        owner: The step whose result, or whose repetitions, it counts.
        depth: How many axes it lies below, itself counted: 1 for one that lies below none.
        apart: The step that multiplied it with another of its kind, and which one of them it is.
    """

    owner: str
    opened: Opened
    depth: int
    apart: tuple[str, int] = ("", 0)


@dataclass(slots=True)
class Source:
    """Where the count of an axis of a step comes from; of none it is the step's own repeat."""

    along: list[Output] = field(default_factory=list)
    each: Output | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """Where an item finds what a predecessor gives it.

    Attributes:
        output: The predecessor's result, or the part of it that the item's own axes pick.
        open: How many of the predecessor's axes are left open: so deep are its lists nested.
        element: The axis of this step whose element it takes instead; `None` for the result.
        own_list: Whether each result is a list that a join takes apart where it has no items.
        closed: The axes that are left open, but for a repeat's.
    """

    output: Output
    open: int
    element: int | None = None
    own_list: bool = False
    closed: tuple[Axis, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The axes of one step, outermost first, their counts, and what its items take.

    Attributes:
        taken: Predecessor that hands over a result -> where it is found.
    """

    axes: tuple[Axis, ...] = ()
    sources: tuple[Source, ...] = ()
    taken: dict[str, Taken] = field(default_factory=dict)

    @property
    def items(self) -> tuple[Axis, ...]:
        """The axes that a step behind it goes along."""
        return tuple(axis for axis in self.axes if axis.opened is not Opened.REPEAT)


def plans_of(graph: FlowGraph) -> dict[str, Plan]:
    """Work out the axes of every step.

    Raises:
        FlowDefinitionError: If those of a step cannot be.
    """
    plans: dict[str, Plan] = {}
    for step in _in_order(graph):
        planning = _Planning(step, plans)
        if step.marks.join is not None:
            planning.close(graph)
        else:
            planning.spread(graph)
        plans[step.id] = planning.finished()
    return {step.id: plans[step.id] for step in graph}


def _in_order(graph: FlowGraph) -> Iterator[FlowStep]:
    """Each step after what it needs; the graph has no circle."""
    waits = {name: len(before) for name, before in graph.predecessors.items()}
    ready = [name for name, count in waits.items() if count == 0]
    while ready:
        name = ready.pop()
        yield graph[name]
        for after in graph.successors[name]:
            waits[after] -= 1
            if waits[after] == 0:
                ready.append(after)


def fan_of(step: FlowStep, plan: Plan) -> Axis:
    """The axis that the elements of a step's result are on."""
    return Axis(step.id, Opened.FOREACH, 1 + max((axis.depth for axis in plan.items), default=0))


class _Planning:
    """The axes of one step, in the making."""

    def __init__(self, step: FlowStep, plans: dict[str, Plan]) -> None:
        self._step = step
        self._plans = plans
        self._axes: list[Axis] = []
        self._sources: list[Source] = []
        self._taken: dict[str, Taken] = {}
        needs = step.marks.needs
        self._combine = needs.combine if needs is not None else "product"

    def finished(self) -> Plan:
        """The plan, with the axis of the step's own repeat as the innermost."""
        if self._step.marks.repetitions is not None:
            depth = 1 + max((axis.depth for axis in self._axes), default=0)
            self._axes.append(Axis(self._step.id, Opened.REPEAT, depth))
            self._sources.append(Source())
        return Plan(tuple(self._axes), tuple(self._sources), self._taken)

    def spread(self, graph: FlowGraph) -> None:
        """A step that is no join has an item for each of its predecessors' items."""
        for name in _givers(self._step):
            upstream, plan = graph[name], self._plans[name]
            at: list[int] = []
            fans = upstream.marks.fan_out or self._step.over == name
            fan = {fan_of(upstream, plan)} if fans else set()
            self._check_common(name, {*plan.items, *fan})
            mine = set() if self._combine == "align" else set(self._axes)
            for number, axis in enumerate(plan.items):
                at.append(self._along(name, number, axis, at, mine))
            element = None
            if fans:
                element = self._each(Output(name, tuple(at)), fan_of(upstream, plan), mine)
            self._taken[name] = Taken(
                Output(name, tuple(at)), len(plan.axes) - len(at), element, closed=()
            )

    def close(self, graph: FlowGraph) -> None:
        """A join takes the deepest level of its predecessors' items together, or all of them."""
        names = _givers(self._step)
        deepest = max((axis.depth for name in names for axis in self._plans[name].items), default=0)
        join = self._step.marks.join
        for name in names:
            upstream, plan = graph[name], self._plans[name]
            at: list[int] = []
            for number, axis in enumerate(plan.items):
                if axis.depth == deepest or (join is not None and join.levels == "all"):
                    break
                at.append(self._along(name, number, axis, at, set()))
            is_list = upstream.marks.fan_out or upstream.marks.repetitions is not None
            self._taken[name] = Taken(
                Output(name, tuple(at)),
                len(plan.axes) - len(at),
                own_list=is_list,
                closed=plan.items[len(at) :],
            )
        for name in names:
            fan = fan_of(graph[name], self._plans[name])
            if graph[name].marks.fan_out and fan in self._axes:
                # Its elements are what the join is still spread over: each has its own.
                output = self._taken[name].output
                element = self._each(output, fan, set())
                self._taken[name] = Taken(output, self._taken[name].open, element)
        if join is not None and join.shape == "rows" and self._combine == "align":
            self._check_aligned()

    def _along(self, name: str, number: int, axis: Axis, at: list[int], mine: set[Axis]) -> int:
        """The place of an axis that the predecessor has as its axis `number`.

        Args:
            mine: Axes that are multiplied and not shared.
        """
        output = Output(name, tuple(at))
        if axis in self._axes and axis not in mine:
            place = self._axes.index(axis)
            # Those of several predecessors have to agree, where they can be asked in this order.
            if self._sources[place].along and all(picked < place for picked in at):
                self._sources[place].along.append(output)
            return place
        self._axes.append(self._apart(axis))
        self._sources.append(Source(along=[output]))
        return len(self._axes) - 1

    def _each(self, output: Output, axis: Axis, mine: set[Axis]) -> int:
        if axis in self._axes and axis not in mine:
            place = self._axes.index(axis)
            if all(picked < place for picked in output.at):
                self._sources[place] = Source(each=output)
                return place
            raise FlowDefinitionError(
                f"step {self._step.id!r} cannot align the elements of {output.task_name!r}; name "
                f"it before its other predecessors"
            )
        self._axes.append(self._apart(axis))
        self._sources.append(Source(each=output))
        return len(self._axes) - 1

    def _apart(self, axis: Axis) -> Axis:
        if axis not in self._axes:
            return axis
        return Axis(axis.owner, axis.opened, axis.depth, (self._step.id, len(self._axes)))

    def _check_common(self, name: str, axes: set[Axis]) -> None:
        if self._combine == "align" and self._axes and axes and not axes & set(self._axes):
            raise FlowDefinitionError(
                f"step {self._step.id!r} cannot align the items of {name!r} with those of "
                f"{', '.join(self._taken)}: they do not come from the same foreach; without "
                f"combine='align' each goes with each"
            )

    def _check_aligned(self) -> None:
        closed = {taken.closed for taken in self._taken.values() if taken.closed}
        if len(closed) > 1:
            raise FlowDefinitionError(
                f"step {self._step.id!r}: the rows of a join cannot be aligned, since "
                f"{', '.join(self._taken)} do not come from the same foreach"
            )


def _givers(step: FlowStep) -> list[str]:
    return list(dict.fromkeys(edge.source for edge in step.data))
