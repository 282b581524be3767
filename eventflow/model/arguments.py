"""What may stand in an operator's arguments for a value that comes later (S38, S43)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Output:
    """Stands for the result of a task's latest SUCCESS, in another operator's arguments (S38).

    Of a mapped task it is the list of its items' results in item order, nested as its axes are.

    Attributes:
        at: In an item of a mapped task: which of the item's own axes pick a part of that list,
            outermost first (S43). `Output("a", (0,))` in item 7 is what item 7 of `a` returned.
        optional: Whether the task may have no result: the value is then `None` (a skipped task's).
    """

    task_name: str
    at: tuple[int, ...] = ()
    optional: bool = False

    @property
    def or_none(self) -> "Output":
        """The same, or `None` where the task was skipped."""
        return replace(self, optional=True)


@dataclass(frozen=True, slots=True)
class Element:
    """Stands for the element that an item of a mapped task is about, on one of its axes (S43)."""

    axis: int


Place = Output | Element


def fill(arguments: Any, value_of: Callable[[Place], Any]) -> Any:
    """Arguments with every place replaced by its value, at any depth."""
    match arguments:
        case Output() | Element():
            return value_of(arguments)
        case dict():
            return {key: fill(value, value_of) for key, value in arguments.items()}
        case list():
            return [fill(value, value_of) for value in arguments]
        case tuple():
            return tuple(fill(value, value_of) for value in arguments)
        case _:
            return arguments


def places_in(arguments: Any) -> Iterator[Place]:
    """Every place in arguments, in their order."""
    match arguments:
        case Output() | Element():
            yield arguments
        case dict():
            for value in arguments.values():
                yield from places_in(value)
        case list() | tuple():
            for value in arguments:
                yield from places_in(value)
        case _:
            return
