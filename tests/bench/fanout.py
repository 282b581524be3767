"""P2: independent no-op tasks and a join: tasks a second, and how the cost grows with their number.

The figure that counts is `growth`: cost a task at the larger width over the cost at the smaller.
"""

import statistics
import time
from pathlib import Path

from eventflow import Scheduler
from tests.bench.limits import rows_per_s
from tests.bench.work import fan_out


def run(
    folder: Path, *, few: int = 1_000, many: int = 10_000, rounds: int = 3
) -> dict[str, object]:
    with Scheduler(f"sqlite:///{folder}/fanout.db") as scheduler:
        _seconds(scheduler, few)
        at_few = statistics.median(_seconds(scheduler, few) for _ in range(rounds)) / few
        at_many = statistics.median(_seconds(scheduler, many) for _ in range(rounds)) / many
    return {
        "bench": "P2 fan-out",
        "tasks_per_s_at_few": round(1 / at_few),
        "tasks_per_s_at_many": round(1 / at_many),
        "few": few,
        "many": many,
        "growth": round(at_many / at_few, 2),
        "target_tasks_per_s": 8_000,
        "bare_rows_per_s": round(rows_per_s(folder)),
    }


def _seconds(scheduler: Scheduler, width: int) -> float:
    workflow = fan_out(width)
    scheduler.register(workflow)
    begin = time.perf_counter()
    ended = scheduler.run(workflow).wait(300)
    taken = time.perf_counter() - begin
    assert ended.status == "SUCCESS"
    assert len(ended.tasks) == width + 1
    assert ended.tasks[-1].task_name == "join"
    return taken
