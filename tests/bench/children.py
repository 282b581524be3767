"""P5: `emit` in another process, to a task in the scheduler's and to one in a child of its own.

Then what children cost: so many one after another, and a crowd at once. Beside them what a fork and
a join cost on this machine, in the same run.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from eventflow import Scheduler, Workflow
from eventflow.runtime.handle import ExecutionHandle
from tests.bench.emitter import emitter
from tests.bench.limits import flush_ms

FLOWS = Path(__file__).parent / "flows" / "children_flow.py"
FORKS = """
import os, statistics, time
taken = []
for _ in range(200):
    begin = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    taken.append(time.perf_counter() - begin)
print(statistics.median(taken) * 1e3)
"""
_WARM = 5


def elsewhere(folder: Path, *, rounds: int = 200) -> dict[str, object]:
    """`emit` in another process to the first line of the task, in the scheduler's own."""
    return {
        "bench": "P5 emit elsewhere",
        **_latency(folder, "threads", rounds),
        "target_ms": [2, 10],
    }


def in_a_child(folder: Path, *, rounds: int = 100) -> dict[str, object]:
    """The same, to the first line of the task in a child process; its code is imported before, and
    the child before it has ended some moments ago.
    """
    return {
        "bench": "P5 emit to child",
        **_latency(folder, "processes", rounds),
        "target_ms": [20, 60],
        "fork_and_join_ms": round(fork_and_join_ms(), 3),
    }


def many(folder: Path, *, row: str = "row", crowd: str = "crowd") -> dict[str, object]:
    """Children one after another, and as many as there are at once."""
    with Scheduler(f"sqlite:///{folder}/many.db", executor="processes") as scheduler:
        known = {workflow.name: workflow for workflow in scheduler.register_file(FLOWS)}
        _seconds(scheduler, known["short-row"])
        in_a_row = _seconds(scheduler, known[row])
        at_once = _seconds(scheduler, known[crowd])
    forked = fork_and_join_ms()
    each = in_a_row * 1e3 / len(known[row].tasks)
    return {
        "bench": "P5 children",
        "row": len(known[row].tasks),
        "ms_a_child_in_a_row": round(each, 2),
        "crowd": len(known[crowd].tasks),
        "crowd_s": round(at_once, 2),
        "ms_a_child_in_a_crowd": round(at_once * 1e3 / len(known[crowd].tasks), 2),
        "fork_and_join_ms": round(forked, 3),
        "forks_a_child": round(each / forked, 1),
        "flush_ms": round(flush_ms(folder), 3),
    }


def fork_and_join_ms() -> float:
    """Median of a small Python's fork, to the end of the child."""
    told = subprocess.run(
        [sys.executable, "-c", FORKS], check=True, capture_output=True, text=True
    ).stdout
    return float(told)


def _latency(folder: Path, executor: str, rounds: int) -> dict[str, object]:
    store = f"sqlite:///{folder}/{executor}.db"
    with Scheduler(store, executor=executor) as scheduler:
        scheduler.register_file(FLOWS)
        handle = scheduler.run("wait")
        assert handle.status == "RUNNING"
        with emitter(store, "go") as emit:
            taken = [_once(scheduler, handle, emit, number) for number in range(_WARM + rounds)]
        handle.stop()
    taken = sorted(taken[_WARM:])
    p50, flush = statistics.median(taken), flush_ms(folder)
    return {
        "p50_ms": round(p50, 3),
        "p99_ms": round(taken[int(len(taken) * 0.99)], 3),
        "flush_ms": round(flush, 3),
        "p50_in_flushes": round(p50 / flush, 2),
    }


def _once(
    scheduler: Scheduler, handle: ExecutionHandle, emit: Callable[[], float], before: int
) -> float:
    """Milliseconds from one emission to the first line; returns when the task has ended."""
    begin = emit()
    assert scheduler.client.until(partial(_ended, scheduler, before + 1), 30)
    began = handle.result("t")
    assert begin < began
    return float(began - begin) * 1e3


def _ended(scheduler: Scheduler, count: int) -> bool | None:
    """Whether the `count`-th run has ended: a START while one is alive starts nothing (S19)."""
    record = scheduler.store.task_execution(count)
    assert record is None or not record.ended or record.status == "SUCCESS"
    return True if record is not None and record.ended else None


def _seconds(scheduler: Scheduler, workflow: Workflow) -> float:
    begin = time.perf_counter()
    ended = scheduler.run(workflow.name).wait(600)  # by name: of the file
    taken = time.perf_counter() - begin
    assert ended.status == "SUCCESS"
    assert [task.status for task in ended.tasks] == ["SUCCESS"] * len(workflow.tasks)
    return taken
