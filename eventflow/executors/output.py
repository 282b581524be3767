"""Where the output of children goes: from a pipe each into a capped file each.

The pipes are read to their end whatever comes, on a thread of their own, so a task that prints
without end is neither held up nor kept: past the cap its output is read and dropped.
"""

import os
from collections.abc import Callable
from pathlib import Path

from eventflow.clock import Clock
from eventflow.executors.reactor import READ, Reactor
from eventflow.executors.tasklog import CappedFile

_CHUNK = 64 * 1024
_CHUNKS_AT_ONCE = 16


class OutputReader:
    """Reads the output pipes of all children."""

    def __init__(self, clock: Clock) -> None:
        self._reactor = Reactor("eventflow-output", clock)
        self._open: dict[int, CappedFile] = {}

    def start(self) -> None:
        self._reactor.start()

    def read(self, pipe: int, into: Path, over: Callable[[], None]) -> None:
        """Copy `pipe` to a file until its last writer is gone; then call `over`, on our thread."""
        self._reactor.post(lambda: self._read(pipe, into, over))

    def give_up(self, pipe: int) -> None:
        """Read `pipe` no more, though somebody still may write to it."""
        self._reactor.post(lambda: self._finish(pipe))

    def close(self) -> None:
        """Read no pipe any more."""
        self._reactor.post(self._finish_all)
        self._reactor.close()

    def _read(self, pipe: int, into: Path, over: Callable[[], None]) -> None:
        os.set_blocking(pipe, False)
        self._open[pipe] = CappedFile(into)
        self._reactor.watch(pipe, READ, lambda _: self._copy(pipe, over))

    def _copy(self, pipe: int, over: Callable[[], None]) -> None:
        for _ in range(_CHUNKS_AT_ONCE):
            try:
                data = os.read(pipe, _CHUNK)
            except BlockingIOError:
                return
            if not data:
                self._finish(pipe)
                over()
                return
            self._open[pipe].write(data)

    def _finish(self, pipe: int) -> None:
        file = self._open.pop(pipe, None)
        if file is not None:
            file.close()
            self._reactor.unwatch(pipe)
            os.close(pipe)

    def _finish_all(self) -> None:
        for pipe in list(self._open):
            self._finish(pipe)
