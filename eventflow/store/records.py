"""Rows turned into what users read and into what the core decides on."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from sys import intern

from eventflow.core.pools import NO_POOL
from eventflow.core.world import Run, Timer
from eventflow.model.event import Event
from eventflow.model.jsonvalue import read
from eventflow.model.records import (
    AttemptFailure,
    DecisionRecord,
    ItemCounts,
    ParentLink,
    PoolRecord,
    StatusChange,
    TaskExecution,
    VerdictRecord,
    WorkflowExecution,
)
from eventflow.model.settings import DEFAULT_POOL
from eventflow.model.shape import Shape
from eventflow.model.status import ExecutionType, TaskStatus, WorkflowStatus
from eventflow.store.listed import TimerRecord, WorkflowRecord
from eventflow.store.rows import (
    DecisionRow,
    ExecutionRow,
    FailureRow,
    HistoryRow,
    PoolRow,
    RunRow,
    TimerRow,
    VerdictRow,
    WorkflowRow,
)


def execution_of(
    row: ExecutionRow, trigger: Event | None, tasks: tuple[TaskExecution, ...] = ()
) -> WorkflowExecution:
    """One execution; what many have in common they share."""
    return WorkflowExecution(
        id=row.id,
        workflow_name=intern(row.workflow),
        namespace=intern(row.namespace),
        execution_type=ExecutionType(row.execution_type),
        status=WorkflowStatus(row.status),
        snapshot=intern(row.snapshot),
        params={} if row.params == "{}" else read(row.params),
        created_at=row.created_at,
        begin_date=row.began_at,
        end_date=row.ended_at,
        scheduled_time=row.scheduled_time,
        trigger_event=trigger,
        retry_of=row.retry_of,
        tasks=tasks,
        reason=row.reason,
        parent=_parent_of(row),
        stopping=row.stopping,
        hops=row.hops,
    )


def _parent_of(row: ExecutionRow) -> ParentLink | None:
    if not row.parent_execution_id:
        return None
    return ParentLink(
        workflow_execution_id=row.parent_execution_id,
        task_name=row.parent_task,
        task_execution_id=row.parent_task_execution_id,
        attempt=row.parent_attempt,
    )


def task_execution_of(
    row: RunRow,
    execution_type: ExecutionType,
    log_path: str = "",
    *,
    counts: ItemCounts | None = None,
    shape: Shape | None = None,
) -> TaskExecution:
    """One run.

    Args:
        execution_type: That of its workflow execution, which a task that autostarts has too.
        counts: How its items stand, when it is a mapped task's.
        shape: Where it is an item: that of all of them.
    """
    is_item = row.item >= 0
    return TaskExecution(
        id=row.id,
        workflow_execution_id=row.workflow_execution_id,
        task_name=row.task,
        sequence_number=row.sequence_number,
        attempt=row.attempt,
        status=TaskStatus(row.status),
        execution_type=_type_of(row.started_by, execution_type),
        created_at=row.created_at,
        begin_date=row.began_at,
        end_date=row.ended_at,
        started_by=row.started_by,
        trigger_turn=row.trigger_turn,
        reason=row.reason,
        # What was taken over has written nothing here.
        log_path=log_path if row.taken_from is None else "",
        pool=row.pool,
        dropped=bool(row.dropped),
        taken_from=row.taken_from,
        inputs=read(row.inputs) if row.inputs is not None else {},
        metrics=read(row.metrics) if row.metrics is not None else {},
        parent=row.parent if is_item else None,
        item=row.item if is_item else None,
        index=shape.index_of(row.item) if is_item and shape is not None else (),
        items=counts,
    )


def _type_of(started_by: str, execution_type: ExecutionType) -> ExecutionType:
    match started_by:
        case "autostart" | "retry" | "map":
            return execution_type
        case "command":
            return ExecutionType.MANUAL
        case "periodic":
            return ExecutionType.PERIODIC
        case _:
            return ExecutionType.EVENT


def status_change_of(row: HistoryRow) -> StatusChange:
    return StatusChange(
        status=TaskStatus(row.status), at=row.at, attempt=row.attempt, reason=row.reason
    )


def failure_of(row: FailureRow) -> AttemptFailure:
    return AttemptFailure(
        attempt=row.attempt,
        type_name=row.type_name,
        message=row.message,
        args=read(row.args),
        traceback=row.traceback,
    )


def decision_of(row: DecisionRow, event_key: str, event_offset: int) -> DecisionRecord:
    return DecisionRecord(
        turn=row.turn,
        event_key=event_key,
        event_offset=event_offset,
        at=row.at,
        workflow_execution_id=row.workflow_execution_id,
        workflow=row.workflow,
        task=row.task,
        rule=row.rule,
        action=row.action,
        did=row.did,
        task_execution_id=row.task_execution_id,
    )


def verdict_of(
    row: VerdictRow, event_key: str, event_offset: int, at: datetime | None
) -> VerdictRecord:
    """One answer; `at` is when the log took its event."""
    return VerdictRecord(
        turn=row.turn,
        event_key=event_key,
        event_offset=event_offset,
        at=at,
        workflow_execution_id=row.workflow_execution_id,
        namespace=row.namespace,
        workflow=row.workflow,
        task=row.task,
        rule=row.rule,
        met=bool(row.met),
        writes={
            name: read(text) if text is not None else None
            for name, text in read(row.writes).items()
        },
        error=row.error,
        of_turn=row.of_turn,
    )


def workflow_of(row: WorkflowRow) -> WorkflowRecord:
    return WorkflowRecord(
        namespace=row.namespace,
        name=row.name,
        snapshot=row.snapshot,
        paused=bool(row.paused),
        registered_at=row.registered_at,
    )


def pools_of(
    rows: Iterable[PoolRow], busy: Mapping[tuple[str, str, bool], int]
) -> list[PoolRecord]:
    """Pools with how they stand.

    Args:
        rows: Those that were set.
        busy: Namespace, pool, and whether they wait -> how many runs wait for a slot, or hold one.
    """
    slots = {(row.namespace, row.name): row.slots for row in rows}
    return [
        PoolRecord(
            namespace=key[0],
            name=key[1],
            slots=slots.get(key, None if key[1] == DEFAULT_POOL else 0),
            held=busy.get((*key, False), 0),
            waiting=busy.get((*key, True), 0),
            is_set=key in slots,
        )
        for key in sorted({*slots, *(key[:2] for key in busy)})
        if key[1] != NO_POOL
    ]


def timer_record_of(row: TimerRow) -> TimerRecord:
    return TimerRecord(
        key=row.key,
        kind=row.kind,
        due_at=row.due_at,
        namespace=row.namespace,
        workflow=row.workflow,
        workflow_execution_id=row.workflow_execution_id,
        task=row.task,
        after=row.after,
    )


def timer_of(row: TimerRow) -> Timer:
    return Timer(
        row.kind,
        row.due_at,
        workflow=(row.namespace, row.workflow) if row.workflow else None,
        execution_id=row.workflow_execution_id,
        task=row.task,
        run_id=row.task_execution_id,
        attempt=row.attempt,
        after=row.after,
        anchor=row.anchor,
    )


def run_of(row: RunRow) -> Run:
    return Run(
        id=row.id,
        task=row.task,
        sequence_number=row.sequence_number,
        status=TaskStatus(row.status),
        attempt=row.attempt,
        failures=row.failures,
        lost=row.lost,
        began_at=row.attempt_began_at,
        trigger_turn=row.trigger_turn,
        inputs=read(row.inputs) if row.inputs is not None else None,
        timed_out=bool(row.timed_out),
        parent=row.parent,
        item=row.item,
        hops=row.hops,
        created_at=row.created_at,
    )
