"""Workflow executions: how they come to be, begin, and end (S16, S29, S44)."""

from datetime import datetime, timedelta
from typing import Any

from eventflow.core import firetimes
from eventflow.core.actions import drop_successor, new_run, queue, stop_run
from eventflow.core.changes import TimerCleared, TimerSet
from eventflow.core.decision import Deciding
from eventflow.core.hops import hops_of
from eventflow.core.moves import ExecutionCreated, ExecutionMoved, ExecutionStopping
from eventflow.core.retrying import Retry, forget, keep, take_over
from eventflow.core.world import NEVER_RUN, Known, LiveExecution, Timer
from eventflow.model.event import Event
from eventflow.model.records import ParentLink, WorkflowExecution
from eventflow.model.status import ExecutionType, WorkflowStatus


def create(
    deciding: Deciding,
    known: Known,
    execution_type: ExecutionType,
    *,
    params: dict[str, Any] | None = None,
    trigger: Event | None = None,
    scheduled_time: datetime | None = None,
    command_offset: int = 0,
    ahead: int = 0,
    retry: Retry | None = None,
    parent: ParentLink | None = None,
    hops: int = 0,
) -> int:
    """A new execution of the newest snapshot, or of the one that it retries (S31); RUNNING at once
    unless `max_active` are (S44).

    Args:
        ahead: Executions of the workflow that this decision has created already.
        hops: What it carries (S45).

    Returns:
        Its id.
    """
    plan = retry.plan if retry is not None else known.plan
    begins = len(known.active) + ahead < known.plan.workflow.max_active
    record = WorkflowExecution(
        id=deciding.new_execution_id(),
        workflow_name=plan.name,
        namespace=plan.namespace,
        execution_type=execution_type,
        status=WorkflowStatus.RUNNING if begins else WorkflowStatus.INIT,
        snapshot=plan.snapshot,
        params=params or {},
        created_at=deciding.now,
        begin_date=deciding.now if begins else None,
        scheduled_time=scheduled_time,
        trigger_event=trigger,
        retry_of=retry.of if retry is not None else None,
        parent=parent,
        hops=hops,
    )
    trigger_turn = 0
    if trigger is not None:
        trigger_turn = deciding.trigger_turn if retry is None else trigger.turn
    deciding.change(ExecutionCreated(record, plan, deciding.turn, command_offset, trigger_turn))
    live = LiveExecution(record, plan)
    if retry is not None:
        live.retried = retry.tasks
    if begins:
        _begin(deciding, live)
    else:
        for retried in live.retried.values():
            keep(deciding, live, retried)
    return record.id


def begin_waiting(deciding: Deciding, known: Known, room: int) -> None:
    """Let the oldest that wait in INIT begin: as many as there is room for (S44)."""
    for execution_id in known.waiting[: max(room, 0)]:
        live = deciding.world.executions[execution_id]
        deciding.change(
            ExecutionMoved(
                live.id,
                (live.plan.namespace, live.plan.name),
                WorkflowStatus.RUNNING,
                deciding.now,
                deciding.turn,
                parent=live.record.parent,
                hops=hops_of(live, deciding.now),
            )
        )
        _begin(deciding, live)


def stop_all(
    deciding: Deciding, live: LiveExecution, reason: str, *, by_timeout: bool = False
) -> None:
    """Stop an execution: no rule acts any more, what is alive is stopped, then it ends (S29)."""
    if live.record.status is WorkflowStatus.INIT:
        end(deciding, live, WorkflowStatus.STOPPED, reason)
        return
    deciding.change(ExecutionStopping(live.id, reason, by_timeout))
    for name in live.plan.tasks:
        standing = live.standing(name)
        latest, leaving = standing.latest, standing.leaving
        if latest is None or not latest.alive:
            continue
        if leaving is not None:
            drop_successor(deciding, live, latest, leaving)
            latest = leaving
        stop_run(deciding, live, latest, reason)
    _clear_timers(deciding, live)


def end(deciding: Deciding, live: LiveExecution, status: WorkflowStatus, reason: str) -> None:
    """The execution has ended; one that waited may begin."""
    workflow = (live.plan.namespace, live.plan.name)
    was_active = live.record.status is WorkflowStatus.RUNNING
    for task in live.retried:
        forget(deciding, live, task)
    deciding.change(
        ExecutionMoved(
            live.id,
            workflow,
            status,
            deciding.now,
            deciding.turn,
            reason,
            parent=live.record.parent,
            hops=hops_of(live, deciding.now),
        )
    )
    _clear_timers(deciding, live)
    known = deciding.world.workflows.get(workflow)
    if known is not None and was_active and known.waiting:
        # This one still counts as active until the decision is applied.
        begin_waiting(deciding, known, known.plan.workflow.max_active - len(known.active) + 1)


def _begin(deciding: Deciding, live: LiveExecution) -> None:
    """Start the tasks that start with their execution (S25), and its clocks."""
    take_over(deciding, live)
    for task in live.plan.tasks.values():
        if task.autostarts and task.name not in live.retried:
            hops = hops_of(live, deciding.now)
            run = new_run(deciding, live.id, task, NEVER_RUN, "autostart", hops=hops)
            queue(deciding, live, task, run)
        schedule = task.settings.periodic_expression
        if schedule is not None:
            due = firetimes.next_due(schedule, deciding.now, anchor=deciding.now)
            if due is not None:
                deciding.change(
                    TimerSet(
                        Timer(
                            "periodic",
                            due,
                            execution_id=live.id,
                            task=task.name,
                            after=deciding.now,
                            anchor=deciding.now,
                        )
                    )
                )
    timeout = live.plan.workflow.timeout
    if timeout is not None:
        due = deciding.now + timedelta(seconds=timeout)
        deciding.change(TimerSet(Timer("deadline", due, execution_id=live.id)))


def _clear_timers(deciding: Deciding, live: LiveExecution) -> None:
    for task in live.plan.tasks.values():
        if task.settings.periodic_expression is not None:
            deciding.change(TimerCleared(f"periodic:{live.id}:{task.name}"))
    if live.plan.workflow.timeout is not None:
        deciding.change(TimerCleared(f"deadline:{live.id}:"))
