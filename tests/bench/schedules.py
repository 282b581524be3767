"""P8: many cron schedules: registering them, what they cost while nothing is due, and a thousand
that are due in the same second.

The delay is from the instant that was due, by the wall clock, to the first line of the task, for
all of the thousand together.
"""

import queue
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from eventflow import Cron, PythonOperator, Scheduler, Workflow
from tests.bench.limits import flush_ms
from tests.bench.turns import Figures, curve, memory_kib
from tests.bench.work import nothing

# From registering them to the second in which they are due, and that they must be all there by.
_AHEAD = timedelta(seconds=2)


def run(
    folder: Path, *, schedules: int = 10_000, due: int = 1_000, idle_s: float = 10.0
) -> dict[str, object]:
    # In a process of its own, whose memory and processor are used for nothing else.
    prepare = partial(_prepare, due=due, idle_s=idle_s)
    (made,) = curve(folder, prepare, (schedules,), rounds=0).made
    return {
        "bench": "P8 schedules",
        "schedules": schedules,
        "register_s": round(made["register_s"], 2),
        "register_cpu_us": round(made["register_cpu_us"]),
        "target_register_s": 1,
        "kib_of_one": round(made["kib"], 2),
        "idle_cpu_percent": round(made["idle"], 3),
        "target_idle_cpu_percent": 0.1,
        "due_at_once": due,
        "delay_first_ms": round(made["first"], 1),
        "delay_p50_ms": round(made["p50"], 1),
        "delay_p99_ms": round(made["p99"], 1),
        "target_delay_ms": [60, 150],
        "due_cpu_us": round(made["due_cpu_us"]),
        "flush_ms": round(flush_ms(folder), 3),
    }


@contextmanager
def _prepare(
    folder: Path, schedules: int, *, due: int, idle_s: float
) -> Iterator[tuple[Figures, Callable[[], Figures]]]:
    far = [_far_off(number) for number in range(schedules)]
    with Scheduler(f"sqlite:///{folder}/schedules.db") as scheduler:
        before = memory_kib()
        begin = time.process_time()
        register_s = _register(scheduler, far)
        register_cpu = time.process_time() - begin
        assert len(scheduler.store.timers(["schedule"])) == schedules
        made = {
            "register_s": register_s,
            "register_cpu_us": register_cpu / schedules * 1e6,
            "kib": (memory_kib() - before) / schedules,
            "idle": _idle(idle_s),
        }
        each_s = register_s / schedules
        yield made | _due(scheduler, due, timedelta(seconds=3 * each_s * due)), dict


def _due(scheduler: Scheduler, count: int, register: timedelta) -> Figures:
    """So many schedules that are due in one second; `register` is what they may take until then."""
    began: queue.SimpleQueue[float] = queue.SimpleQueue()
    at = (datetime.now(UTC) + _AHEAD + register).replace(microsecond=0)
    soon = [_due_at(at, number, began) for number in range(count)]
    _register(scheduler, soon)
    begin = time.process_time()
    assert datetime.now(UTC) < at, "they were due before they were registered"
    delays = sorted((began.get(timeout=60) - at.timestamp()) * 1e3 for _ in range(count))
    found = scheduler.executions(limit=count + 1)
    assert {one.workflow_name for one in found} == {workflow.name for workflow in soon}
    assert {one.scheduled_time for one in found} == {at}
    assert len(found) == count
    for execution in found:
        assert scheduler.execution(execution.id).wait(30).status == "SUCCESS"
    cpu = (time.process_time() - begin) / count * 1e6
    first, p50, p99 = delays[0], delays[count // 2], delays[int(count * 0.99)]
    return {"first": first, "p50": p50, "p99": p99, "due_cpu_us": cpu}


def _register(scheduler: Scheduler, workflows: list[Workflow]) -> float:
    begin = time.perf_counter()
    scheduler.register(*workflows)
    return time.perf_counter() - begin


def _far_off(number: int) -> Workflow:
    """Due once a year, half a year from now."""
    month = (datetime.now(UTC).month + 5) % 12 + 1
    schedule = Cron(f"{number % 60} {number // 60 % 24} {number % 28 + 1} {month} *")
    with Workflow(f"far{number}", schedule=schedule) as workflow:
        PythonOperator("t", nothing)
    return workflow


def _due_at(at: datetime, number: int, began: "queue.SimpleQueue[float]") -> Workflow:
    """Due once a day, next at that second."""
    schedule = Cron(f"{at.minute} {at.hour} * * * {at.second}")
    with Workflow(f"soon{number}", schedule=schedule) as workflow:
        PythonOperator("t", lambda: began.put(time.time()))
    return workflow


def _idle(seconds: float) -> float:
    """Percent of one processor that is used while nothing is due."""
    begin = time.process_time()
    time.sleep(seconds)
    return (time.process_time() - begin) / seconds * 100
