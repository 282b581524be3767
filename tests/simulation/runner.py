"""Many seeds, in some processes: progress, figures, and one command line for each that fails."""

import logging
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.simulation.play import Play, WrongError, make_template

CORPUS = Path(__file__).parent / "corpus.txt"
# A seed takes a tenth of a second; one that takes so long goes round in circles.
MOST_S = 60
# So many seeds go to a process at once.
CHUNK = 20
# Of so many seeds one of each store is played twice, and must come out the same.
TWICE_EVERY = 20


@dataclass
class Told:
    """What came of one seed."""

    seed: int
    store: str
    hash: str = ""
    wrong: str = ""
    trace: list[str] = field(default_factory=list)
    happened: Counter[str] = field(default_factory=Counter)


def store_of(seed: int) -> str:
    """One in four is played on a file."""
    return "sqlite" if seed % 4 == 3 else "memory"


def play_one(seed: int, store: str, *, trace: bool = False, template: Path | None = None) -> Told:
    """Play one seed; what is wrong is in the answer."""
    logging.getLogger("eventflow").setLevel(logging.CRITICAL + 1)
    told = Told(seed, store)
    with _folder() as folder:
        play = Play(seed, folder if store == "sqlite" else None, template)
        try:
            with _no_longer_than(MOST_S):
                told.hash = play.run()
        except (Exception, WrongError) as error:
            told.wrong = f"{type(error).__name__}: {error}"
            if trace:
                play.trace.append(traceback.format_exc())
        told.happened = play.fates.happened
        told.happened["deaths"] = play.deaths
        told.happened["turns"] = play.witness.turn
        if trace:
            told.trace = play.trace
    return told


def corpus_seeds() -> list[int]:
    """The seeds that found something once: each line is a seed and what it found."""
    lines = CORPUS.read_text().splitlines()
    return [int(line.split()[0]) for line in lines if line[:1].isdigit()]


def play_many(
    seeds: Iterable[int], processes: int, *, stop: bool = False, twice: bool = True
) -> int:
    """Play them, and print what came of it; the number of seeds that failed.

    Args:
        stop: At the first that fails.
        twice: Play one in twenty again, and compare.
    """
    wanted = list(seeds)
    chunks = [wanted[at : at + CHUNK] for at in range(0, len(wanted), CHUNK)]
    began = shown = time.monotonic()
    happened: Counter[str] = Counter()
    played, failed = 0, 0
    for told in _told(chunks, processes, twice=twice):
        played += 1
        happened += told.happened
        if told.wrong:
            failed += 1
            print(
                f"FAILED: python -m tests.simulation {told.seed}   # {told.wrong[:400]}", flush=True
            )
            if stop:
                break
        if time.monotonic() - shown > 10:
            shown = time.monotonic()
            rate = played / (shown - began) * 3600
            print(f"{played} of {len(wanted)} seeds, {rate:,.0f} an hour", file=sys.stderr)
    seconds = time.monotonic() - began
    print(f"{played} seeds, {failed} failed, {played / seconds * 3600:,.0f} an hour")
    for name, count in sorted(happened.items()):
        print(f"{count / played * 1000:10.0f} per 1,000 seeds: {name}")
    return failed


def _told(chunks: list[list[int]], processes: int, *, twice: bool) -> Iterator[Told]:
    play = partial(_chunk, twice=twice)
    if processes < 2:
        for chunk in chunks:
            yield from play(chunk)
        return
    with ProcessPoolExecutor(processes) as pool:
        for found in pool.map(play, chunks):
            yield from found


def _chunk(seeds: list[int], *, twice: bool) -> list[Told]:
    with _folder() as folder:
        template = make_template(folder)
        return [_checked(seed, template, twice=twice) for seed in seeds]


def _checked(seed: int, template: Path, *, twice: bool) -> Told:
    told = play_one(seed, store_of(seed), template=template)
    if twice and seed % TWICE_EVERY in (0, 3) and not told.wrong:
        again = play_one(seed, store_of(seed), template=template)
        if again.hash != told.hash:
            told.wrong = "played twice it is not the same"
    return told


@contextmanager
def _no_longer_than(seconds: int) -> Iterator[None]:
    def end(number: int, frame: object) -> None:
        raise WrongError(f"it has not come to an end in {seconds} s")

    signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


@contextmanager
def _folder() -> Iterator[Path]:
    memory = Path("/dev/shm")
    where = memory if memory.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="eventflow-simulation-", dir=where) as folder:
        yield Path(folder)
