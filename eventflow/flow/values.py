"""Where the results of a run's steps are, and what the engine has in their place.

A run on a memory store keeps them here, by reference: the engine is given `null` for each, and for
the result of a foreach a list of as many. On a durable store the engine has the results themselves.
"""

from typing import Any, Protocol

from eventflow.flow.axes import Taken
from eventflow.model.arguments import Element
from eventflow.model.context import TaskContext

Index = tuple[int, ...]


class Values(Protocol):
    """The results of one run."""

    in_memory: bool

    def keep(self, step: str, index: Index, value: Any, elements: list[Any] | None) -> Any:
        """Keep a result; returns what the engine is given in its place.

        Args:
            elements: What is in it, where that is items of other steps.
        """
        ...

    def of(self, context: TaskContext, taken: Taken) -> Any:
        """What an item takes of a predecessor; lists within lists where axes are open."""
        ...

    def restored(self, step: str, index: Index, nested: Any, depth: int) -> Any:
        """The result of a step below an index, made from what the engine has of it."""
        ...


class ByReference:
    """Results as the objects that they are, in this process."""

    in_memory = True

    def __init__(self) -> None:
        self._kept: dict[tuple[str, Index], Any] = {}
        self._elements: dict[tuple[str, Index], list[Any]] = {}

    def keep(self, step: str, index: Index, value: Any, elements: list[Any] | None) -> Any:
        self._kept[step, index] = value
        if elements is None:
            return None
        self._elements[step, index] = elements
        return [0] * len(elements)

    def of(self, context: TaskContext, taken: Taken) -> Any:
        step = taken.output.task_name
        index = tuple(context.index[axis] for axis in taken.output.at)
        if taken.element is not None:
            number = context.index[taken.element]
            # The elements of a repeated step are its results.
            return (
                self._kept[step, (*index, number)]
                if taken.open
                else self._elements[step, index][number]
            )
        nested = context.value_of(taken.output.or_none) if taken.open else None
        return self.restored(step, index, nested, taken.open)

    def restored(self, step: str, index: Index, nested: Any, depth: int) -> Any:
        if depth == 0 or nested is None:
            return self._kept.get((step, index))
        return [
            self.restored(step, (*index, number), part, depth - 1)
            for number, part in enumerate(nested)
        ]


class AsJson:
    """Results as JSON, in the store."""

    in_memory = False

    def keep(self, step: str, index: Index, value: Any, elements: list[Any] | None) -> Any:
        return value if elements is None else elements

    def of(self, context: TaskContext, taken: Taken) -> Any:
        if taken.element is not None:
            return context.value_of(Element(taken.element))
        return context.value_of(taken.output.or_none)

    def restored(self, step: str, index: Index, nested: Any, depth: int) -> Any:
        return nested


def flattened(nested: Any, depth: int) -> list[Any]:
    """What stands in lists that are nested so deep, in order."""
    if depth == 0:
        return [nested]
    return [value for part in nested or () for value in flattened(part, depth - 1)]
