"""The same work beside more and more of what must not matter, each size in a process of its own.

The sizes are asked in turn, round by round, so that a slow moment of the machine hits all alike,
and of each round the ratio to the smallest is taken. A process of its own: what collecting garbage
costs beside a large world is the large world's cost, and memory is told apart.
"""

import gc
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from eventflow import Event, Scheduler

Figures = dict[str, float]
# Makes what is measured, of a size; gives figures of the making, and what one round measures.
Prepare = Callable[[Path, int], AbstractContextManager[tuple[Figures, Callable[[], Figures]]]]


class Curve(NamedTuple):
    """What the sizes have cost.

    Attributes:
        made: For each size, the figures of making it.
        rounds: For each size, those of its rounds.
    """

    made: list[Figures]
    rounds: list[list[Figures]]

    def at(self, name: str) -> list[float]:
        """A figure at every size: the median of the rounds."""
        return [statistics.median(one[name] for one in rounds) for rounds in self.rounds]

    def growth(self, name: str) -> list[float]:
        """The same of its ratio to the smallest size in the same round."""
        first = self.rounds[0]
        return [
            statistics.median(
                one[name] / small[name] for one, small in zip(rounds, first, strict=True)
            )
            for rounds in self.rounds
        ]

    def of_an_event(self) -> dict[str, object]:
        """What an event costs that nobody wants, in a batch and alone, and how that grows."""
        return {
            "cpu_us_per_event": [round(cost, 1) for cost in self.at("cpu_us")],
            "alone_cpu_us": [round(cost) for cost in self.at("alone_cpu_us")],
            "alone_ms": [round(cost, 2) for cost in self.at("alone_ms")],
            "flat_batched": round(self.growth("cpu_us")[-1], 3),
            "flat_alone": round(self.growth("alone_cpu_us")[-1], 3),
        }


def curve(folder: Path, prepare: Prepare, sizes: Sequence[int], *, rounds: int) -> Curve:
    """Measure at every size, turn by turn."""
    with ExitStack() as stack:
        made, asked = [], []
        for size in sizes:
            inside = folder / str(size)
            inside.mkdir()
            connection = stack.enter_context(_child(inside, prepare, size))
            made.append(_answer(connection))
            asked.append(connection)
        taken: list[list[Figures]] = [[] for _ in sizes]
        for number in range(rounds + 1):
            for place in _turned(range(len(sizes)), number):
                asked[place].send(True)
                figures = _answer(asked[place])
                if number:  # the first warms up
                    taken[place].append(figures)
    return Curve(made, taken)


def _turned(places: Sequence[int], number: int) -> list[int]:
    turn = number % len(places)
    return [*places[turn:], *places[:turn]]


@contextmanager
def _child(folder: Path, prepare: Prepare, size: int) -> Iterator[Connection]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, folder, prepare, size))
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        process.join()


def _answer(connection: Connection) -> Figures:
    try:
        figures: Figures = connection.recv()
    except EOFError:
        raise AssertionError("a size failed; its process has told why above") from None
    return figures


def _serve(connection: Connection, folder: Path, prepare: Prepare, size: int) -> None:
    with connection, prepare(folder, size) as (made, one_round):
        connection.send(made)
        while True:
            try:
                connection.recv()
            except EOFError:
                return
            connection.send(one_round())


def memory_kib() -> float:
    """What this process has in memory, after what is garbage has gone."""
    gc.collect()
    text = Path("/proc/self/smaps_rollup").read_text()
    return float(text.split("Pss_Anon:")[1].split()[0])


def cost_of_events(scheduler: Scheduler, events: Sequence[Event], *, batch: int = 100) -> Figures:
    """Microseconds of the processor, all threads', for each event: from `emit` to decided."""
    begin = time.process_time()
    for first in range(0, len(events), batch):
        scheduler.client.append_many(events[first : first + batch])
    wait_until_decided(scheduler)
    return {"cpu_us": (time.process_time() - begin) / len(events) * 1e6}


def cost_alone(scheduler: Scheduler, key: str, *, count: int) -> Figures:
    """The same of events that come alone, and milliseconds on the wall of the median one."""
    taken = []
    begin = time.process_time()
    for number in range(count):
        before = time.perf_counter()
        scheduler.emit(key, number)
        wait_until_decided(scheduler)
        taken.append((time.perf_counter() - before) * 1e3)
    cpu = (time.process_time() - begin) / count * 1e6
    return {"alone_cpu_us": cpu, "alone_ms": statistics.median(taken)}


def wait_until_decided(scheduler: Scheduler) -> None:
    """Wait until all that is in the log has its turn."""
    store = scheduler.store
    decided = scheduler.client.until(lambda: not store.undecided(1) or None, 120)
    assert decided, "events were not decided"
