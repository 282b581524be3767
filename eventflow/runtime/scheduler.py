"""Scheduler: the public face. It puts the parts together, and forwards."""

import atexit
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, Unpack

from blinker import Signal

from eventflow import signals
from eventflow.clock import Clock, SystemClock
from eventflow.core.explanation import Explained
from eventflow.core.plan import Plan
from eventflow.errors import EventflowError, NotFoundError
from eventflow.executors.port import Executor
from eventflow.model.event import Event
from eventflow.model.family import with_sub_workflows
from eventflow.model.records import (
    DecisionRecord,
    EventCount,
    PoolRecord,
    TaskExecutionKey,
    WorkflowExecution,
)
from eventflow.model.status import WorkflowStatus
from eventflow.model.workflow import Workflow
from eventflow.runtime.client import Client
from eventflow.runtime.commanding import Commanding
from eventflow.runtime.engine import Engine
from eventflow.runtime.executing import executor_of
from eventflow.runtime.explaining import explain
from eventflow.runtime.guard import Guard
from eventflow.runtime.handle import ExecutionHandle
from eventflow.runtime.listening import checked
from eventflow.runtime.news import send
from eventflow.runtime.registering import announce
from eventflow.runtime.registry import Registry
from eventflow.runtime.retention import prune
from eventflow.settings import read_settings
from eventflow.store.bell import Bell
from eventflow.store.cut import Pruned
from eventflow.store.listed import WorkflowRecord
from eventflow.store.opening import open_store
from eventflow.store.ports import Store
from eventflow.store.selection import Bounds

Receiver = TypeVar("Receiver", bound=Callable[..., Any])


class Scheduler(Commanding[ExecutionHandle]):
    """Runs workflows of one store.

    Args:
        store: URL: `sqlite:///eventflow.db` (the default), `sqlite://` for memory.
        executor: `"threads"`, `"processes"`, or an object that is an Executor.
        clock: Where the time comes from; the machine's by default.
        condition_timeout: Seconds that a user's condition may take (S13).
        program: What a second scheduler is told when this one holds the store.
        own_only: Run the tasks of workflows that are registered here, and leave those of others
            that the store holds in its outbox.

    Raises:
        StoreError: If the store cannot be opened.
        StoreBusyError: On `start`, if another scheduler holds it; names it.
    """

    def __init__(
        self,
        store: str | None = None,
        *,
        executor: str | Executor = "threads",
        clock: Clock | None = None,
        condition_timeout: float | None = None,
        program: str = "python",
        own_only: bool = False,
    ) -> None:
        settings = read_settings(store=store, condition_timeout=condition_timeout)
        self._clock, self._program = clock or SystemClock(), program
        made = executor_of(executor, settings.store)
        self.store: Store = open_store(settings.store, clock=self._clock)
        self._guard, files = Guard(settings.condition_timeout), self.store.files
        self._bell = Bell(self.store)
        self._registry = Registry(self.store, self._clock, files / "snapshots" if files else None)
        self._engine = Engine(
            store=self.store,
            bell=self._bell,
            clock=self._clock,
            registry=self._registry,
            executor=made,
            ask=self._guard.ask,
            sender=self,
            own_only=own_only,
        )
        self._receivers: list[Callable[..., Any]] = []
        self._running = False

    def __enter__(self) -> "Scheduler":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def client(self) -> Client:
        """Emits and commands, as another process would use them."""
        return self._engine.client

    @property
    def parked(self) -> dict[int, str]:
        """Execution id -> why it cannot go on (S41)."""
        return dict(self._engine.parked)

    @property
    def failure(self) -> BaseException | None:
        """Why the loop died, if it did."""
        return self._engine.failure

    def start(self) -> None:
        """Become the one scheduler of the store, and go on from its last commit."""
        if self._running:
            return
        self.store.hold(self._program)
        self._engine.start(clean=self.store.was_clean())
        self._running = True
        _RUNNING.append(self)
        send(signals.scheduler_started, self)

    def wait(self) -> None:
        """Wait, once it has started, until it decides no more: it was stopped, or has died."""
        self._engine.wait()

    def stop(self, grace: float = 0.0) -> None:
        """Stop deciding; tasks get `grace` seconds to finish, then count as lost (S28)."""
        self._engine.listeners.end()
        if self._running:
            self._running = False
            _RUNNING.remove(self)
            self._engine.stop(grace)
            self.store.release(clean=self._engine.failure is None)
            send(signals.scheduler_stopped, self)
        self._guard.close()
        self._bell.close()
        self.store.close()

    def register(self, *workflows: Workflow) -> None:
        """Make workflows known; a changed definition becomes the newest snapshot (S41).

        Those that they run as objects are registered with them (S40).

        Raises:
            DefinitionError: If one cannot work as written.
        """
        family = with_sub_workflows(workflows)
        self._announce(self._registry.take_all(family))

    def register_file(
        self,
        path: Path | str,
        names: Iterable[str] = (),
        *,
        accept: Callable[[list[Workflow]], object] | None = None,
    ) -> list[Workflow]:
        """Make the workflows of a file known; its sources are kept as a snapshot (S41).

        Args:
            accept: Is shown what was loaded before any of it is registered; may raise.

        Raises:
            LoadError: If the file is missing, does not import, or defines no such workflow.
        """
        plans = self._registry.take_file(Path(path), names)
        if accept is not None:
            accept([plan.workflow for plan in plans])
        self._announce(plans)
        return [plan.workflow for plan in plans]

    def run(
        self,
        workflow: Workflow | str,
        params: dict[str, Any] | None = None,
        *,
        namespace: str = "default",
        idempotency_key: str = "",
    ) -> ExecutionHandle:
        """Start a MANUAL execution; returns once the command is committed (S2).

        Args:
            workflow: A workflow, registered if need be, or the name of a registered one.
            idempotency_key: The same key asks for the same execution.
        """
        if isinstance(workflow, Workflow):
            self.register(workflow)
            namespace, name = workflow.namespace, workflow.name
        else:
            name = workflow
            if not any((one.namespace, one.name) == (namespace, name) for one in self.workflows()):
                raise NotFoundError(
                    f"no workflow {name!r} is registered in namespace {namespace!r}"
                )
        command = self.client.run(namespace, name, params, idempotency_key)
        return ExecutionHandle(self.client, command=command)

    def emit(self, key: str, value: Any = None, **fields: Any) -> Event:
        """Append an event; returns it once it is committed, with its offset (S2)."""
        return self.client.emit(key, value, **fields)

    def events(
        self,
        keys: str | Iterable[str] = (),
        namespace: str | None = None,
        sender: str | None = None,
        *,
        limit: int = 1000,
        newest: bool = False,
        **bounds: Unpack[Bounds],
    ) -> list[Event]:
        """The first `limit` events that fit, or with `newest` the last, in offset order.

        Args:
            keys: A key or pattern, or several; none means all but the scheduler's own (S5).
            bounds: `after`, an offset that is left out; `since`, an instant, and `until`, an offset
                or an instant, that count; instants are aware, by the log's clock (S1).
        """
        patterns = checked(keys)
        return self.store.read(
            limit=limit, newest=newest, keys=patterns, namespace=namespace, sender=sender, **bounds
        )

    def count(
        self,
        keys: str | Iterable[str] = (),
        namespace: str | None = None,
        sender: str | None = None,
        **bounds: Unpack[Bounds],
    ) -> EventCount:
        """How many events fit, in all and of each sender; arguments as for `events`."""
        patterns = checked(keys)
        return self.store.count(keys=patterns, namespace=namespace, sender=sender, **bounds)

    def offset_at(self, instant: datetime) -> int:
        """The highest offset of an event logged at or before an instant; 0 when there is none."""
        return self.store.offset_at(instant)

    def listen(
        self,
        keys: str | Iterable[str] = (),
        after: int | None = None,
        timeout: float | None = None,
    ) -> Iterator[Event]:
        """Yield each event that fits once it is committed, in offset order; ends with `stop`.

        Args:
            after: Begin behind this offset; by default behind the last one there is now. The
                offset of the last event seen goes on from there, without gap or repeat.
            timeout: Seconds without an event after which it ends.

        Raises:
            EventflowError: While waiting, if the loop has died.
        """
        return self._engine.listeners.listen(keys, after=after, timeout=timeout)

    def execution(self, execution_id: int) -> ExecutionHandle:
        """A handle on an execution that is known by its id."""
        return ExecutionHandle(self.client, execution_id=execution_id)

    def executions(
        self,
        workflow: str | None = None,
        *,
        namespace: str | None = None,
        statuses: Iterable[WorkflowStatus] = (),
        limit: int = 50,
    ) -> list[WorkflowExecution]:
        """The newest executions first, without their tasks."""
        return self.store.executions(
            workflow=workflow, namespace=namespace, statuses=statuses, limit=limit
        )

    def explain(
        self,
        key: int | str | TaskExecutionKey,
        task_name: str | None = None,
        *,
        namespace: str = "default",
    ) -> Explained:
        """Why something ran, or what it still waits for (S42).

        Args:
            key: Id of a workflow execution, the key of one run, or the name of a workflow.
            task_name: A task of that execution: its newest run, or why there is none; `work[17]`
                is an item of it (S43).
            namespace: Of the workflow that is named.
        """
        return explain(self.store, key, task_name, namespace=namespace)

    def workflows(self) -> list[WorkflowRecord]:
        """The registered workflows."""
        return self.store.workflows()

    def pools(self) -> list[PoolRecord]:
        """Pools that were set or that tasks are in: slots, how many are held, who waits (S44)."""
        return self.store.pools()

    def workflow_of(self, snapshot: str) -> Workflow | None:
        """The workflow of a snapshot, to look at; only the newest can be run."""
        return self._registry.workflow(snapshot)

    def prune(self, older_than: timedelta, *, namespace: str | None = None) -> Pruned:
        """Let go of what is older and not needed; raises StoreError for a store in memory."""
        return prune(self.store, self._clock, older_than, namespace=namespace)

    def on(self, signal: Signal, receiver: Receiver) -> Receiver:
        """Call `receiver(scheduler, **arguments)` for each signal of this scheduler's."""
        self._receivers.append(receiver)
        signal.connect(receiver, sender=self)
        return receiver

    def _announce(self, plans: list[Plan]) -> None:
        if not self._running:
            raise EventflowError("start the scheduler first: 'with Scheduler() as scheduler:'")
        self._engine.own(plans)
        for plan in plans:
            self._engine.prepare(plan)
            self._engine.take_back(plan)
        new = [plan for plan in plans if not self._engine.is_newest(plan)]
        announce(self.client, new, self._engine.is_newest)
        for plan in new:
            self._engine.take_back(plan)  # until now the newest may have been without its code

    def _obeyed(self, command: Event) -> DecisionRecord | None:
        return self.client.outcome(command)


# The schedulers of this process that are on: `emit` from any code goes through the newest (api.md).
_RUNNING: list[Scheduler] = []


def running_scheduler() -> Scheduler | None:
    """The scheduler that runs in this process; the newest when there are several."""
    return _RUNNING[-1] if _RUNNING else None


@atexit.register
def _stop_all() -> None:
    for scheduler in list(_RUNNING):
        scheduler.stop()
