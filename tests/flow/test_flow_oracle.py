"""Random flows, held against a slow reading of what foreach, repeat and join mean.

The reading knows no axis and no index: for each step it has the flat list of its results, and a
step behind several has one for each combination of theirs, the leftmost varying slowest.
"""

import itertools
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from eventflow.flow import FlowSpec, foreach, join, needs, repeat, step

MOST = 150


@dataclass(frozen=True)
class Drawn:
    """One step as it was drawn; `before` are places in the list of steps."""

    kind: str
    count: int
    before: tuple[int, ...]


@st.composite
def flows(draw: st.DrawFn) -> list[Drawn]:
    steps: list[Drawn] = []
    for place in range(draw(st.integers(2, 6))):
        before = tuple(
            draw(st.lists(st.integers(0, place - 1), max_size=2, unique=True)) if place else ()
        )
        kinds = ["plain", "foreach", "repeat"] + (["join"] if before else [])
        steps.append(Drawn(draw(st.sampled_from(kinds)), draw(st.integers(0, 2)), before))
    return steps


def read_flow(steps: list[Drawn]) -> list[list[Any]]:
    """The oracle: of each step the results in order, those of one repeat as one list."""
    results: list[list[Any]] = []
    for place, drawn in enumerate(steps):
        if drawn.kind == "join":
            rows = [(list(itertools.chain(*(closed(steps, results, it) for it in drawn.before))),)]
        else:
            rows = list(itertools.product(*(spread(steps, results, it) for it in drawn.before)))
        assume(len(rows) * max(drawn.count, 1) <= MOST)
        results.append([answer(place, drawn, row) for row in rows])
    return results


def spread(steps: list[Drawn], results: list[list[Any]], place: int) -> list[Any]:
    """What a successor that is no join has an item for."""
    if steps[place].kind == "foreach":
        return list(itertools.chain(*results[place]))
    return results[place]


def closed(steps: list[Drawn], results: list[list[Any]], place: int) -> list[Any]:
    """What a join finds: of a step that has no items but a list of its own, the list's elements."""
    is_list = steps[place].kind in ("foreach", "repeat")
    return results[place][0] if is_list and not has_items(steps, place) else results[place]


def has_items(steps: list[Drawn], place: int) -> bool:
    if steps[place].kind == "join":
        return False
    return any(has_items(steps, it) or steps[it].kind == "foreach" for it in steps[place].before)


def answer(place: int, drawn: Drawn, row: tuple[Any, ...]) -> Any:
    """What a step returns, told so that no two answers are alike."""
    told = [f"s{place}", *row]
    if drawn.kind == "foreach":
        return [[*told, number] for number in range(drawn.count)]
    return [told] * drawn.count if drawn.kind == "repeat" else told


def make_flow(steps: list[Drawn]) -> type[FlowSpec]:
    body: dict[str, Any] = {}
    for place, drawn in enumerate(steps):

        def work(*row: Any, place: int = place, drawn: Drawn = drawn) -> Any:
            given = row if drawn.before else ()
            plain = drawn if drawn.kind == "foreach" else Drawn("plain", 0, ())
            return answer(place, plain, given)

        function = step(name=f"s{place}")(work)
        if drawn.kind == "foreach":
            function = foreach(function)
        elif drawn.kind == "repeat":
            function = repeat(drawn.count)(function)
        elif drawn.kind == "join":
            function = join(levels="all")(function)
        body[f"s{place}"] = needs([f"s{it}" for it in drawn.before])(function)
    return type(FlowSpec)("Drawn", (FlowSpec,), body)


def flat(nested: Any, depth: int) -> list[Any]:
    if depth == 0:
        return [nested]
    return list(itertools.chain(*(flat(part, depth - 1) for part in nested)))


def depth(steps: list[Drawn], place: int) -> int:
    """How deep the lists of a step's results are nested, but for its own list."""
    if steps[place].kind == "join":
        return 0
    return sum(depth(steps, it) + (steps[it].kind == "foreach") for it in steps[place].before)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(flows())
def test_random_flows_give_what_a_slow_reading_gives(steps: list[Drawn]) -> None:
    expected = read_flow(steps)

    run = make_flow(steps)().run()

    for place, results in enumerate(expected):
        found = run.get_result(f"s{place}")
        assert flat(found, depth(steps, place)) == results
