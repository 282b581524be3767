"""Histories, one or many: played, some twice, in one process or in several."""

import logging
import os
import signal
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from multiprocessing import Event
from multiprocessing.synchronize import Event as EventType
from pathlib import Path
from typing import NamedTuple

from tests.simulation.course import Course
from tests.simulation.places import Disk
from tests.simulation.play import Play, WrongError

CORPUS = Path(__file__).parent / "corpus.txt"
# A seed takes a tenth of a second; one that takes so long goes round in circles.
MOST_S = 120
# So many seeds go to a process at once.
CHUNK = 5
# Of so many seeds one of each store is played twice, and must come out the same.
TWICE_EVERY = 100


@dataclass
class Told:
    """What came of one history.

    Attributes:
        at: The step in which it went wrong.
        hash: Of all that happened; empty where something was wrong.
    """

    course: Course
    hash: str = ""
    wrong: str = ""
    at: int = -1
    trace: list[str] = field(default_factory=list)
    happened: Counter[str] = field(default_factory=Counter)


def play_one(course: Course, disk: Disk, *, trace: bool = False) -> Told:
    """Play one; what is wrong is in the answer."""
    logging.getLogger("eventflow").setLevel(logging.CRITICAL + 1)
    told = Told(course)
    play = Play(course, disk if course.store == "both" else None)
    try:
        with _no_longer_than(MOST_S):
            told.hash = play.run()
    except (Exception, WrongError) as error:
        told.wrong, told.at = f"{type(error).__name__}: {error}", play.at
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


def play_many(seeds: Iterable[int], jobs: int, *, twice: bool = True) -> Iterator[Told]:
    """Play each as its seed says, in so many processes; what came of them, in their order.

    Args:
        twice: Play one in a hundred again, and compare.
    """
    with _folder() as folder:
        if jobs < 2:
            where = Disk(folder)
            for seed in seeds:
                yield _checked(Course.of(seed), where, twice=twice)
            return
        rest, ended = iter(seeds), Event()
        chunks = iter(lambda: list(islice(rest, CHUNK)), [])
        pool = ProcessPoolExecutor(jobs, initializer=_Job.begin, initargs=(folder, ended))
        try:
            for found in pool.map(partial(_chunk, twice=twice), chunks):
                yield from found
        finally:
            ended.set()
            pool.shutdown(cancel_futures=True)


@contextmanager
def disk() -> Iterator[Disk]:
    """A disk for one history after the other."""
    with _folder() as folder:
        yield Disk(folder)


@contextmanager
def _folder() -> Iterator[Path]:
    """In memory, where that can be."""
    memory = Path("/dev/shm")
    where = memory if memory.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="eventflow-simulation-", dir=where) as folder:
        yield Path(folder)


class _Job(NamedTuple):
    """What a process that plays has of its own."""

    disk: Disk
    ended: EventType

    @staticmethod
    def begin(folder: Path, ended: EventType) -> None:
        # Ctrl-C is for the process that counts; it says when to end.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        own = folder / str(os.getpid())
        own.mkdir()
        _JOBS.append(_Job(Disk(own), ended))


_JOBS: list[_Job] = []


def _chunk(seeds: list[int], *, twice: bool) -> list[Told]:
    told = []
    for seed in seeds:
        if not _JOBS[0].ended.is_set():
            told.append(_checked(Course.of(seed), _JOBS[0].disk, twice=twice))
    return told


def _checked(course: Course, where: Disk, *, twice: bool) -> Told:
    told = play_one(course, where)
    if twice and course.seed % TWICE_EVERY in (0, 3) and not told.wrong:
        again = play_one(course, where)
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
