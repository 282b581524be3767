"""Users' code at its worst, and fifty tasks beside it that do nothing wrong."""

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from eventflow import (
    Condition,
    Event,
    PythonOperator,
    RuleContext,
    TaskAction,
    ValueStateDescriptor,
    Workflow,
    current_context,
)

INNOCENTS = 50
NOTE = ValueStateDescriptor[Any]("note")


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise SystemError("no words")


class Doom(BaseException):
    """Not an Exception: what catches `Exception` lets it through."""


class Untrue:
    """An answer that is neither True nor False, and does not say so."""

    def __bool__(self) -> bool:
        raise Doom("ask somebody else")

    @property
    def __class__(self) -> Any:
        raise Doom("nor what I am")


class UntrueNumber(int):
    def __bool__(self) -> bool:
        raise Doom("a number without a truth")


class Asks(Condition):
    """Calls what it was given."""

    def __init__(self, does: Callable[[Event, RuleContext], Any], key: str = "go") -> None:
        super().__init__([key])
        self.does = does

    def is_met(self, event: Event, context: RuleContext) -> Any:
        return self.does(event, context)


def write(context: RuleContext, name: str, value: Any) -> bool:
    context.get_state(ValueStateDescriptor[Any](name)).update(value)
    return True


def raises(error: BaseException) -> Any:
    raise error


def doom() -> None:
    raise Doom("the end")


def unprintable() -> None:
    raise UnprintableError


def groups() -> None:
    raise BaseExceptionGroup("many", [UnprintableError(), Doom("one"), ValueError("\ud800")])


def recurses() -> None:
    recurses()


def long_words() -> None:
    raise ValueError("a" * 100_000_000)


def segfault() -> None:
    ctypes.string_at(0)


def leaves(code: int) -> None:
    os._exit(code)


def detaches() -> int:
    """A daemon as daemons are made: forked twice, in a session of its own; it heeds no SIGTERM."""
    read, write = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(write, str(os.getpid()).encode())
            hangs_on()
        os._exit(0)
    os.wait()
    return int(os.read(read, 100))


def hangs_on() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        threading.Event().wait(60)


def prints(megabytes: int) -> int:
    block = b"x" * (1024 * 1024 - 1) + b"\n"
    for _ in range(megabytes):
        sys.stdout.buffer.write(block)
    return megabytes


def gives(what: Any) -> Any:
    return what


def loop() -> Any:
    endless: list[Any] = []
    endless.append(endless)
    return endless


with Workflow("bad", namespace="tests") as bad:
    for number in range(INNOCENTS):
        PythonOperator(f"innocent_{number}", gives, [number])
    PythonOperator("doom", doom)
    PythonOperator("unprintable", unprintable)
    PythonOperator("groups", groups)
    PythonOperator("recurses", recurses)
    PythonOperator("long_words", long_words)
    PythonOperator("segfault", segfault)
    PythonOperator("leaves_0", leaves, [0])
    PythonOperator("leaves_3", leaves, [3])
    PythonOperator("exits_0", sys.exit, [0])
    PythonOperator("exits_3", sys.exit, [3])
    PythonOperator("detaches", detaches)
    PythonOperator("hangs_on", hangs_on, timeout=0.5, stop_grace=0.3)
    PythonOperator("prints", prints, [64])
    PythonOperator("a_set", lambda: {1, 2})
    PythonOperator("not_a_number", lambda: {"x": float("nan")})
    PythonOperator("keys", lambda: {1: 2})
    PythonOperator("half_a_letter", lambda: "\ud800")
    PythonOperator("itself", loop)
    PythonOperator("data_key", lambda: current_context().data.set("\ud800", 1))
    PythonOperator("draw", lambda: current_context().deterministic.call("\ud800", int))
    PythonOperator("large_draw", lambda: current_context().deterministic.call("x" * 2**24, int))
    PythonOperator("emits", lambda: current_context().emit("odd", "\ud800"))
    PythonOperator("odd_sender", lambda: current_context().emit("odd", sender="\ud800"))
    PythonOperator("too_large", lambda: "x" * 2_000_000)

with Workflow("judged", namespace="tests", completion="manual") as judged:
    innocent = PythonOperator("innocent", gives, [1])
    innocent.action_on_event_received(TaskAction.START, "go")
    for name, does in {
        "raises": lambda event, context: 1 / 0,
        "doomed": lambda event, context: raises(Doom("the end")),
        "exits": lambda event, context: sys.exit(3),
        "speechless": lambda event, context: raises(UnprintableError()),
        "half_a_word": lambda event, context: raises(ValueError("\ud800 \0")),
        "wordy": lambda event, context: raises(ValueError("a" * 50_000_000)),
        "nonsense": lambda event, context: "yes",
        "untrue": lambda event, context: Untrue(),
        "untrue_number": lambda event, context: UntrueNumber(7),
        "no_json": lambda event, context: context.get_state(NOTE).update({1, 2}),
        "large_state": lambda event, context: context.get_state(NOTE).update("x" * 2**20),
        "half_a_name": lambda event, context: write(context, "\ud800", 1),
        "wrong_task": lambda event, context: context.get_task_status("nobody"),
    }.items():
        task = PythonOperator(name, gives, [1])
        task.action_on_condition(TaskAction.START, Asks(does))


def hangs_for_good() -> bool:
    threading.Event().wait(600)
    return True


with Workflow("hanging", namespace="tests", completion="manual") as hanging:
    stuck = PythonOperator("stuck", gives, [1])
    stuck.action_on_condition(
        TaskAction.START, Asks(lambda event, context: hangs_for_good(), "stay")
    )

with Workflow("beside", namespace="tests", completion="manual") as beside:
    eager = PythonOperator("eager", gives, [1])
    eager.action_on_condition(TaskAction.START, Asks(lambda event, context: True, "stay"))

with Workflow("stubborn", namespace="tests") as stubborn:
    PythonOperator("holds_out", hangs_on, stop_grace=0.3)
