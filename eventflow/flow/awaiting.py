"""Steps that are coroutines: run to their end on a thread, and cancelled when they are to stop."""

import asyncio
import inspect
import threading
from typing import Any

from eventflow.model.context import TaskContext

_Attempt = tuple[int, int]


class Awaiting:
    """The coroutines of a run that are being awaited, each in a loop of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tasks: dict[_Attempt, tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = {}

    def value_of(self, result: Any, context: TaskContext) -> Any:
        """What a coroutine returns, a list of all that an async generator yields, or what is none
        of them as it is.
        """
        if inspect.isasyncgen(result):
            result = _collected(result)
        if not inspect.iscoroutine(result):
            return result
        return asyncio.run(self._awaited(result, context))

    def stop(self, context: TaskContext) -> None:
        """Cancel what an attempt awaits."""
        with self._lock:
            found = self._tasks.get(_attempt_of(context))
            if found is not None:
                loop, task = found
                loop.call_soon_threadsafe(task.cancel)

    async def _awaited(self, coroutine: Any, context: TaskContext) -> Any:
        task = asyncio.ensure_future(coroutine)
        key = _attempt_of(context)
        with self._lock:
            self._tasks[key] = (asyncio.get_running_loop(), task)
        if context.should_stop():
            task.cancel()
        try:
            return await task
        finally:
            # The loop is open as long as the entry is there.
            with self._lock:
                del self._tasks[key]


async def _collected(generator: Any) -> list[Any]:
    return [element async for element in generator]


def _attempt_of(context: TaskContext) -> _Attempt:
    """Names an attempt: one that was abandoned may still be here when the next one runs."""
    return context.task_execution.id, context.task_execution.attempt
