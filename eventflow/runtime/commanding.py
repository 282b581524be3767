"""Commands as methods: the same for the scheduler and for the one in virtual time."""

from abc import ABC, abstractmethod
from datetime import datetime
from typing import Generic, TypeVar

from eventflow.errors import EventflowError
from eventflow.model.event import Event
from eventflow.model.records import DecisionRecord, WorkflowExecution
from eventflow.model.status import TaskAction
from eventflow.model.workflow import Workflow
from eventflow.runtime.client import Client
from eventflow.runtime.failing import Which

Found = TypeVar("Found")


class Commanding(ABC, Generic[Found]):
    """What can be told to a scheduler; each call returns when it is decided.

    Executions are named by id or record, workflows by name or definition.

    Raises:
        ConflictError: If the command was refused; says why.
        NotFoundError: If there is no such execution.
        WaitTimeoutError: If nobody decided it in time; it stays in the log.
    """

    @property
    @abstractmethod
    def client(self) -> Client:
        """Emits and commands, as another process would use them."""

    @abstractmethod
    def execution(self, execution: int, /) -> Found:
        """An execution that is known by its id."""

    @abstractmethod
    def _obeyed(self, command: Event) -> DecisionRecord | None:
        """Have a committed command decided; return what it came to."""

    def stop_workflow(self, execution: WorkflowExecution | int, reason: str = "") -> None:
        """Stop a workflow execution (S29)."""
        self._obeyed(self.client.stop(id_of(execution), reason))

    def retry(self, execution: WorkflowExecution | int, *, idempotency_key: str = "") -> Found:
        """Run again what failed, or was stopped from outside, in an execution that has ended (S31).

        A new execution of the same snapshot, code and params: tasks that succeeded, were skipped or
        were stopped by a rule are taken over with their results.

        Args:
            idempotency_key: The same key asks for the same execution.

        Raises:
            ConflictError: If it has not ended, or nothing is left to do in it.
        """
        record = self._obeyed(self.client.retry(id_of(execution), idempotency_key))
        if record is None or record.workflow_execution_id is None:
            raise EventflowError(f"the retry of execution {id_of(execution)} started nothing")
        return self.execution(record.workflow_execution_id)

    def start_task(self, execution: WorkflowExecution | int, task_name: str) -> str:
        """START a task; returns what it came to (S19)."""
        return self._act(execution, task_name, TaskAction.START)

    def stop_task(self, execution: WorkflowExecution | int, task_name: str) -> str:
        """STOP a task; returns what it came to (S20)."""
        return self._act(execution, task_name, TaskAction.STOP)

    def restart_task(self, execution: WorkflowExecution | int, task_name: str) -> str:
        """RESTART a task; returns what it came to (S21)."""
        return self._act(execution, task_name, TaskAction.RESTART)

    def pause(self, workflow: Workflow | str, namespace: str = "default") -> None:
        """Let events and due times start nothing; running executions go on (S17)."""
        self._obeyed(self.client.pause(*_named(workflow, namespace), paused=True))

    def resume(self, workflow: Workflow | str, namespace: str = "default") -> None:
        """Undo `pause`."""
        self._obeyed(self.client.pause(*_named(workflow, namespace), paused=False))

    def set_pool(self, name: str, slots: int | None, namespace: str = "default") -> None:
        """Let so many attempts of a pool's tasks run at once; `None` is any number (S44).

        What fits is handed over at once. Where slots were taken away, those who hold one keep it
        to the end of their attempt. The pool `default` has no limit until it is set; any other lets
        nobody through before.

        Raises:
            DefinitionError: If the name is no token, or the slots are no number from 0.
        """
        self._obeyed(self.client.set_pool(name, slots, namespace))

    def rejudge(
        self,
        event: Event | int | None = None,
        *,
        workflow: Workflow | str | None = None,
        namespace: str = "default",
        since: datetime | None = None,
        execution: WorkflowExecution | int | None = None,
        task_name: str | None = None,
        rule: int | None = None,
    ) -> list[DecisionRecord]:
        """Ask the conditions again that failed on an event, once the cause is mended (S13).

        They see the event of then and the state of now. A rule that is met acts as usual, and what
        it starts reads that event as its trigger. A running execution keeps its snapshot (S41): a
        mended condition reaches workflow rules; task rules only where the cause lay outside.

        Args:
            event: The event or its offset; without one all open ones of a workflow are meant.
            since: Only of events that the log took from this instant on; aware.
            execution: Only the task rules of this execution.
            task_name: Only the rules of this task, or with `rule` this one of them.

        Returns:
            What each rule came to: `started` and so on, `not met`, or `failed again`.

        Raises:
            ConflictError: Also if nothing is there to be asked again.
        """
        named = _named(workflow, namespace) if workflow is not None else None
        if event is None and named is None:
            raise EventflowError("rejudge needs an event, or a workflow whose failed rules to ask")
        which = Which(
            offset=event.offset if isinstance(event, Event) else event,
            workflow=named,
            since=since,
            execution_id=id_of(execution) if execution is not None else None,
            task=task_name,
            rule=rule,
        )
        commands = self.client.rejudge(which)
        for command in commands:
            self._obeyed(command)
        return [record for command in commands for record in self.client.outcomes(command)]

    def _act(self, execution: WorkflowExecution | int, task_name: str, action: TaskAction) -> str:
        record = self._obeyed(self.client.task(id_of(execution), task_name, action))
        return record.did if record is not None else ""


def id_of(execution: WorkflowExecution | int) -> int:
    """The id of an execution that is named by id or record."""
    return execution if isinstance(execution, int) else execution.id


def _named(workflow: Workflow | str, namespace: str) -> tuple[str, str]:
    if isinstance(workflow, Workflow):
        return workflow.namespace, workflow.name
    return namespace, workflow
