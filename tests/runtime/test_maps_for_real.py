"""Mapped tasks with real threads, real processes and real files (S43)."""

import threading
from pathlib import Path
from typing import Any

import pytest

from eventflow import PythonOperator, Scheduler, Workflow, current_context
from eventflow.model.arguments import Element, Output
from eventflow.model.mapped import Each, Given, Mapped

pytestmark = pytest.mark.rule("S43")
FLOW = Path(__file__).parent / "flows" / "map_flow.py"
SOON_S = 60
COUNT = 5


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'store.db'}"


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_results_come_back_in_item_order_whatever_the_order_of_ending(
    tmp_path: Path, executor: str
) -> None:
    with Scheduler(url(tmp_path), executor=executor) as scheduler:
        scheduler.register_file(FLOW)
        params = {"folder": str(tmp_path), "count": COUNT}
        handle = scheduler.run("maps", params)
        ended = handle.wait(SOON_S)

        assert (ended.status, ended.reason) == ("SUCCESS", "")
        order = [int(line) for line in (tmp_path / "order").read_text().split()]
        assert order == list(reversed(range(COUNT)))
        assert handle.result("first") == [
            {"number": number, "index": [number], "item": number} for number in range(COUNT)
        ]
        second = [[number, number * 2] if number != 2 else None for number in range(COUNT)]
        third = [[-one for one in row or []] for row in second]
        sums = [sum(row) for row in third]
        assert handle.result("second") == second
        assert handle.result("third") == third
        assert handle.result("sums") == sums
        assert handle.result("whole") == [second, sums]
        run = next(task for task in ended.tasks if task.task_name == "second")
        assert run.items.by_status == {"SUCCESS": COUNT - 1, "SKIPPED": 1}
        attempts = [item.attempt for item in scheduler.store.items(run.id)]
        assert attempts == [1, 2, 1, 2, 1]
        for item in scheduler.store.items(run.id):
            assert f"about number {item.item}\n" in Path(item.log_path).read_text()


class Waits:
    """Items that tell that they began, and end when they are let go or told to stop."""

    def __init__(self, count: int, **config: Any) -> None:
        self.go = threading.Event()
        self.began = threading.Semaphore(0)
        self.ran: list[int] = []
        with Workflow("w") as workflow:
            PythonOperator("b", self.work, **config).map(range(count))
        self.workflow = workflow

    def work(self, number: int) -> int:
        self.ran.append(number)
        self.began.release()
        while not self.go.wait(0.01):
            if current_context().should_stop():
                break
        return number


def test_a_stop_reaches_every_item_and_none_starts_later(tmp_path: Path) -> None:
    waits = Waits(6, max_active_items=3)
    with Scheduler(url(tmp_path)) as scheduler:
        handle = scheduler.run(waits.workflow)
        for _ in range(3):
            assert waits.began.acquire(timeout=SOON_S)
        scheduler.stop_task(handle.id, "b")
        ended = handle.wait(SOON_S)

        assert ended.tasks[0].status == "STOPPED"
        items = scheduler.store.items(ended.tasks[0].id)
        assert {item.status for item in items} == {"STOPPED"}
        assert sorted(waits.ran) == [0, 1, 2]


def test_a_scheduler_that_is_ended_in_a_map_goes_on_with_the_rest_of_it(tmp_path: Path) -> None:
    waits = Waits(4, max_active_items=2)
    with Scheduler(url(tmp_path)) as scheduler:
        execution = scheduler.run(waits.workflow).id
        for _ in range(2):
            assert waits.began.acquire(timeout=SOON_S)
    waits.go.set()

    with Scheduler(url(tmp_path)) as scheduler:
        scheduler.register(waits.workflow)
        handle = scheduler.execution(execution)

        assert handle.wait(SOON_S).status == "SUCCESS"
        assert handle.result("b") == [0, 1, 2, 3]
    assert sorted(waits.ran) == [0, 0, 1, 1, 2, 3]


def test_a_retry_runs_the_items_that_failed_and_joins_all(tmp_path: Path) -> None:
    broken = {1, 3}
    ran: list[int] = []
    joined: list[Any] = []

    def work(number: int) -> int:
        ran.append(number)
        if number in broken:
            raise RuntimeError("broken")
        return number * 10

    with Workflow("w") as workflow:
        b = PythonOperator("b", work).map(range(5))
        PythonOperator("c", joined.append, [b.output])
    with Scheduler(url(tmp_path)) as scheduler:
        old = scheduler.run(workflow).wait(SOON_S)
        assert old.status == "FAILED"
        broken.remove(1)
        again = scheduler.retry(old).wait(SOON_S)
        assert again.status == "FAILED"
        broken.clear()

        new = scheduler.retry(again)

        assert new.wait(SOON_S).status == "SUCCESS"
        assert new.result("b") == [0, 10, 20, 30, 40]
    assert sorted(ran) == [0, 1, 1, 2, 3, 3, 3, 4]
    assert joined == [[0, 10, 20, 30, 40]]


def test_an_item_that_picks_what_an_upstream_does_not_have_fails_alone(tmp_path: Path) -> None:
    with Workflow("w") as workflow:
        PythonOperator("a", abs).map([1, 2])
        PythonOperator("b", abs, [Output("a", (0,))], retries=2).map(Mapped((Given((0, 0, 0)),)))
    with Scheduler(url(tmp_path)) as scheduler:
        handle = scheduler.run(workflow)
        ended = handle.wait(SOON_S)

        assert ended.status == "FAILED"
        run = next(task for task in ended.tasks if task.task_name == "b")
        items = scheduler.store.items(run.id)
        assert [item.status.value for item in items] == ["SUCCESS", "SUCCESS", "FAILED"]
        (failure,) = scheduler.store.failures(items[2].id)
        assert failure.type_name == "MissingOutputError"
        assert "item [2] of 'a'" in failure.message


def test_maps_that_do_not_agree_end_their_execution(tmp_path: Path) -> None:
    with Workflow("w") as workflow:
        PythonOperator("a", lambda number: [number]).map([1, 2])
        axes = Mapped((Given((0, 0, 0)), Each(Output("a", (0,)))))
        PythonOperator("b", abs, [Element(1)]).map(axes)
    with Scheduler(url(tmp_path)) as scheduler:
        ended = scheduler.run(workflow).wait(SOON_S)

        assert ended.status == "FAILED"
        run = next(task for task in ended.tasks if task.task_name == "b")
        assert "has no item of 'a' to go with its own, in item [2]" in run.reason
