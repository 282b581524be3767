"""Pictures of an execution: how its tasks stand, as its handle and its notebook cell show it."""

import json
import threading
from xml.etree import ElementTree

import pytest

from eventflow import PythonOperator, Scheduler, TaskStatus, Workflow
from eventflow.errors import TaskSkipped
from eventflow.runtime.picturing import graph_of_execution
from eventflow.testing import VirtualScheduler

SOON_S = 30.0


def statuses(told: str) -> dict[str, str | None]:
    return {one["label"]: one["status"] for one in json.loads(told)["nodes"]}


def skip() -> None:
    raise TaskSkipped("not today")


@pytest.mark.rule("S29")
def test_a_handle_draws_its_execution_as_it_stands_each_time_it_is_asked() -> None:
    go_on = threading.Event()

    def work() -> None:
        assert go_on.wait(SOON_S)

    with Workflow("seen") as workflow:
        first = PythonOperator("first", python_callable=work)
        first >> PythonOperator("second", python_callable=skip)
    with Scheduler("sqlite://", executor="threads") as scheduler:
        execution = scheduler.run(workflow)
        next(scheduler.listen("eventflow.task.seen.first.running", after=0, timeout=SOON_S))

        before, drawn = execution.to_json(), execution._repr_html_()
        go_on.set()
        execution.wait(SOON_S)

        assert statuses(before) == {"first": "RUNNING", "second": None}
        assert statuses(execution.to_json()) == {"first": "SUCCESS", "second": "SKIPPED"}
        assert json.loads(execution.to_json())["about"] == f"execution {execution.id} SUCCESS"
    assert drawn is not None
    title = ElementTree.fromstring(drawn)[0].text  # noqa: S314  drawn by us
    assert title == f"workflow seen (namespace default), execution {execution.id} RUNNING"
    for picture in (drawn, execution.to_mermaid(), execution.to_dot()):
        assert "RUNNING" in picture or "SKIPPED" in picture


@pytest.mark.rule("S43")
def test_a_picture_tells_how_many_items_of_a_mapped_task_have_ended() -> None:
    with Workflow("fans") as workflow:
        PythonOperator("solve", python_callable=print).map(range(4))
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("solve", TaskStatus.SUCCESS, after=10)
    scheduler.outcome("solve", TaskStatus.FAILED, after=10)
    for _ in range(2):
        scheduler.outcome("solve", TaskStatus.SUCCESS, after=60)

    scheduler.run(workflow)
    scheduler.advance(seconds=20)
    (node,) = graph_of_execution(scheduler.store, scheduler.execution()).nodes

    assert node.mapped
    assert node.progress is not None
    assert node.progress.words[0].endswith("RUNNING")
    assert node.progress.words[1] == "2/4 items, 1 failed"
