"""Retried until it succeeds, an execution has done each piece of its work once (S31)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from retry_kit import FAILED
from scenario_tasks import Work

from eventflow import Workflow
from eventflow.testing import VirtualScheduler


@st.composite
def graphs(draw: st.DrawFn) -> list[tuple[set[int], int]]:
    """For each task: the earlier ones that it starts after, and how often it is to fail."""
    return [
        (
            draw(st.sets(st.integers(0, number - 1), max_size=3)) if number else set(),
            draw(st.integers(0, 2)),
        )
        for number in range(draw(st.integers(1, 6)))
    ]


@pytest.mark.rule("S31")
@settings(max_examples=40, deadline=None)
@given(graphs(), st.booleans())
def test_every_task_succeeds_once_and_fails_as_often_as_it_must(
    graph: list[tuple[set[int], int]], dies: bool
) -> None:
    with Workflow("w") as workflow:
        tasks = [Work(f"t{number}") for number in range(len(graph))]
    for task, (earlier, _) in zip(tasks, graph, strict=True):
        if earlier:
            task.start_after([tasks[number] for number in sorted(earlier)])
    scheduler = VirtualScheduler(workflow)
    for task, (_, failures) in zip(tasks, graph, strict=True):
        for _ in range(failures):
            scheduler.outcome(task.name, FAILED)
        scheduler.outcome(task.name, result=task.name)

    execution = scheduler.run()
    while execution.status == "FAILED":
        execution = scheduler.retry(execution)
        if dies:
            scheduler.restart_scheduler()

    assert execution.status == "SUCCESS"
    assert {run.task_name for run in execution.tasks} == {task.name for task in tasks}
    for task, (_, failures) in zip(tasks, graph, strict=True):
        ends = [statuses for _, statuses in scheduler.runs(task.name) if len(statuses) > 1]
        assert [statuses[-1] for statuses in ends] == ["FAILED"] * failures + ["SUCCESS"]
        result = scheduler.store.latest_result(execution.id, task.name)
        assert result == f'"{task.name}"'
