"""Small workflows and shorthands for the stories of retries (S31)."""

from typing import Any

from scenario_tasks import Work

from eventflow import (
    Operator,
    TaskAction,
    TaskStatus,
    Workflow,
    WorkflowExecution,
)
from eventflow.testing import VirtualScheduler

START, RESTART, STOP = TaskAction.START, TaskAction.RESTART, TaskAction.STOP
SUCCESS, FAILED, RUNNING = TaskStatus.SUCCESS, TaskStatus.FAILED, TaskStatus.RUNNING
OK = ["INIT", "QUEUED", "RUNNING", "SUCCESS"]
BAD = ["INIT", "QUEUED", "RUNNING", "FAILED"]
ENDED = ["INIT", "QUEUED", "RUNNING", "STOPPING", "STOPPED"]
OVER = ["SUCCESS"]
Runs = dict[str, list[tuple[int, list[str]]]]


class Takes(Work):
    """A task whose arguments take the outputs of others."""

    def __init__(self, name: str, *upstream: Operator, **config: Any) -> None:
        self._upstream = [one.output for one in upstream]
        super().__init__(name, **config)

    @property
    def arguments(self) -> Any:
        return {"all": self._upstream}


def chain() -> Workflow:
    with Workflow("w") as workflow:
        Work("a") >> Work("b") >> Work("c")
    return workflow


def runs(scheduler: VirtualScheduler, execution: WorkflowExecution) -> Runs:
    """Every task that has a run, with all its runs."""
    names = {run.task_name for run in scheduler.execution(execution).tasks}
    return {name: scheduler.runs(name, execution) for name in sorted(names)}


def failed(workflow: Workflow, *tasks: str) -> tuple[VirtualScheduler, WorkflowExecution]:
    """An execution that has ended, in which these tasks failed."""
    scheduler = VirtualScheduler(workflow)
    for task in tasks:
        scheduler.outcome(task, FAILED)
    execution = scheduler.run()
    assert execution.status == "FAILED"
    return scheduler, execution
