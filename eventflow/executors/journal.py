"""Begin marks of attempts in threads: one file that is only appended to.

A thread dies with its process, so its mark needs no more than its name: an attempt that began and
was not confirmed in an earlier process is lost. A line is `b` (began) or `c` (confirmed) and the
attempt; the newest line of an attempt counts, and a torn last one is no line.
"""

import os
import re
import threading
from pathlib import Path

from eventflow.crashpoints import reach
from eventflow.executors.places import make_private
from eventflow.executors.port import AttemptKey

NAME = "threads.journal"
_LINE = re.compile(r"([bc]) (\d+) (\d+)")
_REWRITE_BYTES = 1024 * 1024


class Journal:
    """The marks of one spool folder. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._lock = threading.Lock()
        self._open: dict[AttemptKey, None] = {}
        self._file: int | None = None
        self._size = 0
        self._closed = False

    def recover(self) -> list[AttemptKey]:
        """Read what an earlier process left, and go on from there.

        Returns:
            The attempts that began and were not confirmed, in order of beginning.
        """
        with self._lock:
            make_private(self._path.parent)
            text = self._path.read_text("ascii", "replace") if self._path.exists() else ""
            for line in text.split("\n")[:-1]:
                found = _LINE.fullmatch(line)
                if found is None:
                    continue
                key = AttemptKey(int(found[2]), int(found[3]))
                if found[1] == "b":
                    self._open[key] = None
                else:
                    self._open.pop(key, None)
            self._rewrite()
            return list(self._open)

    def begin(self, key: AttemptKey, *, durable: bool) -> None:
        """Note that `key` begins; with `durable` it is on the disk when this returns."""
        with self._lock:
            self._open[key] = None
            file = self._append(f"b {key.task_execution_id} {key.attempt}\n")
            if durable:
                os.fsync(file)
            reach("journal.begun")

    def confirm(self, key: AttemptKey) -> None:
        """The end of `key` is committed elsewhere."""
        with self._lock:
            if key not in self._open:
                return
            del self._open[key]
            self._append(f"c {key.task_execution_id} {key.attempt}\n")
            if self._closed:
                self._shut()
            elif self._size > _REWRITE_BYTES and self._size > 64 * len(self._open):
                self._rewrite()

    def close(self) -> None:
        """Hold no file open any more. What is confirmed later is still written."""
        with self._lock:
            self._closed = True
            self._shut()

    def _shut(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _append(self, line: str) -> int:
        if self._file is None:
            make_private(self._path.parent)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            self._file = os.open(self._path, flags, 0o600)
            self._size = os.fstat(self._file).st_size
        self._size += os.write(self._file, line.encode())
        return self._file

    def _rewrite(self) -> None:
        """Leave only the marks that stand. The old file is whole until the new one is."""
        self._shut()
        beside = self._path.with_suffix(".new")
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            lines = "".join(f"b {key.task_execution_id} {key.attempt}\n" for key in self._open)
            os.write(file, lines.encode())
            os.fsync(file)
        finally:
            os.close(file)
        reach("journal.written")
        beside.replace(self._path)
        reach("journal.replaced")
