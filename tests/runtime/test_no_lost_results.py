"""No result of a mapped task is ever lost to its join, whatever the order and speed (S43).

The six settings are those in which an engine that counts items as they are made loses some: few
threads or many, quick items before one that ends last.
"""

import threading
from pathlib import Path

import pytest

from eventflow import PythonOperator, Scheduler, Workflow, current_context

# The table of what was lost elsewhere, 200 times each.
pytestmark = [pytest.mark.rule("S43"), pytest.mark.long]
RUNS = 200
AT_ONCE = 8
SOON_S = 60
# threads (None for any number), quick items before the slow one
SETTINGS = [(1, 3), (2, 3), (4, 8), (None, 3), (None, 40), (None, 200)]


class Race:
    """One run: quick items, and a slow one that ends when all the others have."""

    def __init__(self, quick: int, *, threads: int | None, is_static: bool) -> None:
        self.quick = quick
        # With one thread there is nobody beside the slow item.
        self.waits_for_all = threads != 1
        self._lock = threading.Lock()
        self._ended: dict[int, int] = {}
        self._quick_ended: dict[int, threading.Event] = {}
        self.joined: dict[int, list[str]] = {}
        numbers = list(range(quick + 1))
        name = f"race-{threads or 'any'}-{quick}-{'given' if is_static else 'returned'}"
        with Workflow(name, max_active=AT_ONCE) as workflow:
            pool = "default" if threads is None else f"threads-{threads}"
            work = PythonOperator("work", self.work, pool=pool)
            if is_static:
                work.map(numbers)
            else:
                work.map(PythonOperator("numbers", lambda: numbers).output)
            PythonOperator("join", self.join, [work.output])
        self.workflow = workflow

    def work(self, number: int) -> str:
        run = current_context().task_execution.workflow_execution_id
        with self._lock:
            others = self._quick_ended.setdefault(run, threading.Event())
        if number == self.quick:
            if self.waits_for_all:
                assert others.wait(SOON_S)
        else:
            with self._lock:
                self._ended[run] = self._ended.get(run, 0) + 1
                if self._ended[run] == self.quick:
                    others.set()
        return f"r{number}"

    def join(self, results: list[str]) -> None:
        self.joined[current_context().task_execution.workflow_execution_id] = results

    @property
    def wanted(self) -> list[str]:
        return [f"r{number}" for number in range(self.quick + 1)]


@pytest.mark.parametrize("is_static", [True, False], ids=["given", "returned"])
@pytest.mark.parametrize(("threads", "quick"), SETTINGS)
def test_the_join_has_every_result_in_item_order(
    tmp_path: Path, threads: int | None, quick: int, is_static: bool
) -> None:
    race = Race(quick, threads=threads, is_static=is_static)
    with Scheduler(f"sqlite:///{tmp_path / 'store.db'}") as scheduler:
        if threads is not None:
            scheduler.set_pool(f"threads-{threads}", threads)
        handles = [scheduler.run(race.workflow) for _ in range(RUNS)]
        ended = [handle.wait(SOON_S * 4).status for handle in handles]

    assert ended == ["SUCCESS"] * RUNS
    assert len(race.joined) == RUNS
    assert [results for results in race.joined.values() if results != race.wanted] == []
