"""P3: runs of three chained no-op tasks, started from code: runs a second, few and many.

Each run is one durable command, so one starter waits for a commit between two runs; several share
commits. The figure that counts is `growth`: cost a run at the larger number over that at the few.
"""

import statistics
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from eventflow import Scheduler, Workflow
from eventflow.runtime.handle import ExecutionHandle
from tests.bench.limits import flush_ms
from tests.bench.work import chain

TASKS = 3
STARTERS = 16
_PATIENCE_S = 120


def run(folder: Path, *, few: int = 100, many: int = 1_000, rounds: int = 3) -> dict[str, object]:
    flush = flush_ms(folder)
    with Scheduler(f"sqlite:///{folder}/runs.db") as scheduler:
        workflow = chain(TASKS)
        scheduler.register(workflow)
        seconds_for_runs(scheduler, workflow, few)
        at_few, _ = _each(scheduler, workflow, few, 1, rounds)
        at_many, asking = _each(scheduler, workflow, many, 1, rounds)
        commits_before = scheduler.store.commits
        shared, _ = _each(scheduler, workflow, many, STARTERS, rounds)
        commits = (scheduler.store.commits - commits_before) / rounds / many
    return {
        "bench": "P3 runs",
        "tasks": TASKS,
        "runs_per_s_at_few": round(1 / at_few),
        "runs_per_s_at_many": round(1 / at_many),
        f"runs_per_s_of_{STARTERS}_starters": round(1 / shared),
        "few": few,
        "many": many,
        "growth": round(at_many / at_few, 2),
        "target_runs_per_s": 2_500,
        "flush_ms": round(flush, 3),
        "flushes_per_run": round(min(at_many, shared) * 1e3 / flush, 2),
        f"commits_per_run_of_{STARTERS}_starters": round(commits, 2),
        "ms_to_ask_for_an_ended_run": round(asking * 1e3, 3),
    }


def _each(
    scheduler: Scheduler, workflow: Workflow, runs: int, starters: int, rounds: int
) -> tuple[float, float]:
    """Medians of the seconds of one run, and to ask its handle for it when it has ended."""
    taken = [seconds_for_runs(scheduler, workflow, runs, starters) for _ in range(rounds)]
    seconds, asking = zip(*taken, strict=True)
    return statistics.median(seconds) / runs, statistics.median(asking) / runs


def seconds_for_runs(
    scheduler: Scheduler, workflow: Workflow, runs: int, starters: int = 1
) -> tuple[float, float]:
    """Seconds from the first start to the last end of so many runs; and to ask for all of them."""
    before = scheduler.executions(limit=1)
    last = before[0].id if before else 0
    begin = time.perf_counter()
    handles = _started(lambda: scheduler.run(workflow), runs, starters)
    for number in range(1, runs + 1):  # there are no others
        assert scheduler.client.until(partial(_ended, scheduler, last + number), _PATIENCE_S)
    taken = time.perf_counter() - begin
    begin = time.perf_counter()
    ended = [handle.wait(_PATIENCE_S) for handle in handles]
    asking = time.perf_counter() - begin
    assert {execution.id for execution in ended} == set(range(last + 1, last + runs + 1))
    assert {execution.status for execution in ended} == {"SUCCESS"}
    assert all([task.status for task in it.tasks] == ["SUCCESS"] * TASKS for it in ended)
    return taken, asking


def _ended(scheduler: Scheduler, execution_id: int) -> bool | None:
    status = scheduler.store.execution_status(execution_id)
    return True if status is not None and status.ended else None


def _started(
    start: Callable[[], ExecutionHandle], runs: int, starters: int
) -> list[ExecutionHandle]:
    if starters == 1:
        return [start() for _ in range(runs)]
    handles: list[ExecutionHandle] = []  # append is atomic

    def start_some(count: int) -> None:
        for _ in range(count):
            handles.append(start())

    shares = [len(range(number, runs, starters)) for number in range(starters)]
    threads = [threading.Thread(target=start_some, args=(share,)) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return handles
