"""One run, execution or timer, as a batch leaves it: an insert or an update."""

from datetime import datetime

from eventflow.core.moves import ExecutionCreated, RunCreated, RunTakenOver
from eventflow.core.opened import ItemsCreated
from eventflow.core.world import Run, Timer
from eventflow.model.jsonvalue import json_text
from eventflow.model.records import ParentLink
from eventflow.model.status import WorkflowStatus
from eventflow.store.rows import (
    ExecutionRow,
    ExecutionUpdate,
    RunRow,
    RunUpdate,
    TimerRow,
)

_NO_PARENT = ParentLink(workflow_execution_id=0, task_name="", task_execution_id=0, attempt=0)


class TouchedExecution:
    """One execution that the batch touched. `created` is set when it was made in it."""

    __slots__ = (
        "began_at",
        "by_timeout",
        "created",
        "ended_at",
        "id",
        "reason",
        "status",
        "stopping",
    )

    def __init__(self, execution_id: int, created: ExecutionCreated | None = None) -> None:
        self.id = execution_id
        self.created = created
        self.status: WorkflowStatus | None = None
        self.began_at: datetime | None = None
        self.ended_at: datetime | None = None
        self.stopping: str | None = None
        self.by_timeout: bool | None = None
        self.reason: str | None = None

    def row(self, created: ExecutionCreated, now: datetime) -> ExecutionRow:
        record = created.record
        status = self.status or record.status
        parent = record.parent or _NO_PARENT
        return ExecutionRow(
            self.id,
            record.namespace,
            record.workflow_name,
            record.execution_type.value,
            status.value,
            record.snapshot,
            json_text(record.params),
            record.created_at or now,
            self.began_at,
            self.ended_at,
            record.scheduled_time,
            created.trigger_turn,
            created.command_offset,
            created.idempotency_key,
            self.stopping or "",
            self.by_timeout or False,
            self.reason or "",
            record.retry_of,
            parent.workflow_execution_id,
            parent.task_name,
            parent.task_execution_id,
            parent.attempt,
            record.hops,
        )

    def update(self) -> ExecutionUpdate:
        return ExecutionUpdate(
            self.status.value if self.status is not None else None,
            self.began_at,
            self.ended_at,
            self.stopping,
            self.by_timeout,
            self.reason,
            self.id,
        )


class TouchedRun:
    """One run that the batch touched, as it is now. `created` is set when it was made in it."""

    __slots__ = ("began_at", "created", "dropped", "ended_at", "items", "metrics", "reason", "run")

    def __init__(self, run: Run, created: RunCreated | ItemsCreated | None = None) -> None:
        self.run = run
        self.created = created
        self.began_at: datetime | None = None
        self.ended_at: datetime | None = None
        self.dropped = False
        self.reason: str | None = None
        self.metrics: str | None = None
        self.items: str | None = None

    def row(self, created: RunCreated | ItemsCreated) -> RunRow:
        run = self.run
        return RunRow(
            run.id,
            created.execution_id,
            run.task,
            run.sequence_number,
            run.attempt,
            run.status.value,
            run.failures,
            run.lost,
            run.timed_out,
            self.dropped,
            created.at,
            run.began_at,
            self.began_at,
            self.ended_at,
            created.started_by,
            run.trigger_turn,
            _inputs_of(run),
            created.pool,
            self.reason or "",
            None,
            self.metrics,
            run.parent,
            run.item,
            self.items,
            run.hops,
        )

    def update(self) -> RunUpdate:
        run = self.run
        return RunUpdate(
            run.attempt,
            run.status.value,
            run.failures,
            run.lost,
            run.timed_out,
            self.dropped,
            run.began_at,
            _inputs_of(run),
            self.began_at,
            self.ended_at,
            self.reason,
            self.metrics,
            self.items,
            run.id,
        )


def taken_over_row(change: RunTakenOver) -> RunRow:
    """A run that ends where it comes to be: nothing of it is ever touched again."""
    run = change.run
    return RunRow(
        id=run.id,
        workflow_execution_id=change.execution_id,
        task=run.task,
        sequence_number=run.sequence_number,
        attempt=run.attempt,
        status=run.status.value,
        failures=0,
        lost=0,
        timed_out=False,
        dropped=False,
        created_at=change.at,
        attempt_began_at=None,
        began_at=None,
        ended_at=change.at,
        started_by="retry",
        trigger_turn=run.trigger_turn,
        inputs=None,
        pool=change.pool,
        reason=change.reason,
        taken_from=change.taken_from,
        metrics=None,
        parent=0,
        item=-1,
        items=None,
        hops=run.hops,
    )


def _inputs_of(run: Run) -> str | None:
    # What an item takes is kept once, with its run (S43).
    return json_text(run.inputs) if run.inputs is not None and not run.parent else None


def timer_row(timer: Timer) -> TimerRow:
    """The row of a timer."""
    namespace, workflow = timer.workflow or ("", "")
    return TimerRow(
        timer.key,
        timer.kind,
        timer.due_at,
        namespace,
        workflow,
        timer.execution_id,
        timer.task,
        timer.run_id,
        timer.attempt,
        timer.after,
        timer.anchor,
    )
