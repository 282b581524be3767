"""`python -m tests.bench.peers.our_side FOLDER`: eventflow's turns."""

import queue
import sqlite3
import sys
import time
from functools import partial

from eventflow import Scheduler
from tests.bench.peers.turns import serve
from tests.bench.runs import STARTERS, seconds_for_runs
from tests.bench.work import chain, fan_out, waiting_for

HOW = {
    "chain": "tasks of one workflow",
    "fan_out": "tasks of one workflow, and one after all of them",
    "runs": f"Scheduler.run from {STARTERS} threads",
    "start": "emit to the first line of the task that starts on it",
    "message": "the same",
}


class Ours:
    """The works, over one scheduler."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._runs = chain(3)
        scheduler.register(self._runs)

    def chain(self, size: int) -> list[float]:
        workflow = chain(size)
        self._scheduler.register(workflow)
        begin = time.perf_counter()
        ended = self._scheduler.run(workflow).wait(600)
        taken = time.perf_counter() - begin
        assert [task.status for task in ended.tasks] == ["SUCCESS"] * size
        return [taken]

    def fan_out(self, size: int) -> list[float]:
        workflow = fan_out(size)
        self._scheduler.register(workflow)
        begin = time.perf_counter()
        ended = self._scheduler.run(workflow).wait(600)
        taken = time.perf_counter() - begin
        assert [task.status for task in ended.tasks] == ["SUCCESS"] * (size + 1)
        return [taken]

    def runs(self, size: int) -> list[float]:
        return [seconds_for_runs(self._scheduler, self._runs, size, STARTERS)[0]]

    def latency(self, size: int) -> list[float]:
        began: queue.SimpleQueue[float] = queue.SimpleQueue()
        workflow = waiting_for("go", lambda: began.put(time.perf_counter()))
        handle = self._scheduler.run(workflow)
        assert handle.status == "RUNNING"
        taken = []
        for number in range(size):
            begin = time.perf_counter()
            self._scheduler.emit("go", number)
            taken.append(began.get(timeout=30) - begin)
            self._scheduler.client.until(partial(self._rest, handle.id, number + 1), 30)
        handle.stop()
        handle.wait(30)
        return taken

    def _rest(self, execution_id: int, count: int) -> bool | None:
        """Whether so many runs have ended: a START while one is alive starts nothing (S19)."""
        execution = self._scheduler.store.execution(execution_id)
        assert execution is not None
        ended = [task.status == "SUCCESS" for task in execution.tasks]
        return True if len(ended) == count and all(ended) else None


def main() -> None:
    (folder,) = sys.argv[1:]
    about = {
        "durability": "SQLite, journal_mode wal, synchronous FULL",
        "sqlite": sqlite3.sqlite_version,
        "python": sys.version.split()[0],
        "how": HOW,
    }
    with Scheduler(f"sqlite:///{folder}/ours.db") as scheduler:
        ours = Ours(scheduler)
        works = {
            "chain": ours.chain,
            "fan_out": ours.fan_out,
            "runs": ours.runs,
            "start": ours.latency,
            "message": ours.latency,
        }
        serve(about, works)


if __name__ == "__main__":
    main()
