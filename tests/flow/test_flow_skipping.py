"""Optional steps: what a condition sees, and what a skip does to those behind it."""

from typing import Any

import pytest

from eventflow import TaskSkipped, TaskStatus
from eventflow.errors import FlowDefinitionError, FlowFailedError
from eventflow.flow import FlowSpec, FlowView, foreach, join, needs, optional, step

pytestmark = pytest.mark.parametrize("durable", [False, True])


@pytest.fixture
def store(durable: bool, tmp_path: Any) -> str | None:
    return str(tmp_path / "flow.db") if durable else None


def test_a_condition_sees_results_statuses_input_params_and_the_event(store: str | None) -> None:
    seen: list[Any] = []

    def look(flow: FlowView) -> bool:
        seen.append(
            (
                flow.step.id,
                dict(flow.results),
                dict(flow.statuses),
                flow.input,
                flow.params["day"],
                flow.trigger_event,
                flow.context.workflow_execution.workflow_name,
                flow.index,
            )
        )
        return flow.results["a"] > 1

    class Looking(FlowSpec):
        @step
        def a(self, x: int) -> int:
            return x

        @step
        def before(self) -> int:
            return 0

        @optional(look)
        @needs([a], after=[before])
        @step
        def b(self, x: int) -> int:
            return x

    assert Looking(input=2, params={"day": 1}, store=store).run().get_result("b") == 2

    statuses = {"a": TaskStatus.SUCCESS, "before": TaskStatus.SUCCESS}
    assert seen == [("b", {"a": 2}, statuses, 2, 1, None, "Looking", ())]


def test_a_step_whose_condition_does_not_hold_is_skipped_with_the_reason(
    store: str | None,
) -> None:
    ran: list[str] = []

    def is_needed() -> bool:
        return False

    class Skipping(FlowSpec):
        @optional(is_needed)
        @step
        def a(self) -> None:
            ran.append("a")

        @optional(lambda flow: True)
        @step
        def returns_none(self) -> None:
            ran.append("returns_none")

        @needs([a])
        @step
        def b(self, x: Any) -> Any:
            return ("b", x)

    run = Skipping(store=store).run()

    assert ran == ["returns_none"]
    node = run.node("a")
    assert (node.status, node.skipped, node.result) == (TaskStatus.SKIPPED, True, None)
    assert "is_needed" in node.reason
    assert run.node("returns_none").succeeded
    assert run.get_result("a") is run.get_result("returns_none") is None
    assert tuple(run.get_result("b")) == ("b", None)


class Policies(FlowSpec, abstract=True):
    @optional(lambda: False)
    @step
    def no(self) -> int:
        return 1

    @optional(lambda: False)
    @step
    def neither(self) -> int:
        return 1

    @step
    def yes(self) -> int:
        return 1


@pytest.mark.parametrize(
    ("predecessors", "skipped", "expected"),
    [
        (["no", "yes"], "none", TaskStatus.SUCCESS),
        (["no", "yes"], "cascade", TaskStatus.SKIPPED),
        (["no", "yes"], "any", TaskStatus.SUCCESS),
        (["no", "neither"], "any", TaskStatus.SKIPPED),
        (["no", "yes"], {"yes": "cascade"}, TaskStatus.SUCCESS),
        (["no", "yes"], {"no": "cascade"}, TaskStatus.SKIPPED),
        (["no", "yes"], {"no": "any"}, TaskStatus.SKIPPED),
        (["no", "neither", "yes"], {"no": "any", "yes": "any"}, TaskStatus.SUCCESS),
    ],
)
def test_each_edge_says_what_a_skip_means(
    store: str | None, predecessors: list[str], skipped: Any, expected: TaskStatus
) -> None:
    class Edges(Policies):
        @needs(predecessors, skipped=skipped)
        @step
        def end(self, *numbers: int | None) -> list[int | None]:
            return list(numbers)

        @needs([end], skipped="cascade")
        @step
        def behind(self, numbers: list[int | None]) -> int:
            return len(numbers)

    run = Edges(store=store).run()

    assert run.node("end").status is expected
    assert run.node("behind").status is expected


def test_a_skip_goes_along_an_edge_that_is_order_alone(store: str | None) -> None:
    class After(Policies):
        @needs(after=[Policies.no], skipped="cascade")
        @step
        def end(self) -> int:
            return 1

    run = After(store=store).run()

    assert run.node("end").status is TaskStatus.SKIPPED
    assert run.node("end").reason == "no was skipped"


def test_a_skipped_foreach_is_an_empty_list(store: str | None) -> None:
    class Fan(FlowSpec):
        @foreach
        @optional(lambda: False)
        @step
        def fan(self) -> list[int]:
            return [1]

        @needs([fan])
        @step
        def work(self, x: int) -> int:
            return x

        @join
        @needs([work, fan])
        @step
        def end(self, xs: list[int]) -> list[int]:
            return xs

    run = Fan(store=store).run()

    assert run.node("fan").skipped
    assert run.get_result("work") == []
    assert run.get_result("end") == []


def test_each_item_of_an_optional_step_is_asked_and_skipped_alone(store: str | None) -> None:
    class Items(FlowSpec):
        @foreach
        @step
        def fan(self) -> list[int]:
            return [0, 1, 2, 3]

        @optional(lambda flow: flow.results["fan"] % 2)
        @needs([fan])
        @step
        def odd(self, x: int) -> int | None:
            return x if x == 3 else None

        @needs([odd])
        @step
        def told(self, x: int | None) -> str:
            return str(x)

        @needs([odd], skipped="cascade")
        @step
        def cascaded(self, x: int | None) -> str:
            return str(x)

        @join
        @needs([odd])
        @step
        def end(self, xs: list[int | None]) -> list[int | None]:
            return xs

    run = Items(store=store).run()

    skipped, success = TaskStatus.SKIPPED, TaskStatus.SUCCESS
    expected = [skipped, success, skipped, success]
    assert [node.status for node in run.nodes("odd")] == expected
    assert run.get_result("told") == ["None", "None", "None", "3"]
    assert [node.status for node in run.nodes("cascaded")] == expected
    assert run.get_result("cascaded") == [None, "None", None, "3"]
    assert run.get_result("end") == [None, None, None, 3]


def test_a_skipped_item_of_a_nested_foreach_has_no_items(store: str | None) -> None:
    class Nested(FlowSpec):
        @foreach
        @step
        def fan(self) -> list[int]:
            return [1, 2]

        @foreach
        @optional(lambda flow: flow.results["fan"] == 2)
        @needs([fan])
        @step
        def inner(self, x: int) -> list[int]:
            return [x] * x

        @needs([inner])
        @step
        def leaf(self, x: int) -> int:
            return x

    assert Nested(store=store).run().get_result("leaf") == [[], [2, 2]]


def test_a_step_may_skip_itself(store: str | None) -> None:
    class Itself(FlowSpec):
        @step
        def a(self) -> int:
            raise TaskSkipped("nothing to do")

    run = Itself(store=store).run()

    assert run.node("a").reason == "nothing to do"


def test_a_condition_that_raises_fails_its_step_like_any_other(store: str | None) -> None:
    class Raising(FlowSpec):
        @step
        def a(self) -> int:
            return 0

        @optional(lambda flow: 1 / flow.results["a"])
        @needs([a])
        @step
        def b(self, x: int) -> int:
            return x

    flow = Raising(store=store)
    with pytest.raises(FlowFailedError, match="b: ZeroDivisionError") as told:
        flow.run()

    assert isinstance(told.value.__cause__, ZeroDivisionError)
    assert flow.node("b").failed


def test_the_condition_of_a_join_sees_the_lists_that_it_gets(store: str | None) -> None:
    class Joined(FlowSpec):
        @foreach
        @step
        def fan(self) -> list[int]:
            return [1, 2]

        @needs([fan])
        @step
        def work(self, x: int) -> int:
            return x

        @needs([work, work])
        @step
        def more(self, x: int) -> int:
            return x

        @optional(lambda flow: flow.results["work"] == [1, 2] == flow.results["fan"])
        @join
        @needs([work, fan])
        @step
        def end(self, xs: list[int]) -> list[int]:
            return xs

    assert Joined(store=store).run().get_result("end") == [1, 2, 1, 2]


def test_a_condition_may_be_async(store: str | None) -> None:
    async def never(flow: FlowView) -> bool:
        return False

    class Later(FlowSpec):
        @optional(never)
        @step
        def a(self) -> int:
            return 1

    assert Later(store=store).run().node("a").skipped


def test_a_policy_for_what_is_not_needed_is_refused(store: str | None) -> None:
    with pytest.raises(FlowDefinitionError, match="does not need"):

        class Wrong(Policies):
            @needs([Policies.no], skipped={"yes": "any"})
            @step
            def end(self, x: int) -> int:
                return x

    with pytest.raises(FlowDefinitionError, match="skipped is one of"):
        needs([], skipped="sometimes")
