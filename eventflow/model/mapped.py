"""What makes a task a mapped one: over what it has items, axis by axis (S43).

An item is named by its index, one number for each axis. How many there are on an axis may depend on
the axes before it, so that maps nest. Here it is said where the counts come from; `model.shape` has
the counts themselves.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from eventflow.errors import DefinitionError
from eventflow.model.arguments import Element, Output, Place


@dataclass(frozen=True, slots=True)
class Given:
    """An axis that is known when the task is defined: its elements, which are JSON values."""

    elements: tuple[Any, ...]

    def describe(self) -> dict[str, Any]:
        return {"given": list(self.elements)}


@dataclass(frozen=True, slots=True)
class Each:
    """An axis with one item for each element of a result, which has to be a list."""

    output: Output

    def describe(self) -> dict[str, Any]:
        return {"each": self.output.task_name, **_how_taken(self.output)}


@dataclass(frozen=True, slots=True)
class Along:
    """An axis of mapped tasks upstream: there are as many items as there.

    Attributes:
        outputs: Of each, `Output(task, at)` means its axis number `len(at)`, below the item that
            `at` picks. Of several all have to agree.
    """

    outputs: tuple[Output, ...]

    def describe(self) -> dict[str, Any]:
        return {"along": [[output.task_name, list(output.at)] for output in self.outputs]}


Axis = Given | Each | Along


@dataclass(frozen=True, slots=True)
class Mapped:
    """Over what a task is mapped.

    Attributes:
        axes: Outermost first; at least one.
        item: What its code is handed as the item; `None` where its arguments say it all.
    """

    axes: tuple[Axis, ...]
    item: Place | None = None

    @property
    def outputs(self) -> Iterator[Output]:
        """The results that have to be there before the items can be counted."""
        for axis in self.axes:
            match axis:
                case Each(output):
                    yield output
                case Along(outputs):
                    yield from outputs
                case Given():
                    continue
        if isinstance(self.item, Output):
            yield self.item

    def describe(self) -> dict[str, Any]:
        """As JSON: part of a task's definition."""
        told: dict[str, Any] = {"axes": [axis.describe() for axis in self.axes]}
        match self.item:
            case Element(axis):
                told["item"] = {"element": axis}
            case Output(task_name):
                told["item"] = {"output": task_name, **_how_taken(self.item)}
        return told


def _how_taken(output: Output) -> dict[str, Any]:
    told: dict[str, Any] = {"at": list(output.at)}
    return {**told, "optional": True} if output.optional else told


def mapped_from(told: dict[str, Any]) -> Mapped:
    """The map that `Mapped.describe` told of."""
    item: Place | None = None
    match told.get("item"):
        case {"element": int(axis)}:
            item = Element(axis)
        case {"output": str(task), "at": at, **more}:
            item = Output(task, tuple(at), "optional" in more)
    return Mapped(tuple(map(_axis, told["axes"])), item)


def _axis(told: dict[str, Any]) -> Axis:
    match told:
        case {"given": elements}:
            return Given(tuple(elements))
        case {"along": outputs}:
            return Along(tuple(Output(task, tuple(at)) for task, at in outputs))
        case _:
            return Each(Output(told["each"], tuple(told["at"]), "optional" in told))


def mapped_over(source: Any, upstream: Mapped | None, *, nested: bool) -> Mapped:
    """The map of `Operator.map`.

    Args:
        source: A result that stands for the items, or the items themselves.
        upstream: How the task of that result is mapped itself.
        nested: Whether each result of a mapped task is a list, and each element of it an item.
    """
    if not isinstance(source, Output):
        return Mapped((Given(tuple(source)),), Element(0))
    depth = len(upstream.axes) if upstream is not None else 0
    pairs: tuple[Axis, ...] = tuple(
        Along((Output(source.task_name, tuple(range(level))),)) for level in range(depth)
    )
    whole = Output(source.task_name, tuple(range(depth)), source.optional)
    if pairs and not nested:
        return Mapped(pairs, whole)
    return Mapped((*pairs, Each(whole)), Element(depth))


def check_map(
    task: str,
    mapped: Mapped | None,
    arguments: Iterable[Place],
    map_of: Callable[[str], Mapped | None],
) -> None:
    """Refuse places that stand for nothing: each axis may look at the axes before it only.

    Raises:
        DefinitionError: If one does not; names the task.
    """
    axes = mapped.axes if mapped is not None else ()
    if mapped is not None and not axes:
        raise DefinitionError(f"task {task!r} is mapped over no axis; give at least one")
    for number, axis in enumerate(axes):
        match axis:
            case Each(output):
                _check_output(task, output, number, map_of)
            case Along(outputs):
                for output in outputs:
                    _check_output(task, output, number, map_of, short=True)
            case Given():
                continue
    item = (mapped.item,) if mapped is not None and mapped.item is not None else ()
    for place in (*arguments, *item):
        match place:
            case Output():
                _check_output(task, place, len(axes), map_of)
            case Element(axis_number):
                if axis_number >= len(axes) or isinstance(axes[axis_number], Along):
                    raise DefinitionError(
                        f"task {task!r} has no element of axis {axis_number}; elements are of axes "
                        f"over given items or over a result"
                    )


def _check_output(
    task: str,
    output: Output,
    axes: int,
    map_of: Callable[[str], Mapped | None],
    *,
    short: bool = False,
) -> None:
    upstream = map_of(output.task_name)
    depth = len(upstream.axes) if upstream is not None else 0
    if short and len(output.at) >= depth:
        raise DefinitionError(
            f"task {task!r} cannot be mapped along axis {len(output.at)} of {output.task_name!r}, "
            f"which has {depth}"
        )
    if len(output.at) > depth:
        raise DefinitionError(
            f"task {task!r} takes item {list(output.at)} of {output.task_name!r}, which is mapped "
            f"over {depth} axes"
        )
    if any(axis >= axes for axis in output.at):
        raise DefinitionError(
            f"task {task!r} picks a result of {output.task_name!r} by axes {list(output.at)}, and "
            f"has {axes} there"
        )
