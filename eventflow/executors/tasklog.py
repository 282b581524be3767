"""The log of one attempt: a file with a cap, and the logger that tasks are handed.

A task may print for ever: past the cap nothing is kept, and one line says so.
"""

import logging
import os
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

from eventflow.clock import Clock, SystemClock
from eventflow.executors.places import make_private

MAX_LOG_BYTES = 16 * 1024 * 1024

_FALLBACK = logging.getLogger("eventflow.task")


class CappedFile:
    """Appends bytes to a file until the cap; made when the first byte comes. Thread-safe.

    A file that cannot be written, as on a full disk, costs the log and not the task.
    """

    def __init__(self, path: Path, cap: int = MAX_LOG_BYTES) -> None:
        self._path = path
        self._cap = cap
        self._left = cap
        self._over = False
        self._file: int | None = None
        self._lock = threading.Lock()

    def write(self, data: bytes) -> None:
        """Append what the cap leaves room for."""
        with self._lock:
            if self._over:
                return
            try:
                self._append(data)
            except OSError:
                self._over = True

    def close(self) -> None:
        with self._lock:
            self._over = True
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _open(self) -> None:
        make_private(self._path.parent)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._file = os.open(self._path, flags, 0o600)
        self._left -= os.fstat(self._file).st_size

    def _append(self, data: bytes) -> None:
        if self._file is None:
            self._open()
        if len(data) > self._left:
            note = f"\n[eventflow] truncated: only the first {self._cap} bytes are kept\n"
            data = data[: max(self._left, 0)] + note.encode()
            self._over = True
        self._left -= len(data)
        rest = memoryview(data)
        while rest and self._file is not None:
            rest = rest[os.write(self._file, rest) :]


class TaskLog:
    """What `context.log` is: one line a call, with the time and the level in front.

    Args:
        write: Takes each line as bytes; `None` sends lines to the logger `eventflow.task` instead.
    """

    def __init__(self, write: Callable[[bytes], None] | None, clock: Clock | None = None) -> None:
        self._write = write
        self._clock = clock if clock is not None else SystemClock()

    def debug(self, msg: object, *args: object) -> None:
        self._line(logging.DEBUG, msg, args)

    def info(self, msg: object, *args: object) -> None:
        self._line(logging.INFO, msg, args)

    def warning(self, msg: object, *args: object) -> None:
        self._line(logging.WARNING, msg, args)

    def error(self, msg: object, *args: object) -> None:
        self._line(logging.ERROR, msg, args)

    def exception(self, msg: object, *args: object) -> None:
        self._line(logging.ERROR, msg, args, after="\n" + traceback.format_exc().rstrip())

    def _line(self, level: int, msg: object, args: tuple[object, ...], *, after: str = "") -> None:
        text = _text(msg, args) + after
        if self._write is None:
            _FALLBACK.log(level, "%s", text)
            return
        at = self._clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = f"{at} {logging.getLevelName(level)} {text}\n"
        self._write(line.encode("utf-8", "backslashreplace"))


def _text(msg: object, args: tuple[object, ...]) -> str:
    # As `logging` does: one mapping may fill a text with named places.
    filling: object = args[0] if len(args) == 1 and isinstance(args[0], dict) else args
    try:
        return str(msg) % filling if args else str(msg)
    except (TypeError, ValueError, KeyError):
        return f"{msg} {args!r}"
