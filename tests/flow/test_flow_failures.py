"""What becomes of a flow when a step fails, is cancelled, or the program is interrupted."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from eventflow import TaskStatus, WorkflowStatus, current_context
from eventflow.errors import FlowFailedError
from eventflow.flow import FlowSpec, foreach, join, needs, optional, repeat, step

SOON_S = 20


def test_the_error_of_a_failed_flow_names_the_step_and_has_the_exception_as_its_cause() -> None:
    boom = ValueError("boom")

    class Failing(FlowSpec):
        @step
        def a(self) -> int:
            raise boom

        @needs([a])
        @step
        def b(self, x: int) -> int:
            return x

    flow = Failing("nightly")
    with pytest.raises(FlowFailedError) as told:
        flow.run()

    error = told.value
    assert str(error) == "flow 'nightly' failed: a: ValueError: boom"
    assert error.__cause__ is boom
    assert error.exceptions == (boom,)
    assert [(one.step, one.index, one.node) for one in error.failures] == [("a", (), "a")]
    node = flow.node("a")
    assert node.exception is boom
    assert node.error is not None
    assert "raise boom" in node.error.traceback
    assert flow.node("b").status is None


def test_every_failure_is_named_with_its_item() -> None:
    class Failing(FlowSpec):
        @foreach
        @step
        def fan(self) -> list[int]:
            return [0, 1, 2]

        @needs([fan])
        @step
        def work(self, x: int) -> int:
            if x:
                raise ValueError(f"bad {x}")
            return x

        @step
        def other(self) -> int:
            raise KeyError("k")

    flow = Failing(failure="finish")
    with pytest.raises(FlowFailedError, match="failed in 3 places") as told:
        flow.run()

    found = {one.node: type(one.exception) for one in told.value.failures}
    assert found == {"work[1]": ValueError, "work[2]": ValueError, "other": KeyError}
    assert "work[2]: ValueError: bad 2" in str(told.value)
    assert flow.get_result("work") == [0, None, None]
    assert [node.status for node in flow.nodes("work")] == [
        TaskStatus.SUCCESS,
        TaskStatus.FAILED,
        TaskStatus.FAILED,
    ]


def test_after_a_failure_nothing_new_starts() -> None:
    began: list[int] = []

    class FailFast(FlowSpec):
        @foreach
        @step
        def fan(self) -> range:
            return range(50)

        @needs([fan])
        @step
        def work(self, x: int) -> None:
            began.append(x)
            if x == 0:
                raise ValueError("at once")
            current_context().wait(SOON_S)

        @step
        def long(self) -> None:
            current_context().wait(SOON_S)

        @needs([long])
        @step
        def behind(self) -> None:
            began.append(-1)

    begin = time.monotonic()
    flow = FailFast(threads=3)
    with pytest.raises(FlowFailedError, match=r"work\[0\]: ValueError: at once"):
        flow.run()

    assert time.monotonic() - begin < SOON_S / 2
    assert len(began) <= 4
    assert -1 not in began
    assert flow.node("long").status is TaskStatus.STOPPED
    assert flow.node("behind").status is None


def test_a_step_that_fails_before_anybody_listens_stops_the_others_too() -> None:
    class AtOnce(FlowSpec):
        @step
        def bad(self) -> None:
            raise ValueError("at once")

        @step
        def long(self) -> None:
            current_context().wait(SOON_S)

    begin = time.monotonic()
    for _ in range(20):
        with pytest.raises(FlowFailedError, match="bad: ValueError: at once"):
            AtOnce().run()

    assert time.monotonic() - begin < SOON_S


def test_what_waits_for_a_slot_does_not_get_that_of_a_step_that_failed() -> None:
    began: list[str] = []

    def note(self: Any) -> None:
        began.append(current_context().task_execution.task_name)
        if len(began) == 1:
            raise ValueError("the first")

    body = {f"s{number}": step(name=f"s{number}")(lambda self: note(self)) for number in range(5)}
    flow = type(FlowSpec)("Waiting", (FlowSpec,), body)(threads=1)

    with pytest.raises(FlowFailedError, match="s0: ValueError: the first"):
        flow.run()
    assert began == ["s0"]


def test_independent_branches_end_when_they_are_to_finish() -> None:
    done: list[Any] = []

    class Finish(FlowSpec):
        @step
        def bad(self) -> int:
            raise ValueError("bad")

        @needs([bad])
        @step
        def behind_bad(self, x: int) -> None:
            done.append("behind_bad")

        @foreach
        @step
        def fan(self) -> list[int]:
            return [1, 2]

        @needs([fan])
        @step
        def good(self, x: int) -> int:
            done.append(x)
            return x

        @join
        @needs([good])
        @step
        def end(self, xs: list[int]) -> list[int]:
            return xs

    flow = Finish(failure="finish")
    with pytest.raises(FlowFailedError, match="bad: ValueError"):
        flow.run()

    assert sorted(done) == [1, 2]
    assert flow.get_result("end") == [1, 2]


def test_a_failed_attempt_is_tried_again_and_the_flow_goes_on() -> None:
    class Retried(FlowSpec):
        tries = 0

        @step(retries=2)
        def a(self) -> int:
            self.tries += 1
            if self.tries < 3:
                raise ValueError(f"try {self.tries}")
            return self.tries

    flow = Retried()

    assert flow.run().get_result("a") == 3
    assert flow.node("a").attempt == 3
    assert flow.node("a").exception is None


def test_a_step_that_takes_too_long_fails_and_its_late_result_is_dropped() -> None:
    class Slow(FlowSpec):
        tries = 0

        @step(timeout=0.2, retries=1, stop_grace=5)
        def a(self) -> int:
            self.tries += 1
            if self.tries == 1:
                current_context().wait(SOON_S)
                return -1
            return self.tries

    assert Slow().run().get_result("a") == 2

    class TooSlow(FlowSpec):
        @step(timeout=0.1)
        def a(self) -> None:
            current_context().wait(SOON_S)

    with pytest.raises(FlowFailedError, match="a: TaskTimeoutError"):
        TooSlow().run()


def test_the_late_result_of_an_abandoned_attempt_is_dropped() -> None:
    release = threading.Event()

    class Late(FlowSpec):
        tries = 0

        @step(timeout=0.1, retries=1, stop_grace=0.05)
        def a(self) -> str:
            self.tries += 1
            if self.tries == 1:
                release.wait(SOON_S)
                return "late"
            return "second"

        @needs([a])
        @step
        def b(self, x: str) -> str:
            release.set()
            current_context().wait(0.1)
            return x

    run = Late().run()

    assert run.get_result("a") == run.get_result("b") == "second"


@pytest.mark.parametrize(
    "error", [SystemExit(0), SystemExit(3), KeyboardInterrupt(), GeneratorExit()]
)
def test_whatever_a_step_leaves_with_is_a_failure(error: BaseException) -> None:
    class Leaving(FlowSpec):
        @step
        def a(self) -> int:
            raise error

        @needs([a])
        @step
        def b(self, x: int) -> int:
            return x

    flow = Leaving()
    with pytest.raises(FlowFailedError):
        flow.run()

    assert flow.node("a").failed
    assert flow.node("b").status is None


def test_an_exit_in_a_condition_or_a_count_is_a_failure_too() -> None:
    class Condition(FlowSpec):
        @optional(lambda: sys.exit(0))
        @step
        def a(self) -> int:
            return 1

    class Count(FlowSpec):
        @repeat(lambda: sys.exit(0))
        @step
        def a(self) -> int:
            return 1

    for kind in (Condition, Count):
        with pytest.raises(FlowFailedError, match=r"a: TaskError: .* sys.exit\(0\)"):
            kind().run()


def test_a_failed_item_of_a_step_whose_items_are_to_finish_stops_none_of_them() -> None:
    class Finishing(FlowSpec):
        @foreach
        @step
        def fan(self) -> range:
            return range(4)

        @needs([fan])
        @step(on_item_failure="finish")
        def work(self, x: int) -> int:
            if x == 0:
                raise ValueError("bad")
            return x

    flow = Finishing(threads=1)
    with pytest.raises(FlowFailedError, match=r"work\[0\]"):
        flow.run()

    assert flow.get_result("work") == [None, 1, 2, 3]


def test_a_step_whose_failure_is_allowed_stops_nothing() -> None:
    class Allowed(FlowSpec):
        @step(allow_failure=True)
        def bad(self) -> int:
            raise ValueError("bad")

        @step
        def good(self) -> int:
            return 1

        @needs([good], after=[])
        @step
        def behind(self, x: int) -> int:
            return x

    run = Allowed(threads=1).run()

    assert run.get_result("behind") == 1
    assert run.node("bad").failed


def test_a_failure_while_items_are_made_is_the_producers() -> None:
    class Fan(FlowSpec):
        @foreach
        @step
        def fan(self) -> Any:
            yield 1
            raise ValueError("no more")

        @needs([fan])
        @step
        def work(self, x: int) -> int:
            return x

    with pytest.raises(FlowFailedError, match="fan: ValueError: no more"):
        Fan().run()


def test_a_cancel_reaches_the_steps_and_what_has_ended_stays_as_it_is() -> None:
    begun = threading.Event()

    class Long(FlowSpec):
        @step
        def first(self) -> int:
            return 1

        @repeat(3)
        @needs([first])
        @step
        def long(self, x: int) -> bool:
            begun.set()
            return current_context().wait(SOON_S)

        @needs([long])
        @step
        def behind(self, xs: list[bool]) -> None:
            pass

    run = Long().start()
    assert begun.wait(SOON_S)
    run.stop("enough")
    run.wait(SOON_S)

    assert run.status is WorkflowStatus.STOPPED
    assert run.node("first").succeeded
    assert run.node("long").status is TaskStatus.STOPPED
    assert run.node("behind").status is None
    assert run.get_result("first") == 1
    with pytest.raises(FlowFailedError, match="ended STOPPED"):
        run.check()
    run.stop()


def test_a_step_that_awaits_is_cancelled() -> None:
    begun, cancelled = threading.Event(), threading.Event()

    class Awaiting(FlowSpec):
        @step
        async def long(self) -> None:
            begun.set()
            try:
                await asyncio.sleep(SOON_S)
            except asyncio.CancelledError:
                cancelled.set()
                raise

    run = Awaiting().start()
    assert begun.wait(SOON_S)
    run.stop("enough")
    begin = time.monotonic()
    run.wait(SOON_S)

    assert cancelled.is_set()
    assert run.node("long").status is TaskStatus.STOPPED
    assert time.monotonic() - begin < SOON_S / 4


def test_a_step_that_ignores_the_end_holds_it_up_for_its_grace_at_most() -> None:
    release = threading.Event()

    class Deaf(FlowSpec):
        @step(stop_grace=0.2)
        def deaf(self) -> None:
            release.wait(SOON_S)

        @step
        def bad(self) -> None:
            raise ValueError("bad")

    begin = time.monotonic()
    with pytest.raises(FlowFailedError):
        Deaf().run()

    assert time.monotonic() - begin < SOON_S / 2
    release.set()


PROGRAM = """
import sys, time
from eventflow.flow import FlowSpec, step

class Long(FlowSpec):
    @step
    def long(self):
        print("begun", flush=True)
        time.sleep(60)

try:
    Long().run()
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(3)
"""


def test_ctrl_c_cancels_and_the_process_exits() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "begun\n"
    begin = time.monotonic()
    child.send_signal(signal.SIGINT)
    rest, _ = child.communicate(timeout=SOON_S)

    assert rest == "interrupted\n"
    assert child.returncode == 3
    assert time.monotonic() - begin < 10
