"""A second crash, in the process that recovers from the first."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import tale
from place import Place
from tale import Tale
from tales import SERVING

# How many pairs `make longest` tries, and how many of them `make long` does.
PAIRS, IN_CI = 30, 10
# Where a `serve` that has been killed leaves something to recover.
FIRST = sorted(point for point in SERVING if not point.startswith("release."))
_CHANCE = random.Random(5)  # noqa: S311  which pairs are tried
SAMPLE = [(_CHANCE.choice(FIRST), _CHANCE.choice(sorted(SERVING))) for _ in range(PAIRS)]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path, tale.WORKFLOW)
    yield made
    made.end()


@pytest.mark.long
@pytest.mark.rule("S2", "S10", "S11", "S28")
@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(*pair, marks=pytest.mark.longest if n >= IN_CI else ())
        for n, pair in enumerate(SAMPLE)
    ],
)
def test_a_kill_while_it_recovers_from_a_kill_loses_nothing(
    place: Place, first: str, second: str
) -> None:
    told = Tale(place, [f"{first}:kill", f"{second}:kill"])

    told.tell()

    assert told.happened()
    told.check()
