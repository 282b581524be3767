"""Outbox → executors: orders that are committed, handed over at least once (S11)."""

import logging
import queue
import threading
from collections.abc import Callable, Iterable

from msgspec import Struct

from eventflow.core.changes import Commanded, Withdrawn
from eventflow.core.decision import Decision
from eventflow.core.plan import Plan
from eventflow.core.world import Run, World
from eventflow.crashpoints import reach
from eventflow.errors import StoreError, StoreGoneError, StoreRefusedError
from eventflow.executors.port import AttemptKey, Executor, Job
from eventflow.model.event import Event
from eventflow.model.records import WorkflowExecution
from eventflow.model.shape import Shape
from eventflow.model.status import TaskAction

log = logging.getLogger("eventflow")
AGAIN_S = 1.0


class Order(Struct, frozen=True):
    """One thing for the executor to do: START, STOP, or, with `None`, forget an ended attempt.

    Attributes:
        shape: Of an item of a mapped task: that of all of them (S43).
    """

    key: AttemptKey
    action: TaskAction | None
    run: Run | None = None
    record: WorkflowExecution | None = None
    plan: Plan | None = None
    trigger: Event | None = None
    shape: Shape | None = None

    @property
    def has_attempts(self) -> bool:
        """Whether an executor holds the run: not one that stands for its items or for its
        sub-execution.
        """
        if self.plan is None or self.run is None:
            return True
        return self.run.parent > 0 or self.plan.tasks[self.run.task].has_attempts


def orders_of(world: World, decisions: Iterable[Decision]) -> list[Order]:
    """What a committed batch asks of the executor, in order; what it may forget comes last.

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
    return sorted(orders.values(), key=lambda order: order.action is None)


def _order_of(world: World, command: Commanded) -> Order | None:
    live = world.executions.get(command.execution_id)
    if live is None:
        return None
    run = command.run
    key = AttemptKey(run.id, run.attempt)
    items = live.items.get(run.parent)
    shape = items.shape if items is not None else None
    return Order(key, command.action, run, live.record, live.plan, command.trigger, shape)


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
        unheld: Callable[[Order], None],
    ) -> None:
        self._executor = executor
        self._make_job = make_job
        self._unheld = unheld
        self._orders: queue.SimpleQueue[list[Order] | None] = queue.SimpleQueue()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name="eventflow-dispatch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, orders: list[Order]) -> None:
        if orders:
            self._orders.put(orders)

    def stop(self) -> None:
        """Hand over what is queued, then end."""
        self._ending.set()
        self._orders.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (orders := self._orders.get()) is not None:
            for order in orders:
                while not self.deliver(order) and not self._ending.wait(AGAIN_S):
                    continue

    def deliver(self, order: Order) -> bool:
        """Hand one order over; `False` when the store was in the way: then it is tried again."""
        try:
            reach("dispatch.taken")
            hand_over(self._executor, order, self._make_job, self._unheld)
            reach("dispatch.handed")
        except OSError:
            log.exception("dispatch.failed task_execution=%s", order.key.task_execution_id)
            # Any order is tried again but one to forget: what is left is found at the next start.
            return order.action is None
        except Exception as error:
            # The order stays in the outbox: it is delivered again at the next start, if not before.
            log.exception("dispatch.failed task_execution=%s", order.key.task_execution_id)
            never = isinstance(error, StoreRefusedError | StoreGoneError)
            return never or not isinstance(error, StoreError)
        return True


def hand_over(
    executor: Executor,
    order: Order,
    make_job: Callable[[Order], Job],
    unheld: Callable[[Order], None],
) -> None:
    """Do one order. Of a run that no executor holds the rest is begun by `unheld` (S40, S43)."""
    match order.action:
        case TaskAction.START if not order.has_attempts:
            unheld(order)
        case TaskAction.START:
            executor.submit(make_job(order))
        case TaskAction.STOP:
            executor.cancel(order.key)
        case _:
            executor.confirm(order.key)
