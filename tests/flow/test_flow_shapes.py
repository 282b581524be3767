"""Foreach, repeat and join: how many items a step has, what each takes, what comes out (S43)."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from eventflow import current_context
from eventflow.errors import FlowDefinitionError, FlowFailedError
from eventflow.flow import FlowRun, FlowSpec, foreach, join, needs, repeat, step
from eventflow.model.mapped import Along, Each, Given


@pytest.mark.parametrize("durable", [False, True])
def test_every_step_behind_a_foreach_has_an_item_for_each_until_a_join(
    durable: bool, tmp_path: Any
) -> None:
    class Plain(FlowSpec):
        @foreach
        @step
        def fan(self, n: int) -> list[int]:
            return list(range(n))

        @needs([fan])
        @step
        def double(self, x: int) -> int:
            return 2 * x

        @needs([double])
        @step
        def add(self, x: int) -> int:
            return x + 1

        @needs([double, fan, add])
        @join
        @step
        def total(self, xs: list[int]) -> list[int]:
            return xs

    run = Plain(input=3, store=str(tmp_path / "flow.db") if durable else None).run()

    assert run.get_result("fan") == [0, 1, 2]
    assert run.get_result("add") == [1, 3, 5]
    # A join of the foreach itself has its elements too.
    assert run.get_result("total") == [0, 2, 4, 0, 1, 2, 1, 3, 5]


@pytest.mark.parametrize(
    "items",
    [
        [1, 2, 3],
        (1, 2, 3),
        range(1, 4),
        (number for number in (1, 2, 3)),
        {1: "a", 2: "b", 3: "c"}.keys(),
        map(int, "123"),
    ],
)
def test_a_foreach_may_return_any_iterable(items: Any) -> None:
    class Fan(FlowSpec):
        @foreach
        @step
        def fan(self) -> Any:
            return items

        @needs([fan])
        @step
        def work(self, x: int) -> int:
            return 10 * x

    assert Fan().run().get_result("work") == [10, 20, 30]


def test_a_foreach_may_yield_its_items() -> None:
    class Fan(FlowSpec):
        @foreach
        @step
        def fan(self) -> Iterator[int]:
            yield 1
            yield 2

        @foreach
        @step
        async def later(self) -> AsyncIterator[int]:
            yield 3

        @needs([fan, later])
        @join
        @step
        def all_of_them(self, xs: list[int]) -> list[int]:
            return xs

    assert Fan().run().get_result("all_of_them") == [1, 2, 3]


@pytest.mark.parametrize("wrong", [None, 5, "abc", b"abc", {"a": 1}])
def test_a_foreach_that_returns_no_items_fails_with_that_reason(wrong: Any) -> None:
    class Fan(FlowSpec):
        @foreach
        @step(retries=3)
        def fan(self) -> Any:
            return wrong

        @needs([fan])
        @step
        def work(self, x: int) -> int:
            return x

    with pytest.raises(FlowFailedError, match="fan: ResultError: step 'fan' is to be fanned out"):
        Fan().run()


def test_a_foreach_on_the_one_that_takes_leaves_the_list_whole_for_others() -> None:
    class Over(FlowSpec):
        @step
        def numbers(self) -> list[int]:
            return [1, 2, 3]

        @foreach(over="numbers")
        @step
        def work(self, x: int) -> int:
            return 10 * x

        @foreach(over=numbers)
        @needs([work, numbers], combine="align")
        @step
        def pairs(self, y: int, x: int) -> tuple[int, int]:
            return (x, y)

        @needs([numbers])
        @step
        def whole(self, xs: list[int]) -> int:
            return len(xs)

    run = Over().run()

    assert run.get_result("work") == [10, 20, 30]
    assert run.get_result("pairs") == [(1, 10), (2, 20), (3, 30)]
    assert run.get_result("whole") == 3


class Meeting(FlowSpec, abstract=True):
    @foreach
    @step
    def fan(self) -> list[int]:
        return [1, 2]

    @needs([fan])
    @step
    def left(self, x: int) -> int:
        return x

    @needs([fan])
    @step
    def right(self, x: int) -> int:
        return -x


def test_two_branches_of_a_foreach_are_multiplied_and_the_leftmost_varies_slowest() -> None:
    class Product(Meeting):
        @needs([Meeting.left, Meeting.right])
        @step
        def meet(self, x: int, y: int) -> tuple[int, int]:
            return (x, y)

        @needs([meet])
        @join
        @step
        def end(self, xs: list[Any]) -> list[Any]:
            return xs

    run = Product().run()

    assert run.get_result("meet") == [[(1, -1), (1, -2)], [(2, -1), (2, -2)]]
    assert run.get_result("end") == [(1, -1), (1, -2), (2, -1), (2, -2)]


def test_two_branches_of_a_foreach_meet_item_by_item_when_they_are_aligned() -> None:
    class Aligned(Meeting):
        @needs([Meeting.left, Meeting.right, Meeting.fan], combine="align")
        @step
        def meet(self, x: int, y: int, z: int) -> tuple[int, int, int]:
            return (x, y, z)

    assert Aligned().run().get_result("meet") == [(1, -1, 1), (2, -2, 2)]


def test_an_axis_that_was_multiplied_is_one_of_its_own_from_there_on() -> None:
    class Again(Meeting):
        @needs([Meeting.left, Meeting.right])
        @step
        def meet(self, x: int, y: int) -> tuple[int, int]:
            return (x, y)

        @needs([meet, Meeting.left], combine="align")
        @step
        def behind(self, pair: tuple[int, int], x: int) -> tuple[int, ...]:
            return (*pair, x)

    assert Again().run().get_result("behind") == [
        [(1, -1, 1), (1, -2, 1)],
        [(2, -1, 2), (2, -2, 2)],
    ]


class Joining(FlowSpec, abstract=True):
    @foreach
    @step
    def fan(self) -> list[str]:
        return ["r0", "r1"]

    @needs([fan])
    @step
    def work(self, x: str) -> str:
        return x

    @step
    def k(self) -> str:
        return "k"

    @repeat(3)
    @step
    def rep(self) -> str:
        return "r"


@pytest.mark.parametrize(
    ("predecessors", "flat", "rows"),
    [
        (["work"], ["r0", "r1"], [["r0"], ["r1"]]),
        (["k", "k2"], ["k", "k2"], [["k", "k2"]]),
        (["work", "k"], ["r0", "r1", "k"], [["r0", "k"], ["r1", "k"]]),
        (["rep"], ["r", "r", "r"], [[["r", "r", "r"]]]),
        (["fan"], ["r0", "r1"], [[["r0", "r1"]]]),
        (
            ["work", "work2"],
            ["r0", "r1", "r0", "r1"],
            [["r0", "r0"], ["r0", "r1"], ["r1", "r0"], ["r1", "r1"]],
        ),
    ],
)
def test_a_join_is_flat_or_in_rows(predecessors: list[str], flat: Any, rows: Any) -> None:
    class Both(Joining):
        @step
        def k2(self) -> str:
            return "k2"

        @needs([Joining.fan])
        @step
        def work2(self, x: str) -> str:
            return x

        @join
        @needs(predecessors)
        @step
        def flat(self, xs: Any) -> Any:
            return xs

        @join(shape="rows")
        @needs(predecessors)
        @step
        def rows(self, xs: Any) -> Any:
            return xs

    run = Both().run()

    assert run.get_result("flat") == flat
    assert run.get_result("rows") == rows


def test_rows_of_aligned_branches_are_pairs() -> None:
    class Rows(Meeting):
        @step
        def k(self) -> str:
            return "k"

        @join(shape="rows")
        @needs([Meeting.left, Meeting.right, k], combine="align")
        @step
        def end(self, rows: list[Any]) -> list[Any]:
            return rows

    assert Rows().run().get_result("end") == [[1, -1, "k"], [2, -2, "k"]]


def test_a_join_may_take_its_lists_by_name() -> None:
    class Named(Meeting):
        @join
        @needs(xs=Meeting.left, ys=Meeting.right)
        @step
        def end(self, xs: list[int], ys: list[int]) -> list[list[int]]:
            return [xs, ys]

    assert Named().run().get_result("end") == [[1, 2], [-1, -2]]


@pytest.mark.parametrize("durable", [False, True])
def test_foreach_nests_to_any_depth_and_a_join_closes_one_level_or_all(
    durable: bool, tmp_path: Any
) -> None:
    class Nested(FlowSpec):
        @foreach
        @step
        def outer(self) -> list[int]:
            return [2, 0, 1]

        @foreach
        @needs([outer])
        @step
        def inner(self, n: int) -> list[str]:
            return [f"{n}{letter}" for letter in "abc"[:n]]

        @foreach
        @needs([inner])
        @step
        def deep(self, text: str) -> list[str]:
            return [text + "x", text + "y"]

        @needs([deep])
        @step
        def leaf(self, text: str) -> str:
            return text.upper()

        @join
        @needs([leaf])
        @step
        def one_level(self, texts: list[str]) -> str:
            return "+".join(texts)

        @join(levels="all")
        @needs([leaf])
        @step
        def all_levels(self, texts: list[str]) -> list[str]:
            return texts

        @join
        @needs([one_level, outer])
        @step
        def two_levels(self, texts: list[Any]) -> list[Any]:
            return texts

    run = Nested(store=str(tmp_path / "flow.db") if durable else None).run()

    assert run.get_result("inner") == [["2a", "2b"], [], ["1a"]]
    assert run.get_result("leaf") == [[["2AX", "2AY"], ["2BX", "2BY"]], [], [["1AX", "1AY"]]]
    assert run.get_result("one_level") == [["2AX+2AY", "2BX+2BY"], [], ["1AX+1AY"]]
    assert run.get_result("all_levels") == ["2AX", "2AY", "2BX", "2BY", "1AX", "1AY"]
    assert run.get_result("two_levels") == [
        ["2AX+2AY", "2BX+2BY", 2],
        [0],
        ["1AX+1AY", 1],
    ]


@pytest.mark.parametrize("durable", [False, True])
def test_an_empty_foreach_ends_at_once_and_its_join_runs_with_an_empty_list(
    durable: bool, tmp_path: Any
) -> None:
    class Empty(FlowSpec):
        @foreach
        @step
        def fan(self) -> list[int]:
            return []

        @needs([fan])
        @step
        def work(self, x: int) -> int:
            return x

        @join
        @needs([work])
        @step
        def end(self, xs: list[int]) -> list[int]:
            return xs

        @repeat(0)
        @step
        def never(self) -> int:
            return 1

        @needs([never])
        @step
        def behind(self, xs: list[int]) -> list[int]:
            return xs

    run = Empty(store=str(tmp_path / "flow.db") if durable else None).run()

    assert run.get_result("work") == []
    assert run.get_result("end") == []
    assert run.get_result("never") == []
    assert run.get_result("behind") == []


def test_the_shape_of_a_result_is_that_of_the_definition_not_of_the_number_of_items() -> None:
    class One(FlowSpec):
        @foreach
        @step
        def fan(self) -> list[int]:
            return [7]

        @needs([fan])
        @step
        def work(self, x: int) -> int:
            return x

        @repeat(1)
        @step
        def once(self) -> int:
            return 1

        @needs([once])
        @step
        def behind(self, xs: list[int]) -> list[int]:
            return xs

    run = One().run()

    assert run.get_result("work") == [7]
    assert run.get_result("once") == [1]
    assert run.get_result("behind") == [1]


@pytest.mark.parametrize("durable", [False, True])
def test_a_repeat_knows_its_index_and_its_successor_gets_one_list(
    durable: bool, tmp_path: Any
) -> None:
    class Repeated(FlowSpec):
        @repeat(3)
        @step
        def rep(self, x: int) -> int:
            return x + current_context().index[-1]

        @needs([rep])
        @step
        def behind(self, xs: list[int]) -> int:
            return sum(xs)

    run = Repeated(input=10, store=str(tmp_path / "flow.db") if durable else None).run()

    assert run.get_result("rep") == [10, 11, 12]
    assert run.get_result("behind") == 33


@pytest.mark.parametrize("durable", [False, True])
def test_a_repeat_behind_a_foreach_is_grouped_by_item(durable: bool, tmp_path: Any) -> None:
    class Grouped(FlowSpec):
        @foreach
        @step
        def fan(self) -> list[str]:
            return ["p", "q"]

        @repeat(2)
        @needs([fan])
        @step
        def rep(self, x: str) -> str:
            return x

        @needs([rep])
        @step
        def behind(self, xs: list[str]) -> str:
            return "".join(xs)

        @join
        @needs([rep])
        @step
        def end(self, xs: list[list[str]]) -> list[list[str]]:
            return xs

        @foreach(over=rep)
        @step
        def each(self, x: str) -> str:
            return x + "!"

    run = Grouped(store=str(tmp_path / "flow.db") if durable else None).run()

    assert run.get_result("rep") == [["p", "p"], ["q", "q"]]
    assert run.get_result("behind") == ["pp", "qq"]
    assert run.get_result("end") == [["p", "p"], ["q", "q"]]
    assert run.get_result("each") == [["p!", "p!"], ["q!", "q!"]]


@pytest.mark.parametrize("durable", [False, True])
def test_a_repeat_may_be_known_late(durable: bool, tmp_path: Any) -> None:
    class Late(FlowSpec):
        @step
        def count(self) -> int:
            return 2

        @repeat(lambda flow: flow.results["count"] + flow.input + flow.params["more"])
        @needs([count])
        @step
        def rep(self) -> int:
            return current_context().index[0]

        @repeat(lambda: 2)
        @step
        def fixed(self) -> int:
            return 1

    store = str(tmp_path / "flow.db") if durable else None
    run = Late(input=1, params={"more": 1}, store=store).run()

    assert run.get_result("rep") == [0, 1, 2, 3]
    assert run.get_result("fixed") == [1, 1]


@pytest.mark.parametrize("count", [-1, "2", None, 1.5])
def test_a_repeat_that_turns_out_to_be_no_count_fails_as_its_step(count: Any) -> None:
    class Late(FlowSpec):
        @repeat(lambda: count)
        @step
        def rep(self) -> int:
            return 1

    with pytest.raises(FlowFailedError, match="rep: ResultError: step 'rep' is to be repeated"):
        Late().run()


def test_a_repeated_join_has_the_same_list_each_time() -> None:
    class Twice(FlowSpec):
        @foreach
        @step
        def fan(self) -> list[int]:
            return [1, 2]

        @repeat(2)
        @join
        @needs([fan])
        @step
        def end(self, xs: list[int]) -> list[int]:
            return xs

    assert Twice().run().get_result("end") == [[1, 2], [1, 2]]


def test_items_come_back_in_item_order_whatever_order_they_end_in() -> None:
    class Slow(FlowSpec):
        @foreach
        @step
        def fan(self) -> range:
            return range(20)

        @needs([fan])
        @step
        def work(self, x: int) -> int:
            current_context().wait(0.002 * ((7 * x) % 5))
            return x

        @join
        @needs([work])
        @step
        def end(self, xs: list[int]) -> list[int]:
            return xs

    run = Slow().run()

    assert run.get_result("end") == list(range(20))


@pytest.mark.parametrize(("threads", "quick"), [(1, 3), (2, 3), (4, 8), (None, 3), (None, 40)])
def test_a_slow_last_item_is_never_lost(threads: int | None, quick: int) -> None:
    class Slow(FlowSpec):
        @foreach
        @step
        def fan(self) -> range:
            return range(quick + 1)

        @needs([fan])
        @step
        def work(self, x: int) -> int:
            current_context().wait(0.02 if x == quick else 0)
            return x

        @join
        @needs([work])
        @step
        def end(self, xs: list[int]) -> list[int]:
            return xs

    for _ in range(5):
        assert Slow(threads=threads).run().get_result("end") == list(range(quick + 1))


def test_a_flow_compiles_to_operators_axes_and_rules() -> None:
    class Compiled(FlowSpec):
        @foreach
        @step
        def fan(self) -> list[int]:
            return [1]

        @needs([fan])
        @step
        def work(self, x: int) -> int:
            return x

        @repeat(2)
        @needs([work])
        @step
        def again(self, x: int) -> int:
            return x

        @join
        @needs([again])
        @step
        def end(self, xs: list[int]) -> list[int]:
            return xs

    workflow = Compiled().to_workflow()

    axes = {name: task.mapped.axes if task.mapped else () for name, task in workflow.tasks.items()}
    assert [type(axis) for axis in axes["work"]] == [Each]
    assert [type(axis) for axis in axes["again"]] == [Along, Given]
    assert axes["fan"] == axes["end"] == ()
    assert [rule.action.value for rule in workflow.rules_of("end")] == ["START"]
    assert workflow.rules_of("fan") == []


def test_what_cannot_be_aligned_is_refused() -> None:
    with pytest.raises(FlowDefinitionError, match="cannot be aligned"):

        class Rows(FlowSpec):
            @foreach
            @step
            def a(self) -> list[int]:
                return [1]

            @foreach
            @step
            def b(self) -> list[int]:
                return [1]

            @needs([a])
            @step
            def x(self, v: int) -> int:
                return v

            @needs([b])
            @step
            def y(self, v: int) -> int:
                return v

            @join(shape="rows")
            @needs([x, y], combine="align")
            @step
            def end(self, rows: list[Any]) -> list[Any]:
                return rows


def lineage(run: FlowRun, step_id: str) -> dict[str, tuple[str, ...]]:
    return {node.id: node.predecessors for node in run.nodes(step_id)}


def test_every_node_tells_which_items_it_came_from() -> None:
    class Lineage(Meeting):
        @needs([Meeting.left, Meeting.right])
        @step
        def meet(self, x: int, y: int) -> int:
            return x + y

        @join
        @needs([meet])
        @step
        def end(self, xs: list[int]) -> int:
            return len(xs)

    run = Lineage().run()

    assert lineage(run, "fan") == {"fan": ()}
    assert lineage(run, "left") == {"left[0]": ("fan",), "left[1]": ("fan",)}
    assert lineage(run, "meet")["meet[1,0]"] == ("left[1]", "right[0]")
    assert lineage(run, "end") == {"end": ("meet[0,0]", "meet[0,1]", "meet[1,0]", "meet[1,1]")}
