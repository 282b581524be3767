"""What a handle gives of a mapped task: its items, their results, and clear errors (S43)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from eventflow import ItemCounts, PythonOperator, Scheduler, TaskStatus, Workflow
from eventflow.errors import MissingOutputError, NotFoundError
from eventflow.runtime.handle import ExecutionHandle

PATIENCE_S = 30.0
MANY = 2500


def square(n: int) -> int:
    if n % 1000 == 7:
        raise ValueError(f"no square of {n}")
    return n * n


@pytest.fixture(scope="module")
def handle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExecutionHandle]:
    """An execution with one map that failed in a few of many items, and one that went well."""
    folder: Path = tmp_path_factory.mktemp("items")
    with Workflow("w") as workflow:
        PythonOperator("work", square).map(range(MANY))
        well = PythonOperator("well", square).map([1, 2])
        PythonOperator("again", square).map(well.output)
        PythonOperator("plain", square, [3])
        PythonOperator("never", square, [PythonOperator("fails", square, [7]).output])
    with Scheduler(f"sqlite:///{folder / 'store.db'}") as scheduler:
        handle = scheduler.run(workflow)
        handle.wait(PATIENCE_S)
        yield handle


@pytest.mark.rule("S43")
def test_items_come_in_their_order_over_all_pages(handle: ExecutionHandle) -> None:
    items = list(handle.items("work"))

    assert [item.index for item in items] == [(n,) for n in range(MANY)]
    failed = list(handle.items("work", ["FAILED"]))
    assert [item.index for item in failed] == [(7,), (1007,), (2007,)]
    assert failed[0].reason == "ValueError: no square of 7"
    counts = {run.task_name: run.items for run in handle.tasks}
    assert counts["plain"] is None
    assert counts["work"] == ItemCounts(
        total=MANY, by_status={TaskStatus.SUCCESS: MANY - 3, TaskStatus.FAILED: 3}
    )


@pytest.mark.rule("S43")
def test_the_result_of_a_map_is_the_list_of_its_items_results(handle: ExecutionHandle) -> None:
    assert handle.result("well") == [1, 4]
    assert handle.result("again") == [1, 16]


@pytest.mark.rule("S43")
def test_of_a_map_that_failed_the_error_says_how_to_get_what_succeeded(
    handle: ExecutionHandle,
) -> None:
    with pytest.raises(MissingOutputError) as caught:
        handle.result("work")

    assert "work #1 is FAILED, 2500/2500 items, 3 failed" in str(caught.value)
    assert "item_results('work')" in str(caught.value)
    results = dict(handle.item_results("work"))
    assert len(results) == MANY - 3
    assert (7,) not in results
    assert results[2499,] == 2499**2


@pytest.mark.parametrize(
    ("task", "number", "message"),
    [
        ("plain", None, "plain #1 has no items; it is SUCCESS"),
        ("never", None, "task 'never' of workflow execution 1 has not started"),
        ("work", 2, "task 'work' of workflow execution 1 has no run 2"),
    ],
)
def test_items_of_what_has_none_are_refused(
    handle: ExecutionHandle, task: str, number: int | None, message: str
) -> None:
    for asked in (handle.items, handle.item_results):
        with pytest.raises(NotFoundError) as caught:
            asked(task, sequence_number=number)
        assert message in str(caught.value)
