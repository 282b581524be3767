"""`emit` from any code: inside a task, beside a scheduler, or in a process of its own."""

import asyncio
import atexit
import os
import threading
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
    url = os.environ.get("EVENTFLOW_STORE")
    if not url:
        raise StoreError(
            "emit() found no task, no running Scheduler and no EVENTFLOW_STORE; set it to a store, "
            "as sqlite:///eventflow.db"
        )
    remote = _remote(url)
    return remote.client.emit(key, value, **{**task_fields(remote, broadcast=broadcast), **fields})


async def aemit(key: str, value: Any = None, *, broadcast: bool = False, **fields: Any) -> Event:
    """`emit` for asyncio: the commit is waited for in a thread."""
    return await asyncio.to_thread(emit, key, value, broadcast=broadcast, **fields)


def _remote(url: str) -> RemoteClient:
    with _lock:
        if url not in _REMOTE:
            _REMOTE[url] = RemoteClient(url)
        return _REMOTE[url]


@atexit.register
def _close_all() -> None:
    for remote in _REMOTE.values():
        remote.close()
