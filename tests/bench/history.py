"""P12: the cost of an event beside a long past: one that starts a task, and one nobody wants.

The past is made of rows that a real scheduler wrote, copied until there are enough of them (see
`loader`). `flat_` is the cost beside the longest past over that beside the shortest, in processor
time, taken in turn in one run. What a scheduler takes to start and what the newest of the past take
to be listed has to be flat as well.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from eventflow import Event, PythonOperator, Scheduler, Workflow
from eventflow.clock import SystemClock
from eventflow.model.status import WorkflowStatus
from eventflow.store.fsck import fsck
from tests.bench import loader
from tests.bench.turns import (
    Figures,
    cost_alone,
    cost_of_events,
    curve,
    wait_until_decided,
)

TARGET = 1.2
_PIECE = 10
_CHECKED_ROWS = 20_000
_LISTED = ("executions_ms", "of_workflow_ms", "failed_ms", "events_ms", "of_key_ms")


def run(
    folder: Path, *, rows: tuple[int, ...] = (10, 10_000, 1_000_000), rounds: int = 7
) -> dict[str, object]:
    found = curve(folder, after_a_past, rows, rounds=rounds)
    return {
        "bench": "P12 history",
        "rows": [int(made["rows"]) for made in found.made],
        "cpu_us_unwanted": [round(cost, 1) for cost in found.at("cpu_us")],
        "cpu_us_of_run": [round(cost) for cost in found.at("run_cpu_us")],
        "alone_ms": [round(cost, 2) for cost in found.at("alone_ms")],
        "flat_unwanted": round(found.growth("cpu_us")[-1], 3),
        "flat_run": round(found.growth("run_cpu_us")[-1], 3),
        "target_flat": TARGET,
        "load_s": [round(made["load_s"], 1) for made in found.made],
        "start_s": [round(made["start_s"], 3) for made in found.made],
        **{name: [round(cost, 2) for cost in found.at(name)] for name in _LISTED},
    }


def run_long(folder: Path) -> dict[str, object]:
    return run(folder, rows=(10, 10_000, 1_000_000, 10_000_000))


@contextmanager
def after_a_past(folder: Path, rows: int) -> Iterator[tuple[Figures, Callable[[], Figures]]]:
    """A scheduler on a store that holds at least so many rows of executions that have ended."""
    url, path = f"sqlite:///{folder}/history.db", folder / "history.db"
    begin = time.perf_counter()
    workflow = _workflow()
    _live_through(url, path, workflow, rows)
    loaded = time.perf_counter() - begin
    made = {"rows": float(loader.count_rows(path)), "load_s": loaded}
    if made["rows"] < _CHECKED_ROWS:
        assert not fsck(path, clock=SystemClock()).faults
    begin = time.perf_counter()
    with Scheduler(url) as scheduler:
        scheduler.register(workflow)
        made["start_s"] = time.perf_counter() - begin
        yield made, lambda: _round(scheduler)


def _workflow() -> Workflow:
    with Workflow("past", max_active=1_000_000) as workflow:
        first = PythonOperator("first", int)
        PythonOperator("second", abs, [first.output])
    workflow.trigger_on_event("order.paid")
    return workflow


def _live_through(url: str, path: Path, workflow: Workflow, rows: int) -> None:
    """Some executions for real, and copies of them until there are so many rows."""
    with Scheduler(url) as scheduler:
        scheduler.register(workflow)
        since = loader.mark(path)
        for number in range(1 if rows < 100 else _PIECE):
            scheduler.emit("order.paid", {"n": number}, id=f"order-{number}")
            scheduler.emit("nobody.wants", {"n": number})
            wait_until_decided(scheduler)
            assert scheduler.execution(number + 1).wait(30).status == "SUCCESS"
    of_a_piece = loader.count_rows(path)
    copies = rows // of_a_piece
    if copies > 1:
        loader.multiply(path, since, copies - 1)


def _round(scheduler: Scheduler) -> Figures:
    figures = cost_of_events(scheduler, [Event("nobody.wants", {"n": 1})] * 1_000)
    figures |= cost_alone(scheduler, "nobody.wants", count=20)
    figures |= _cost_of_runs(scheduler, 100)
    return figures | _listing(scheduler)


def _cost_of_runs(scheduler: Scheduler, count: int) -> Figures:
    """Microseconds of the processor for each event that starts an execution, to its end."""
    (newest,) = scheduler.store.executions(limit=1)
    begin = time.process_time()
    scheduler.client.append_many([Event("order.paid", {"n": 1})] * count)
    last = newest.id + count

    def ended() -> bool | None:
        status = scheduler.store.execution_status(last)
        return True if status is not None and status.ended else None

    assert scheduler.client.until(ended, 60)
    for execution in range(newest.id + 1, last + 1):
        scheduler.execution(execution).wait(30)
    taken = time.process_time() - begin
    found = scheduler.store.executions(limit=count + 1)
    assert [one.id for one in found] == [*range(last, newest.id - 1, -1)]
    assert {one.status for one in found} == {WorkflowStatus.SUCCESS}
    return {"run_cpu_us": taken / count * 1e6}


def _listing(scheduler: Scheduler) -> Figures:
    """Milliseconds of what a person asks for first; of a status that is none, the worst of it."""
    store = scheduler.store
    asked: dict[str, Callable[[], int]] = {
        "executions_ms": lambda: len(store.executions(limit=20)),
        "of_workflow_ms": lambda: len(store.executions(workflow="past", limit=20)),
        "failed_ms": lambda: len(store.executions(statuses=[WorkflowStatus.FAILED], limit=20)),
        "events_ms": lambda: len(store.read(limit=20, newest=True)),
        "of_key_ms": lambda: len(store.read(keys=["order.*"], limit=20, newest=True)),
    }
    figures = {}
    for name, ask in asked.items():
        begin = time.perf_counter()
        count = ask()
        figures[name] = (time.perf_counter() - begin) * 1e3
        assert count == (0 if name == "failed_ms" else 20)
    return figures
