"""Runs the contenders turn by turn, and prints one JSON line for each figure.

Each ratio says how many times better eventflow is: medians of rounds of one run on one machine.
"""

import argparse
import json
import statistics
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.bench.limits import describe, flush_ms
from tests.bench.peers.turns import Side, SideError

OURS = "eventflow"
_LEAST = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """One work that all do.

    Attributes:
        size: How much of it in one turn.
        rate: The figure is how many a second, and not the milliseconds of one.
        parts: A turn measures so many parts, and the figure is of all of them.
        wanted: How many times better eventflow is to be.
    """

    bench: str
    work: str
    size: int
    unit: str
    rate: bool = False
    parts: bool = False
    wanted: float | None = None


CONTESTS = (
    Contest(bench="P1 chain", work="chain", size=100, unit="ms a task", wanted=5),
    Contest(bench="P2 fan-out", work="fan_out", size=1_000, unit="tasks/s", rate=True, wanted=40),
    Contest(bench="P3 runs", work="runs", size=1_000, unit="runs/s", rate=True, wanted=30),
    Contest(bench="P4 start", work="start", size=100, unit="ms", parts=True),
    Contest(bench="P4 message", work="message", size=10, unit="ms", parts=True),
)


def figures_of(contest: Contest, turns: list[list[float]], size: int) -> dict[str, object]:
    """Median, lowest and highest over the turns; over their parts the high end is p99."""
    if contest.parts:
        parts = sorted(seconds * 1e3 for turn in turns for seconds in turn)
        return {
            "median": round(statistics.median(parts), 3),
            "lowest": round(parts[0], 3),
            "p99": round(parts[int(len(parts) * 0.99)], 3),
        }
    seconds = [taken for turn in turns for taken in turn]
    found = [size / taken if contest.rate else taken / size * 1e3 for taken in seconds]
    shown = {"median": statistics.median(found), "lowest": min(found), "highest": max(found)}
    return {name: round(figure, 1 if contest.rate else 3) for name, figure in shown.items()}


def compare(contest: Contest, sides: list[Side], rounds: int, share: float) -> dict[str, object]:
    """A short turn each to get warm, then rounds; who begins goes around."""
    size = max(int(contest.size * share), _LEAST)
    for side in sides:
        side.seconds(contest.work, _LEAST)
    turns: dict[str, list[list[float]]] = {side.name: [] for side in sides}
    for number in range(rounds):
        for place in range(len(sides)):
            side = sides[(number + place) % len(sides)]
            turns[side.name].append(side.seconds(contest.work, size))
    found = {name: figures_of(contest, taken, size) for name, taken in turns.items()}
    ratios = {
        f"times_better_than_{name}": round(_times(contest, found[OURS], figures), 1)
        for name, figures in found.items()
        if name != OURS
    }
    sizes = {"size": size, "rounds": rounds, "unit": contest.unit}
    return {"bench": contest.bench, **sizes, **found, **ratios, "wanted": contest.wanted}


def _times(contest: Contest, ours: dict[str, object], theirs: dict[str, object]) -> float:
    mine, other = float(str(ours["median"])), float(str(theirs["median"]))
    return mine / other if contest.rate else other / mine


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", required=True, help="of the environment that has DBOS")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--share", type=float, default=1.0, help="of the size of each work")
    options = parser.parse_args()
    try:
        hold(options.python, options.rounds, options.share)
    except SideError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def hold(python: str, rounds: int, share: float) -> None:
    """All contests, with DBOS in the environment of `python`. Raises SideError."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="eventflow-peers-"))
        sides = []
        for name, of, module, arguments in (
            (OURS, sys.executable, "our_side", []),
            ("dbos_plain", python, "dbos_side", ["plain"]),
            ("dbos_tuned", python, "dbos_side", ["tuned"]),
        ):
            side = Side(name, of, module, folder, *arguments)
            stack.callback(side.close)
            sides.append(side)
            print(json.dumps({"contender": name, **side.about}), flush=True)
        limits = {**describe(), "flush_ms": round(flush_ms(Path(folder)), 3)}
        print(json.dumps({"bench": "machine"} | limits), flush=True)
        for contest in CONTESTS:
            print(json.dumps(compare(contest, sides, rounds, share)), flush=True)


if __name__ == "__main__":
    sys.exit(main())
