"""What is started and ended fifty times leaves nothing behind: no thread, no file, no process."""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from census import census, files_in, leaves_nothing
from platform_here import LocalPlatform

from eventflow import PythonOperator, Scheduler, Workflow, current_context
from eventflow.clock import SystemClock
from eventflow.errors import EventflowError, StoreBusyError, StoreError
from eventflow.flow import FlowSpec, needs, step
from eventflow.reporters import UplinkClient, UplinkConfig
from eventflow.runtime.remote import RemoteClient
from eventflow.store.sqlite import SqliteStore

ROUNDS = 50
FLOW = Path(__file__).parent / "flows" / "waiting_flow.py"
SOON_S = 60


def rounds(one: Callable[[], object], count: int = ROUNDS) -> None:
    """Do something so many times more, and see that there is no more than after the first."""
    one()
    before = census()
    for _ in range(count):
        one()
    leaves_nothing(before)


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'store.db'}"


def own_folder(temporary: Path) -> Path:
    """The one folder of this user's, in which the bells of all stores are while they are open."""
    return temporary / f"eventflow-{os.getuid()}"


@pytest.mark.fault("F48")
def test_f48_fifty_rounds_with_tasks_in_threads_leave_nothing(
    tmp_path: Path, temporary: Path
) -> None:
    began = threading.Semaphore(0)

    def wait() -> None:
        began.release()
        current_context().wait(SOON_S)

    with Workflow("waiting") as workflow:
        PythonOperator("one", wait)
        PythonOperator("other", wait)

    def one() -> None:
        with Scheduler(url(tmp_path)) as scheduler:
            scheduler.run(workflow, idempotency_key="the one that goes on")
            assert began.acquire(timeout=SOON_S)
            assert began.acquire(timeout=SOON_S)

    rounds(one)
    assert files_in(temporary) <= {own_folder(temporary)}


@pytest.mark.fault("F48")
@pytest.mark.parametrize("count", [3, pytest.param(ROUNDS, marks=pytest.mark.long)])
def test_f48_rounds_with_tasks_in_processes_leave_nothing(
    tmp_path: Path, temporary: Path, count: int
) -> None:
    seen = [0]
    pids: set[int] = set()

    def one() -> None:
        with Scheduler(url(tmp_path), executor="processes") as scheduler:
            scheduler.register_file(FLOW)
            handle = scheduler.run("waiting", idempotency_key="the one that goes on")
            waits = scheduler.listen("waits", after=seen[0], timeout=SOON_S)
            came = [next(waits), next(waits)]
            seen[0] = came[-1].offset
            pids.update(event.value for event in came)
            assert handle.status == "RUNNING"

    rounds(one, count)
    # One of the two forks a child of its own, which no family tree names any more.
    assert len(pids) == 2 * (count + 1)
    assert [pid for pid in pids if Path("/proc", str(pid)).exists()] == []
    assert files_in(temporary) <= {own_folder(temporary)}


@pytest.mark.fault("F48")
@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_f48_a_scheduler_that_may_not_start_leaves_nothing(
    tmp_path: Path, temporary: Path, executor: str
) -> None:
    def one() -> None:
        second = Scheduler(url(tmp_path), executor=executor)
        with pytest.raises(StoreBusyError):
            second.start()
        second.stop()

    holder = SqliteStore(url(tmp_path), clock=SystemClock())
    holder.hold("another")
    rounds(one, 5)
    holder.close()
    assert files_in(temporary) <= {own_folder(temporary)}


@pytest.mark.spoils
@pytest.mark.fault("F48")
@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_f48_a_scheduler_that_cannot_read_its_store_leaves_nothing(
    tmp_path: Path, temporary: Path, executor: str
) -> None:
    def one() -> None:
        scheduler = Scheduler(url(tmp_path), executor=executor)
        with pytest.raises(StoreError):
            scheduler.start()
        scheduler.stop()

    Scheduler(url(tmp_path)).stop()
    with contextlib.closing(sqlite3.connect(tmp_path / "store.db")) as connection:
        connection.execute("DROP TABLE workflow_execution")
    rounds(one, 5)
    assert files_in(temporary) <= {own_folder(temporary)}


def test_a_scheduler_that_cannot_be_made_leaves_nothing(tmp_path: Path, temporary: Path) -> None:
    def one() -> None:
        with pytest.raises(EventflowError, match="executor is"):
            Scheduler(url(tmp_path), executor="magic")

    rounds(one)
    assert files_in(temporary) <= {own_folder(temporary)}


class Sum(FlowSpec):
    @step
    def one(self, x: int) -> int:
        return x + 1

    @needs([one])
    @step
    def two(self, x: int) -> int:
        return 2 * x


def test_fifty_flows_in_memory_leave_nothing(temporary: Path) -> None:
    def one() -> None:
        assert Sum(input=1).run().get_result(Sum.two) == 4

    rounds(one)
    assert files_in(temporary) <= {own_folder(temporary)}


def test_fifty_reporters_leave_nothing(temporary: Path) -> None:
    with Workflow("short") as workflow:
        PythonOperator("one", int)

    with LocalPlatform() as platform:

        def one() -> None:
            with Scheduler("sqlite://") as scheduler:
                UplinkClient(UplinkConfig(url=platform.url)).attach(scheduler)
                scheduler.run(workflow).wait(SOON_S)

        rounds(one)
    assert files_in(temporary) <= {own_folder(temporary)}


def test_fifty_commands_on_a_store_leave_nothing(tmp_path: Path, temporary: Path) -> None:
    def one() -> None:
        with RemoteClient(url(tmp_path)) as remote:
            remote.client.emit("order.paid")
            assert list(remote.listen("order.*", after=0, timeout=0))

    Scheduler(url(tmp_path), clock=SystemClock()).stop()
    rounds(one)
    assert files_in(temporary) <= {own_folder(temporary)}
