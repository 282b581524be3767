"""Mapped tasks in executions that are stopped (S43)."""

import pytest
from map_kit import (
    ENDED,
    OK,
    RUNNING,
    held_back,
    items,
    let_end,
    paths,
    running,
    stand,
)
from scenario_tasks import Work

from eventflow import Workflow, WorkflowOperator
from eventflow.testing import VirtualScheduler

pytestmark = pytest.mark.rule("S43", "S20")
UNOPENED = ["INIT", "STOPPED"]


@pytest.mark.rule("S29")
def test_stopping_an_execution_stops_its_maps_and_their_items() -> None:
    scheduler = running()

    scheduler.stop_workflow(1)

    assert stand(scheduler) == ["SUCCESS", *["STOPPED"] * 4]
    assert scheduler.runs("b") == [(1, ENDED)]
    assert scheduler.status() == "STOPPED"


@pytest.mark.rule("S29")
def test_stopping_an_execution_whose_map_restarts_drops_the_successor() -> None:
    scheduler = held_back()
    scheduler.restart_task(1, "b")
    scheduler.stop_workflow(1)
    let_end(scheduler)

    assert [number for number, _ in scheduler.runs("b")] == [1, 2]
    assert scheduler.runs("b")[1] == (2, UNOPENED)
    assert scheduler.status() == "STOPPED"


@pytest.mark.rule("S29")
def test_the_time_out_of_an_execution_stops_its_maps() -> None:
    with Workflow("w", timeout=60) as workflow:
        Work("b", max_active_items=1).map(range(3))
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("b", after=50)
    scheduler.outcome("b", RUNNING)
    scheduler.run()

    scheduler.advance(seconds=60)

    assert paths(scheduler) == [OK, ENDED, UNOPENED]
    assert scheduler.status() == "FAILED"
    assert items(scheduler)[2].reason == "stopped with task b"


@pytest.mark.rule("S40")
def test_a_map_below_is_stopped_with_the_task_that_runs_its_workflow() -> None:
    with Workflow("below") as below:
        Work("b", max_active_items=2).map(range(3))
    with Workflow("w") as workflow:
        WorkflowOperator("sub", below)
    scheduler = VirtualScheduler(workflow)
    for _ in range(2):
        scheduler.outcome("b", RUNNING)
    scheduler.run()

    scheduler.stop_task(1, "sub")

    assert paths(scheduler, "b", 2) == [ENDED, ENDED, UNOPENED]
    assert (scheduler.runs("b"), scheduler.runs("sub")) == ([(1, ENDED)], [(1, ENDED)])
