"""P4: `emit` to the first line of the task that it starts. P6: durable events a second."""

import queue
import statistics
import threading
import time
from functools import partial
from pathlib import Path

from eventflow import Event, Scheduler
from tests.bench.limits import flush_ms, hop_us
from tests.bench.work import waiting_for


def latency(folder: Path, *, rounds: int = 300) -> dict[str, object]:
    """P4, thread executor, same process."""
    began: queue.SimpleQueue[float] = queue.SimpleQueue()
    workflow = waiting_for("go", lambda: began.put(time.perf_counter()))
    taken = []
    with Scheduler(f"sqlite:///{folder}/latency.db") as scheduler:
        handle = scheduler.run(workflow)
        done = handle.id
        for number in range(rounds):
            begin = time.perf_counter()
            scheduler.emit("go", number)
            taken.append((began.get(timeout=10) - begin) * 1e3)
            scheduler.client.until(partial(_ended, scheduler, done, number + 1), 10)
        handle.stop()
    taken.sort()
    flush = flush_ms(folder)
    p50 = statistics.median(taken)
    return {
        "bench": "P4 emit to task",
        "p50_ms": round(p50, 3),
        "p99_ms": round(taken[int(len(taken) * 0.99)], 3),
        "target_ms": [0.7, 5],
        "flush_ms": round(flush, 3),
        "p50_in_flushes": round(p50 / flush, 2),
        "hop_us": round(hop_us(), 1),
    }


def _ended(scheduler: Scheduler, execution_id: int, count: int) -> bool | None:
    """Whether the `count`-th run has ended: a START while one is alive starts nothing (S19)."""
    record = scheduler.store.task_execution(count)
    assert record is None or record.workflow_execution_id == execution_id
    return True if record is not None and record.ended else None


def throughput(folder: Path, *, seconds: float = 2.0) -> dict[str, object]:
    """P6: batches of 100, 16 emitters, one emitter; nothing matches, everything is decided."""
    with Scheduler(f"sqlite:///{folder}/throughput.db") as scheduler:
        one = _rate(scheduler, 1, seconds)
        sixteen = _rate(scheduler, 16, seconds)
        batches = _rate(scheduler, 1, seconds, batch=100)
        total = scheduler.store.last_offset()
        scheduler.client.until(lambda: scheduler.store.decided_offset(total) or None, 120)
        assert not scheduler.store.undecided(1)
    return {
        "bench": "P6 durable events",
        "one_emitter_per_s": round(one),
        "sixteen_emitters_per_s": round(sixteen),
        "batches_of_100_per_s": round(batches),
        "target_per_s": [3_000, 10_000, 60_000],
    }


def _rate(scheduler: Scheduler, emitters: int, seconds: float, batch: int = 1) -> float:
    before = scheduler.store.last_offset()
    counts = [0] * emitters
    deadline = time.perf_counter() + seconds

    def emit(number: int) -> None:
        events = [Event("bench.event", {"n": 1})] * batch
        while time.perf_counter() < deadline:
            if batch == 1:
                scheduler.emit("bench.event", {"n": 1})
            else:
                scheduler.client.append_many(events)
            counts[number] += batch

    threads = [threading.Thread(target=emit, args=(number,)) for number in range(emitters)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = time.perf_counter() - begin
    assert scheduler.store.last_offset() - before == sum(counts)
    return sum(counts) / taken
