"""P1: one workflow, no-op tasks in a chain: milliseconds a task, and commits a step."""

import statistics
import time
from pathlib import Path

from eventflow import Scheduler
from tests.bench.limits import flush_ms
from tests.bench.work import chain


def run(folder: Path, *, length: int = 100, rounds: int = 5) -> dict[str, object]:
    taken = []
    flush = flush_ms(folder)
    with Scheduler(f"sqlite:///{folder}/chain.db") as scheduler:
        scheduler.run(chain(length)).wait(60)
        commits_before = scheduler.store.commits
        for _ in range(rounds):
            workflow = chain(length)
            scheduler.register(workflow)
            begin = time.perf_counter()
            ended = scheduler.run(workflow).wait(120)
            taken.append((time.perf_counter() - begin) * 1e3 / length)
            assert ended.status == "SUCCESS"
            assert [task.status for task in ended.tasks] == ["SUCCESS"] * length
        commits = (scheduler.store.commits - commits_before) / rounds / length
    figure = statistics.median(taken)
    return {
        "bench": "P1 chain",
        "tasks": length,
        "ms_per_task": round(figure, 3),
        "target_ms": 0.5,
        "flush_ms": round(flush, 3),
        "flushes_per_task": round(figure / flush, 2),
        "commits_per_task": round(commits, 2),
    }
