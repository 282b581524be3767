"""What a flow may look like, and what is refused when its class is made."""

import abc
import functools
import inspect
from typing import Any

import pytest

from eventflow import current_context
from eventflow.errors import DefinitionError, FlowDefinitionError
from eventflow.flow import FlowSpec, app, check_cycle, foreach, join, needs, optional, repeat, step


def lines_of(message: str) -> set[int]:
    """The numbers after this file's name in a message."""
    return {int(part.split()[0].rstrip(";,):")) for part in message.split(f"{__file__}:")[1:]}


def test_decorators_stand_in_any_order_with_or_without_parentheses() -> None:
    class Loose(FlowSpec):
        @step
        @foreach
        def one(self) -> list[int]:
            return [1, 2]

        @foreach()
        @step()
        def other(self) -> list[int]:
            return [10]

        @step
        @needs(predecessors=[one, other])
        def both(self, a: int, b: int) -> int:
            return a + b

        @needs([both])
        @step(retries=1)
        @join()
        def total(self, sums: list[int]) -> int:
            return sum(sums)

        @join
        @step
        @optional(lambda flow: True)
        @needs([both])
        def again(self, sums: list[int]) -> int:
            return len(sums)

    run = Loose().run()

    assert run.get_result("total") == 11 + 12
    assert run.get_result("again") == 2


@pytest.mark.parametrize("thing", [5, "step", None, [], int])
def test_what_is_no_function_is_no_step(thing: Any) -> None:
    with pytest.raises(FlowDefinitionError, match="is for functions"):
        step()(thing)


def test_results_arrive_in_list_order_and_by_name_and_after_hands_over_nothing() -> None:
    order: list[str] = []

    class Handed(FlowSpec):
        @step
        def a(self) -> str:
            return "a"

        @step
        def b(self) -> str:
            return "b"

        @step
        def first(self) -> None:
            current_context().wait(0.05)
            order.append("first")

        @needs(predecessors=["b", a], after=[first], last=b)
        @step
        def c(self, one: str, two: str, *, last: str) -> str:
            order.append("c")
            return one + two + last

        @needs([a, b, a])
        @step
        def once(self, *all_of_them: str) -> list[str]:
            return list(all_of_them)

    run = Handed().run()

    assert run.get_result("c") == "bab"
    assert run.get_result("once") == ["a", "b"]
    assert order == ["first", "c"]


def test_methods_plain_functions_static_and_class_methods_and_async_are_steps() -> None:
    class Kinds(FlowSpec):
        factor = 2

        @step
        def method(self, x: int) -> int:
            return x * self.factor

        @step
        def plain(x: int) -> int:  # noqa: N805  a plain function is a step too
            return int(x) + 1

        @staticmethod
        @step
        def static(x: int) -> int:
            return x + 2

        @step
        @classmethod
        def of_class(cls, x: int) -> int:
            return x + cls.factor

        @needs([method, plain, static, of_class])
        @step
        async def later(self, *numbers: int) -> list[int]:
            return list(numbers)

    assert Kinds(input=10).run().get_result("later") == [20, 11, 12, 12]


def test_steps_are_inherited_and_may_be_written_anew() -> None:
    class Above(FlowSpec):
        @step
        def begin(self) -> int:
            return 1

        @needs([begin])
        @step
        def work(self, x: int) -> int:
            return x + 1

        @needs([work])
        @step
        def end(self, x: int) -> int:
            return x * 10

    class Same(Above):
        pass

    class WithDecorators(Above):
        @needs([Above.begin])
        @step
        def work(self, x: int) -> int:
            return x + 2

    class Body(Above):
        def work(self, x: int) -> int:
            return super().work(x) + 10

    class Fewer(Above):
        end = None

    assert Same().run().get_result(Above.end) == 20
    assert WithDecorators().run().get_result("end") == 30
    assert Body().run().get_result("end") == 120
    assert [one.id for one in Body.flow_graph] == ["begin", "work", "end"]
    assert [one.id for one in Fewer.flow_graph] == ["begin", "work"]


def test_a_class_that_leaves_steps_open_is_abstract() -> None:
    class Open(FlowSpec, abstract=True):
        @needs(["load"])
        @step
        def use(self, x: int) -> int:
            return x

    class Whole(Open):
        @step
        def load(self) -> int:
            return 7

    assert Whole().run().get_result("use") == 7
    with pytest.raises(FlowDefinitionError, match="has no step"):
        Open()


def test_abstract_methods_work_as_in_any_class() -> None:
    class Open(FlowSpec):
        @step
        @abc.abstractmethod
        def load(self) -> int: ...

    with pytest.raises(TypeError, match="abstract"):
        Open()


SOURCE = """
class Out(FlowSpec):
    class Inner:
        def method(self): pass

    if True:
        @step
        def a(self): return 1

    @needs([a])
    @step
    def b(self, x): return x + 1
"""


def test_a_class_without_a_source_is_a_flow() -> None:
    names: dict[str, Any] = {"FlowSpec": FlowSpec, "step": step, "needs": needs}
    exec(SOURCE, names)  # noqa: S102  what a notebook does

    flow = names["Out"]()

    assert flow.run().get_result("b") == 2


def test_steps_may_be_made_by_hand() -> None:
    def first(self: Any) -> int:
        return 1

    def second(self: Any, x: int) -> int:
        return x + 1

    made = type(FlowSpec)(
        "Made", (FlowSpec,), {"a": step(first), "b": needs([first])(step(second))}
    )

    assert made().run().get_result("b") == 2


def test_marks_go_through_decorators_of_ones_own() -> None:
    def twice(function: Any) -> Any:
        @functools.wraps(function)
        def wrapped(*args: Any) -> Any:
            return 2 * function(*args)

        return wrapped

    class Wrapped(FlowSpec):
        @twice
        @step
        def a(self) -> int:
            return 4

        @needs([a])
        @twice
        @step
        def b(self, x: int) -> int:
            return x

    assert Wrapped().run().get_result("b") == 16


def test_an_arity_that_does_not_fit_is_refused() -> None:
    with pytest.raises(
        FlowDefinitionError, match=r"step 'b'.*it needs \(a\).*missing.*'y'"
    ) as told:

        class Wrong(FlowSpec):
            @step
            def a(self) -> int:
                return 1

            @needs([a])
            @step
            def b(self, x: int, y: int) -> int:
                return x

    assert isinstance(told.value, DefinitionError)


@pytest.mark.parametrize(
    ("function", "fits"),
    [
        (lambda self, x, y: 0, False),
        (lambda self, x: 0, True),
        (lambda self: 0, True),
        (lambda x: 0, True),
        (lambda: 0, True),
        (lambda self, x, y=1: 0, True),
        (lambda *a: 0, True),
        (lambda self, *, x: 0, False),
        (lambda self, *, x=1: 0, False),
    ],
)
def test_arity_is_checked_when_the_flow_is_defined(function: Any, fits: bool) -> None:
    def define() -> Any:
        class Checked(FlowSpec):
            @step
            def a(self) -> int:
                return 1

            b = step(name="b")(needs([a])(function))

        return Checked

    if fits:
        define()
        return
    with pytest.raises(FlowDefinitionError, match=r"step 'b'.*cannot be called"):
        define()


def test_a_start_step_that_wants_two_arguments_is_refused() -> None:
    with pytest.raises(FlowDefinitionError, match=r"step 'a'.*the flow's input.*missing"):

        class Wrong(FlowSpec):
            @step
            def a(self, x: int, y: int) -> int:
                return x


def test_an_unknown_predecessor_is_refused_and_the_nearest_is_named() -> None:
    with pytest.raises(FlowDefinitionError, match=r"'work' needs 'prepaer'.*'prepare'"):

        class Wrong(FlowSpec):
            @step
            def prepare(self) -> int:
                return 1

            @needs(["prepaer"])
            @step
            def work(self, x: int) -> int:
                return x


def test_a_step_of_another_flow_and_a_plain_function_are_no_predecessors() -> None:
    class Other(FlowSpec):
        @step
        def foreign(self) -> int:
            return 1

    def plain() -> int:
        return 1

    for reference, why in ((Other.foreign, "a step of another flow"), (plain, "is no step")):
        with pytest.raises(FlowDefinitionError, match=rf"step 'work' needs .*{why}"):

            class Wrong(FlowSpec):
                @needs([reference])
                @step
                def work(self, x: int) -> int:
                    return x


@pytest.mark.parametrize("wrong", ["a", {"a"}, 5])
def test_predecessors_that_are_no_list_are_refused(wrong: Any) -> None:
    with pytest.raises(FlowDefinitionError, match="predecessors is a list"):
        needs(predecessors=wrong)
    with pytest.raises(FlowDefinitionError, match="after is a list"):
        needs(after=wrong)
    with pytest.raises(FlowDefinitionError, match="no step"):
        needs([5])


def test_needs_without_parentheses_says_what_it_takes() -> None:
    with pytest.raises(FlowDefinitionError, match="predecessors is a list"):

        class Wrong(FlowSpec):
            @needs
            @step
            def a(self) -> int:
                return 1


def test_two_steps_of_one_name_are_refused_with_both_lines() -> None:
    with pytest.raises(FlowDefinitionError, match="step 'a'") as told:

        class Wrong(FlowSpec):
            @step
            def a(self) -> int:
                return 1

            @step
            def a(self) -> int:  # noqa: F811  the mistake in question
                return 2

    here = inspect.currentframe()
    assert here is not None
    numbers = lines_of(str(told.value))
    assert len(numbers) == 2
    assert max(numbers) - min(numbers) == 4


def test_two_steps_of_one_id_are_refused_with_both_lines() -> None:
    with pytest.raises(FlowDefinitionError, match="the same step 'a'") as told:

        class Wrong(FlowSpec):
            @step
            def a(self) -> int:
                return 1

            @step(name="a")
            def b(self) -> int:
                return 2

    assert len(lines_of(str(told.value))) == 2


def test_a_circle_is_refused_with_its_exact_path() -> None:
    with pytest.raises(FlowDefinitionError, match="b -> c -> d -> b;"):

        class Wrong(FlowSpec):
            @step
            def a(self) -> int:
                return 1

            @needs(["a", "d"])
            @step
            def b(self, x: int, y: int) -> int:
                return x

            @needs([b])
            @step
            def c(self, x: int) -> int:
                return x

            @needs([c])
            @step
            def d(self, x: int) -> int:
                return x

            @needs([d])
            @step
            def behind(self, x: int) -> int:
                return x


def test_check_cycle_gives_the_path_or_nothing() -> None:
    assert check_cycle({"a": ["b"], "b": ["c"], "c": []}) == (False, None)
    assert check_cycle({"a": ["b"], "b": ["c"], "c": ["b"]}) == (True, ["b", "c", "b"])
    assert check_cycle({"a": ["a"]}) == (True, ["a", "a"])
    chain = {str(number): [str(number + 1)] for number in range(20_000)}
    assert check_cycle(chain) == (False, None)


@pytest.mark.parametrize("count", [-1, 1.5, "3", None, True])
def test_a_repeat_that_is_no_count_is_refused(count: Any) -> None:
    with pytest.raises(FlowDefinitionError, match="a whole number from 0"):
        repeat(count)


def test_a_repeat_without_parentheses_is_refused() -> None:
    with pytest.raises(FlowDefinitionError, match=r"@repeat\(...\)"):

        class Alone(FlowSpec):
            @repeat
            @step
            def a(self) -> int:
                return 1

    with pytest.raises(FlowDefinitionError, match=r"@repeat\(...\)"):

        class Above(FlowSpec):
            @step
            @repeat
            def a(self) -> int:
                return 1


def test_a_repeated_foreach_is_refused() -> None:
    with pytest.raises(FlowDefinitionError, match="repeated and a foreach at once"):

        class Wrong(FlowSpec):
            @repeat(2)
            @foreach
            @step
            def a(self) -> list[int]:
                return [1]


def test_decorators_without_step_are_no_silent_loss() -> None:
    with pytest.raises(FlowDefinitionError, match="no @step"):

        class Wrong(FlowSpec):
            @foreach
            def a(self) -> list[int]:
                return [1]


def test_a_decorator_says_it_twice_only_once() -> None:
    with pytest.raises(FlowDefinitionError, match="two @needs"):

        class Wrong(FlowSpec):
            @step
            def a(self) -> int:
                return 1

            @needs([a])
            @needs([])
            @step
            def b(self) -> int:
                return 1


@pytest.mark.parametrize("name", ["run", "graph", "input", "params", "newest_run", "to_workflow"])
def test_a_step_cannot_take_the_name_of_something_every_flow_has(name: str) -> None:
    with pytest.raises(FlowDefinitionError, match=f"cannot be called '{name}'"):
        type(FlowSpec)("Wrong", (FlowSpec,), {name: step(lambda self: 1)})


def test_a_join_needs_results_and_an_app_one_input() -> None:
    with pytest.raises(FlowDefinitionError, match="needs no step's results"):

        class Alone(FlowSpec):
            @join
            @step
            def a(self, xs: list[int]) -> int:
                return 1

    with pytest.raises(FlowDefinitionError, match="one input, and needs a, b"):

        class TwoInputs(FlowSpec):
            @step
            def a(self) -> int:
                return 1

            @step
            def b(self) -> int:
                return 1

            @app("solver", recorded={"output": 1})
            @needs([a, b])
            @step
            def c(self) -> int:
                return 1


def test_a_wrong_setting_of_a_step_is_refused_when_the_flow_is_defined() -> None:
    with pytest.raises(FlowDefinitionError, match=r"retris.*retries"):

        class Wrong(FlowSpec):
            @step(retris=2)
            def a(self) -> int:
                return 1


def test_a_condition_that_takes_two_things_is_refused() -> None:
    with pytest.raises(FlowDefinitionError, match=r"@optional.*the flow's view alone"):

        class Wrong(FlowSpec):
            @optional(lambda one, two: True)
            @step
            def a(self) -> int:
                return 1

    with pytest.raises(FlowDefinitionError, match="takes a function"):
        optional(True)


def test_a_name_that_is_no_token_is_refused_and_may_be_given_apart() -> None:
    with pytest.raises(FlowDefinitionError, match=r"@step\(name="):

        class Wrong(FlowSpec):
            @step
            def größe(self) -> int:
                return 1

    class Right(FlowSpec):
        @step(name="groesse")
        def größe(self) -> int:
            return 1

    assert Right().run().get_result(Right.größe) == 1


@pytest.mark.parametrize("name", ["end", "graph", "subgraph", "click", "class_", "a_0", "a_join"])
def test_any_name_of_a_step_will_do(name: str) -> None:
    kind = type(FlowSpec)("Named", (FlowSpec,), {"one": step(name=name)(lambda self: 1)})

    assert kind().run().get_result(name) == 1


def test_what_does_not_come_from_one_foreach_cannot_be_aligned() -> None:
    with pytest.raises(FlowDefinitionError, match=r"cannot align the items of 'b' with those of a"):

        class Apart(FlowSpec):
            @foreach
            @step
            def a(self) -> list[int]:
                return [1, 2]

            @foreach
            @step
            def b(self) -> list[int]:
                return [3, 4]

            @needs([a, b], combine="align")
            @step
            def both(self, one: int, other: int) -> int:
                return one + other


def test_a_join_that_takes_several_lists_by_place_is_told_how_to_name_them() -> None:
    with pytest.raises(FlowDefinitionError, match=r"unless they are named: @needs\(a=a, b=b\)"):

        class Joined(FlowSpec):
            @step
            def a(self) -> int:
                return 1

            @step
            def b(self) -> int:
                return 2

            @join
            @needs([a, b])
            @step
            def both(self, one: list[int], other: list[int]) -> int:
                return 0
