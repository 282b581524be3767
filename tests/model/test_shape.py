"""Shapes of mapped tasks against plain nested lists (S43)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventflow.model.shape import Counts, Shape, even

pytestmark = pytest.mark.rule("S43")
# A tree: a number for each item on the last axis, or a list of what is below each.
Tree = Any


@st.composite
def trees(draw: st.DrawFn) -> tuple[int, Tree]:
    """A depth, and nested lists of that depth: what the items of a map would have returned."""
    depth = draw(st.integers(1, 4))
    is_even = [draw(st.booleans()) for _ in range(depth)]
    widths = [draw(st.integers(0, 3)) for _ in range(depth)]

    def grow(level: int) -> Tree:
        if level == depth:
            return 0
        wide = widths[level] if is_even[level] else draw(st.integers(0, 3))
        return [grow(level + 1) for _ in range(wide)]

    return depth, grow(0)


def rows(tree: Tree, depth: int) -> list[list[Tree]]:
    """What stands on each level, from the tree itself down to its items."""
    found = [[tree]]
    for _ in range(depth):
        found.append([member for one in found[-1] for member in one])
    return found


def indexes(tree: Tree, depth: int) -> list[tuple[int, ...]]:
    """The index of every item, in order."""
    if depth == 0:
        return [()]
    return [(place, *rest) for place, one in enumerate(tree) for rest in indexes(one, depth - 1)]


def at(tree: Tree, index: tuple[int, ...]) -> Tree:
    for place in index:
        tree = tree[place]
    return tree


def numbered(tree: Tree, depth: int, numbers: Any) -> Tree:
    """The same lists, with the numbers in the places of the items."""
    if depth == 0:
        return next(numbers)
    return [numbered(one, depth - 1, numbers) for one in tree]


def shapes_of(tree: Tree, depth: int) -> list[Shape]:
    """Its shape, with one number where all counts are the same, and with lists throughout."""
    above = rows(tree, depth)[:-1]
    ragged: list[Counts] = [[len(one) for one in row] for row in above]
    return [Shape([even(counts) for counts in ragged if isinstance(counts, list)]), Shape(ragged)]


def above_all(tree: Tree, depth: int) -> list[tuple[int, ...]]:
    """Every index, whole or not."""
    return [index for level in range(depth + 1) for index in indexes(tree, level)]


@given(trees())
def test_numbers_and_indexes_are_those_of_nested_lists(made: tuple[int, Tree]) -> None:
    depth, tree = made
    wanted = indexes(tree, depth)
    for shape in shapes_of(tree, depth):
        assert (shape.depth, shape.count) == (depth, len(wanted))
        assert [shape.index_of(number) for number in range(shape.count)] == wanted
        assert [shape.range_of(index) for index in wanted] == [
            range(number, number + 1) for number in range(len(wanted))
        ]


@given(trees())
def test_what_is_below_an_index_is_what_is_below_it_in_nested_lists(
    made: tuple[int, Tree],
) -> None:
    depth, tree = made
    whole = numbered(tree, depth, iter(range(1_000)))
    for shape in shapes_of(tree, depth):
        for index in above_all(tree, depth):
            below = shape.range_of(index)
            wanted = at(whole, index)
            assert list(below) == flat(wanted)
            if below or len(index) < depth:
                assert shape.nest(list(below), index) == wanted
            if len(index) < depth:
                assert shape.count_at(index) == len(wanted)


def flat(nested: Any) -> list[int]:
    if not isinstance(nested, list):
        return [nested]
    return [number for one in nested for number in flat(one)]


@given(trees())
def test_what_is_not_there_is_an_index_error(made: tuple[int, Tree]) -> None:
    depth, tree = made
    for shape in shapes_of(tree, depth):
        for number in (-1, shape.count, shape.count + 7):
            with pytest.raises(IndexError, match=f"no item {number}, there are {shape.count}"):
                shape.index_of(number)
        for index in above_all(tree, depth):
            if len(index) == depth:
                continue
            for place in (-1, len(at(tree, index))):
                beyond = (*index, place)
                with pytest.raises(IndexError, match="there is no item"):
                    shape.range_of(beyond)
                if len(beyond) < depth:
                    with pytest.raises(IndexError, match="there is no item"):
                        shape.count_at(beyond)


def test_shapes_with_the_same_counts_are_equal_and_say_what_they_are() -> None:
    ragged = Shape([2, [1, 3]])

    assert (ragged, hash(ragged)) == (Shape((2, [1, 3])), hash(Shape((2, [1, 3]))))
    assert ragged != Shape([2, 2])
    assert ragged != "Shape([2, [1, 3]])"
    assert repr(ragged) == "Shape([2, [1, 3]])"


@pytest.mark.parametrize(
    ("counts", "told"), [([], 0), ([3], 3), ([2, 2, 2], 2), ([0, 0], 0), ([1, 2], [1, 2])]
)
def test_counts_that_are_all_the_same_are_one_number(counts: list[int], told: Counts) -> None:
    assert even(counts) == told


def test_a_million_even_items_are_not_counted_one_by_one() -> None:
    shape = Shape([1_000, 1_000])

    assert shape.index_of(999_999) == (999, 999)
    assert shape.range_of((500,)) == range(500_000, 501_000)
    assert "_starts" not in vars(shape) or vars(shape)["_starts"] == {}
