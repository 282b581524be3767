"""Orders made into jobs: the records that a task may read, and where its code is."""

from collections.abc import Callable
from datetime import datetime

from msgspec.structs import replace

from eventflow.core.world import Run
from eventflow.executors.port import Code, Job
from eventflow.model.event import Event
from eventflow.model.records import TaskExecution, WorkflowExecution
from eventflow.model.status import TaskStatus
from eventflow.runtime.dispatch import Order
from eventflow.runtime.elements import Elements
from eventflow.store.ports import Store


class JobMaker:
    """Makes the Job of a START order: the records a task may read, and where its code is."""

    def __init__(
        self,
        store: Store,
        code_of: Callable[[str], Code],
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._code_of = code_of
        self._now = now
        self._elements = Elements(store)

    def __call__(self, order: Order) -> Job:
        run, record, plan = order.run, order.record, order.plan
        if run is None or record is None or plan is None:
            raise ValueError(f"order {order.key} has no run to make a job of")
        task = plan.tasks[run.task]
        settings = task.settings
        index = order.shape.index_of(run.item) if order.shape is not None else ()
        return Job(
            workflow_execution=record,
            task_execution=task_record(record, run, index, self._now(), settings.pool),
            trigger_event=self._trigger(order, run, record),
            code=self._code_of(record.snapshot),
            inputs=run.inputs or {},
            index=index,
            elements=self._elements.of(task, run, index) if index else {},
            log_path=self._store.log_path(
                record.id, run.task, run.sequence_number, run.attempt, run.item
            ),
            stop_grace_s=settings.stop_grace,
            heartbeat_timeout_s=settings.heartbeat_timeout,
            must_not_repeat=settings.on_lost == "fail",
        )

    def _trigger(self, order: Order, run: Run, record: WorkflowExecution) -> Event | None:
        """A task that started with its execution reads the execution's trigger (S16)."""
        if order.trigger is not None:
            return replace(order.trigger, turn=run.trigger_turn)
        if run.trigger_turn:
            return self._store.event_of_turn(run.trigger_turn)
        return record.trigger_event


def task_record(
    record: WorkflowExecution, run: Run, index: tuple[int, ...], now: datetime, pool: str
) -> TaskExecution:
    """The run as its own code sees it."""
    return TaskExecution(
        id=run.id,
        workflow_execution_id=record.id,
        task_name=run.task,
        sequence_number=run.sequence_number,
        attempt=run.attempt,
        status=TaskStatus.RUNNING,
        execution_type=record.execution_type,
        begin_date=run.began_at or now,
        trigger_turn=run.trigger_turn,
        pool=pool,
        parent=run.parent or None,
        item=run.item if run.parent else None,
        index=index,
    )
