"""Pools with real threads and real files (S44)."""

import threading
from pathlib import Path

import pytest

from eventflow import PythonOperator, Scheduler, Workflow, current_context
from eventflow.errors import DefinitionError

SOON_S = 20


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'store.db'}"


class Gauge:
    """Lets tasks through in companies of `at_once`, and counts how many are inside at most."""

    def __init__(self, at_once: int) -> None:
        self._company = threading.Barrier(at_once)
        self._lock = threading.Lock()
        self.inside = 0
        self.most = 0
        self.names: list[str] = []

    def pass_through(self) -> None:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
            self.names.append(current_context().task_execution.task_name)
        self._company.wait(SOON_S)
        with self._lock:
            self.inside -= 1


@pytest.mark.rule("S44")
def test_no_more_threads_work_at_once_than_their_pool_has_slots(tmp_path: Path) -> None:
    gauge = Gauge(at_once=3)
    with Workflow("w") as workflow:
        for number in range(60):
            PythonOperator(f"t{number}", gauge.pass_through, pool="gpu", priority=number % 3)
    with Scheduler(url(tmp_path)) as scheduler:
        scheduler.set_pool("gpu", 3)
        ended = scheduler.run(workflow).wait(SOON_S)

        assert ended.status == "SUCCESS"
        (pool,) = scheduler.pools()
    assert gauge.most == 3
    assert len(gauge.names) == 60
    assert {int(name[1:]) % 3 for name in gauge.names[:20]} == {2}
    assert (pool.name, pool.slots, pool.held, pool.waiting) == ("gpu", 3, 0, 0)


@pytest.mark.rule("S44", "S41")
def test_one_whose_code_is_gone_keeps_no_slot_from_those_that_wait(tmp_path: Path) -> None:
    released = threading.Event()

    def lasting() -> Workflow:
        with Workflow("lasting") as workflow:
            PythonOperator("holder", released.wait, op_args=[SOON_S], pool="gpu")
        return workflow

    def brief() -> Workflow:
        with Workflow("brief") as workflow:
            PythonOperator("waiter", int, pool="gpu")
        return workflow

    with Scheduler(url(tmp_path)) as scheduler:
        scheduler.set_pool("gpu", 1)
        holds = scheduler.run(lasting()).id
        waits = scheduler.run(brief()).id
        (waiter,) = scheduler.execution(waits).tasks
        assert waiter.reason == "waits for a slot of pool 'gpu'"
    released.set()

    with Scheduler(url(tmp_path)) as scheduler:
        scheduler.register(brief())

        assert list(scheduler.parked) == [holds]
        assert scheduler.execution(waits).wait(SOON_S).status == "SUCCESS"


@pytest.mark.rule("S44")
def test_a_pool_that_is_set_while_tasks_wait_lets_them_go(tmp_path: Path) -> None:
    with Workflow("w", namespace="ml") as workflow:
        PythonOperator("a", int, pool="gpu")
    with Scheduler(url(tmp_path)) as scheduler:
        handle = scheduler.run(workflow)
        (task,) = scheduler.execution(handle.id).tasks
        assert task.status == "QUEUED"
        (pool,) = scheduler.pools()
        assert (pool.is_set, pool.slots, pool.waiting) == (False, 0, 1)
        with pytest.raises(DefinitionError, match="slots"):
            scheduler.set_pool("gpu", -1, namespace="ml")

        scheduler.set_pool("gpu", 1, namespace="ml")

        assert handle.wait(SOON_S).status == "SUCCESS"
