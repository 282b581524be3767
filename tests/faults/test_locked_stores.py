"""Another process keeps the store's file locked for a while (F10)."""

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from eventflow import PythonOperator, Scheduler, Workflow
from eventflow.errors import StoreLockedError
from eventflow.runtime.remote import RemoteClient
from eventflow.store import database

EVENTFLOW = Path(sys.executable).with_name("eventflow")
SOON_S = 40

HOLDS = """
import sqlite3, sys
other = sqlite3.connect(sys.argv[1], isolation_level=None)
other.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
other.execute("ROLLBACK")
"""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another process has the write lock."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == b"held\n"
        try:
            yield
        finally:
            other.stdin.close()


def flow() -> Workflow:
    with Workflow("w", max_active=1_000) as workflow:
        PythonOperator("t", lambda: None)
    workflow.trigger_on_event("go")
    return workflow


@pytest.mark.rule("S2", "S3")
@pytest.mark.fault("F10")
def test_f10_who_waited_in_vain_is_told_and_what_was_acknowledged_is_decided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.02)
    acknowledged: set[int] = set()
    refused: list[int] = []
    path, done = tmp_path / "store.db", threading.Event()

    def emit(scheduler: Scheduler, who: int) -> None:
        number = who
        while not done.wait(0.02):
            try:
                scheduler.emit("go", number, sender="test", id=str(number))
                acknowledged.add(number)
            except StoreLockedError:
                refused.append(number)
            number += 4

    with Scheduler(f"sqlite:///{path}") as scheduler:
        scheduler.register(flow())
        threads = [threading.Thread(target=emit, args=(scheduler, who)) for who in range(4)]
        for thread in threads:
            thread.start()
        with locked(path):
            before = len(refused)
            for _ in range(SOON_S * 100):
                if len(refused) > before + 12:
                    break
                done.wait(0.01)
        done.set()
        for thread in threads:
            thread.join()
        assert len(refused) > before + 12
        stored = {event.value for event in scheduler.events("go", limit=100_000)}
        assert stored == acknowledged
        assert stored.isdisjoint(refused)
        for number in set(refused):
            scheduler.emit("go", number, sender="test", id=str(number))

        last = scheduler.store.last_offset()
        decided = scheduler.client.until(
            lambda: scheduler.store.decided_offset(last) or None, SOON_S
        )
        assert decided
        assert scheduler.failure is None
        assert scheduler.count("go").total == len(acknowledged | set(refused))
    started = sqlite3.connect(path)
    (count,) = started.execute("SELECT count(DISTINCT trigger_turn) FROM workflow_execution")
    started.close()
    assert count == (len(acknowledged | set(refused)),)


@pytest.mark.fault("F10")
def test_f10_a_locked_store_is_read_and_listed_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with Scheduler(f"sqlite:///{path}") as scheduler:
        scheduler.emit("k", 1)
        with locked(path):
            assert [event.value for event in scheduler.events("k")] == [1]
            with RemoteClient(f"sqlite:///{path}") as remote:
                assert remote.store.count(keys="k").total == 1


@pytest.mark.long
@pytest.mark.fault("F10")
def test_f10_ten_seconds_of_a_lock_cost_no_emitter_its_event_and_no_scheduler_its_life(
    tmp_path: Path,
) -> None:
    path = tmp_path / "store.db"
    with Scheduler(f"sqlite:///{path}") as scheduler:
        scheduler.register(flow())
        with locked(path):
            begun = time.monotonic()
            emitters = [
                subprocess.Popen(
                    [EVENTFLOW, "emit", "go", str(number), "--store", f"sqlite:///{path}"],
                    stdout=subprocess.DEVNULL,
                )
                for number in range(3)
            ]
            threading.Event().wait(10)
            assert [one.poll() for one in emitters] == [None] * 3
        assert [one.wait(SOON_S) for one in emitters] == [0] * 3
        assert time.monotonic() - begun < SOON_S
        ended = scheduler.client.until(
            lambda: len(scheduler.executions(statuses=["SUCCESS"])) == 3 or None, SOON_S
        )
        assert ended
        assert scheduler.failure is None
