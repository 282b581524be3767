"""Both ends of the desk of a task in a child: the calls it makes, and the answers they get."""

import itertools
import os
import queue
from collections.abc import Callable

from eventflow import errors
from eventflow.errors import EventflowError
from eventflow.executors.failure import message_of
from eventflow.executors.messages import (
    Answer,
    Call,
    Draw,
    Drawn,
    Emit,
    Emitted,
    LatestResult,
    ReadData,
    Refusal,
    ResultOf,
    StatusOf,
    WriteData,
    to_frame,
)
from eventflow.executors.port import Desk
from eventflow.model.event import Event
from eventflow.model.status import TaskStatus

Reply = Answer | Emitted | Refusal


def serve(desk: Desk, call: Call, task_execution_id: int) -> bytes:
    """Ask the desk what a child wants to know; the reply, or what it raised, as a frame.

    Args:
        task_execution_id: The run that the child is an attempt of; it is not asked who it is.
    """
    try:
        if isinstance(call, Emit):
            return to_frame(Emitted(call=call.call, event=desk.emit(call.event, task_execution_id)))
        return to_frame(Answer(call=call.call, text=_text_for(desk, call)))
    except Exception as error:  # the end of a thread, and a task waits at the other end
        return to_frame(
            Refusal(call=call.call, type_name=type(error).__name__, message=message_of(error))
        )


def _text_for(desk: Desk, call: Call) -> str | None:
    match call:
        case ResultOf():
            return desk.result_of(call.task_execution_id, call.index)
        case LatestResult():
            return desk.latest_result(call.workflow_execution_id, call.task_name)
        case StatusOf():
            status = desk.task_status(call.workflow_execution_id, call.task_name)
            return None if status is None else status.value
        case ReadData():
            return desk.read_data(call.workflow_execution_id, call.key)
        case WriteData():
            desk.write_data(call.workflow_execution_id, call.key, call.value)
            return None
        case Drawn():
            return desk.drawn(call.task_execution_id, call.name)
        case Draw():
            return desk.draw(call.task_execution_id, call.name, call.value)
    raise EventflowError(f"the desk does not know a {type(call).__name__}")


class RemoteDesk:
    """The desk, as a task in a child sees it: every call goes over the channel and waits."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._pid = os.getpid()
        self._numbers = itertools.count(1)
        self._waiting: dict[int, queue.SimpleQueue[Reply]] = {}

    def answered(self, reply: Reply) -> None:
        """Hand a reply to the thread that waits for it."""
        waiting = self._waiting.pop(reply.call, None)
        if waiting is not None:
            waiting.put(reply)

    def emit(self, event: Event, task_execution_id: int) -> Event:
        reply = self._ask(Emit(call=next(self._numbers), event=event))
        if not isinstance(reply, Emitted):
            raise EventflowError(f"event {event.key!r}: the scheduler's answer has no event")
        return reply.event

    def result_of(self, task_execution_id: int, index: tuple[int, ...] = ()) -> str | None:
        call = next(self._numbers)
        return self._text(ResultOf(call=call, task_execution_id=task_execution_id, index=index))

    def latest_result(self, workflow_execution_id: int, task_name: str) -> str | None:
        call = next(self._numbers)
        return self._text(
            LatestResult(
                call=call, workflow_execution_id=workflow_execution_id, task_name=task_name
            )
        )

    def task_status(self, workflow_execution_id: int, task_name: str) -> TaskStatus | None:
        call = next(self._numbers)
        text = self._text(
            StatusOf(call=call, workflow_execution_id=workflow_execution_id, task_name=task_name)
        )
        return None if text is None else TaskStatus(text)

    def read_data(self, workflow_execution_id: int, key: str) -> str | None:
        call = next(self._numbers)
        return self._text(ReadData(call=call, workflow_execution_id=workflow_execution_id, key=key))

    def write_data(self, workflow_execution_id: int, key: str, value: str | None) -> None:
        call = next(self._numbers)
        self._ask(
            WriteData(call=call, workflow_execution_id=workflow_execution_id, key=key, value=value)
        )

    def drawn(self, task_execution_id: int, name: str) -> str | None:
        call = next(self._numbers)
        return self._text(Drawn(call=call, task_execution_id=task_execution_id, name=name))

    def draw(self, task_execution_id: int, name: str, value: str) -> str:
        call = next(self._numbers)
        kept = self._text(
            Draw(call=call, task_execution_id=task_execution_id, name=name, value=value)
        )
        return value if kept is None else kept

    def _text(self, call: Call) -> str | None:
        reply = self._ask(call)
        return reply.text if isinstance(reply, Answer) else None

    def _ask(self, call: Call) -> Reply:
        if os.getpid() != self._pid:
            raise EventflowError(
                "the context of a task works in the process of its attempt only; hand values to "
                "processes that the task starts as arguments, and take results back from them"
            )
        frame = to_frame(call)
        waiting: queue.SimpleQueue[Reply] = queue.SimpleQueue()
        self._waiting[call.call] = waiting
        self._send(frame)
        reply = waiting.get()
        if isinstance(reply, Refusal):
            raise _error_of(reply)
        return reply


def _error_of(refusal: Refusal) -> EventflowError:
    kind = getattr(errors, refusal.type_name, None)
    if isinstance(kind, type) and issubclass(kind, EventflowError):
        return kind(refusal.message)
    return EventflowError(f"{refusal.type_name}: {refusal.message}")
