"""Things to do later: a heap of instants, and a thread that waits for the next one."""

import heapq
import itertools
import threading
from collections.abc import Callable

from eventflow.clock import Clock


class Alarms:
    """What is to be done at which monotonic instant. Not thread-safe, and waits for nothing."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()

    def add(self, at: float, ring: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (at, next(self._count), ring))

    @property
    def next_at(self) -> float | None:
        """When the next one is due; `None` when there is none."""
        return self._heap[0][0] if self._heap else None

    def due(self, now: float) -> list[Callable[[], None]]:
        """Take out what is due, in order."""
        found = []
        while self._heap and self._heap[0][0] <= now:
            found.append(heapq.heappop(self._heap)[2])
        return found


class AlarmClock:
    """Rings alarms on one daemon thread, which starts with the first of them."""

    def __init__(self, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._alarms = Alarms()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def after(self, seconds: float, ring: Callable[[], None]) -> None:
        """Call `ring` in `seconds`; it must be quick and must not raise."""
        with self._changed:
            self._alarms.add(self._clock.monotonic() + seconds, ring)
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._tick, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """Ring no more."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _tick(self) -> None:
        while True:
            with self._changed:
                if self._closed:
                    return
                now = self._clock.monotonic()
                due = self._alarms.due(now)
                if not due:
                    next_at = self._alarms.next_at
                    self._changed.wait(None if next_at is None else next_at - now)
            for ring in due:
                ring()
