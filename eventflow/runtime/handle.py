"""A handle on one workflow execution: wait for it, look at it, stop it."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from eventflow.errors import EventflowError, MissingOutputError, NotFoundError, WaitTimeoutError
from eventflow.model.event import Event
from eventflow.model.graph import Graph
from eventflow.model.pictured import Pictured
from eventflow.model.records import TaskExecution, WorkflowExecution
from eventflow.model.status import TaskStatus, WorkflowStatus
from eventflow.runtime.client import DECIDED_WITHIN_S, Client
from eventflow.runtime.items import each_item, map_of, run_of
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

        if self._client.until(ended, timeout, execution_id) is None:
            raise WaitTimeoutError(
                f"workflow execution {execution_id} has not ended within {timeout} s; it goes on"
            )
        return self.record

    def result(self, task_name: str) -> Any:
        """The result of the latest SUCCESS of a task; of a mapped task the list of its items'
        results, in item order and nested as its axes are (S43).

        Raises:
            MissingOutputError: If there is none; of a map that failed, `item_results` has what
                succeeded.
        """
        text = self._client.store.latest_result(self.id, task_name)
        if text is None:
            raise MissingOutputError(self._no_result(task_name))
        return json.loads(text)

    def items(
        self,
        task_name: str,
        statuses: Iterable[TaskStatus | str] = (),
        *,
        sequence_number: int | None = None,
    ) -> Iterator[TaskExecution]:
        """The items of a mapped task's newest run, in item order, as committed (S43).

        They are read page by page while they are iterated. Each has its `index`, `status`,
        `attempt`, `reason` and times; `handle.tasks` has the run itself, with `items`: how many
        there are of each status.

        Args:
            statuses: Only those that stand so: `handle.items("work", ["FAILED"])`.
            sequence_number: Of this run, and not of the newest.

        Raises:
            NotFoundError: If there is no such run, or it has no items.
        """
        store, wanted = self._client.store, tuple(map(TaskStatus, statuses))
        return each_item(store, map_of(store, self.record, task_name, sequence_number), wanted)

    def item_results(
        self, task_name: str, *, sequence_number: int | None = None
    ) -> Iterator[tuple[tuple[int, ...], Any]]:
        """Index and result of each item that succeeded, in item order; also of a map that failed.

        `dict(handle.item_results("work"))[17,]` is what item 17 returned. Raises as `items` does.
        """
        store = self._client.store
        run = map_of(store, self.record, task_name, sequence_number)
        return (
            (item.index, json.loads(text))
            for item in each_item(store, run, [TaskStatus.SUCCESS])
            if (text := store.result(item.id)) is not None
        )

    def _no_result(self, task_name: str) -> str:
        text = f"task {task_name!r} has no success in workflow execution {self.id}"
        run = run_of(self.record, task_name)
        if run is None or run.items is None:
            return text
        return (
            f"{text}: {run.label} is {run.status.value}, {run.items}. What succeeded is in "
            f"item_results({task_name!r}), what failed in items({task_name!r}, ['FAILED'])"
        )

    def stop(self, reason: str = "") -> None:
        """Stop it (S29); returns when the stop is decided.

        Raises:
            ConflictError: If it has ended.
        """
        self._client.outcome(self._client.stop(self.id, reason))
