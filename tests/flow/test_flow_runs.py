"""Running flows: blocking, with a handle, awaited, several at once, and what is apart for each."""

import asyncio
import contextvars
import logging
import threading
from pathlib import Path
from typing import Any

import pytest

from eventflow import (
    PythonOperator,
    Scheduler,
    Workflow,
    WorkflowOperator,
    WorkflowStatus,
    current_context,
)
from eventflow.errors import (
    FlowDefinitionError,
    FlowFailedError,
    NotFoundError,
    WaitTimeoutError,
)
from eventflow.flow import FlowSpec, foreach, join, needs, optional, repeat, step

SOON_S = 20


class Chain(FlowSpec):
    @step
    def one(self, x: int) -> int:
        return x + 1

    @needs([one])
    @step
    def two(self, x: int) -> int:
        return 2 * x


def test_a_flow_runs_without_files_or_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    run = Chain(input=1).run()

    assert run.get_result(Chain.two) == 4
    assert list(tmp_path.iterdir()) == []


def test_a_flow_has_a_name_an_input_and_a_graph() -> None:
    flow = Chain("nightly", 5)

    assert (flow.name, flow.input, len(flow.graph)) == ("nightly", 5, 2)
    assert Chain().name == "Chain"
    assert flow.run().name == "nightly"
    with pytest.raises(FlowDefinitionError, match="name"):
        Chain("not a token")


def test_a_result_is_asked_for_by_function_method_or_name() -> None:
    flow = Chain(input=1)

    assert flow.get_result("two") is None
    assert flow.node("two").status is None
    flow.run()

    assert [flow.get_result(which) for which in (Chain.two, flow.two, "two")] == [4, 4, 4]
    with pytest.raises(FlowDefinitionError, match=r"no step 'three'"):
        flow.get_result("three")
    with pytest.raises(FlowDefinitionError, match="no step 'print'"):
        flow.get_result(print)


def test_a_list_is_one_argument_and_a_step_may_take_none() -> None:
    class Inputs(FlowSpec):
        @step
        def takes(self, x: Any) -> Any:
            return x

        @step
        def takes_none(self) -> str:
            return "nothing"

        @step
        def takes_all(self, *args: Any) -> Any:
            return args

        @step
        def has_default(self, x: Any = "own") -> Any:
            return x

        @needs([takes, takes_none])
        @step
        def needs_and_takes_none(self) -> int:
            return 0

        @needs([takes, takes_none])
        @step
        def takes_both(*args: Any) -> Any:
            return args

    given = [1, 2, 3]
    run = Inputs(input=given).run()

    assert run.get_result("takes") is given
    assert run.get_result("takes_none") == "nothing"
    assert run.get_result("takes_all") == (given,)
    assert run.get_result("has_default") is given
    assert run.get_result("needs_and_takes_none") == 0
    assert run.get_result("takes_both") == (given, "nothing")
    with pytest.raises(FlowDefinitionError, match=r"step 'takes' takes the flow's input, and none"):
        Inputs().run()


def test_a_step_whose_parameter_has_a_default_needs_no_input() -> None:
    class Default(FlowSpec):
        @step
        def has_default(self, x: Any = "own") -> Any:
            return x

    assert Default().run().get_result("has_default") == "own"


def test_a_handle_can_be_awaited_too() -> None:
    class One(FlowSpec):
        @step
        def one(self) -> int:
            return 1

    async def main() -> Any:
        return (await One().start()).get_result("one")

    assert asyncio.run(main()) == 1


def test_a_list_that_others_take_the_elements_of_stays_what_it_is() -> None:
    class Table(list[int]):
        columns = ("x",)

    class Both(FlowSpec):
        @step
        def table(self) -> Table:
            return Table([1, 2])

        @needs([table])
        @foreach(over=table)
        @step
        def row(self, x: int) -> int:
            return 2 * x

        @needs([table])
        @step
        def columns(self, found: Table) -> tuple[str, ...]:
            return found.columns

    run = Both().run()

    assert run.get_result("row") == [2, 4]
    assert run.get_result("columns") == ("x",)
    assert type(run.get_result("table")) is Table


def test_results_are_handed_over_by_reference() -> None:
    thing = object()

    class Reference(FlowSpec):
        @foreach
        @step
        def things(self, x: object) -> list[object]:
            return [x, threading.Lock()]

        @needs([things])
        @step
        def same(self, x: object) -> object:
            return x

        @join
        @needs([same, things])
        @step
        def end(self, xs: list[object]) -> list[object]:
            return xs

    run = Reference(input=thing).run()

    end = run.get_result("end")
    assert end[0] is end[2] is thing
    assert end[1] is end[3]


def test_each_run_has_results_and_a_self_of_its_own() -> None:
    class Counting(FlowSpec):
        calls = 0

        @step
        def one(self, x: int) -> int:
            self.calls += 1
            return self.calls

        @needs([one])
        @step
        def two(self, x: int) -> tuple[int, int]:
            self.calls += 1
            return (x, self.calls)

    flow = Counting(input=1)

    first, second = flow.run(), flow.run()

    assert first.get_result("two") == second.get_result("two") == (1, 2)
    assert first.id != 0
    assert first.flow is not second.flow is not flow
    assert (first.flow.calls, flow.calls) == (2, 0)


def test_two_runs_of_one_object_at_once_do_not_meet() -> None:
    gate = threading.Barrier(2)

    class Meeting(FlowSpec):
        @step
        def one(self) -> int:
            gate.wait(SOON_S)
            self.mine = current_context().params["n"]
            gate.wait(SOON_S)
            return self.mine

    flow = Meeting()
    flow.params = {"n": 1}
    first = flow.start()
    flow.params = {"n": 2}
    second = flow.start()

    assert [run.wait(SOON_S).get_result("one") for run in (first, second)] == [1, 2]


def test_flows_run_in_parallel_threads() -> None:
    found: dict[int, Any] = {}

    def go(number: int) -> None:
        found[number] = Chain(input=number).run().get_result("two")

    threads = [threading.Thread(target=go, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON_S)

    assert found == {number: 2 * (number + 1) for number in range(8)}


def test_a_flow_runs_inside_a_step_of_another() -> None:
    class Outer(FlowSpec):
        @foreach
        @step
        def fan(self) -> list[int]:
            return [1, 2]

        @needs([fan])
        @step
        def inner(self, x: int) -> Any:
            return Chain(input=x).run().get_result("two")

        @needs([fan])
        @step
        async def awaited(self, x: int) -> Any:
            return (await Chain(input=x)).get_result("two")

    run = Outer().run()

    assert run.get_result("inner") == run.get_result("awaited") == [4, 6]


def test_two_classes_of_one_name_and_shape_are_not_mixed_up() -> None:
    def make(factor: int) -> FlowSpec:
        class Same(FlowSpec):
            @step
            def one(self, x: int) -> int:
                return factor * x

        return Same(input=1, scheduler=scheduler)

    with Scheduler("sqlite://") as scheduler:
        assert [make(factor).run().get_result("one") for factor in (2, 3)] == [2, 3]


def test_a_start_gives_a_handle_at_once() -> None:
    release = threading.Event()

    class Waiting(FlowSpec):
        @step
        def one(self) -> int:
            release.wait(SOON_S)
            return 1

    flow = Waiting()
    run = flow.start()

    with pytest.raises(WaitTimeoutError, match="it goes on"):
        run.wait(0.01)
    assert run.status in (WorkflowStatus.INIT, WorkflowStatus.RUNNING)
    assert run.get_result("one") is None
    release.set()
    assert run.wait(SOON_S).check().get_result("one") == 1
    assert flow.newest_run is run
    assert Waiting().newest_run is None
    with pytest.raises(NotFoundError, match=r"one\[0\]"):
        run.node("one", 0)


def test_a_flow_is_awaited_without_holding_up_the_loop() -> None:
    async def main() -> tuple[Any, int]:
        release = threading.Event()
        turns = 0

        class Waiting(FlowSpec):
            @step
            def one(self) -> int:
                release.wait(SOON_S)
                return 1

        async def tick() -> None:
            nonlocal turns
            while turns < 5:
                await asyncio.sleep(0.001)
                turns += 1
            release.set()

        run, _ = await asyncio.gather(Waiting(), tick())
        return run.get_result("one"), turns

    assert asyncio.run(main()) == (1, 5)


def test_an_awaited_flow_raises_and_is_cancelled_with_its_task() -> None:
    begun, stopped = threading.Event(), threading.Event()

    class Failing(FlowSpec):
        @step
        def one(self) -> int:
            raise ValueError("no")

    class Long(FlowSpec):
        @step
        def one(self) -> None:
            begun.set()
            if current_context().wait(SOON_S):
                stopped.set()

    async def main() -> None:
        with pytest.raises(FlowFailedError, match="one: ValueError: no"):
            await Failing()
        flow = Long()

        async def go() -> None:
            await flow

        task = asyncio.create_task(go())
        await asyncio.to_thread(begun.wait, SOON_S)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(stopped.wait, SOON_S)

    asyncio.run(main())


COLOUR: contextvars.ContextVar[str] = contextvars.ContextVar("colour", default="none")


def test_context_variables_of_the_caller_reach_the_steps() -> None:
    class Coloured(FlowSpec):
        @repeat(2)
        @step
        def colours(self) -> str:
            found = COLOUR.get()
            COLOUR.set("changed")
            return found

        @optional(lambda: COLOUR.get() == "red")
        @step
        async def later(self) -> str:
            return COLOUR.get()

    token = COLOUR.set("red")
    try:
        run = Coloured().run()
    finally:
        COLOUR.reset(token)

    assert run.get_result("colours") == ["red", "red"]
    assert run.get_result("later") == "red"


def test_a_step_has_a_context_with_log_index_attempt_and_params(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Context(FlowSpec):
        @foreach
        @step
        def fan(self) -> list[str]:
            return ["a", "b"]

        @needs([fan])
        @step
        def work(self, x: str) -> Any:
            context = current_context()
            context.log.info("item %s", x)
            run = context.task_execution
            return [list(context.index), run.attempt, run.task_name, context.params["day"]]

    with Scheduler(f"sqlite:///{tmp_path / 'flow.db'}") as scheduler:
        run = Context(scheduler=scheduler, params={"day": 3}).run()
        node = run.node("work", 1)
        record = scheduler.store.task_execution(node.run_id)

    assert run.get_result("work") == [[[0], 1, "work", 3], [[1], 1, "work", 3]]
    assert record is not None
    assert "item b" in Path(record.log_path).read_text()


def test_a_flow_prints_nothing_and_logs_by_the_logger_of_the_library(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(FlowSpec):
        @step
        def one(self) -> int:
            raise ValueError("no")

    Chain(input=1).run()
    with pytest.raises(FlowFailedError):
        Failing().run()

    assert capfd.readouterr() == ("", "")
    assert {record.name for record in caplog.records} <= {"eventflow"}
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_params_of_eventflows_own_are_refused() -> None:
    with pytest.raises(FlowDefinitionError, match="flow_run"):
        Chain(params={"flow_run": "x"})
    with (
        Scheduler("sqlite://") as scheduler,
        pytest.raises(FlowDefinitionError, match="a scheduler or a store"),
    ):
        Chain(scheduler=scheduler, store="x.db")
    with pytest.raises(FlowDefinitionError, match="failure is 'stop' or 'finish'"):
        Chain(failure="perhaps")


def test_a_flow_is_a_task_of_another_workflow() -> None:
    with Workflow("above") as above:
        first = PythonOperator("first", lambda: 4)
        sub = WorkflowOperator("sub", Chain().to_workflow(), params={"flow_input": first.output})
        sub.start_after(first)
    with Scheduler("sqlite://") as scheduler:
        handle = scheduler.run(above)
        assert handle.wait(SOON_S).status is WorkflowStatus.SUCCESS
        (inner,) = scheduler.executions("Chain")
        assert scheduler.execution(inner.id).result("two") == 10


def test_a_flow_is_started_by_an_event() -> None:
    class OnEvent(FlowSpec):
        @optional(lambda flow: flow.trigger_event.value["go"])
        @step
        def one(self, x: int) -> int:
            return x + 1

    workflow = OnEvent(input=1).to_workflow()
    workflow.trigger_on_event("orders.paid")
    with Scheduler("sqlite://") as scheduler:
        scheduler.register(workflow)
        for go in (True, False):
            scheduler.emit("orders.paid", {"go": go})
        found = scheduler.client.until(
            lambda: (
                scheduler.executions("OnEvent")
                if len(scheduler.executions("OnEvent")) == 2
                else None
            ),
            SOON_S,
        )
        assert found is not None
        second, first = found
        ended = [scheduler.execution(one.id).wait(SOON_S) for one in (first, second)]

    assert [run.tasks[0].status.value for run in ended] == ["SUCCESS", "SKIPPED"]


def test_flows_of_one_name_on_one_scheduler_are_not_mixed_up() -> None:
    def flow(number: int) -> FlowSpec:
        body = {f"s{number}": step(lambda self, x: number * x)}
        return type(FlowSpec)("Same", (FlowSpec,), body)(input=10, scheduler=scheduler)

    found: dict[int, Any] = {}

    def go(number: int) -> None:
        found[number] = flow(number).run().get_result(f"s{number}")

    with Scheduler("sqlite://") as scheduler:
        threads = [threading.Thread(target=go, args=[number]) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SOON_S)

    assert found == {number: 10 * number for number in range(6)}


def test_a_retry_of_a_run_whose_results_were_in_memory_says_so() -> None:
    class Failing(FlowSpec):
        @step
        def one(self) -> int:
            return 1

        @needs([one])
        @step
        def two(self, x: int) -> int:
            raise ValueError("no")

    with Scheduler("sqlite://") as scheduler:
        flow = Failing(scheduler=scheduler)
        with pytest.raises(FlowFailedError):
            flow.run()
        assert flow.newest_run is not None
        retried = scheduler.retry(flow.newest_run.id)
        retried.wait(SOON_S)
        (failed,) = [run for run in retried.tasks if run.task_name == "two"]
        (failure,) = scheduler.store.failures(failed.id)

    assert "run the flow anew" in failure.message


def test_an_execution_that_something_else_started_is_not_taken_up(tmp_path: Path) -> None:
    gate = threading.Event()

    class Waiting(FlowSpec):
        @step
        def one(self) -> int:
            gate.wait(SOON_S)
            return 1

    with Scheduler(f"sqlite:///{tmp_path / 'flow.db'}") as scheduler:
        flow = Waiting(scheduler=scheduler)
        other = scheduler.run(flow.to_workflow())
        run = flow.start()
        assert run.id != other.id
        gate.set()
        run.wait(SOON_S).check()
        other.wait(SOON_S)


def test_a_flow_may_be_made_where_a_workflow_is_open() -> None:
    with Workflow("open"):
        assert Chain(input=1).run().get_result("two") == 4
