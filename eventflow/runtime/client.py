"""Emit, and commands: what user code, the CLI and a scheduler's own face call.

A client needs the store and its bell, not a scheduler: it writes events, and whoever decides is
woken. Commands are events too; what they came to is read from the store once they are decided.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any, Protocol, TypeVar

from eventflow.clock import Clock
from eventflow.core.decide import COMMAND, SENDER
from eventflow.core.world import Run
from eventflow.errors import (
    ConflictError,
    DuplicateEventError,
    EventError,
    NotFoundError,
    WaitTimeoutError,
)
from eventflow.model.event import MAX_EVENT_BYTES, Event, check_event
from eventflow.model.jsonvalue import JsonValueError, encode
from eventflow.model.keys import check_user_key
from eventflow.model.records import DecisionRecord, ParentLink, WorkflowExecution
from eventflow.model.settings import check_pool
from eventflow.model.shape import Shape
from eventflow.model.status import TaskAction
from eventflow.runtime.failing import Which, commands_for
from eventflow.runtime.ids import draw_id
from eventflow.runtime.retrying import picture_of
from eventflow.store.ports import Store

log = logging.getLogger("eventflow")
T = TypeVar("T")
DECIDED_WITHIN_S = 30.0
# The value of the event that is judged again goes with it, as text in which quotes are escaped.
_MAX_REJUDGE_BYTES = 4 * MAX_EVENT_BYTES


class Until(Protocol):
    """Waits until a check gives something, `None` when time ran out; looks after every commit, or
    after those that may have changed the status of one execution.
    """

    def __call__(
        self, check: Callable[[], T | None], timeout: float | None, execution_id: int | None = None
    ) -> T | None: ...


class Client:
    """Writes events and commands into one store.

    Args:
        ring: Wakes whoever waits on the store; called after each commit.
        until: How to wait for something that a commit will show.
        tell: Called instead of `ring` after a commit of users' events, with them.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        ring: Callable[[], None],
        until: Until,
        tell: Callable[[Sequence[Event]], None] | None = None,
    ) -> None:
        self.store = store
        self._tell = tell if tell is not None else lambda events: ring()
        self.until = until
        self._clock = clock
        self._ring = ring

    def emit(self, key: str, value: Any = None, *, of_run: int = 0, **fields: Any) -> Event:
        """Append an event; returns it once it is committed, with its offset (S2).

        Args:
            key: Dotted tokens, not beginning with `eventflow.`.
            value: Strict JSON, at most 256 KiB.
            of_run: Id of the run whose task emits it; 0 for whoever stands outside (S45).
            fields: `namespace`, `sender`, `id`, `time`, `attributes`, `workflow_execution_id`.

        Raises:
            ReservedKeyError: If the key is the scheduler's own.
            EventError: If a part of the event is not well formed; nothing is written.
            DuplicateEventError: If the id was used with another value (S3).
        """
        check_user_key(key)
        try:
            event = Event(key, value, **fields)
        except TypeError as error:
            raise EventError(
                f"event {key!r}: {error}; fields are namespace, sender, id, time, attributes, "
                f"workflow_execution_id"
            ) from error
        return self.append(event, of_run=of_run)

    def append(self, event: Event, *, of_run: int = 0) -> Event:
        """Append a user's event as it is, with time and id drawn where they are missing."""
        (committed,) = self.append_many([event], of_run=of_run)
        return committed

    def append_many(self, events: Sequence[Event], *, of_run: int = 0) -> list[Event]:
        """Append events in one commit, all or none."""
        drawn = not any(event.id for event in events)
        complete = [self._complete(event) for event in events]
        committed = self.store.append(complete, drawn=drawn, of_run=of_run)
        self._tell(committed)
        return committed

    def _complete(self, event: Event) -> Event:
        check_user_key(event.key)
        event = event.stamped(event.id or draw_id(self._clock), event.time or self._clock.now())
        check_event(event, max_bytes=MAX_EVENT_BYTES)
        return event

    def run(
        self,
        namespace: str,
        workflow: str,
        params: dict[str, Any] | None = None,
        idempotency_key: str = "",
    ) -> Event:
        """Ask for a MANUAL execution; the same key asks for the same one (S3)."""
        try:
            encode(params or {})
        except JsonValueError as error:
            raise EventError(f"params of workflow {workflow!r}: {error}") from error
        value = {"namespace": namespace, "workflow": workflow, "params": params or {}}
        return self._command("run", value, namespace, idempotency_key)

    def retry(self, execution_id: int, idempotency_key: str = "") -> Event:
        """Ask for the retry of an ended execution; the same key asks for the same one (S3, S31).

        Raises:
            NotFoundError: If there is no such execution.
            ConflictError: If it has not ended, or nothing is left to do in it.
        """
        picture = picture_of(self.store, execution_id)
        # It grows with the tasks of the execution, and no rule of a user's has to read it.
        return self._command(
            "retry", picture, picture["namespace"], idempotency_key, max_bytes=None
        )

    def subrun(
        self,
        namespace: str,
        workflow: str,
        params: dict[str, Any],
        parent: ParentLink,
        parent_namespace: str,
    ) -> Event:
        """Ask for the sub-execution of an attempt; asked twice it is one (S40, S3).

        Raises:
            EventError: If the params are no JSON, or too large for an event.
        """
        try:
            encode(params)
        except JsonValueError as error:
            raise EventError(f"params of workflow {workflow!r}: {error}") from error
        value = {"namespace": namespace, "workflow": workflow, "params": params}
        value["parent"] = asdict(parent)
        key = f"sub:{parent.task_execution_id}:{parent.attempt}"
        command = self._command("subrun", value, parent_namespace, key)
        if command.turn:
            # It was decided while the execution above was parked, so nobody wanted it.
            return self._command("subrun", value, parent_namespace)
        return command

    def expand(
        self,
        run: Run,
        execution: WorkflowExecution,
        shape: Shape,
        taken: list[tuple[int, int, int]],
    ) -> Event:
        """Say how many items a run of a mapped task has; said twice it is one (S43, S3)."""
        value = {
            "workflow_execution_id": execution.id,
            "task": run.task,
            "task_execution_id": run.id,
            "attempt": run.attempt,
            "levels": list(shape.levels),
            "taken": [list(triple) for triple in taken],
        }
        key = f"expand:{run.id}:{run.attempt}"
        command = self._command("expand", value, execution.namespace, key, max_bytes=None)
        if command.turn:
            # It was decided while the execution was parked, so nobody wanted it.
            return self._command("expand", value, execution.namespace, max_bytes=None)
        return command

    def subended(self, execution: WorkflowExecution) -> Event:
        """Say again that a sub-execution has ended: whom it concerns was parked then (S41)."""
        if execution.parent is None:
            raise ValueError(f"execution {execution.id} is no sub-execution")
        value = {
            "status": execution.status.value,
            "workflow_execution_id": execution.id,
            "workflow": execution.workflow_name,
            "reason": execution.reason,
            "parent": asdict(execution.parent),
        }
        return self._command("subended", value, execution.namespace)

    def stop(self, execution_id: int, reason: str = "") -> Event:
        """Ask that an execution be stopped."""
        value = {"workflow_execution_id": execution_id, "reason": reason}
        return self._command("stop", value, self._namespace_of_living(execution_id))

    def task(self, execution_id: int, task: str, action: TaskAction) -> Event:
        """Ask for START, STOP or RESTART of a task."""
        value = {
            "workflow_execution_id": execution_id,
            "task": task,
            "action": TaskAction(action).value,
        }
        return self._command("task", value, self._namespace_of_living(execution_id))

    def pause(self, namespace: str, workflow: str, *, paused: bool) -> Event:
        """Ask that a workflow start nothing, or go on (S17)."""
        value = {"namespace": namespace, "workflow": workflow}
        return self._command("pause" if paused else "resume", value, namespace)

    def set_pool(self, name: str, slots: int | None, namespace: str = "default") -> Event:
        """Ask that a pool have so many slots; `None` is any number (S44).

        Raises:
            DefinitionError: If the name is no token, or the slots are no number from 0.
        """
        check_pool(namespace, name, slots)
        value = {"namespace": namespace, "pool": name, "slots": slots}
        return self._command("pool", value, namespace)

    def register(self, namespace: str, workflow: str, snapshot: str) -> Event:
        """Say that a snapshot is the newest of its workflow (S41)."""
        return self.register_all([(namespace, workflow, snapshot)])[0]

    def register_all(self, named: Iterable[tuple[str, str, str]]) -> list[Event]:
        """The same of several, in one commit."""
        commands = [
            self._drafted("register", {"namespace": it[0], "workflow": it[1], "snapshot": it[2]})
            for it in named
        ]
        committed = self.store.append(commands, drawn=True)
        self._ring()
        return committed

    def rejudge(self, which: Which, *, limit: int = 1000) -> list[Event]:
        """Ask that conditions that failed be asked again (S13): one command for each event and
        execution. Who asks again before that is decided asks the same.

        Raises:
            NotFoundError: If there is no such event.
            ConflictError: If nothing is there to be asked again; says why.
        """
        commands, left_out = commands_for(self.store, which, limit=limit)
        for why in dict.fromkeys(left_out):
            log.warning("rejudge.left_out reason=%r", why)
        return [self._rejudge(name, value) for name, value in commands]

    def _rejudge(self, name: str, value: dict[str, Any]) -> Event:
        try:
            return self._command(
                "rejudge", value, value["namespace"], name, max_bytes=_MAX_REJUDGE_BYTES
            )
        except DuplicateEventError as error:
            raise ConflictError(
                f"other conditions that failed on event {value['event']['key']!r} (offset "
                f"{value['event']['offset']}) are being asked again; wait until that is decided"
            ) from error

    def outcome(
        self, command: Event, timeout: float | None = DECIDED_WITHIN_S
    ) -> DecisionRecord | None:
        """What a command came to first; waits until it is decided. Raises as `outcomes` does."""
        records = self.outcomes(command, timeout)
        return records[0] if records else None

    def outcomes(
        self, command: Event, timeout: float | None = DECIDED_WITHIN_S
    ) -> list[DecisionRecord]:
        """All that a command came to; waits until it is decided.

        Raises:
            WaitTimeoutError: If nobody decided it in time; it stays in the log.
            ConflictError: If it was refused; says why.
        """
        self.wait_for(command, timeout)
        records = self.store.decisions(command_offset=command.offset)
        for record in records:
            if record.did.startswith("refused: "):
                raise ConflictError(record.did.removeprefix("refused: "))
        return records

    def wait_for(self, command: Event, timeout: float | None = DECIDED_WITHIN_S) -> None:
        """Wait until it is decided; raises WaitTimeoutError as `outcomes` does."""
        if not self.until(lambda: self.store.decided_offset(command.offset) or None, timeout):
            raise WaitTimeoutError(
                f"command {command.key} (offset {command.offset}) is committed but was not decided "
                f"within {timeout} s; is a scheduler running on {self.store.url}?"
            )

    def _command(
        self,
        verb: str,
        value: dict[str, Any],
        namespace: str,
        idempotency_key: str = "",
        *,
        max_bytes: int | None = MAX_EVENT_BYTES,
    ) -> Event:
        event = self._drafted(verb, value, namespace, idempotency_key, max_bytes=max_bytes)
        (committed,) = self.store.append([event], drawn=not idempotency_key)
        self._ring()
        return committed

    def _drafted(
        self,
        verb: str,
        value: dict[str, Any],
        namespace: str = "",
        idempotency_key: str = "",
        *,
        max_bytes: int | None = MAX_EVENT_BYTES,
    ) -> Event:
        event = Event(
            COMMAND + verb,
            value,
            namespace=namespace or value["namespace"],
            sender=SENDER,
            id=idempotency_key or draw_id(self._clock),
            time=self._clock.now(),
        )
        check_event(event, max_bytes=max_bytes)
        return event

    def _namespace(self, execution_id: int) -> str:
        execution = self.store.execution(execution_id)
        if execution is None:
            raise NotFoundError(f"no workflow execution {execution_id} in {self.store.url}")
        return execution.namespace

    def _namespace_of_living(self, execution_id: int) -> str:
        """The same, where there must be something left to command; the loop has the last word."""
        namespace = self._namespace(execution_id)
        status = self.store.execution_status(execution_id)
        if status is not None and status.ended:
            raise ConflictError(f"workflow execution {execution_id} has ended {status.value}")
        return namespace
