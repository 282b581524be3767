"""How much of a flow runs at once, in which order, and how many items a step may have."""

import threading
import time

import pytest

from eventflow import current_context
from eventflow.errors import FlowDefinitionError, FlowFailedError
from eventflow.flow import FlowSpec, foreach, needs, repeat, step

SOON_S = 20


class Crowd:
    """Counts who is in it at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = self.most = 0

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1


class Many(FlowSpec, abstract=True):
    @foreach
    @step
    def fan(self, n: int) -> range:
        return range(n)


def test_too_many_items_are_refused_before_one_runs_and_what_came_before_is_kept() -> None:
    ran: list[int] = []

    class Wide(Many):
        @needs([Many.fan])
        @step
        def work(self, x: int) -> None:
            ran.append(x)

    flow = Wide(input=51, max_items=50)
    with pytest.raises(FlowFailedError, match=r"'work' would have 51 items.*'fan'.*50"):
        flow.run()

    assert ran == []
    assert flow.get_result("fan") == range(51) or flow.get_result("fan") == list(range(51))
    assert flow.node("work").failed
    assert len(Wide(input=51).run().nodes("work")) == 51


def test_a_limit_of_a_step_goes_before_that_of_the_flow() -> None:
    class Wide(Many):
        @needs([Many.fan])
        @step(max_items=3)
        def few(self, x: int) -> int:
            return x

    assert Wide(input=3, max_items=2).run().get_result("few") == [0, 1, 2]
    with pytest.raises(FlowFailedError, match="its max_items is 3"):
        Wide(input=4, max_items=50).run()


def test_no_more_run_at_once_than_there_are_threads() -> None:
    crowd = Crowd()

    class Wide(Many):
        @needs([Many.fan])
        @step
        def work(self, x: int) -> None:
            with crowd:
                current_context().wait(0.005)

    Wide(input=12, threads=2).run()
    assert crowd.most <= 2
    Wide(input=12).run()
    assert crowd.most > 2


def test_a_step_may_have_a_pool_and_a_limit_of_its_own() -> None:
    solving, loading = Crowd(), Crowd()

    class Wide(Many):
        @needs([Many.fan])
        @step(pool="solver")
        def solve(self, x: int) -> None:
            with solving:
                current_context().wait(0.005)

        @needs([Many.fan])
        @step(max_active_items=3)
        def load(self, x: int) -> None:
            with loading:
                current_context().wait(0.005)

    Wide(input=10, pools={"solver": 2}).run()

    assert solving.most <= 2
    assert loading.most <= 3
    with pytest.raises(FlowDefinitionError, match=r"pool 'solver'.*pools="):
        Wide(input=1)


def test_independent_steps_start_in_order_of_definition_then_of_priority() -> None:
    began: list[str] = []

    def note(self: object) -> None:
        began.append(current_context().task_execution.task_name)

    body = {f"s{number}": step(name=f"s{number}")(lambda self: note(self)) for number in range(8)}
    kind = type(FlowSpec)("Ordered", (FlowSpec,), body)
    kind(threads=1).run()

    assert began == [f"s{number}" for number in range(8)]

    began.clear()
    last = step(name="last", priority=5)(lambda self: note(self))
    kind = type(FlowSpec)("First", (FlowSpec,), {**body, "last": last})
    kind(threads=1).run()

    assert began.index("last") <= 1


def test_a_full_pool_of_threads_holds_up_no_decision() -> None:
    release = threading.Event()

    class Blocked(FlowSpec):
        @repeat(40)
        @step
        def blocked(self) -> None:
            release.wait(SOON_S)

        @step
        def quick(self) -> int:
            return 1

        @needs([quick])
        @step
        def behind(self, x: int) -> int:
            release.set()
            return x

    begin = time.monotonic()
    run = Blocked().run()

    assert run.get_result("behind") == 1
    assert time.monotonic() - begin < SOON_S / 2


def test_a_chain_of_steps_is_not_polled() -> None:
    body = {"s0": step(lambda self: 0)}
    for number in range(1, 100):
        body[f"s{number}"] = needs([f"s{number - 1}"])(step(lambda self, x: x + 1))
    flow = type(FlowSpec)("Chain", (FlowSpec,), body)()

    begin = time.monotonic()
    run = flow.run()

    # A poll of 0.1 s would take 10 s.
    assert run.get_result("s99") == 99
    assert time.monotonic() - begin < 5


@pytest.mark.parametrize("threads", [0, -1, True, 1.5])
def test_a_number_of_threads_that_lets_nobody_through_is_refused(threads: int) -> None:
    class One(FlowSpec):
        @step
        def one(self) -> int:
            return 1

    with pytest.raises(FlowDefinitionError, match="threads is a number from 1"):
        One(threads=threads)
    with pytest.raises(FlowDefinitionError, match="pool 'solver' is a number from 1"):
        One(pools={"solver": threads})
