"""From the class of a flow to its graph: every step is looked at, and what cannot work refused.

Only the class object is read, never its source: a class inside a function, in a notebook or out of
`exec` is one like any other.
"""

import inspect
from collections.abc import Iterator
from typing import Any

from eventflow.errors import DefinitionError, FlowDefinitionError
from eventflow.flow.axes import plans_of
from eventflow.flow.graph import FlowGraph, check_cycle
from eventflow.flow.marks import (
    Marks,
    Needs,
    Reference,
    Skipped,
    Unfinished,
    find_marks,
    name_of,
    place_of,
    plain_function,
)
from eventflow.flow.signatures import check_callback, check_step
from eventflow.flow.steps import Edge, FlowStep
from eventflow.model.keys import check_name
from eventflow.model.suggest import nearest


class Body(dict[str, Any]):
    """The namespace of a class body, in which no step may be written over by another one."""

    def __setitem__(self, name: str, value: Any) -> None:
        before, now = self.get(name), find_marks(value)
        marks = find_marks(before)
        if marks is not None and marks is not now:
            what = "a second step" if now is not None else "something else"
            raise FlowDefinitionError(
                f"step {name!r} at {place_of(before)} is written over by {what} of that name at "
                f"{place_of(value)}; give one of them another name"
            )
        super().__setitem__(name, value)


def collect(kind: type, own: type) -> FlowGraph:
    """The graph of a flow's class.

    Args:
        kind: The class.
        own: FlowSpec itself, whose attributes no step may take the name of.

    Raises:
        FlowDefinitionError: If it cannot work as written; names the step and says why.
    """
    found = _steps_of(kind, own)
    for attribute in found:
        if hasattr(own, attribute) or attribute in own.__annotations__:
            raise FlowDefinitionError(
                f"flow {kind.__name__!r}: a step cannot be called {attribute!r}, which every flow "
                f"has; give the function another name"
            )
    ids = _ids(kind, found)
    names = _Names(kind, own, ids)
    graph = FlowGraph(
        kind.__name__,
        [_step(names, ids[attribute], *found[attribute]) for attribute in found],
    )
    is_circle, path = check_cycle(graph.successors)
    if is_circle and path is not None:
        raise FlowDefinitionError(
            f"flow {kind.__name__!r} has a circle: {' -> '.join(path)}; no step of it could begin"
        )
    for step in graph:
        _check(step)
    for name, plan in plans_of(graph).items():
        graph[name].levels = len(plan.axes)
    return graph


def _steps_of(kind: type, own: type) -> dict[str, tuple[Any, Marks]]:
    """Attribute -> function and marks, classes above first; who writes a step anew keeps its place
    and, without decorators of its own, its marks.
    """
    found: dict[str, tuple[Any, Marks]] = {}
    for home in reversed(kind.__mro__):
        if home in own.__mro__:
            continue
        for attribute, value in vars(home).items():
            if isinstance(value, Unfinished):
                raise FlowDefinitionError(
                    f"flow {kind.__name__!r}: @{value.decorator} on {attribute!r} is not complete; "
                    f"it needs arguments: @{value.decorator}(...)"
                )
            marks = find_marks(value)
            if marks is not None:
                found[attribute] = (value, marks)
            elif attribute in found and value is None:
                del found[attribute]
            elif attribute in found:
                _check_anew(kind, attribute, value)
                found[attribute] = (value, found[attribute][1])
    for attribute, (value, marks) in found.items():
        if not marks.is_step:
            raise FlowDefinitionError(
                f"flow {kind.__name__!r}: {attribute!r} at {place_of(value)} has decorators of a "
                f"step but no @step; add it, or take them away"
            )
    return found


def _check_anew(kind: type, attribute: str, value: Any) -> None:
    if not callable(plain_function(value)):
        raise FlowDefinitionError(
            f"flow {kind.__name__!r}: step {attribute!r} of a class above is written over by "
            f"{value!r:.200}, which is no function; None takes the step away"
        )


def _ids(kind: type, found: dict[str, tuple[Any, Marks]]) -> dict[str, str]:
    """Attribute -> id of the step; each id and each function once."""
    ids = {attribute: marks.name or attribute for attribute, (_, marks) in found.items()}
    by_id: dict[str, str] = {}
    by_marks: dict[int, str] = {}
    for attribute, name in ids.items():
        try:
            check_name("step", name)
        except DefinitionError as error:
            raise FlowDefinitionError(
                f"flow {kind.__name__!r}: {error}; @step(name='...') gives it another id"
            ) from error
        function, marks = found[attribute]
        other = by_id.get(name) or by_marks.get(id(marks))
        if other is not None:
            raise FlowDefinitionError(
                f"flow {kind.__name__!r}: {other!r} at {place_of(found[other][0])} and "
                f"{attribute!r} at {place_of(function)} are the same step {name!r}"
            )
        by_id[name] = by_marks[id(marks)] = attribute
    return ids


class _Names:
    """Looks up what a reference means in one flow."""

    def __init__(self, kind: type, own: type, ids: dict[str, str]) -> None:
        self.flow = kind.__name__
        self._known = set(ids.values())
        # A function of a class above stands for the step of its name here, written anew or not.
        self._by_marks = {
            id(marks): ids[attribute]
            for home in kind.__mro__
            if home not in own.__mro__
            for attribute, value in vars(home).items()
            if (marks := find_marks(value)) is not None and attribute in ids
        }

    def find(self, step: str, reference: Reference) -> str:
        """The id of the step that a reference means."""
        if isinstance(reference, str):
            if reference in self._known:
                return reference
            raise FlowDefinitionError(
                f"flow {self.flow!r}: step {step!r} needs {reference!r}, and there is no such step"
                f"{nearest(reference, self._known)}"
            )
        marks = find_marks(reference)
        found = self._by_marks.get(id(marks)) if marks is not None else None
        if found is not None:
            return found
        told = name_of(reference)
        what = "a step of another flow" if marks is not None and marks.is_step else "no step"
        raise FlowDefinitionError(
            f"flow {self.flow!r}: step {step!r} needs {told!r} ({place_of(reference)}), which is "
            f"{what}; its predecessors are steps of its own flow"
        )


def _step(names: _Names, name: str, function: Any, marks: Marks) -> FlowStep:
    needs = marks.needs or Needs()
    over = names.find(name, marks.over) if marks.over is not None else ""
    positional = [names.find(name, reference) for reference in needs.predecessors]
    named = {key: names.find(name, reference) for key, reference in needs.named.items()}
    if over and over not in (*positional, *named.values()):
        positional.insert(0, over)
    after = [names.find(name, reference) for reference in needs.after]
    edges = [
        *(Edge(source) for source in dict.fromkeys(positional)),
        *(Edge(source, keyword) for keyword, source in named.items()),
        *(Edge(source, data=False) for source in dict.fromkeys(after)),
    ]
    policies = dict(_policies(names, name, needs))
    known = {edge.source for edge in edges}
    for source in policies:
        if source is not None and source not in known:
            raise FlowDefinitionError(
                f"flow {names.flow!r}: step {name!r}: skipped names {source!r}, which it does not "
                f"need"
            )
    default = policies.get(None, "none")
    told = tuple(
        Edge(edge.source, edge.keyword, edge.data, policies.get(edge.source, default))
        for edge in edges
    )
    return FlowStep(name, function, marks, told, over)


def _policies(names: _Names, name: str, needs: Needs) -> Iterator[tuple[str | None, Skipped]]:
    for reference, policy in needs.skipped:
        yield (names.find(name, reference) if reference is not None else None), policy


def _check(step: FlowStep) -> None:
    """Refuse kinds that do not go together, and a function that cannot be called so."""
    marks = step.marks
    if marks.repetitions is not None and marks.fan_out:
        raise FlowDefinitionError(
            f"step {step.id!r} is repeated and a foreach at once; let it be repeated, and put "
            f"@foreach(over={step.id!r}) on the step that takes its results"
        )
    if marks.join is not None and step.over:
        raise FlowDefinitionError(
            f"step {step.id!r} is a join and a foreach over {step.over!r} at once; a join takes "
            f"the items together"
        )
    if marks.join is not None and not step.data:
        raise FlowDefinitionError(f"step {step.id!r} is a join and needs no step's results")
    if marks.app is not None and len(step.data) > 1:
        told = ", ".join(edge.source for edge in step.data)
        raise FlowDefinitionError(
            f"step {step.id!r} is an app, which takes one input, and needs {told}; put a step "
            f"between that makes one of them"
        )
    if marks.condition is not None:
        check_callback(step.id, "optional", marks.condition)
    if callable(marks.repetitions):
        check_callback(step.id, "repeat", marks.repetitions)
    if inspect.isclass(step.function):
        raise FlowDefinitionError(f"step {step.id!r} is a class; a step is a function")
    if marks.app is None:
        check_step(step)
