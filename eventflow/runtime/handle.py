"""A handle on one workflow execution: wait for it, look at it, stop it."""

import json
from typing import Any

from eventflow.errors import EventflowError, MissingOutputError, NotFoundError, WaitTimeoutError
from eventflow.model.event import Event
from eventflow.model.graph import Graph
from eventflow.model.pictured import Pictured
from eventflow.model.records import TaskExecution, WorkflowExecution
from eventflow.model.status import WorkflowStatus
from eventflow.runtime.client import DECIDED_WITHIN_S, Client
from eventflow.runtime.picturing import graph_of_execution


class ExecutionHandle(Pictured):
    """One workflow execution, as it is in the store each time it is asked."""

    def __init__(self, client: Client, *, execution_id: int = 0, command: Event | None = None):
        self._client = client
        self._id = execution_id
        self._command = command

    def __repr__(self) -> str:
        return f"<ExecutionHandle {self._id or 'not decided yet'}>"

    @property
    def id(self) -> int:
        """Its id; waits until the command that asked for it is decided.

        Raises:
            ConflictError: If the command was refused.
            WaitTimeoutError: If no scheduler decided it within 30 s.
        """
        if self._id or self._command is None:
            return self._id
        record = self._client.outcome(self._command, DECIDED_WITHIN_S)
        if record is None and not self._client.store.read(
            keys=["**", "eventflow.**"],
            after=self._command.offset - 1,
            until=self._command.offset,
            limit=1,
        ):
            raise NotFoundError(
                f"command {self._command.key} (offset {self._command.offset}) was decided long ago "
                f"and is pruned, with what it started; a new one needs a new idempotency key"
            )
        if record is None or record.workflow_execution_id is None:
            raise EventflowError(f"command {self._command.key} started no execution")
        self._id = record.workflow_execution_id
        return self._id

    @property
    def record(self) -> WorkflowExecution:
        """The execution with its task executions, as committed."""
        found = self._client.store.execution(self.id)
        if found is None:
            raise NotFoundError(f"no workflow execution {self.id}")
        return found

    @property
    def status(self) -> WorkflowStatus:
        return self.record.status

    @property
    def tasks(self) -> tuple[TaskExecution, ...]:
        """Its task executions, oldest first."""
        return self.record.tasks

    def to_graph(self) -> Graph:
        """Its workflow as nodes and edges, with how each task stands now."""
        return graph_of_execution(self._client.store, self.record)

    def wait(self, timeout: float | None = None) -> WorkflowExecution:
        """Wait until it has ended; `timeout` in seconds.

        Raises:
            WaitTimeoutError: If it has not; it goes on.
        """
        execution_id = self.id

        def ended() -> bool | None:
            status = self._client.store.execution_status(execution_id)
            return True if status is not None and status.ended else None

        if self._client.until(ended, timeout) is None:
            raise WaitTimeoutError(
                f"workflow execution {execution_id} has not ended within {timeout} s; it goes on"
            )
        return self.record

    def result(self, task_name: str) -> Any:
        """The result of the latest SUCCESS of a task.

        Raises:
            MissingOutputError: If there is none.
        """
        text = self._client.store.latest_result(self.id, task_name)
        if text is None:
            raise MissingOutputError(
                f"task {task_name!r} has no success in workflow execution {self.id}"
            )
        return json.loads(text)

    def stop(self, reason: str = "") -> None:
        """Stop it (S29); returns when the stop is decided.

        Raises:
            ConflictError: If it has ended.
        """
        self._client.outcome(self._client.stop(self.id, reason))
