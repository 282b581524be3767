"""Maps: one task over many items and a join, and how the cost of an item grows with their number.

The figure that counts is `growth`: an item's cost over that in a smaller map, of any two of them
the worst; in the smallest maps what an execution costs by itself is most of it.
"""

import itertools
import statistics
import time
from pathlib import Path

from eventflow import Scheduler
from tests.bench.limits import rows_per_s
from tests.bench.work import mapped


def run(
    folder: Path, *, counts: tuple[int, ...] = (100, 1_000, 10_000, 100_000), rounds: int = 3
) -> dict[str, object]:
    costs: dict[int, float] = {}
    with Scheduler(f"sqlite:///{folder}/mapped.db") as scheduler:
        _seconds(scheduler, counts[0])
        for count in counts:
            # The small ones are noisy, the large ones are long.
            taken = [_seconds(scheduler, count) for _ in range(max(1, rounds * 1_000 // count + 1))]
            costs[count] = statistics.median(taken) / count
    return {
        "bench": "S43 mapped",
        "items": list(counts),
        "ms_per_item": [round(cost * 1000, 3) for cost in costs.values()],
        "items_per_s": [round(1 / cost) for cost in costs.values()],
        "growth": round(_growth(list(costs.values())), 2),
        "target_growth": 1.3,
        "bare_rows_per_s": round(rows_per_s(folder)),
    }


def _growth(costs: list[float]) -> float:
    return max(more / less for less, more in itertools.combinations(costs, 2))


def _seconds(scheduler: Scheduler, count: int) -> float:
    workflow = mapped(count)
    scheduler.register(workflow)
    begin = time.perf_counter()
    execution = scheduler.run(workflow)
    ended = execution.wait(900)
    taken = time.perf_counter() - begin
    assert ended.status == "SUCCESS"
    assert execution.result("join") == count * (count + 1) // 2
    return taken
