"""Ctrl-C and SIGTERM as counts, so that a command ends in order what it has begun."""

import contextlib
import os
import select
import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class Interrupts:
    """Counts the requests to end while it is open; for the main thread only.

    Why not `threading.Event`: the handler may run while this very thread holds the event's lock.
    """

    def __init__(self) -> None:
        self.count = 0
        self._before: dict[int, Any] = {}
        self._lock = threading.Lock()
        self._is_open = True
        self._came, self._tell = os.pipe()
        os.set_blocking(self._came, False)
        os.set_blocking(self._tell, False)

    def __enter__(self) -> "Interrupts":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        with self._lock:
            self._is_open = False
            os.close(self._came)
            os.close(self._tell)

    def wait(self, seconds: float | None) -> bool:
        """Wait so long, or without end, until there is a new request or a `wake`; whether so."""
        came, _, _ = select.select([self._came], [], [], seconds)
        if came:
            with contextlib.suppress(BlockingIOError):
                os.read(self._came, 64)
        return bool(came)

    def wake(self) -> None:
        """End a `wait` from another thread; nothing once it is closed."""
        with self._lock, contextlib.suppress(BlockingIOError):
            if self._is_open:
                os.write(self._tell, b"!")

    def _take(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        with contextlib.suppress(BlockingIOError):
            os.write(self._tell, b"!")
