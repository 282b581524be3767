"""`python -m tests.simulation SEED` plays one seed and prints what happened."""

import argparse
import json
import sys
import time
from collections import Counter
from itertools import chain
from typing import Any

from tests.simulation.course import Course
from tests.simulation.runner import Told, corpus_seeds, disk, play_many, play_one
from tests.simulation.shrink import shrunk


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seed", type=int, nargs="?", help="play this one and print its trace")
    parser.add_argument("--store", choices=["memory", "both"], help="by default the seed says")
    parser.add_argument("--only", help="play these steps only: 3,17,20")
    parser.add_argument("--without", default="", help="let these faults never happen: a;b")
    parser.add_argument("--shrink", action="store_true", help="make it as small as it can be")
    parser.add_argument("--seeds", type=int, default=0, help="play so many, and the corpus first")
    parser.add_argument("--first", type=int, default=0, help="from this one on")
    parser.add_argument("--jobs", type=int, default=2, help="processes that play")
    parser.add_argument("--json", action="store_true", help="the figures as one JSON line")
    parser.add_argument("--shown", type=float, default=10, help="seconds from line to line")
    parser.add_argument("--stop", action="store_true", help="at the first that fails")
    parser.add_argument("--no-corpus", action="store_true")
    parser.add_argument("--once", action="store_true", help="play none twice to compare")
    options = parser.parse_args()
    return _one(options) if options.seed is not None else _many(options)


def _one(options: argparse.Namespace) -> int:
    course = Course(
        seed=options.seed,
        store=options.store or Course.of(options.seed).store,
        only=frozenset(map(int, filter(None, options.only.split(","))))
        if options.only is not None
        else None,
        without=frozenset(filter(None, options.without.split(";"))),
    )
    with disk() as where:
        told = play_one(course, where, trace=True)
        if told.wrong and options.shrink:
            told = play_one(shrunk(told, where).course, where, trace=True)
    print("\n".join(told.trace))
    if told.wrong:
        print(f"{told.wrong}\npython -m tests.simulation {told.course}")
        return 1
    print(f"seed {course.seed} on {course.store}: {told.hash}")
    return 0


class Figures:
    """What came of the seeds so far."""

    def __init__(self, wanted: int, every_s: float) -> None:
        self._wanted = wanted
        self._every_s = every_s
        self._began = self._shown = time.monotonic()
        self._happened: Counter[str] = Counter()
        self._played = 0
        self.failed: list[Told] = []

    def add(self, told: Told) -> None:
        self._played += 1
        self._happened += told.happened
        if told.wrong:
            self.failed.append(told)
            what = " ".join(told.wrong.split())[:400]
            print(f"FAILED: python -m tests.simulation {told.course}   # {what}", flush=True)
        if time.monotonic() - self._shown > self._every_s:
            self._shown = time.monotonic()
            print(
                f"\r{self._played} of {self._wanted} seeds, {self._rate():,.0f} an hour, "
                f"{len(self.failed)} failed ",
                end="",
                file=sys.stderr,
                flush=True,
            )

    def as_json(self) -> dict[str, Any]:
        return {
            "seeds": self._played,
            "failed": [told.course.seed for told in self.failed],
            "seconds": round(time.monotonic() - self._began, 1),
            "seeds_per_hour": round(self._rate()),
            "happened": dict(sorted(self._happened.items())),
        }

    def show(self) -> None:
        print(f"\n{self._played} seeds, {len(self.failed)} failed, {self._rate():,.0f} an hour")
        for name, count in sorted(self._happened.items()):
            print(f"{count / self._played * 1000:10.0f} per 1,000 seeds: {name}")

    def _rate(self) -> float:
        return self._played / max(time.monotonic() - self._began, 0.001) * 3600


def _many(options: argparse.Namespace) -> int:
    corpus = [] if options.no_corpus else corpus_seeds()
    seeds = chain(corpus, range(options.first, options.first + options.seeds))
    figures = Figures(len(corpus) + options.seeds, options.shown)
    ended = 0
    try:
        for told in play_many(seeds, options.jobs, twice=not options.once):
            figures.add(told)
            if told.wrong and options.stop:
                break
    except KeyboardInterrupt:
        ended = 130
    if options.json:
        print(json.dumps(figures.as_json()))
    else:
        figures.show()
    return ended or min(len(figures.failed), 1)


if __name__ == "__main__":
    sys.exit(main())
