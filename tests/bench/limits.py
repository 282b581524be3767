"""What this machine allows in this run: the yardsticks that every figure is also a ratio to."""

import os
import queue
import sqlite3
import statistics
import threading
import time
from pathlib import Path


def flush_ms(folder: Path, rounds: int = 200) -> float:
    """Median milliseconds of one durable commit: an insert into SQLite, WAL, synchronous FULL."""
    connection = sqlite3.connect(folder / "flush.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, v TEXT)")
    taken = []
    for number in range(rounds):
        begin = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO t VALUES (?, ?)", (number, "x" * 100))
        connection.execute("COMMIT")
        taken.append((time.perf_counter() - begin) * 1e3)
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (rounds,)
    connection.close()
    return statistics.median(taken)


def rows_per_s(folder: Path, rows: int = 100_000) -> float:
    """Rows a second of one bare `executemany` in one transaction."""
    connection = sqlite3.connect(folder / "rows.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, v TEXT)")
    data = [(number, "x" * 100) for number in range(rows)]
    begin = time.perf_counter()
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("INSERT INTO t VALUES (?, ?)", data)
    connection.execute("COMMIT")
    taken = time.perf_counter() - begin
    connection.close()
    return rows / taken


def hop_us(rounds: int = 2_000) -> float:
    """Median microseconds of a hop to another thread and back, halved."""
    there: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    back: queue.SimpleQueue[int] = queue.SimpleQueue()

    def echo() -> None:
        while (item := there.get()) is not None:
            back.put(item)

    thread = threading.Thread(target=echo)
    thread.start()
    taken = []
    for number in range(rounds):
        begin = time.perf_counter()
        there.put(number)
        assert back.get() == number
        taken.append((time.perf_counter() - begin) * 1e6 / 2)
    there.put(None)
    thread.join()
    return statistics.median(taken)


def describe() -> dict[str, object]:
    """What the figures were taken on."""
    return {"cpus": os.cpu_count(), "sqlite": sqlite3.sqlite_version}
