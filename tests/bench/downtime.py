"""A scheduler that starts a year after its minutely schedule last fired (S33).

The file of a scheduler that ended a year ago is opened again; what counts is the time from there
until its first execution of the new year has begun and every due time of the old is accounted for.
"""

import sqlite3
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from eventflow import BashOperator, Cron, Workflow
from eventflow.runtime.client import Client
from eventflow.runtime.guard import ask_here
from eventflow.runtime.loop import Loop
from eventflow.runtime.registry import Registry
from eventflow.store.sqlite import SqliteStore
from eventflow.testing.clock import VirtualClock

YEAR = timedelta(days=365)
DUE = YEAR // timedelta(minutes=1)
FIRED = {"none": 1, "latest": 1, "all": 1_441}


def run(folder: Path) -> dict[str, object]:
    figures = {f"{catchup}_s": round(_seconds(folder, catchup), 3) for catchup in FIRED}
    return {"bench": "downtime", "due": DUE, **figures, "target": [2, 2, 2]}


def _seconds(folder: Path, catchup: str) -> float:
    """From opening the file to quiet; with `all`, the grace is a day to the minute."""
    path, clock = folder / f"{catchup}.db", VirtualClock()
    with Workflow(
        "w",
        schedule=Cron("* * * * *"),
        catchup=catchup,
        misfire_grace=86_400 if catchup == "all" else None,
        max_active=1,
    ) as workflow:
        BashOperator("t", bash_command="true")
    _start(path, clock, workflow)
    clock.advance(YEAR)

    begin = time.perf_counter()
    _start(path, clock, workflow)
    taken = time.perf_counter() - begin

    _check(path, FIRED[catchup])
    return taken


def _start(path: Path, clock: VirtualClock, workflow: Workflow) -> None:
    """What a scheduler does until it is quiet."""
    store = SqliteStore(f"sqlite:///{path}", clock=clock)
    store.hold("bench")
    registry = Registry(store, clock, None)
    plan = registry.take(workflow)
    Client(store, clock, lambda: None, lambda check, timeout: check()).register(
        plan.namespace, plan.name, plan.snapshot
    )
    loaded = store.load(registry.plan)
    loaded.world.learn(plan)
    loop = Loop(
        store=store,
        world=loaded.world,
        cursor=loaded.cursor,
        clock=clock,
        ask=ask_here,
        committed=lambda decisions: None,
        prepare=lambda events: None,
    )
    while loop.step():
        continue
    store.release(clean=True)
    store.close()


def _check(path: Path, fired: int) -> None:
    """Fired and skipped together are all that were due."""
    with closing(sqlite3.connect(path)) as connection:
        counted = connection.execute(
            "SELECT count(*) FILTER (WHERE reason = ''),"
            " sum((due_at - since) / 60000000) FILTER (WHERE reason <> '') FROM schedule_firing"
        ).fetchone()
    assert counted == (fired, DUE - fired), counted
