"""How many items a mapped task has: a count for each axis, given the item on the axes before (S43).

Items are numbered in the order of their indexes, the last axis fastest. All of it is arithmetic on
the counts; nothing here is as long as the list of items but where an axis is ragged.
"""

from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from typing import Any

# How many items there are below each item of the axis before: one number when it is the same.
Counts = int | list[int]


class Shape:
    """The counts of all axes, outermost first.

    Args:
        levels: For each axis one number, or a list of one for each item of the axes before it.
    """

    def __init__(self, levels: Sequence[Counts]) -> None:
        self.levels: tuple[Counts, ...] = tuple(levels)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Shape) and self.levels == other.levels

    def __hash__(self) -> int:
        return hash(str(self.levels))

    def __repr__(self) -> str:
        return f"Shape({list(self.levels)})"

    @property
    def depth(self) -> int:
        return len(self.levels)

    @property
    def count(self) -> int:
        """How many items there are."""
        return self._totals[-1]

    def count_at(self, index: Sequence[int]) -> int:
        """How many there are on the next axis below an index that is shorter than the depth.

        Raises:
            IndexError: If there is no such index.
        """
        return self._below(len(index), self._number(index))

    def range_of(self, index: Sequence[int]) -> range:
        """The numbers of the items whose index begins so; of a whole index it is one.

        Raises:
            IndexError: If there is no such index.
        """
        first = self._number(index)
        last = first + 1
        for level in range(len(index), self.depth):
            first, last = self._start(level, first), self._start(level, last)
        return range(first, last)

    def index_of(self, number: int) -> tuple[int, ...]:
        """The index of an item.

        Raises:
            IndexError: If there is no item of that number.
        """
        if not 0 <= number < self.count:
            raise IndexError(f"there is no item {number}, there are {self.count}")
        index: list[int] = []
        for level in reversed(range(self.depth)):
            counts = self.levels[level]
            if isinstance(counts, int):
                above, place = divmod(number, counts)
            else:
                above = bisect_right(self._starts[level], number) - 1
                # Items above with none below start where the next one does.
                place = number - self._starts[level][above]
            index.append(place)
            number = above
        return tuple(reversed(index))

    def nest(self, values: list[Any], index: Sequence[int] = ()) -> Any:
        """One value for each item below `index`, as lists within lists; of one item the value."""
        level = len(index)
        if level == self.depth:
            return values[0]
        at = self._number(index)
        nested = values
        # From the innermost axis outwards: what stands below each item becomes one list.
        for inner in reversed(range(level + 1, self.depth)):
            first, last = at, at + 1
            for between in range(level, inner):
                first, last = self._start(between, first), self._start(between, last)
            nested = self._grouped(nested, inner, range(first, last))
        return nested

    def _grouped(self, values: list[Any], level: int, above: range) -> list[Any]:
        base = self._start(level, above.start)
        return [
            values[self._start(level, item) - base : self._start(level, item + 1) - base]
            for item in above
        ]

    def _number(self, index: Sequence[int]) -> int:
        number = 0
        for level, place in enumerate(index):
            if not 0 <= place < self._below(level, number):
                raise IndexError(f"there is no item {list(index)}")
            number = self._start(level, number) + place
        return number

    def _below(self, level: int, item: int) -> int:
        counts = self.levels[level]
        return counts if isinstance(counts, int) else counts[item]

    def _start(self, level: int, item: int) -> int:
        counts = self.levels[level]
        return item * counts if isinstance(counts, int) else self._starts[level][item]

    @cached_property
    def _starts(self) -> dict[int, list[int]]:
        return {
            level: list(accumulate(counts, initial=0))
            for level, counts in enumerate(self.levels)
            if not isinstance(counts, int)
        }

    @cached_property
    def _totals(self) -> list[int]:
        totals, total = [], 1
        for counts in self.levels:
            total = total * counts if isinstance(counts, int) else sum(counts)
            totals.append(total)
        return totals


def even(counts: list[int]) -> Counts:
    """Counts as one number where they are all the same; of none it is 0."""
    if not counts:
        return 0
    return counts[0] if len(set(counts)) == 1 else counts
