"""Tasks for the executor contract: each does one thing that an executor has to cope with."""

import os
import sys
import threading
from typing import Any

from eventflow.errors import TaskSkipped
from eventflow.model.context import (
    CounterStateDescriptor,
    TaskContext,
    ValueStateDescriptor,
    current_context,
)
from eventflow.model.operator import Operator
from eventflow.model.workflow import Workflow
from eventflow.operators.python import PythonOperator


class TooBadError(Exception):
    """What some tasks raise."""


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise KeyboardInterrupt


class LastStraw(BaseException):
    pass


def give() -> dict[str, Any]:
    return {"answer": 42, "text": "naïve \N{SNOWMAN}"}


def give_nothing() -> None:
    return


def fail() -> None:
    raise TooBadError("no", 7, object())


def leave(code: Any) -> None:
    sys.exit(code)


def interrupt() -> None:
    raise KeyboardInterrupt


def last_straw() -> None:
    raise LastStraw("out")


def unprintable() -> None:
    raise UnprintableError("never seen")


def shout() -> None:
    raise TooBadError("x" * 100_000_000)


def recurse() -> None:
    recurse()


def many() -> None:
    inner = ExceptionGroup("inner", [ValueError("one"), TooBadError("two")])
    raise ExceptionGroup("outer", [inner, KeyError("three")])


def chained() -> None:
    try:
        fail()
    except TooBadError as error:
        raise ValueError("because") from error


def give_set() -> Any:
    return {1, 2}


def give_nan() -> float:
    return float("nan")


def give_bad_keys() -> Any:
    return {1: "one"}


def give_much() -> str:
    return "x" * (1024 * 1024)


async def later() -> str:
    return "awaited"


def skip(*why: Any) -> None:
    raise TaskSkipped(*why)


async def skip_later() -> None:
    raise NothingToDo("no orders today")


class NothingToDo(TaskSkipped):
    """A class of the user's own."""


def skip_when_stopped() -> None:
    context = current_context()
    context.emit("running")
    while not context.wait(60):
        pass
    raise TaskSkipped("stopped, so there is nothing to do")


def count_start() -> None:
    current_context().emit("started")


def obey() -> str:
    """Runs until it is asked to stop."""
    context = current_context()
    context.emit("running")
    while not context.wait(60):
        pass
    return "obeyed"


def defy() -> None:
    """Runs for ever, whatever it is asked."""
    current_context().emit("running", os.getpid())
    never = threading.Event()
    while True:
        try:
            never.wait(60)
        except SystemExit:
            continue


class Telling(Operator):
    """Ends when its `stop` is called, and not before."""

    def start(self, context: TaskContext) -> None:
        self._told = threading.Event()
        context.emit("running")
        self._told.wait(60)

    def stop(self, context: TaskContext) -> None:
        context.emit("stopping", context.should_stop())
        self._told.set()

    def get_metrics(self, context: TaskContext) -> dict[str, float]:
        return {"told": float(self._told.is_set()), "nonsense": float("nan")}


class BadStop(Operator):
    """Its `stop` and `get_metrics` raise; it heeds `should_stop` all the same."""

    def start(self, context: TaskContext) -> None:
        context.emit("running")
        context.wait(60)

    def stop(self, context: TaskContext) -> None:
        raise TooBadError("stop")

    def get_metrics(self, context: TaskContext) -> dict[str, float]:
        raise TooBadError("metrics")


class TwoPhases(Operator):
    """Begins in `start`, ends in `await_termination`."""

    def start(self, context: TaskContext) -> None:
        return None

    def await_termination(self, context: TaskContext, timeout: float | None = None) -> str:
        return "terminated"


def emit_some() -> dict[str, Any]:
    context = current_context()
    mine = context.emit("made", {"n": 1})
    ours = context.emit("told", [1, 2], broadcast=True, sender="me", id="x-1")
    return {
        "offsets": [mine.offset, ours.offset],
        "scopes": [mine.workflow_execution_id, ours.workflow_execution_id],
        "senders": [mine.sender, ours.sender],
    }


def emit_wrongly(key: str, fields: dict[str, Any]) -> None:
    current_context().emit(key, **fields)


def add(left: int, right: int) -> int:
    return left + right


def read_world() -> dict[str, Any]:
    context = current_context()
    event = context.trigger_event
    return {
        "params": context.params,
        "trigger": None if event is None else [event.key, event.value, event.offset],
        "run": context.task_execution.id,
        "attempt": context.task_execution.attempt,
        "status": context.get_task_status("give"),
        "none": context.get_task_status("fail"),
        "upstream": context.result("give"),
    }


def miss_result() -> Any:
    return current_context().result("fail")


def keep_data() -> Any:
    data = current_context().data
    data.set("rows", [1, {"two": 2}])
    return [data.get("rows"), data.get("absent"), data.get("absent", 3)]


def clash_with_state() -> None:
    current_context().data.set("eventflow.state/count/n", 1)


def keep_a_set() -> None:
    current_context().data.set("rows", {1})


def draw() -> Any:
    deterministic = current_context().deterministic
    return [
        deterministic.uuid(),
        deterministic.uuid(),
        deterministic.now().isoformat(),
        deterministic.random(),
        deterministic.call("price", _price),
        deterministic.call("price", _price),
    ]


def _price() -> int:
    current_context().emit("priced")
    return 5


def count() -> int:
    return current_context().get_state(CounterStateDescriptor("n")).add()


def share_state() -> None:
    current_context().get_state(ValueStateDescriptor("n", shared=True))


def log_lines() -> None:
    log = current_context().log
    log.info("rows: %d", 3)
    log.warning("%(what)s", {"what": "mapped"})
    log.error("wrong %d", "place")
    try:
        fail()
    except TooBadError:
        log.exception("caught")


def emit_from_thread() -> Any:
    """A thread of the task has no current context of its own, but may use the task's."""
    context = current_context()
    seen: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: seen.append(context.emit("made", n).offset))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(set(seen))


with Workflow("contract", namespace="tests") as contract:
    given = PythonOperator("give", give)
    PythonOperator("give_nothing", give_nothing)
    PythonOperator("fail", fail)
    PythonOperator("fail_retry_other", fail, retry_on=(ValueError, OSError))
    PythonOperator("fail_retry_this", fail, retry_on=TooBadError)
    PythonOperator("exit_0", leave, [0])
    PythonOperator("exit_none", leave, [None])
    PythonOperator("exit_3", leave, [3])
    PythonOperator("exit_text", leave, ["so long"])
    PythonOperator("interrupt", interrupt)
    PythonOperator("last_straw", last_straw)
    PythonOperator("unprintable", unprintable)
    PythonOperator("shout", shout)
    PythonOperator("recurse", recurse)
    PythonOperator("many", many)
    PythonOperator("chained", chained)
    PythonOperator("give_set", give_set)
    PythonOperator("give_nan", give_nan)
    PythonOperator("give_bad_keys", give_bad_keys)
    PythonOperator("give_much", give_much)
    PythonOperator("later", later)
    PythonOperator("skip", skip, ["no orders today"], retries=3, retry_on=TaskSkipped)
    PythonOperator("skip_silently", skip)
    PythonOperator("skip_unprintably", skip, [b"\xff", 7])
    PythonOperator("skip_at_length", skip, ["x" * 100_000_000])
    PythonOperator("skip_later", skip_later)
    PythonOperator("skip_when_stopped", skip_when_stopped)
    PythonOperator("count_start", count_start)
    PythonOperator("obey", obey)
    PythonOperator("defy", defy)
    Telling("telling")
    BadStop("bad_stop")
    TwoPhases("two_phases")
    PythonOperator("emit_some", emit_some)
    PythonOperator("emit_reserved", emit_wrongly, ["eventflow.task.x", {}])
    PythonOperator("emit_offset", emit_wrongly, ["made", {"offset": 3}])
    PythonOperator("emit_set", emit_wrongly, ["made", {"value": "\ud800"}])
    PythonOperator("add", add, [given.output], {"right": given.output})
    PythonOperator("read_world", read_world)
    PythonOperator("miss_result", miss_result)
    PythonOperator("keep_data", keep_data)
    PythonOperator("clash_with_state", clash_with_state)
    PythonOperator("keep_a_set", keep_a_set)
    PythonOperator("draw", draw)
    PythonOperator("count", count)
    PythonOperator("share_state", share_state)
    PythonOperator("log_lines", log_lines)
    PythonOperator("emit_from_thread", emit_from_thread)
