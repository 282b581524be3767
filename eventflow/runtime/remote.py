"""A client of a store whose scheduler, if there is one, runs in another process."""

import os
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, TypeVar, Unpack

from eventflow.clock import Clock, SystemClock
from eventflow.errors import NotFoundError
from eventflow.model.event import Event
from eventflow.runtime.client import Client
from eventflow.runtime.listening import LOOK_S, Read, follow, reading
from eventflow.store.bell import Bell
from eventflow.store.opening import open_store
from eventflow.store.selection import Origin

T = TypeVar("T")


class RemoteClient:
    """Opens a store for reading, emitting and commands; decides nothing.

    Args:
        url: The store's.
        create: Whether a store that is not there may be made; `emit` never does.
    """

    def __init__(self, url: str, *, clock: Clock | None = None, create: bool = False) -> None:
        self._clock = clock or SystemClock()
        self.store = open_store(url, clock=self._clock, create=create)
        self.bell = Bell(self.store)
        self.client = Client(self.store, self._clock, self.bell.ring, self.until)

    def __enter__(self) -> "RemoteClient":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def until(
        self, check: Callable[[], T | None], timeout: float | None, execution_id: int | None = None
    ) -> T | None:
        """Wait until a check gives something; it is asked after every commit of the scheduler:
        what changed in which, only the scheduler knows.
        """
        deadline = None if timeout is None else self._clock.monotonic() + timeout
        while True:
            found = check()
            if found is not None:
                return found
            left = LOOK_S if deadline is None else deadline - self._clock.monotonic()
            if left <= 0:
                return None
            self.bell.wait(min(left, LOOK_S))

    def listen(
        self,
        keys: str | Iterable[str],
        *,
        after: int | None = None,
        timeout: float | None = None,
        **origin: Unpack[Origin],
    ) -> Iterator[Event]:
        """Yield each event that fits once it is committed, in the order of offsets.

        Args:
            after: Begin behind this offset; by default behind the last one there is now.
            timeout: Seconds without an event after which it ends; `None` waits for ever.
            origin: `namespace` and `sender`.

        Raises:
            DefinitionError: If a key is neither a key nor a pattern.
        """
        read = reading(self.store, keys, **origin)
        after = self.store.last_offset() if after is None else after
        return self._follow(read, after, timeout)

    def _follow(self, read: Read, after: int, timeout: float | None) -> Iterator[Event]:
        # A bell wakes one thread: whoever listens has one of its own.
        bell = Bell(self.store)

        def wait(seconds: float) -> bool:
            bell.wait(seconds)
            return True

        try:
            yield from follow(read, wait, self._clock, after=after, timeout=timeout)
        finally:
            bell.close()

    def close(self) -> None:
        self.bell.close()
        self.store.close()


def task_fields(remote: RemoteClient, *, broadcast: bool) -> dict[str, Any]:
    """Scope, sender and run for a process of a task: `EVENTFLOW_TASK_EXECUTION` names it.

    Raises:
        NotFoundError: If the store does not know that task execution.
    """
    named = os.environ.get("EVENTFLOW_TASK_EXECUTION")
    if not named:
        return {}
    run = remote.store.task_execution(int(named)) if named.isdigit() else None
    execution = remote.store.execution(run.workflow_execution_id) if run is not None else None
    if run is None or execution is None:
        raise NotFoundError(
            f"EVENTFLOW_TASK_EXECUTION={named!r} names no task execution of {remote.store.url}"
        )
    fields: dict[str, Any] = {
        "namespace": execution.namespace,
        "sender": run.sender,
        "of_run": run.id,
    }
    if not broadcast:
        fields["workflow_execution_id"] = execution.id
    return fields
