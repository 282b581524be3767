"""`python -m tests.bench.peers.dbos_side FOLDER SETUP`: DBOS's turns, in an environment of its own.

`plain` is DBOS as it comes: a SQLite file with a rollback journal, polled each second. `tuned` is
the same promise at its fastest: a write-ahead log, which needs fewer flushes, polled each 10 ms.
"""

import asyncio
import importlib.metadata
import queue
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

from dbos import DBOS, DBOSConfig
from dbos._dbos import _get_dbos_instance  # there is no public way to its connections

from tests.bench.peers.turns import serve

POLLS_S = {"plain": 1.0, "tuned": 0.01}
HOW = {
    "chain": "steps of one workflow",
    "fan_out": "steps of one workflow under asyncio.gather, and one after all of them",
    "runs": "start_workflow_async under asyncio.gather",
    "start": "start_workflow to the first line of the workflow",
    "message": "send to what follows recv in a workflow that waits",
}

began: queue.SimpleQueue[float] = queue.SimpleQueue()


@DBOS.step()
def nothing() -> None:
    """A step's whole work."""


@DBOS.step()
async def nothing_async() -> None:
    """A step's whole work."""


@DBOS.workflow()
def chain(size: int) -> None:
    for _ in range(size):
        nothing()


@DBOS.workflow()
async def chain_async(size: int) -> None:
    for _ in range(size):
        await nothing_async()


@DBOS.workflow()
async def fan_out(size: int) -> None:
    await asyncio.gather(*[nothing_async() for _ in range(size)])
    await nothing_async()


@DBOS.workflow()
def say_when() -> None:
    began.put(time.perf_counter())


@DBOS.workflow()
def hear(size: int) -> None:
    for number in range(size):
        assert DBOS.recv("go") == number
        began.put(time.perf_counter())


def run_chain(size: int) -> list[float]:
    begin = time.perf_counter()
    handle = DBOS.start_workflow(chain, size)
    handle.get_result()
    taken = time.perf_counter() - begin
    check(handle.workflow_id, size)
    return [taken]


def run_fan_out(size: int) -> list[float]:
    async def run() -> list[float]:
        begin = time.perf_counter()
        handle = await DBOS.start_workflow_async(fan_out, size)
        await handle.get_result()
        taken = time.perf_counter() - begin
        await asyncio.to_thread(check, handle.workflow_id, size + 1)
        return [taken]

    return asyncio.run(run())


def run_runs(size: int) -> list[float]:
    async def run() -> list[float]:
        begin = time.perf_counter()
        started = (DBOS.start_workflow_async(chain_async, 3) for _ in range(size))
        handles = await asyncio.gather(*started)
        await asyncio.gather(*[handle.get_result() for handle in handles])
        taken = time.perf_counter() - begin
        for handle in handles:
            await asyncio.to_thread(check, handle.workflow_id, 3)
        return [taken]

    return asyncio.run(run())


def run_starts(size: int) -> list[float]:
    taken = []
    for _ in range(size):
        begin = time.perf_counter()
        handle = DBOS.start_workflow(say_when)
        taken.append(began.get(timeout=30) - begin)
        handle.get_result()
        check(handle.workflow_id, 0)
    return taken


def run_messages(size: int) -> list[float]:
    handle = DBOS.start_workflow(hear, size)
    taken = []
    for number in range(size):
        begin = time.perf_counter()
        DBOS.send(handle.workflow_id, number, "go")
        taken.append(began.get(timeout=30) - begin)
    handle.get_result()
    return taken


def check(workflow_id: str, steps: int) -> None:
    """The workflow has succeeded, and so many steps are kept."""
    status = DBOS.get_workflow_status(workflow_id)
    assert status is not None
    assert status.status == "SUCCESS", status
    kept = DBOS.list_workflow_steps(workflow_id)
    assert [step["error"] for step in kept] == [None] * steps


def durability() -> str:
    """As the connections have it that DBOS itself works with."""
    levels = {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}
    with _get_dbos_instance()._sys_db.engine.connect() as connection:
        raw = connection.connection.cursor()
        ((journal,),) = raw.execute("PRAGMA journal_mode")
        ((level,),) = raw.execute("PRAGMA synchronous")
    return f"SQLite, journal_mode {journal}, synchronous {levels[level]}"


def main() -> None:
    folder, setup = sys.argv[1:]
    path = Path(folder, f"{setup}.sqlite")
    if setup == "tuned":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")  # it stays with the file
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": f"sqlite:///{path}",
        "log_level": "ERROR",
        "notification_listener_polling_interval_sec": POLLS_S[setup],
    }
    DBOS(config=config)
    DBOS.launch()
    about = {
        "dbos": importlib.metadata.version("dbos"),
        "durability": durability(),
        "polls_s": POLLS_S[setup],
        "sqlite": sqlite3.sqlite_version,
        "python": sys.version.split()[0],
        "how": HOW,
    }
    works = {
        "chain": run_chain,
        "fan_out": run_fan_out,
        "runs": run_runs,
        "start": run_starts,
        "message": run_messages,
    }
    serve(about, works)
    DBOS.destroy()


if __name__ == "__main__":
    main()
