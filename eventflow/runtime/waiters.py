"""Threads that wait for what a commit will show. Who waits for the end of one execution is woken by
the commits that move it, not by each: a step of a chain costs its waiter nothing.

Why not an Event: its lock is taken and left by Python code, and a Ctrl-C that is raised in that
keeps the lock, for which the loop would wait for ever. A SimpleQueue has no such code.
"""

import contextlib
import threading
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue
from typing import TypeVar

from eventflow.clock import Clock
from eventflow.core.decision import Decision
from eventflow.core.moves import ExecutionMoved
from eventflow.errors import EventflowError

T = TypeVar("T")


class Sleeper:
    """A thread that sleeps until it is woken; a wake that came before counts."""

    __slots__ = ("_woken",)

    def __init__(self) -> None:
        self._woken: SimpleQueue[None] = SimpleQueue()

    def wake(self) -> None:
        if self._woken.empty():
            self._woken.put(None)

    def sleep(self, seconds: float | None) -> None:
        """At most so long; `None` is for ever."""
        with contextlib.suppress(Empty):
            self._woken.get(timeout=seconds)


class _Waiter(Sleeper):
    __slots__ = ("execution_id",)

    def __init__(self, execution_id: int | None) -> None:
        super().__init__()
        self.execution_id = execution_id


class Waiters:
    """Who waits for commits of one scheduler.

    Args:
        failure: Why the loop has ended, once it has.
    """

    def __init__(self, clock: Clock, failure: Callable[[], BaseException | None]) -> None:
        self._clock = clock
        self._failure = failure
        self._lock = threading.Lock()
        self._waiting: dict[_Waiter, None] = {}
        self.over = False

    def until(
        self, check: Callable[[], T | None], timeout: float | None, execution_id: int | None = None
    ) -> T | None:
        """Wait until a check gives something; it is asked after every commit.

        Args:
            timeout: In seconds; `None` waits for ever.
            execution_id: It is asked only after a commit in which this execution changed status.

        Raises:
            EventflowError: If the loop has ended: what is waited for cannot come.
        """
        deadline = None if timeout is None else self._clock.monotonic() + timeout
        waiter = _Waiter(execution_id)
        with self._lock:
            self._waiting[waiter] = None
        try:
            while True:
                over = self.over
                found = check()
                if found is not None:
                    return found
                if over:
                    raise EventflowError("the scheduler has stopped deciding") from self._failure()
                left = None if deadline is None else deadline - self._clock.monotonic()
                if left is not None and left <= 0:
                    return None
                # What came since the check began has left a token.
                waiter.sleep(left)
        finally:
            with self._lock:
                del self._waiting[waiter]

    def tell(self, decisions: Iterable[Decision]) -> None:
        """Something was committed."""
        if not self._waiting:
            return
        moved = {
            change.execution_id
            for decision in decisions
            for change in decision.changes
            if isinstance(change, ExecutionMoved)
        }
        with self._lock:
            for waiter in self._waiting:
                if waiter.execution_id is None or waiter.execution_id in moved:
                    waiter.wake()

    def tell_all(self) -> None:
        """The store was read anew: anything may have changed."""
        with self._lock:
            for waiter in self._waiting:
                waiter.wake()

    def close(self) -> None:
        """Nothing is committed any more."""
        self.over = True
        self.tell_all()
