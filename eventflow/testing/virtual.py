"""VirtualScheduler: the real core, loop and memory store under a clock that moves when told.

No thread runs, nothing is waited for, and a year of cron passes in seconds. Every run of a scenario
is equal to the last decision.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from eventflow.core.decision import Decision
from eventflow.core.explanation import Explained
from eventflow.errors import EventflowError, NotFoundError
from eventflow.executors.attempt import lost
from eventflow.executors.port import AttemptKey, Code, Report, ReportKind
from eventflow.model.event import Event
from eventflow.model.family import with_sub_workflows
from eventflow.model.records import (
    DecisionRecord,
    PoolRecord,
    TaskExecution,
    TaskExecutionKey,
    WorkflowExecution,
)
from eventflow.model.status import TaskStatus, WorkflowStatus
from eventflow.model.workflow import Workflow
from eventflow.runtime.client import Client
from eventflow.runtime.commanding import Commanding, id_of
from eventflow.runtime.desk import StoreDesk
from eventflow.runtime.differences import Replayed
from eventflow.runtime.dispatch import Order, hand_over, orders_of
from eventflow.runtime.explaining import explain
from eventflow.runtime.guard import ask_here
from eventflow.runtime.jobs import JobMaker
from eventflow.runtime.loop import Loop
from eventflow.runtime.registry import Registry
from eventflow.runtime.replaying import replay
from eventflow.runtime.subruns import join
from eventflow.runtime.unheld import Unheld
from eventflow.store.memory import MemoryStore
from eventflow.testing.clock import START, VirtualClock
from eventflow.testing.worker import DIED, ENDINGS, Ending, VirtualWorker, report_of

MAX_STEPS = 1_000_000


class VirtualScheduler(Commanding[WorkflowExecution]):
    """A scheduler in virtual time. Tasks run nothing: `outcome` says how their attempts end.

    Args:
        workflows: Registered at once.
        start: What the clock shows at first; aware UTC.
    """

    def __init__(self, *workflows: Workflow, start: datetime = START) -> None:
        self.clock = VirtualClock(start)
        self.store = MemoryStore(clock=self.clock)
        self._client = Client(self.store, self.clock, lambda: None, self._until)
        self.store.hold("VirtualScheduler")
        self._registry = Registry(self.store, self.clock, None)
        self._worker = VirtualWorker(self.clock)
        self._make_job = JobMaker(self.store, self._code, self.clock.now)
        self._unheld = Unheld(self._client, self._take_report)
        self._orders: list[Order] = []
        self._loop = self._new_loop()
        self._worker.start(StoreDesk(self.client), self._take_report, self._registry.operator)
        self._workflows: list[Workflow] = []
        self.register(*workflows)

    @property
    def client(self) -> Client:
        """Emits and commands, as another process would use them."""
        return self._client

    @property
    def now(self) -> datetime:
        """What the clock shows."""
        return self.clock.now()

    def register(self, *workflows: Workflow) -> None:
        """Make workflows known, or new snapshots of them; those that they run too (S40)."""
        family = with_sub_workflows(workflows)
        for workflow in family:
            plan = self._registry.take(workflow)
            self.client.register(plan.namespace, plan.name, plan.snapshot)
        self._workflows += [*workflows, *family]
        self.run_until_idle()

    def outcome(
        self,
        task: str,
        status: TaskStatus = TaskStatus.SUCCESS,
        *,
        after: float = 0,
        result: Any = None,
        retryable: bool = True,
        reason: str = "",
    ) -> None:
        """How one more attempt of a task ends, in order; SUCCESS at once when none is left.

        Args:
            status: SUCCESS, FAILED, SKIPPED, or RUNNING for one that does not end by itself.
            after: Seconds of virtual time that it takes.
            reason: Of one that is SKIPPED: the text of its `TaskSkipped`.
        """
        wanted = TaskStatus(status)
        if wanted not in ENDINGS:
            ways = "SUCCESS, FAILED or SKIPPED"
            raise EventflowError(f"an attempt ends {ways}, or runs on; got {status!r}")
        ending = Ending(wanted, timedelta(seconds=after), result, retryable, reason)
        self._worker.ends_with(task, ending)

    def run(
        self, workflow: Workflow | str | None = None, params: dict[str, Any] | None = None
    ) -> WorkflowExecution:
        """Start a MANUAL execution and decide all that is due now; returns it as it is then."""
        namespace, name = self._name(workflow)
        command = self.client.run(namespace, name, params)
        self.run_until_idle()
        record = self.client.outcome(command, 0)
        if record is None or record.workflow_execution_id is None:
            raise EventflowError(f"workflow {name!r} did not start")
        return self.execution(record.workflow_execution_id)

    def emit(self, key: str, value: Any = None, **fields: Any) -> Event:
        """Emit an event and decide all that follows from it now."""
        event = self.client.emit(key, value, **fields)
        self.run_until_idle()
        return event

    def advance(
        self, *, seconds: float = 0, minutes: float = 0, hours: float = 0, days: float = 0
    ) -> None:
        """Let time pass; everything that falls due on the way happens at its instant."""
        duration = timedelta(seconds=seconds, minutes=minutes, hours=hours, days=days)
        until = self.clock.now() + duration
        self.run_until_idle()
        while (due := self._next_instant()) is not None and due <= until:
            self.clock.set(due)
            self.run_until_idle()
        self.clock.set(until)

    def jump(self, **duration: float) -> None:
        """Let time pass at one stroke, as when no scheduler ran; then decide what is due."""
        self.clock.advance(timedelta(**duration))
        self.run_until_idle()

    def run_until_idle(self) -> None:
        """Decide, hand over and report, until nothing more happens at this instant."""
        for _ in range(MAX_STEPS):
            if self._loop.step():
                continue
            if self._orders:
                orders, self._orders = self._orders, []
                for order in orders:
                    hand_over(self._worker, order, self._make_job, self._unheld)
            elif not self._worker.end_due():
                return
        raise EventflowError(f"not idle after {MAX_STEPS} steps: do rules start each other?")

    def lose(self, task: str, *, counted: bool = True) -> None:
        """The worker of a task's running attempt dies (S28).

        A task that runs a workflow has none that could: the report is ignored (S40).
        """
        job = self._worker.attempt_of(task)
        alive = [run for run in self._runs(task, None) if not run.ended]
        if job is not None:
            self._worker.lose(job, counted=counted)
        elif alive:
            key = AttemptKey(alive[-1].id, alive[-1].attempt)
            self._loop.inbox.put(lost(key, DIED, counted=counted))
        else:
            raise NotFoundError(f"no attempt of task {task!r} is running")
        self.run_until_idle()

    def report(
        self,
        task: str,
        status: TaskStatus,
        *,
        sequence_number: int = 1,
        attempt: int = 1,
        execution: WorkflowExecution | int | None = None,
    ) -> None:
        """A report out of the blue: a late or a repeated one (S26)."""
        found = [
            run for run in self._runs(task, execution) if run.sequence_number == sequence_number
        ]
        if not found:
            raise NotFoundError(f"task {task!r} has no run {sequence_number}")
        key = AttemptKey(found[-1].id, attempt)
        if status is TaskStatus.RUNNING:
            self._loop.inbox.put(Report(key=key, kind=ReportKind.RUNNING))
        else:
            self._loop.inbox.put(report_of(key, Ending(status, timedelta(0))))
        self.run_until_idle()

    def restart_scheduler(self) -> None:
        """As if the scheduler's process had died and a new one had read the store."""
        self._loop = self._new_loop()
        self.run_until_idle()

    def execution(self, execution: WorkflowExecution | int | None = None) -> WorkflowExecution:
        """An execution as it is now; the newest when none is named."""
        if execution is None:
            newest = self.executions()
            if not newest:
                raise NotFoundError("nothing has been executed")
            execution = newest[-1]
        found = self.store.execution(id_of(execution))
        if found is None:
            raise NotFoundError(f"no workflow execution {id_of(execution)}")
        return found

    def executions(self, workflow: Workflow | str | None = None) -> list[WorkflowExecution]:
        """The executions of one workflow, or all; oldest first."""
        name = self._name(workflow)[1] if workflow is not None else None
        return self.store.executions(workflow=name, limit=1_000_000)[::-1]

    def status(self, execution: WorkflowExecution | int | None = None) -> WorkflowStatus:
        """The status of an execution; of the newest when none is named."""
        return self.execution(execution).status

    def runs(
        self, task: str, execution: WorkflowExecution | int | None = None
    ) -> list[tuple[int, list[str]]]:
        """Every run of a task with all its statuses: of one execution, or of all, oldest first."""
        return [
            (run.sequence_number, [change.status.value for change in self.store.history(run.id)])
            for run in self._runs(task, execution)
        ]

    def decisions(self, execution: WorkflowExecution | int | None = None) -> list[DecisionRecord]:
        """What rules and commands came to, in order."""
        return self.store.decisions(id_of(execution) if execution is not None else None)

    def explain(
        self,
        key: int | str | TaskExecutionKey,
        task_name: str | None = None,
        *,
        namespace: str = "default",
    ) -> Explained:
        """Why something ran, or what it still waits for (S42)."""
        return explain(self.store, key, task_name, namespace=namespace)

    def pools(self) -> list[PoolRecord]:
        """Pools that were set or that tasks are in: slots, how many are held, who waits (S44)."""
        return self.store.pools()

    def events(self, *keys: str) -> list[Event]:
        """The events of the log that fit one of the patterns; users' own when none is given."""
        return self.store.read(keys=keys, limit=1_000_000)

    def started(self, task: str) -> list[Any]:
        """What every attempt of a task was handed, oldest first: jobs as an executor gets them."""
        return [job for job in self._worker.jobs if job.task_execution.task_name == task]

    def replay(self, *, ask: bool = False) -> Replayed:
        """Decide the whole log again; it must come out equal (S9).

        Args:
            ask: Ask users' conditions again, beside what they said.
        """
        return replay(self.store, self._registry.plan, ask=ask_here if ask else None)

    def _runs(
        self, task: str, execution: WorkflowExecution | int | None
    ) -> Iterable[TaskExecution]:
        wanted = [execution] if execution is not None else self.executions()
        return [run for one in wanted for run in self.execution(one).tasks if run.task_name == task]

    def _take_report(self, report: Report) -> None:
        self._loop.inbox.put(report)

    def _new_loop(self) -> Loop:
        loaded = self.store.load(self._registry.plan)
        join(loaded.world, self._client)
        return Loop(
            store=self.store,
            world=loaded.world,
            cursor=loaded.cursor,
            facts_to=loaded.facts_to,
            clock=self.clock,
            ask=ask_here,
            committed=self._after_commit,
            prepare=self._prepare,
        )

    def _prepare(self, events: list[Event]) -> None:
        self._registry.teach(self._loop.world, events)

    def _after_commit(self, decisions: list[Decision]) -> None:
        self._orders.extend(orders_of(self._loop.world, decisions))

    def _next_instant(self) -> datetime | None:
        instants = [self._loop.timers.next_due(), self._worker.next_end()]
        return min((instant for instant in instants if instant is not None), default=None)

    def _obeyed(self, command: Event) -> DecisionRecord | None:
        self.run_until_idle()
        return self.client.outcome(command, 0)

    def _until(
        self, check: Callable[[], Any], timeout: float | None, execution_id: int | None = None
    ) -> Any:
        return check()

    def _code(self, snapshot: str) -> Code:
        return self._registry.code(snapshot)

    def _name(self, workflow: Workflow | str | None) -> tuple[str, str]:
        if workflow is None:
            if not self._workflows:
                raise NotFoundError("no workflow is registered")
            workflow = self._workflows[0]
        if isinstance(workflow, Workflow):
            return workflow.namespace, workflow.name
        for known in self._workflows:
            if known.name == workflow:
                return known.namespace, known.name
        raise NotFoundError(f"no workflow {workflow!r} is registered")
