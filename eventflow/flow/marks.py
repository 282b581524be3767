"""What decorators write on a function: that it is a step of a flow, and of what kind.

A decorator changes nothing but the marks, so their order means nothing. Whether the marks of all
steps fit together is looked at when the class is complete.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from eventflow.errors import FlowDefinitionError

Function = Callable[..., Any]
Reference = Function | str
Skipped = Literal["none", "cascade", "any"]
Combine = Literal["product", "align"]
SKIPPED = ("none", "cascade", "any")
_PLACE = "__eventflow_step__"


@dataclass(frozen=True, slots=True)
class Needs:
    """What `@needs` said; references are not looked up yet.

    Attributes:
        predecessors: Whose results are the positional arguments, in order.
        named: Parameter -> whose result it is.
        after: What has to be over before, without a result.
        skipped: What becomes of the step where a predecessor was skipped, by predecessor.
    """

    predecessors: tuple[Reference, ...] = ()
    named: Mapping[str, Reference] = field(default_factory=dict)
    after: tuple[Reference, ...] = ()
    combine: Combine = "product"
    skipped: tuple[tuple[Reference | None, Skipped], ...] = ()


@dataclass(frozen=True, slots=True)
class Join:
    """What `@join` said."""

    shape: Literal["flat", "rows"] = "flat"
    levels: Literal[1, "all"] = 1


@dataclass(frozen=True, slots=True)
class App:
    """What `@app` said: the arguments of an AppOperator."""

    app_id: str
    arguments: Mapping[str, Any]


@dataclass(slots=True)
class Marks:
    """All that the decorators of one function have said."""

    is_step: bool = False
    name: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    needs: Needs | None = None
    condition: Function | None = None
    fan_out: bool = False
    over: Reference | None = None
    repetitions: int | Function | None = None
    join: Join | None = None
    app: App | None = None


class Unfinished:
    """A decorator that waits for its function; left in a class body it is a mistake there."""

    def __init__(self, decorator: str, mark: Callable[[Function, Marks], None]) -> None:
        self.decorator = decorator
        self._mark = mark

    def __call__(self, function: Any) -> Any:
        self._mark(plain_function(function), marks_for(function, self.decorator))
        return function


def plain_function(thing: Any) -> Any:
    """The function of a method, static method or class method; anything else as it is."""
    while isinstance(thing, staticmethod | classmethod) or inspect.ismethod(thing):
        thing = thing.__func__
    return thing


def find_marks(thing: Any) -> Marks | None:
    """The marks of a function, or `None` when no decorator has touched it."""
    marks = getattr(plain_function(thing), "__dict__", {}).get(_PLACE)
    return marks if isinstance(marks, Marks) else None


def marks_for(thing: Any, decorator: str) -> Marks:
    """The marks of a function, begun when there are none.

    Raises:
        FlowDefinitionError: If it is no function.
    """
    function = plain_function(thing)
    if isinstance(thing, Unfinished):
        raise FlowDefinitionError(
            f"@{decorator} stands above @{thing.decorator}, which was given no arguments and needs "
            f"some: write @{thing.decorator}(...)"
        )
    if not callable(function) or isinstance(function, type):
        raise FlowDefinitionError(f"@{decorator} is for functions, got {thing!r:.200}")
    found = find_marks(function)
    if found is not None:
        return found
    marks = Marks()
    try:
        setattr(function, _PLACE, marks)
    except AttributeError as error:
        raise FlowDefinitionError(
            f"@{decorator} cannot mark {function!r}; put it into a function of your own"
        ) from error
    return marks


def place_of(thing: Any) -> str:
    """File and line of a function, as `file.py:12`."""
    function = inspect.unwrap(plain_function(thing))
    code = getattr(function, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else repr(thing)


def name_of(reference: Any) -> str:
    """How a reference to a step is told in messages."""
    if isinstance(reference, str):
        return reference
    return str(getattr(plain_function(reference), "__name__", repr(reference)))
