"""FlowRun: one run of a flow, from its start to its end."""

import asyncio
import contextlib
import threading
import weakref
from collections.abc import Generator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import Any

from eventflow import signals
from eventflow.clock import SystemClock
from eventflow.errors import (
    ConflictError,
    EventflowError,
    FlowFailedError,
    WaitTimeoutError,
)
from eventflow.flow.attempts import RunState
from eventflow.flow.compiling import Compiled
from eventflow.flow.drawing import graph_of
from eventflow.flow.graph import FlowGraph
from eventflow.flow.looking import Looking
from eventflow.flow.nodes import FlowNode, StepFailure
from eventflow.flow.schedulers import Lease
from eventflow.flow.states import leave
from eventflow.model.event import Event
from eventflow.model.graph import Graph
from eventflow.model.pictured import Pictured
from eventflow.model.status import TaskStatus, WorkflowStatus
from eventflow.runtime.handle import ExecutionHandle
from eventflow.store.opening import open_store
from eventflow.store.ports import Store

_LEAVE_S = 2.0
_TOLD = 10


@dataclass(frozen=True, slots=True)
class Started:
    """What a run begins with."""

    lease: Lease
    compiled: Compiled
    state: RunState
    token: str
    handle: ExecutionHandle
    fail_fast: bool


class FlowRun(Pictured):
    """One run of a flow; it goes on by itself as long as its program does. Who ends the program
    before it, with nothing that waits, ends it too.

    Attributes:
        flow: The flow as this run has it: what steps set on `self` is here.
        graph: The steps.
    """

    def __init__(self, name: str, started: Started) -> None:
        self.name = name
        self.flow: Any = started.state.flow
        self.flow.newest_run = self
        self.graph: FlowGraph = started.state.graph
        self._started = started
        self._lease = started.lease
        self._execution_id = 0
        self._over = False
        self._failed: set[int] = set()
        self._left = threading.Event()
        self._ended: Future[None] = Future()
        self._ended.set_running_or_notify_cancel()
        self._known: Looking | None = None
        self._reopened: Store | None = None
        self._lock = threading.Lock()
        scheduler = started.lease.scheduler
        if started.fail_fast:
            signals.task_status_changed.connect(self._hear, sender=scheduler)
        threading.Thread(target=self._watch, name=f"eventflow-flow-{name}", daemon=True).start()

    def __repr__(self) -> str:
        return f"<FlowRun {self.name!r} {self.status}>"

    @property
    def id(self) -> int:
        """The id of the workflow execution."""
        return self._started.handle.id

    @property
    def future(self) -> Future[None]:
        """Done when the run has ended; its end is not in it."""
        return self._ended

    @property
    def status(self) -> WorkflowStatus:
        """How the run stands now."""
        found = self._store().execution_status(self.id)
        return found if found is not None else WorkflowStatus.INIT

    def __await__(self) -> Generator[Any, None, "FlowRun"]:
        """`await run` waits for its end without holding up the event loop; it may have failed."""
        return self._awaited().__await__()

    async def _awaited(self) -> "FlowRun":
        await asyncio.shield(asyncio.wrap_future(self._ended))
        return await asyncio.to_thread(self.check)

    def wait(self, timeout: float | None = None) -> "FlowRun":
        """Wait until it has ended, however it does; `timeout` in seconds.

        Raises:
            WaitTimeoutError: If it has not; it goes on.
        """
        try:
            self._ended.result(timeout)
        except FutureTimeoutError as error:
            raise WaitTimeoutError(
                f"flow {self.name!r} has not ended within {timeout} s; it goes on"
            ) from error
        return self

    def check(self) -> "FlowRun":
        """Give itself back if it has succeeded.

        Raises:
            FlowFailedError: If it has failed or was stopped; names every failure.
        """
        status = self.status
        if status is WorkflowStatus.SUCCESS:
            return self
        failures = self.failures
        exceptions = [one.exception for one in failures if one.exception is not None]
        cause = failures[0].exception if failures else None
        raise FlowFailedError(_message(self, status, failures), failures, exceptions) from cause

    def stop(self, reason: str = "") -> None:
        """Have it stopped; steps see it by `current_context().should_stop()`. Does not wait."""
        with contextlib.suppress(ConflictError):
            self._lease.scheduler.client.stop(self.id, reason)

    def abandon(self) -> None:
        """Stop it, and leave within seconds, also when a step does not look."""
        if not self._ended.done():
            with contextlib.suppress(EventflowError):
                self.stop("interrupted")
            with contextlib.suppress(FutureTimeoutError):
                self._ended.result(_LEAVE_S)
        self._left.set()
        self._lease.close()

    def get_result(self, step: Any) -> Any:
        """What a step returned: a value, or for a step with items the list in item order.

        A list for each level of foreach and repeat around it, whatever the number of items. `None`
        where there is none; `node(step).status` tells why.

        Args:
            step: The function, the method, or the id.
        """
        return self._looking.result(self.graph.get_step(step))

    def node(self, step: Any, *index: int) -> FlowNode:
        """A step as a whole, or one item of it.

        Raises:
            NotFoundError: If there is no such item.
        """
        return self._looking.node(self.graph.get_step(step), index)

    def nodes(self, step: Any = None) -> list[FlowNode]:
        """Each item of steps that have some, and the other steps as wholes.

        Args:
            step: Of this step only.
        """
        chosen = (self.graph.get_step(step),) if step is not None else self.graph.steps
        return list(self._looking.nodes(chosen))

    def to_graph(self) -> Graph:
        """The steps as nodes and edges, with how each stands now."""
        about = f"execution {self.id} {self.status.value}"
        return graph_of(self.name, self.graph.steps, self._looking.progress(), about)

    @property
    def failures(self) -> list[StepFailure]:
        """Every failure so far, in order of time."""
        return self._looking.failures()

    @property
    def _looking(self) -> Looking:
        if self._known is None:
            started = self._started
            counters = dict(started.compiled.counters)
            self._known = Looking(self._store, self.id, started.state, counters)
        return self._known

    def _store(self) -> Store:
        """Where the run is read; a durable store is opened anew when its scheduler may be gone."""
        if not (self._lease.is_durable and self._over):
            return self._lease.scheduler.store
        with self._lock:
            if self._reopened is None:
                url = self._lease.scheduler.store.url
                self._reopened = open_store(url, clock=SystemClock(), create=False)
                weakref.finalize(self, self._reopened.close)
            return self._reopened

    def _watch(self) -> None:
        """Wait for the end, and give back what the run had."""
        scheduler = self._lease.scheduler
        try:
            execution_id = self._execution_id = self.id
            self._hear_what_was_told_before(scheduler.store)
            self._stop_if_failed()

            def over() -> bool | None:
                status = scheduler.store.execution_status(execution_id)
                return True if self._left.is_set() or (status and status.ended) else None

            scheduler.client.until(over, None)
        except BaseException as error:  # the scheduler has died; who waits is told
            self._close()
            self._ended.set_exception(error)
            return
        self._close()
        self._ended.set_result(None)

    def _close(self) -> None:
        self._over = True
        signals.task_status_changed.disconnect(self._hear, sender=self._lease.scheduler)
        leave(self._started.token)
        self._lease.close()

    def _hear(self, _: object, *, event: Event, status: TaskStatus) -> None:
        if status is TaskStatus.FAILED and isinstance(event.workflow_execution_id, int):
            self._note_failure(event.workflow_execution_id, event.key.split(".")[3])
            self._stop_if_failed()

    def _hear_what_was_told_before(self, store: Store) -> None:
        """A step may have failed before anybody listened."""
        execution = store.execution(self._execution_id)
        for run in execution.tasks if execution is not None else ():
            if run.status is TaskStatus.FAILED:
                self._note_failure(run.workflow_execution_id, run.task_name)

    def _note_failure(self, execution_id: int, task_name: str) -> None:
        task = self._started.compiled.workflow.tasks.get(task_name)
        if task is not None and not task.settings.allow_failure:
            self._failed.add(execution_id)

    def _stop_if_failed(self) -> None:
        """Fail-fast: what has not begun does not begin, what runs is asked to stop."""
        if self._started.fail_fast and self._execution_id in self._failed:
            with contextlib.suppress(EventflowError):  # it may have ended, the scheduler too
                self.stop("a step has failed")


def _message(run: FlowRun, status: WorkflowStatus, failures: list[StepFailure]) -> str:
    if not failures:
        return f"flow {run.name!r} ended {status.value}"
    if len(failures) == 1:
        return f"flow {run.name!r} failed: {failures[0]}"
    told = [f"flow {run.name!r} failed in {len(failures)} places:"]
    told += [f"  {failure}" for failure in failures[:_TOLD]]
    if len(failures) > _TOLD:
        told.append(f"  and {len(failures) - _TOLD} more")
    return "\n".join(told)
