"""What is done on the loop's thread between two batches, asked for by any thread."""

import threading
from collections import deque
from collections.abc import Callable

_LOOK_S = 0.5


class Errands:
    """Those that wait, in order. One that raises stays the first, and is done again."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def put_first(self, errand: Callable[[], None]) -> None:
        """Before all others; for the loop's own thread."""
        self._waiting.appendleft(errand)

    def have_done(
        self, errand: Callable[[], None], wake: Callable[[], None], has_died: Callable[[], bool]
    ) -> None:
        """Put one last and wait until it is done, or the loop has died."""
        # Not an Event: the loop would wait for the lock of one that a Ctrl-C has left.
        done = threading.Lock()
        done.acquire()

        def do() -> None:
            errand()
            done.release()

        self._waiting.append(do)
        wake()
        while not done.acquire(timeout=_LOOK_S) and not has_died():
            continue

    def run(self) -> None:
        """Do all; for the loop's own thread."""
        while self._waiting:
            self._waiting[0]()
            self._waiting.popleft()
