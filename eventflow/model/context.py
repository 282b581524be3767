"""What conditions and tasks are handed: contexts, and the durable state that conditions keep.

A condition keeps nothing on itself: what it must remember is state (S35). A task gets more: it
may emit, read results, keep workflow data and draw deterministic values (S39).
"""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from eventflow.errors import DefinitionError, EventflowError
from eventflow.model.arguments import Place
from eventflow.model.event import Event
from eventflow.model.jsonvalue import is_unicode
from eventflow.model.records import TaskExecution, WorkflowExecution
from eventflow.model.status import TaskStatus

T = TypeVar("T")
S_co = TypeVar("S_co", bound="State", covariant=True)
MAX_STATE_NAME = 512


class Cell(Protocol):
    """One named place of durable state, as the core hands it to a `State`. Values are JSON."""

    def read(self, default: Any) -> Any:
        """A copy of the stored value, or `default` where there is none."""
        ...

    def write(self, value: Any) -> None:
        """Keep `value`; it commits with the decision. Raises StateError if it is not JSON."""
        ...

    def delete(self) -> None:
        """Forget the value."""
        ...


class State:
    """Durable state of a condition; made by `context.get_state`, never by hand."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell

    def clear(self) -> None:
        """Forget what was kept: the next read gives the default."""
        self._cell.delete()


class ValueState(State, Generic[T]):
    """One JSON value."""

    def __init__(self, cell: Cell, default: T) -> None:
        super().__init__(cell)
        self._default = default

    def value(self) -> T:
        # A copy: what is done to the value must not change what the next state begins with.
        found: T = self._cell.read(copy.deepcopy(self._default))
        return found

    def update(self, value: T) -> None:
        self._cell.write(value)


class CounterState(State):
    """A whole number that counts from 0."""

    def value(self) -> int:
        return int(self._cell.read(0))

    def add(self, n: int = 1) -> int:
        """Add `n`, which may be negative; return the new count."""
        total = self.value() + n
        self._cell.write(total)
        return total


class ListState(State, Generic[T]):
    """A list of JSON values."""

    def value(self) -> list[T]:
        return list(self._cell.read([]))

    def append(self, item: T) -> None:
        self._cell.write([*self.value(), item])

    def update(self, items: list[T]) -> None:
        self._cell.write(list(items))


class MapState(State, Generic[T]):
    """Text keys with JSON values."""

    def value(self) -> dict[str, T]:
        return dict(self._cell.read({}))

    def get(self, key: str, default: T | None = None) -> T | None:
        return self.value().get(key, default)

    def put(self, key: str, value: T) -> None:
        self._cell.write({**self.value(), key: value})

    def remove(self, key: str) -> None:
        self._cell.write({name: value for name, value in self.value().items() if name != key})

    def __contains__(self, key: str) -> bool:
        return key in self.value()

    def __iter__(self) -> Iterator[str]:
        return iter(self.value())


class StateDescriptor(ABC, Generic[S_co]):
    """Names a state. It is private to its place in its rule, or `shared` by the execution (S35)."""

    def __init__(self, name: str, *, shared: bool = False) -> None:
        if not isinstance(name, str) or not 0 < len(name) <= MAX_STATE_NAME:
            raise DefinitionError(
                f"a state needs a name of 1 to {MAX_STATE_NAME} characters, got {name!r:.300}"
            )
        if not is_unicode(name):
            raise DefinitionError(f"state name {name!r} holds a lone surrogate: not Unicode")
        self.name = name
        self.shared = shared

    @abstractmethod
    def open(self, cell: Cell) -> S_co:
        """The state over its place in the store."""


class ValueStateDescriptor(StateDescriptor[ValueState[T]]):
    """Names a `ValueState`; `default` is what it holds before the first update."""

    def __init__(self, name: str, default: Any = None, *, shared: bool = False) -> None:
        super().__init__(name, shared=shared)
        self.default = default

    def open(self, cell: Cell) -> ValueState[T]:
        return ValueState(cell, self.default)


class CounterStateDescriptor(StateDescriptor[CounterState]):
    """Names a `CounterState`."""

    def open(self, cell: Cell) -> CounterState:
        return CounterState(cell)


class ListStateDescriptor(StateDescriptor[ListState[T]]):
    """Names a `ListState`."""

    def open(self, cell: Cell) -> ListState[T]:
        return ListState(cell)


class MapStateDescriptor(StateDescriptor[MapState[T]]):
    """Names a `MapState`."""

    def open(self, cell: Cell) -> MapState[T]:
        return MapState(cell)


class Context(ABC):
    """What a condition or a task may ask about the execution it belongs to."""

    @property
    @abstractmethod
    def workflow_execution(self) -> WorkflowExecution | None:
        """The execution; `None` for a workflow rule, which has none yet."""

    @abstractmethod
    def get_state(self, descriptor: StateDescriptor[S_co]) -> S_co:
        """The durable state of that name (S35); an item of a mapped task has its own (S43)."""

    @abstractmethod
    def get_task_status(self, task_name: str) -> TaskStatus | None:
        """Status of the latest run of a task of this execution; `None` when it never ran (S22)."""


class RuleContext(Context):
    """What a condition is handed. `within` gives a member of a combination a place of its own."""

    @abstractmethod
    def within(self, place: int) -> "RuleContext":
        """The context of the member at `place`: its private state is apart from the others'."""

    @abstractmethod
    def forget(self, place: int) -> None:
        """Drop the private state of the member at `place`, with all inside it (S36)."""


class WorkflowData(Protocol):
    """Durable key-value store of one workflow execution (S39). Keys are text, values JSON."""

    def get(self, key: str, default: Any = None) -> Any: ...

    def set(self, key: str, value: Any) -> None: ...


class Deterministic(Protocol):
    """Values drawn once and stored: a later attempt of the same run gets the same ones (S39)."""

    def uuid(self) -> str: ...

    def now(self) -> datetime: ...

    def random(self) -> float: ...

    def call(self, name: str, fn: Callable[[], Any]) -> Any: ...


class Log(Protocol):
    """The part of `logging.Logger` that tasks use."""

    def debug(self, msg: object, *args: object) -> None: ...

    def info(self, msg: object, *args: object) -> None: ...

    def warning(self, msg: object, *args: object) -> None: ...

    def error(self, msg: object, *args: object) -> None: ...

    def exception(self, msg: object, *args: object) -> None: ...


class TaskContext(Context):
    """What a running task is handed, also as `current_context()`."""

    @property
    @abstractmethod
    def workflow_execution(self) -> WorkflowExecution:
        """The execution that this run belongs to."""

    @property
    @abstractmethod
    def task_execution(self) -> TaskExecution:
        """This run; its `id` is an idempotency key: the code may start more than once (S11)."""

    @property
    @abstractmethod
    def trigger_event(self) -> Event | None:
        """The event that started this run, or the execution's when it started with it (S16)."""

    @property
    @abstractmethod
    def params(self) -> dict[str, Any]:
        """What the caller gave with the start of the execution."""

    @property
    @abstractmethod
    def inputs(self) -> Mapping[str, Any]:
        """Task name -> result, for every output that the operator's arguments take (S38)."""

    @abstractmethod
    def value_of(self, place: Place) -> Any:
        """What a place in the arguments stands for, or MissingOutputError (S38, S43)."""

    @property
    @abstractmethod
    def index(self) -> tuple[int, ...]:
        """In an item of a mapped task: its number on each axis, from 0. Else empty (S43)."""

    @property
    @abstractmethod
    def item(self) -> Any:
        """What the item of a mapped task is about; `None` in any other task (S43)."""

    @property
    @abstractmethod
    def data(self) -> WorkflowData:
        """Workflow data: durable, one store per execution."""

    @property
    @abstractmethod
    def deterministic(self) -> Deterministic:
        """Values that stay the same in every attempt of this run."""

    @property
    @abstractmethod
    def log(self) -> Log:
        """A logger whose lines go into the log of this attempt."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables for what the task starts: `eventflow emit` there is scoped by them (S14)."""
        return {}

    @property
    def own_group(self) -> bool:
        """Whether the attempt leads a process group, so that what it starts there ends with it."""
        return False

    @abstractmethod
    def emit(self, key: str, value: Any = None, *, broadcast: bool = False, **fields: Any) -> Event:
        """Emit an event scoped to this execution, or to all with `broadcast` (S14).

        Returns the event once it is committed, with its offset (S2).
        """

    @abstractmethod
    def result(self, task_name: str) -> Any:
        """The result of the latest SUCCESS of a task of this execution.

        Raises:
            MissingOutputError: If there is none.
        """

    @abstractmethod
    def should_stop(self) -> bool:
        """Whether this run was asked to stop (S20). Endless tasks look now and then."""

    @abstractmethod
    def wait(self, seconds: float) -> bool:
        """Wait, but no longer than until a stop is asked for; returns `should_stop()`."""


_current: ContextVar[TaskContext | None] = ContextVar("eventflow_context", default=None)


def current_context() -> TaskContext:
    """The context of the task that is running in this thread or coroutine.

    Raises:
        EventflowError: If no task is running here.
    """
    context = _current.get()
    if context is None:
        raise EventflowError("current_context() is for code that runs inside a task")
    return context


def find_context() -> TaskContext | None:
    """The context of the running task, or `None` outside of one."""
    return _current.get()


@contextmanager
def inside(context: TaskContext) -> Iterator[TaskContext]:
    """Make `context` the current one for a block."""
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)
