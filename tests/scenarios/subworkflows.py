"""Workflows that run workflows, for scenarios, and what their runs go through."""

from typing import Any

from scenario_tasks import Work

from eventflow import ParentLink, TaskAction, Workflow, WorkflowExecution, WorkflowOperator
from eventflow.testing import VirtualScheduler

ON = ["INIT", "QUEUED", "RUNNING"]
OK = [*ON, "SUCCESS"]
BAD = [*ON, "FAILED"]
STOPPED = [*ON, "STOPPING", "STOPPED"]
RESTARTED = [*ON, "RESTARTING", "STOPPED"]
AGAIN = [*ON, "RETRYING", "QUEUED", "RUNNING"]


def child(name: str = "child", **settings: Any) -> Workflow:
    """One task, `work`."""
    with Workflow(name, **settings) as workflow:
        Work("work")
    return workflow


def parent(
    of: Workflow | str, name: str = "parent", parent_timeout: float | None = None, **config: Any
) -> Workflow:
    """One task, `sub`, that runs a workflow."""
    with Workflow(name, timeout=parent_timeout) as workflow:
        WorkflowOperator("sub", of, **config)
    return workflow


def driven() -> Workflow:
    """A `sub` that events start, restart and stop: `go`, `fresh` and `enough`."""
    workflow = parent(child())
    workflow.action_on_event_received("sub", "go", TaskAction.START)
    workflow.action_on_event_received("sub", "fresh", TaskAction.RESTART)
    workflow.action_on_event_received("sub", "enough", TaskAction.STOP)
    return workflow


def link(scheduler: VirtualScheduler, above: WorkflowExecution) -> ParentLink:
    """The first attempt of the only run of an execution, as a sub-execution names it."""
    (run,) = scheduler.execution(above).tasks
    return ParentLink(
        workflow_execution_id=above.id,
        task_name=run.task_name,
        task_execution_id=run.id,
        attempt=1,
    )


def subs(scheduler: VirtualScheduler, name: str = "child") -> list[tuple[str, str]]:
    """Status and reason of every execution of the child, oldest first."""
    return [(one.status.value, one.reason) for one in scheduler.executions(name)]


def newest(scheduler: VirtualScheduler, name: str = "child") -> WorkflowExecution:
    return scheduler.execution(scheduler.executions(name)[-1])
