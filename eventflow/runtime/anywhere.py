"""`emit` and `listen` from any code: in a task, beside a scheduler, in a process of its own."""

import asyncio
import atexit
import os
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from eventflow.errors import StoreError
from eventflow.model.context import find_context
from eventflow.model.event import Event
from eventflow.runtime.remote import RemoteClient, task_fields
from eventflow.runtime.scheduler import running_scheduler

_lock = threading.Lock()
# One connection for each store that this process emits to from outside: opening costs an import
# and a few files, and a caller of `emit` has nowhere to keep it.
_REMOTE: dict[str, RemoteClient] = {}


def emit(key: str, value: Any = None, *, broadcast: bool = False, **fields: Any) -> Event:
    """Emit an event from any code; returns it once it is committed (S2).

    Inside a task through its context, scoped to its execution unless `broadcast` (S14); in a
    process with a running Scheduler through that; else into the store that `EVENTFLOW_STORE` names.

    Raises:
        StoreError: If there is nowhere to emit to.
        EventError: If the event is not well formed; nothing is written.
    """
    context = find_context()
    if context is not None:
        return context.emit(key, value, broadcast=broadcast, **fields)
    scheduler = running_scheduler()
    if scheduler is not None:
        return scheduler.emit(key, value, **fields)
    remote = _remote("emit")
    return remote.client.emit(key, value, **{**task_fields(remote, broadcast=broadcast), **fields})


async def aemit(key: str, value: Any = None, *, broadcast: bool = False, **fields: Any) -> Event:
    """`emit` for asyncio: the commit is waited for in a thread."""
    return await asyncio.to_thread(emit, key, value, broadcast=broadcast, **fields)


def listen(
    keys: str | Iterable[str] = (), after: int | None = None, timeout: float | None = None
) -> Iterator[Event]:
    """Yield each event that fits once it is committed, in offset order; from any code.

    In a process with a running Scheduler it reads that one's log and ends with its stop; else the
    log of the store that `EVENTFLOW_STORE` names, as in a task in a process of its own. A task that
    is to end when it is asked gives a `timeout`, and looks at `should_stop()` in between.

    Args:
        keys: A key or pattern, or several; none means all but the scheduler's own (S5).
        after: Begin behind this offset; by default behind the last one there is now.
        timeout: Seconds without an event after which it ends; `None` waits for ever.

    Raises:
        StoreError: If there is nowhere to listen.
        DefinitionError: If a key is neither a key nor a pattern.
    """
    scheduler = running_scheduler()
    if scheduler is not None:
        return scheduler.listen(keys, after, timeout)
    return _remote("listen").listen(keys, after=after, timeout=timeout)


def _remote(what: str) -> RemoteClient:
    url = os.environ.get("EVENTFLOW_STORE")
    if not url:
        raise StoreError(
            f"{what}() found no task, no running Scheduler and no EVENTFLOW_STORE; set it to a "
            f"store, as sqlite:///eventflow.db"
        )
    with _lock:
        if url not in _REMOTE:
            _REMOTE[url] = RemoteClient(url)
        return _REMOTE[url]


@atexit.register
def _close_all() -> None:
    for remote in _REMOTE.values():
        remote.close()
