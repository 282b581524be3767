"""What the scheduler's end and a worker's end say to each other: typed messages, JSON only.

A message on the wire is its length in four bytes and a JSON object whose member `is` names the
type. Every call of a task carries a number, and is answered under that number.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from eventflow.executors.codec import MessageError, from_json, prepare, to_json
from eventflow.executors.port import AttemptKey, Job, Report
from eventflow.model.event import Event
from eventflow.model.jsonvalue import JsonValueError, decode, encode

MAX_FRAME = 64 * 1024 * 1024
_LENGTH = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What all messages have in common: nothing but that they are messages."""


# To a worker that runs one attempt.


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin(Message):
    """Make this attempt. `spool` is the folder for its begin mark and outcome."""

    job: Job
    spool: str
    store_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop(Message):
    """Stop the attempt (S20)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Message):
    """What a call has brought: JSON text, or a status; `None` when there is none."""

    call: int
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Emitted(Message):
    """The event of an `Emit`, as committed."""

    call: int
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal(Message):
    """A call was refused; `type_name` is a class of `eventflow.errors`."""

    call: int
    type_name: str
    message: str


# From a worker that runs one attempt.


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun(Message):
    """The begin mark is written; the task's code runs from now on.

    Attributes:
        started: When the process started, as the system says it; tells it from a later one of the
            same pid.
        retries_any: Whether `retry_on` takes every exception, so also a death without one.
    """

    pid: int
    started: str
    retries_any: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat(Message):
    """The worker is alive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended(Message):
    """The attempt is over; its outcome is written down."""

    report: Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Message):
    """A question of the task to the desk; every one is answered."""

    call: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Emit(Call):
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultOf(Call):
    task_execution_id: int
    index: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LatestResult(Call):
    workflow_execution_id: int
    task_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusOf(Call):
    workflow_execution_id: int
    task_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadData(Call):
    workflow_execution_id: int
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteData(Call):
    workflow_execution_id: int
    key: str
    value: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn(Call):
    task_execution_id: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw(Call):
    task_execution_id: int
    name: str
    value: str


# To and from a nursery. With a `Spawn` go two file descriptors: the child's channel, and the
# writing end of the pipe for its output.


@dataclass(frozen=True, slots=True, kw_only=True)
class Spawn(Message):
    """Make a child for this attempt."""

    key: AttemptKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill(Message):
    """Send a signal to the process group of this attempt, if it is still there."""

    key: AttemptKey
    signal: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready(Message):
    """The code is imported. Without `forks`, every child is a fresh interpreter."""

    forks: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken(Message):
    """The code cannot be imported; the nursery ends."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spawned(Message):
    """The child is there, leader of a process group of its own."""

    key: AttemptKey
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSpawned(Message):
    """The system would not make a child."""

    key: AttemptKey
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exited(Message):
    """The child is gone, and its group with it. `code` is negative for a signal."""

    key: AttemptKey
    code: int


_TYPES: tuple[type[Message], ...] = (
    *(Begin, Stop, Answer, Emitted, Refusal, Begun, Heartbeat, Ended),
    *(Emit, ResultOf, LatestResult, StatusOf, ReadData, WriteData, Drawn, Draw),
    *(Spawn, Kill, Ready, Broken, Spawned, NotSpawned, Exited),
)
_NAMES = {kind: re.sub(r"(?<=.)([A-Z])", r"_\1", kind.__name__).lower() for kind in _TYPES}
_BY_NAME = {name: kind for kind, name in _NAMES.items()}


def prepare_all() -> None:
    """Work out how each message is written and read, once for all children to come."""
    for kind in _TYPES:
        prepare(kind)


def to_frame(message: Message) -> bytes:
    """The message as it goes over a stream.

    Raises:
        MessageError: If a member is not of its type, or the whole is over 64 MiB.
    """
    kind = type(message)
    try:
        text = encode({"is": _NAMES[kind], **to_json(message, kind)})
    except JsonValueError as error:
        raise MessageError(f"a {kind.__name__} is not JSON: {error}") from error
    data = text.encode()
    if len(data) > MAX_FRAME:
        raise MessageError(f"a {kind.__name__} of {len(data)} bytes is over {MAX_FRAME}")
    return len(data).to_bytes(_LENGTH, "big") + data


def from_text(data: bytes) -> Message:
    """The message in one frame, without its length.

    Raises:
        MessageError: If it is not strict JSON, of an unknown type, or a member is wrong.
    """
    try:
        told = decode(data)
    except JsonValueError as error:
        raise MessageError(f"a message is not JSON: {error}") from error
    if not isinstance(told, dict):
        raise MessageError(f"a message is an object, got {told!r:.100}")
    name = told.pop("is", None)
    kind = _BY_NAME.get(name) if isinstance(name, str) else None
    if kind is None:
        raise MessageError(f"nobody knows a message of type {name!r:.100}")
    message: Message = from_json(told, kind)
    return message


class FrameReader:
    """Puts messages together from the pieces in which a stream brings them."""

    def __init__(self) -> None:
        self._pieces = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """Yield the messages that `data` completes.

        Raises:
            MessageError: If the peer does not keep to the form; the stream is of no more use.
        """
        self._pieces += data
        while len(self._pieces) >= _LENGTH:
            length = int.from_bytes(self._pieces[:_LENGTH], "big")
            if length > MAX_FRAME:
                raise MessageError(f"a frame of {length} bytes is over {MAX_FRAME}")
            if len(self._pieces) < _LENGTH + length:
                return
            whole = bytes(self._pieces[_LENGTH : _LENGTH + length])
            del self._pieces[: _LENGTH + length]
            yield from_text(whole)
