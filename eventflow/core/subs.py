"""Sub-executions: a task that runs a workflow, from its start to its end (S40).

No executor ever holds such a run. It is RUNNING until its sub-execution has ended; what stops the
run stops the sub-execution in the same decision, and what that ends as moves the run. So there is
nothing to lose: whatever dies, the same sub-execution goes on.
"""

import zlib
from collections.abc import Iterator
from typing import Any

from eventflow.core import reports
from eventflow.core.actions import move
from eventflow.core.decision import Deciding, Outcome
from eventflow.core.draft import Draft
from eventflow.core.executions import create, stop_all
from eventflow.core.hops import hops_of_run
from eventflow.core.moves import RunMoved
from eventflow.core.world import Known, LiveExecution, Run, World
from eventflow.errors import SubWorkflowFailedError
from eventflow.model.jsonvalue import encode
from eventflow.model.records import ParentLink
from eventflow.model.status import ExecutionType, TaskStatus, WorkflowStatus

# How many executions may stand above one: workflows that run each other by name end here.
MAX_DEPTH = 32


def decide_subrun(deciding: Deciding, value: dict[str, Any]) -> None:
    """Start the sub-execution that a QUEUED run asks for, unless it is not wanted any more.

    Args:
        value: `namespace` and `workflow`, its `params`, and the run as `parent`.
    """
    parent = ParentLink(**value["parent"])
    live, run = _run_of(deciding.world, parent)
    if live is None or run is None or run.status is not TaskStatus.QUEUED:
        _ignore(deciding, parent, "ignored: the run does not wait for a sub-execution")
        return
    namespace, name = value["namespace"], value["workflow"]
    known = deciding.world.known(namespace, name)
    if known is None:
        fault = (
            f"no workflow {name!r} is registered in namespace {namespace!r}, or its code cannot be "
            f"loaded; register it before task {run.task!r} starts"
        )
    else:
        fault = _fault(deciding.world, live, known)
    if known is None or fault:
        failure = {"type_name": SubWorkflowFailedError.__name__, "message": fault}
        reports.refused(deciding, live, run, {"failure": failure})
        return
    sub_id = create(
        deciding,
        known,
        ExecutionType.MANUAL,
        params=value.get("params") or {},
        parent=parent,
        hops=hops_of_run(run, deciding.now),
    )
    reports.begin(deciding, live, run, f"runs execution {sub_id} of {name}")
    deciding.note(Outcome(sub_id, (namespace, name), "started", action="subrun"))


def decide_sub_ended(deciding: Deciding, value: dict[str, Any]) -> None:
    """Move the run whose sub-execution has ended; a late or repeated word moves nothing.

    Args:
        value: That of the fact: `workflow_execution_id`, `status`, `reason`, and `parent`.
    """
    parent = ParentLink(**value["parent"])
    sub_id, status = value["workflow_execution_id"], WorkflowStatus(value["status"])
    live, run = _run_of(deciding.world, parent)
    began = (TaskStatus.RUNNING, *reports.LEAVING)
    if live is None or run is None or run.status not in began:
        _ignore(deciding, parent, f"ignored: late end of sub-execution {sub_id}")
        return
    name = value["workflow"]
    why = f": {value['reason']}" if value.get("reason") else ""
    if run.status in reports.LEAVING:
        reports.end_run(deciding, live, run, TaskStatus.STOPPED, "")
    elif run.timed_out:
        reports.failed(deciding, live, run, reports.with_timeout(live, run, {}))
    elif status is WorkflowStatus.SUCCESS:
        result = encode({"workflow_execution_id": sub_id, "workflow": name})
        reports.succeeded(deciding, live, run, result)
    elif status is WorkflowStatus.FAILED:
        failure = _failure(live, run, f"execution {sub_id} of {name} has FAILED{why}")
        reports.failed(deciding, live, run, failure)
    else:
        reason = f"execution {sub_id} of {name} was stopped{why}"[:500]
        stopping = move(deciding, live.id, run, TaskStatus.STOPPING, reason)
        reports.end_run(deciding, live, stopping, TaskStatus.STOPPED, reason)


def stop_below(deciding: Deciding, draft: Draft) -> None:
    """Stop the sub-execution of every run that this decision stops, and theirs, top down."""
    world = deciding.world
    if not world.subs:
        return
    # Grows while it is walked: a sub-execution that is stopped stops those below it.
    for change in deciding.changes:
        if not isinstance(change, RunMoved) or not is_leaving(change.run):
            continue
        live = world.executions.get(world.subs.get(change.run.id, 0))
        if live is None or live.stopping:
            continue
        stop_all(deciding, live, stop_reason(change.execution_id, change.run, change.reason))
        deciding.apply(draft)


def is_leaving(run: Run) -> bool:
    """Whether the run only waits for its end: it was stopped, or its time is over."""
    return run.status in reports.LEAVING or (run.timed_out and run.alive)


def stop_reason(execution_id: int, run: Run, reason: str) -> str:
    """Why a sub-execution is stopped: what happened to the run above it."""
    if run.timed_out:
        reason = "it ran longer than its timeout"
    why = f": {reason}" if reason else ""
    return f"stopped with task {run.task} of execution {execution_id}{why}"[:500]


def _run_of(world: World, parent: ParentLink) -> tuple[LiveExecution | None, Run | None]:
    """The run that a link means, while it is in that attempt."""
    live = world.executions.get(parent.workflow_execution_id)
    run = live.run(parent.task_execution_id, parent.task_name) if live is not None else None
    return live, run if run is not None and run.attempt == parent.attempt else None


def _fault(world: World, live: LiveExecution, known: Known) -> str:
    """Why a run of `live` cannot have a sub-execution of a workflow; empty when it can."""
    above = list(_line(world, live))
    plan = known.plan
    if len(above) > MAX_DEPTH:
        return (
            f"{MAX_DEPTH} executions stand above one another already, the first is {above[-1].id} "
            f"of {above[-1].plan.name}; do these workflows run each other in a circle?"
        )
    kin = [one.id for one in above if one.id in known.active]
    if len(kin) >= plan.workflow.max_active:
        return (
            f"it would wait for ever: all {plan.workflow.max_active} executions of {plan.name} "
            f"that may run at once (max_active) are waiting for this one"
        )
    return ""


def _line(world: World, live: LiveExecution | None) -> Iterator[LiveExecution]:
    """An execution and those above it, as far as they are not parked."""
    while live is not None:
        yield live
        parent = live.record.parent
        live = world.executions.get(parent.workflow_execution_id) if parent is not None else None


def _failure(live: LiveExecution, run: Run, message: str) -> dict[str, Any]:
    retry_on = live.plan.tasks[run.task].settings.retry_on
    return {
        "failure": {
            "type_name": SubWorkflowFailedError.__name__,
            "message": message,
            "args": [message],
        },
        "retryable": not retry_on or issubclass(SubWorkflowFailedError, retry_on),
        # No executor draws the jitter of a retry here; the run's own number spreads them as well.
        "chance": zlib.crc32(f"{run.id}:{run.attempt}".encode()) / 2**32,
    }


def _ignore(deciding: Deciding, parent: ParentLink, did: str) -> None:
    deciding.note(
        Outcome(
            parent.workflow_execution_id,
            ("", ""),
            did,
            task=parent.task_name,
            run_id=parent.task_execution_id,
        )
    )
