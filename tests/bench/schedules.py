"""P8: many cron schedules: registering them, what they cost while nothing is due, and a thousand
that are due in the same second.

The delay is from the instant that was due, by the wall clock, to the first line of the task, for
all of the thousand together.
"""

import queue
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from eventflow import Cron, PythonOperator, Scheduler, Workflow
from tests.bench.limits import flush_ms
from tests.bench.turns import memory_kib
from tests.bench.work import nothing

# From registering them to the second in which they are due, and that they must be all there by.
_AHEAD = timedelta(seconds=2)


def run(
    folder: Path, *, schedules: int = 10_000, due: int = 1_000, idle_s: float = 10.0
) -> dict[str, object]:
    began: queue.SimpleQueue[float] = queue.SimpleQueue()
    far = [_far_off(number) for number in range(schedules)]
    with Scheduler(f"sqlite:///{folder}/schedules.db") as scheduler:
        before = memory_kib()
        register_s = _register(scheduler, far)
        assert len(scheduler.store.timers(["schedule"])) == schedules
        kib = memory_kib() - before
        idle = _idle(idle_s)
        ahead = _AHEAD + timedelta(seconds=3 * register_s * due / schedules)
        at = (datetime.now(UTC) + ahead).replace(microsecond=0)
        soon = [_due_at(at, number, began) for number in range(due)]
        _register(scheduler, soon)
        assert datetime.now(UTC) < at, "they were due before they were registered"
        delays = sorted((began.get(timeout=60) - at.timestamp()) * 1e3 for _ in range(due))
        found = scheduler.executions(limit=due + 1)
        assert {one.workflow_name for one in found} == {workflow.name for workflow in soon}
        assert {one.scheduled_time for one in found} == {at}
        assert len(found) == due
        for execution in found:
            assert scheduler.execution(execution.id).wait(30).status == "SUCCESS"
    return {
        "bench": "P8 schedules",
        "schedules": schedules,
        "register_s": round(register_s, 2),
        "target_register_s": 1,
        "kib_of_one": round(kib / schedules, 2),
        "idle_cpu_percent": round(idle, 3),
        "target_idle_cpu_percent": 0.1,
        "due_at_once": due,
        "delay_p50_ms": round(delays[due // 2], 1),
        "delay_p99_ms": round(delays[int(due * 0.99)], 1),
        "delay_first_ms": round(delays[0], 1),
        "target_delay_ms": [60, 150],
        "flush_ms": round(flush_ms(folder), 3),
    }


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
