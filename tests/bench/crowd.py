"""The cost of an event beside executions that run and wait; P11: what those take.

Two crowds of one workflow each: one that never wants the key that is emitted, beside which the cost
has to be flat, and one whose tasks all listen to it, where it is in proportion to their number.
Those that wait were begun by a real scheduler, and copied (see `loader`).
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from eventflow import Event, Scheduler
from eventflow.clock import SystemClock
from eventflow.model.status import WorkflowStatus
from eventflow.store.fsck import fsck
from tests.bench import loader
from tests.bench.turns import (
    Figures,
    cost_alone,
    cost_of_events,
    curve,
    memory_kib,
    wait_until_decided,
)

TARGET_FLAT, TARGET_KIB, TARGET_RESTART_S = 1.1, 2, 10
_PIECE = 10
_CHECKED = 1_000


def run(
    folder: Path, *, running: tuple[int, ...] = (1, 100, 10_000, 100_000), rounds: int = 7
) -> dict[str, object]:
    """Beside executions that do not subscribe; and what those take in memory and at a restart."""
    found = curve(folder, beside_others, running, rounds=rounds)
    few, most = found.made[0], found.made[-1]
    return {
        "bench": "P11 crowd",
        "running": list(running),
        **found.of_an_event(),
        "target_flat": TARGET_FLAT,
        "kib_of_one": round((most["kib"] - few["kib"]) / (running[-1] - running[0]), 2),
        "restart_s": [round(made["restart_s"], 2) for made in found.made],
        "target": [TARGET_KIB, TARGET_RESTART_S],
    }


def run_subscribed(
    folder: Path, *, running: tuple[int, ...] = (1, 1_000, 10_000), rounds: int = 5
) -> dict[str, object]:
    """Beside executions whose rules all want the event: what each of them adds."""
    found = curve(folder, beside_subscribers, running, rounds=rounds)
    costs = found.at("cpu_us")
    each = [
        (cost - costs[0]) / (count - running[0])
        for cost, count in zip(costs[1:], running[1:], strict=True)
    ]
    return {
        "bench": "crowd that listens",
        "running": list(running),
        "cpu_us_per_event": [round(cost, 1) for cost in costs],
        "cpu_us_of_each": [round(cost, 2) for cost in each],
        "flat_each": round(each[-1] / each[0], 2),
        "target_flat": 1,
    }


# A file, as `eventflow serve` has it: what a restart reads includes it.
_WORKFLOW = """
from eventflow import AllOf, EventCondition, PythonOperator, TaskAction, Workflow

def nothing(): pass

with Workflow("waits", max_active=1_000_000) as workflow:
    task = PythonOperator("t", nothing)
    # One of the two keys is remembered, and starts nothing.
    both = AllOf(EventCondition("{key}"), EventCondition("never.comes"))
    task.action_on_condition(TaskAction.START, both)
"""


@contextmanager
def beside_others(folder: Path, running: int) -> Iterator[tuple[Figures, Callable[[], Figures]]]:
    with _crowd(folder, running, "somebody.else") as (made, scheduler):
        yield made, lambda: _unwanted(scheduler)


@contextmanager
def beside_subscribers(
    folder: Path, running: int
) -> Iterator[tuple[Figures, Callable[[], Figures]]]:
    with _crowd(folder, running, "go") as (made, scheduler):
        yield made, lambda: _wanted(scheduler, running)


@contextmanager
def _crowd(folder: Path, running: int, key: str) -> Iterator[tuple[Figures, Scheduler]]:
    """So many executions that want `key`, taken up by a scheduler that starts anew."""
    url, path = f"sqlite:///{folder}/crowd.db", folder / "crowd.db"
    (folder / "waits.py").write_text(_WORKFLOW.format(key=key))
    _gather(url, folder, running)
    if running <= _CHECKED:
        report = fsck(path, clock=SystemClock())
        assert not report.faults
        assert report.counts is not None
        assert report.counts.live_executions == running
    before = memory_kib()
    begin = time.perf_counter()
    with Scheduler(url) as scheduler:
        # Ready is who has decided: an event that comes now, after all that the restart left to do.
        scheduler.emit("first.of.all")
        wait_until_decided(scheduler)
        restart = time.perf_counter() - begin
        assert not scheduler.parked
        made = {"restart_s": restart, "kib": memory_kib() - before}
        yield made, scheduler
        (newest,) = scheduler.store.executions(limit=1)
        assert (newest.id, newest.status) == (running, WorkflowStatus.RUNNING)


def _gather(url: str, folder: Path, running: int) -> None:
    """Begin some for real, and copy them until there are so many."""
    of_a_piece = _PIECE if running % _PIECE == 0 else 1
    with Scheduler(url) as scheduler:
        scheduler.register_file(folder / "waits.py")
        since = loader.mark(folder / "crowd.db")
        for _ in range(of_a_piece):
            scheduler.client.outcome(scheduler.client.run("default", "waits"))
    if running > of_a_piece:
        loader.multiply(folder / "crowd.db", since, running // of_a_piece - 1)


def _unwanted(scheduler: Scheduler) -> Figures:
    figures = cost_of_events(scheduler, [Event("bench.event", {"n": 1})] * 2_000)
    return figures | cost_alone(scheduler, "bench.event", count=30)


def _wanted(scheduler: Scheduler, running: int) -> Figures:
    """Fewer events where each is seen by many."""
    count = min(max(1_000 // running, 2), 50)
    return cost_of_events(scheduler, [Event("go", {"n": 1})] * count, batch=1)
