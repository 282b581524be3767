"""Threads that are there when needed: short work shares a few, endless work gets its own.

A fixed pool starves: as many endless services as it has threads, and nothing short runs any more.
A thread for each piece of work costs 50 times the work. So idle threads are used again, and a
watcher adds some when what waits makes no progress, or when there is processor time left over.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from eventflow.clock import Clock, SystemClock

_LOG = logging.getLogger("eventflow")

_LOOK_S = 0.005
_IDLE_S = 10.0
_BUSY_SHARE = 0.5
_MAX_AT_ONCE = 64

Work = Callable[[], None]


@dataclass(slots=True)
class _Look:
    """What the watcher saw last."""

    done: int
    cpu_s: float
    at: float


class ThreadPool:
    """Runs pieces of work on daemon threads, in order of coming, without a limit on how many run.

    Work should not raise: nobody waits for it, so what it raises is only logged.
    """

    def __init__(self, name: str, clock: Clock | None = None) -> None:
        self._name = name
        self._clock = clock if clock is not None else SystemClock()
        self._queue: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._backlog = threading.Event()
        self._watcher: threading.Thread | None = None
        self._threads = 0
        self._open = 0  # work that came and is not done: more than threads means that some waits
        self._done = 0
        self._closed = False

    @property
    def threads(self) -> int:
        """How many threads there are now."""
        return self._threads

    def run(self, work: Work) -> None:
        """Run `work` on a thread of the pool, soon. After `close` it is dropped."""
        with self._lock:
            if self._closed:
                return
            self._open += 1
            if self._open > self._threads:
                self._ask_for_more()
        self._queue.put(work)

    def close(self) -> None:
        """Let idle threads end; those that work end after it. What still waits is dropped."""
        with self._lock:
            self._closed = True
        while not self._queue.empty():
            try:
                self._queue.get_nowait()
            except queue.Empty:
                break
        for _ in range(self._threads):
            self._queue.put(None)
        self._backlog.set()

    def _ask_for_more(self) -> None:
        if self._threads == 0:
            self._add(1)
            return
        if self._watcher is None:
            name = f"{self._name}-watch"
            self._watcher = threading.Thread(target=self._watch, name=name, daemon=True)
            self._watcher.start()
        self._backlog.set()

    def _add(self, count: int) -> None:
        self._threads += count
        for _ in range(count):
            threading.Thread(target=self._serve, name=self._name, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                work = self._queue.get(timeout=_IDLE_S)
            except queue.Empty:
                work = None
            if work is None:
                if self._leave():
                    return
                continue
            try:
                work()
            except BaseException:  # the end of a thread: the next piece of work must not suffer
                _LOG.exception("pool.work_raised pool=%s", self._name)
            with self._lock:
                self._open -= 1
                self._done += 1

    def _leave(self) -> bool:
        with self._lock:
            if not self._closed and self._open >= self._threads:
                return False  # work came for this thread while it was about to leave
            self._threads -= 1
            return True

    def _watch(self) -> None:
        pause = threading.Event()
        while not self._closed:
            self._backlog.wait()
            self._backlog.clear()
            look = self._look()
            while not self._closed and self._open > self._threads:
                pause.wait(_LOOK_S)
                look = self._grow(look)

    def _look(self) -> _Look:
        return _Look(self._done, time.process_time(), self._clock.monotonic())

    def _grow(self, before: _Look) -> _Look:
        now = self._look()
        # Where work flows and the processor is busy, more threads would only get in its way.
        share = (now.cpu_s - before.cpu_s) / max(now.at - before.at, 1e-6)
        if now.done == before.done or share < _BUSY_SHARE:
            with self._lock:
                short = self._open - self._threads
                if short > 0 and not self._closed:
                    self._add(min(short, max(self._threads, 1), _MAX_AT_ONCE))
        return now
