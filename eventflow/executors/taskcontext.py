"""What a running task is handed: its context, over the desk of the scheduler's side.

The same class serves a thread of the scheduler and a child process; only the desk differs.
"""

import random
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from eventflow.clock import Clock
from eventflow.errors import (
    DefinitionError,
    EventError,
    MissingOutputError,
    ReservedKeyError,
    StateError,
)
from eventflow.executors.port import Desk, Job
from eventflow.executors.tasklog import TaskLog
from eventflow.model.arguments import Element, Output, Place
from eventflow.model.context import S_co, StateDescriptor, TaskContext
from eventflow.model.event import Event, check_event
from eventflow.model.itemname import in_brackets
from eventflow.model.jsonvalue import JsonValueError, encode, is_unicode, read
from eventflow.model.keys import RESERVED, check_user_key
from eventflow.model.records import TaskExecution, WorkflowExecution
from eventflow.model.status import TaskStatus

STATE_PREFIX = "eventflow.state/"
MAX_DATA_KEY = 512
# The log may allow larger events than the default; it has the last word on the size.
_MAX_VALUE = 16 * 1024 * 1024
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SET_BY_THE_LOG = ("offset", "logged_at", "turn", "workflow_execution_id", "hops")


class AttemptContext(TaskContext):
    """The context of one attempt."""

    def __init__(
        self,
        job: Job,
        desk: Desk,
        log: TaskLog,
        clock: Clock,
        *,
        store_url: str,
        own_group: bool,
    ) -> None:
        self._environment = {"EVENTFLOW_TASK_EXECUTION": str(job.task_execution.id)}
        if store_url:
            self._environment["EVENTFLOW_STORE"] = store_url
        self._own_group = own_group
        self._job = job
        self._desk = desk
        self._log = log
        self._clock = clock
        self._stop = threading.Event()
        self._inputs = _Inputs(job, desk)
        self._item: Place | None = None
        self._deterministic: _Draws | None = None

    @property
    def workflow_execution(self) -> WorkflowExecution:
        return self._job.workflow_execution

    @property
    def task_execution(self) -> TaskExecution:
        return self._job.task_execution

    @property
    def trigger_event(self) -> Event | None:
        return self._job.trigger_event

    @property
    def params(self) -> dict[str, Any]:
        return self._job.workflow_execution.params

    @property
    def inputs(self) -> Mapping[str, Any]:
        return self._inputs

    def value_of(self, place: Place) -> Any:
        match place:
            case Element(axis):
                return read(self._job.elements[str(axis)])
            case Output(task_name, at):
                index = tuple(self._job.index[axis] for axis in at)
                return self._inputs.part(task_name, index, optional=place.optional)

    @property
    def index(self) -> tuple[int, ...]:
        return self._job.index

    @property
    def item(self) -> Any:
        return self.value_of(self._item) if self._item is not None else None

    @property
    def data(self) -> "_Data":
        return _Data(self._job.workflow_execution.id, self._desk)

    @property
    def deterministic(self) -> "_Draws":
        if self._deterministic is None:
            self._deterministic = _Draws(self._job.task_execution.id, self._desk, self._clock)
        return self._deterministic

    @property
    def environment(self) -> dict[str, str]:
        return self._environment

    @property
    def own_group(self) -> bool:
        return self._own_group

    @property
    def log(self) -> TaskLog:
        return self._log

    def emit(self, key: str, value: Any = None, *, broadcast: bool = False, **fields: Any) -> Event:
        check_user_key(key)
        for name in fields:
            if name in _SET_BY_THE_LOG:
                raise EventError(
                    f"event {key!r}: {name!r} is not for a task to set; an event of a task is "
                    f"scoped to its execution, or seen by all with broadcast=True"
                )
        execution = self._job.workflow_execution
        known = {
            "namespace": execution.namespace,
            "sender": self._job.task_execution.sender,
            "time": self._clock.now(),
            "workflow_execution_id": None if broadcast else execution.id,
        }
        event = Event(key, value, **{**known, **fields})
        check_event(event, max_bytes=_MAX_VALUE)
        return self._desk.emit(event, self._job.task_execution.id)

    def result(self, task_name: str) -> Any:
        execution = self._job.workflow_execution
        text = self._desk.latest_result(execution.id, task_name)
        if text is None:
            raise MissingOutputError(
                f"task {task_name!r} has not succeeded in execution {execution.id} of workflow "
                f"{execution.workflow_name!r}, so it has no result yet"
            )
        return read(text)

    def get_task_status(self, task_name: str) -> TaskStatus | None:
        return self._desk.task_status(self._job.workflow_execution.id, task_name)

    def get_state(self, descriptor: StateDescriptor[S_co]) -> S_co:
        if descriptor.shared:
            raise DefinitionError(
                f"state {descriptor.name!r} is shared, which is for conditions (S35); what tasks "
                f"of an execution share is context.data"
            )
        # An item has its own, which the item of that index has in a later run too.
        owner = f"{self._job.task_execution.task_name}{in_brackets(self._job.index)}"
        key = f"{STATE_PREFIX}{owner}/{descriptor.name}"
        return descriptor.open(_StateCell(self._job.workflow_execution.id, key, self._desk))

    def should_stop(self) -> bool:
        return self._stop.is_set()

    def wait(self, seconds: float) -> bool:
        return self._stop.wait(seconds)

    def find_item_at(self, place: Place | None) -> None:
        """Say where the item is that the attempt is about."""
        self._item = place

    def ask_to_stop(self) -> None:
        """Make `should_stop()` true, for ever."""
        self._stop.set()


class _Inputs(Mapping[str, Any]):
    """Results of the tasks whose output this one takes; read when first asked for, then kept."""

    def __init__(self, job: Job, desk: Desk) -> None:
        self._job = job
        self._desk = desk
        self._read: dict[tuple[str, tuple[int, ...]], Any] = {}

    def __getitem__(self, task_name: str) -> Any:
        return self.part(task_name, ())

    def part(self, task_name: str, index: tuple[int, ...], *, optional: bool = False) -> Any:
        """A result, or of a mapped task that of the items below an index."""
        key = (task_name, index)
        if key not in self._read:
            run = self._job.inputs.get(task_name)
            text = self._desk.result_of(run, index) if run is not None else None
            if text is None and optional:
                return None
            if text is None:
                what = f"item {list(index)}" if index else "the output"
                raise MissingOutputError(
                    f"task {self._job.task_execution.task_name!r} takes {what} of {task_name!r}, "
                    f"which has not succeeded in this execution (S38)"
                )
            self._read[key] = read(text)
        return self._read[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._job.inputs)

    def __len__(self) -> int:
        return len(self._job.inputs)


class _Data:
    """Workflow data (S39). Keys that begin with `eventflow.` are eventflow's own."""

    def __init__(self, workflow_execution_id: int, desk: Desk) -> None:
        self._execution = workflow_execution_id
        self._desk = desk

    def get(self, key: str, default: Any = None) -> Any:
        text = self._desk.read_data(self._execution, _checked_data_key(key))
        return default if text is None else read(text)

    def set(self, key: str, value: Any) -> None:
        text = _encoded(f"workflow data {key!r}", value)
        self._desk.write_data(self._execution, _checked_data_key(key), text)


class _StateCell:
    """The state of one task within its execution: workflow data under a key of its own."""

    def __init__(self, workflow_execution_id: int, key: str, desk: Desk) -> None:
        self._execution = workflow_execution_id
        self._key = key
        self._desk = desk

    def read(self, default: Any) -> Any:
        text = self._desk.read_data(self._execution, self._key)
        # A default of the user's is copied, so that changing what was read changes nothing kept.
        return read(text if text is not None else _encoded("the default of a state", default))

    def write(self, value: Any) -> None:
        text = _encoded(f"state {self._key.removeprefix(STATE_PREFIX)!r}", value)
        self._desk.write_data(self._execution, self._key, text)

    def delete(self) -> None:
        self._desk.write_data(self._execution, self._key, None)


class _Draws:
    """Values drawn once (S39). The n-th draw of a kind is the same in every attempt of the run."""

    def __init__(self, task_execution_id: int, desk: Desk, clock: Clock) -> None:
        self._run = task_execution_id
        self._desk = desk
        self._clock = clock
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()

    def uuid(self) -> str:
        return str(self._drawn("uuid", str(uuid.uuid4())))

    def now(self) -> datetime:
        passed = self._clock.now() - _EPOCH
        kept = self._drawn("now", passed // timedelta(microseconds=1))
        return _EPOCH + timedelta(microseconds=kept)

    def random(self) -> float:
        return float(self._drawn("random", random.SystemRandom().random()))

    def call(self, name: str, fn: Callable[[], Any]) -> Any:
        place = self._next(f"call/{_checked_name('a name of deterministic.call', name)}")
        kept = self._desk.drawn(self._run, place)
        if kept is None:
            text = _encoded(f"what deterministic.call({name!r}) computed", fn())
            kept = self._desk.draw(self._run, place, text)
        return read(kept)

    def _drawn(self, kind: str, value: Any) -> Any:
        return read(self._desk.draw(self._run, self._next(kind), encode(value)))

    def _next(self, kind: str) -> str:
        with self._lock:
            number = self._counts.get(kind, 0) + 1
            self._counts[kind] = number
        return f"{kind}/{number}"


def _checked_name(what: str, name: str) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= MAX_DATA_KEY:
        raise StateError(f"{what} is text of 1 to {MAX_DATA_KEY}, got {name!r:.300}")
    if not is_unicode(name):
        raise StateError(f"{what} holds a lone surrogate, which is not Unicode: {name!r}")
    return name


def _checked_data_key(key: str) -> str:
    _checked_name("a key of workflow data", key)
    if key.startswith(RESERVED):
        raise ReservedKeyError(
            f"key {key!r} of workflow data is eventflow's own; choose one that does not begin "
            f"with {RESERVED!r}"
        )
    return key


def _encoded(what: str, value: Any) -> str:
    try:
        return encode(value, max_bytes=_MAX_VALUE)
    except JsonValueError as error:
        raise StateError(f"{what} cannot be kept: {error}") from error
