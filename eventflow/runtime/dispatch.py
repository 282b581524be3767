"""Outbox → executors: orders that are committed, handed over at least once (S11)."""

import logging
import queue
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from eventflow.core.changes import Commanded, Withdrawn
from eventflow.core.decision import Decision
from eventflow.core.plan import Plan
from eventflow.core.world import Run, World
from eventflow.executors.port import AttemptKey, Code, Executor, Job
from eventflow.model.event import Event
from eventflow.model.records import TaskExecution, WorkflowExecution
from eventflow.model.status import TaskAction, TaskStatus
from eventflow.store.ports import Store

log = logging.getLogger("eventflow")


@dataclass(frozen=True, slots=True)
class Order:
    """One thing for the executor to do: START, STOP, or, with `None`, forget an ended attempt."""

    key: AttemptKey
    action: TaskAction | None
    run: Run | None = None
    record: WorkflowExecution | None = None
    plan: Plan | None = None
    trigger: Event | None = None

    @property
    def runs_workflow(self) -> bool:
        """Whether it is about a task that runs a workflow."""
        if self.plan is None or self.run is None:
            return False
        return self.plan.tasks[self.run.task].runs_workflow is not None


def orders_of(world: World, decisions: Iterable[Decision]) -> list[Order]:
    """What a committed batch asks of the executor, in order.

    A START that a later decision of the batch has withdrawn is left out: that run never starts.
    """
    orders: dict[tuple[AttemptKey, TaskAction | None], Order] = {}
    for decision in decisions:
        for change in decision.changes:
            match change:
                case Commanded():
                    order = _order_of(world, change)
                    if order is not None:
                        orders[(order.key, order.action)] = order
                case Withdrawn(run_id, attempt, ended):
                    key = AttemptKey(run_id, attempt)
                    orders.pop((key, TaskAction.START), None)
                    if ended:
                        orders.pop((key, TaskAction.STOP), None)
                        orders[(key, None)] = Order(key, None)
                case _:
                    continue
    return list(orders.values())


def _order_of(world: World, command: Commanded) -> Order | None:
    live = world.executions.get(command.execution_id)
    if live is None:
        return None
    run = command.run
    key = AttemptKey(run.id, run.attempt)
    return Order(key, command.action, run, live.record, live.plan, command.trigger)


def redeliveries(
    world: World, commands: Iterable[Commanded], known: set[AttemptKey]
) -> list[Order]:
    """The orders of an outbox as it was loaded, but those about attempts that have reported."""
    orders = [_order_of(world, command) for command in commands]
    return [order for order in orders if order is not None and order.key not in known]


class Dispatcher:
    """Hands orders over on a thread of its own, so that a slow executor never holds the loop."""

    def __init__(
        self,
        executor: Executor,
        make_job: Callable[[Order], Job],
        start_sub: Callable[[Order], None],
    ) -> None:
        self._executor = executor
        self._make_job = make_job
        self._start_sub = start_sub
        self._orders: queue.SimpleQueue[list[Order] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="eventflow-dispatch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, orders: list[Order]) -> None:
        if orders:
            self._orders.put(orders)

    def stop(self) -> None:
        """Hand over what is queued, then end."""
        self._orders.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (orders := self._orders.get()) is not None:
            for order in orders:
                try:
                    hand_over(self._executor, order, self._make_job, self._start_sub)
                except Exception:
                    # The order stays in the outbox: it is delivered again at the next start.
                    log.exception("dispatch.failed task_execution=%s", order.key.task_execution_id)


def hand_over(
    executor: Executor,
    order: Order,
    make_job: Callable[[Order], Job],
    start_sub: Callable[[Order], None],
) -> None:
    """Do one order. A task that runs a workflow is no executor's (S40)."""
    match order.action:
        case TaskAction.START if order.runs_workflow:
            start_sub(order)
        case TaskAction.START:
            executor.submit(make_job(order))
        case TaskAction.STOP:
            executor.cancel(order.key)
        case _:
            executor.confirm(order.key)


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

    def __call__(self, order: Order) -> Job:
        run, record, plan = order.run, order.record, order.plan
        if run is None or record is None or plan is None:
            raise ValueError(f"order {order.key} has no run to make a job of")
        settings = plan.tasks[run.task].settings
        return Job(
            workflow_execution=record,
            task_execution=task_record(record, run, self._now(), settings.pool),
            trigger_event=self._trigger(order, run, record),
            code=self._code_of(record.snapshot),
            inputs=run.inputs or {},
            log_path=self._store.log_path(record.id, run.task, run.sequence_number, run.attempt),
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


def task_record(record: WorkflowExecution, run: Run, now: datetime, pool: str) -> TaskExecution:
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
    )
