"""Begin marks and outcomes of attempts in processes: two small files each, until confirmed.

`<run>-<attempt>.begin` is written before the task's code begins, `.end` before its end is told.
What a scheduler finds when it starts: a mark with an outcome has ended so; one without is lost.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from eventflow.crashpoints import reach
from eventflow.executors.codec import MessageError
from eventflow.executors.messages import Ended, from_text, to_frame
from eventflow.executors.places import make_private
from eventflow.executors.port import AttemptKey, Report

_NAME = re.compile(r"(\d+)-(\d+)\.(begin|end)")
_MARK = re.compile(r"(\d+) (\S.*)\n")


@dataclass(frozen=True, slots=True)
class Mark:
    """An attempt has begun, in the process `pid` that started at `started`."""

    key: AttemptKey
    pid: int
    started: str


class Spool:
    """The folder of marks and outcomes. Any process may write; only the scheduler deletes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def prepare(self) -> None:
        """Make the folder, for the owner only; half-written outcomes go."""
        make_private(self.folder)
        for path in self.folder.glob("*.new"):
            path.unlink()

    def begin(self, mark: Mark, *, durable: bool) -> None:
        """Note that an attempt begins; with `durable` it is on the disk when this returns.

        Raises:
            FileExistsError: If it has begun before.
            OSError: If it cannot be written.
        """
        path = self._path(mark.key, "begin")
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(file, f"{mark.pid} {mark.started}\n".encode())
            if durable:
                os.fsync(file)
        finally:
            os.close(file)
        if durable:
            self._sync_folder()
        reach("spool.begun")

    def withdraw(self, key: AttemptKey) -> None:
        """Take back a mark: the attempt has not begun after all."""
        self._path(key, "begin").unlink(missing_ok=True)

    def end(self, report: Report, *, durable: bool) -> None:
        """Write an outcome down, whole or not at all; with `durable` it is on the disk.

        Raises:
            OSError: If it cannot be written.
        """
        path = self._path(report.key, "end")
        beside = path.with_suffix(".new")
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            rest = memoryview(to_frame(Ended(report=report))[4:])
            while rest:
                rest = rest[os.write(file, rest) :]
            if durable:
                os.fsync(file)
        finally:
            os.close(file)
        reach("spool.written")
        beside.replace(path)
        reach("spool.ended")

    def outcome(self, key: AttemptKey) -> Report | None:
        """The outcome that was written down; `None` when there is none that can be read."""
        try:
            told = from_text(self._path(key, "end").read_bytes())
        except (OSError, MessageError):
            return None
        return told.report if isinstance(told, Ended) and told.report.key == key else None

    def mark(self, key: AttemptKey) -> Mark | None:
        """The begin mark; `None` when there is none, or a torn one."""
        try:
            text = self._path(key, "begin").read_text("utf-8", "replace")
        except OSError:
            return None
        found = _MARK.fullmatch(text)
        return Mark(key, int(found[1]), found[2]) if found is not None else None

    def attempts(self) -> Iterator[AttemptKey]:
        """The attempts that have left something here, oldest run first."""
        found = set()
        for path in self.folder.iterdir():
            named = _NAME.fullmatch(path.name)
            if named is not None:
                found.add(AttemptKey(int(named[1]), int(named[2])))
        yield from sorted(found)

    def forget(self, key: AttemptKey) -> None:
        """The end is committed elsewhere. The mark goes first: an outcome alone harms nobody."""
        self._path(key, "begin").unlink(missing_ok=True)
        self._path(key, "end").unlink(missing_ok=True)
        reach("spool.forgotten")

    def _path(self, key: AttemptKey, kind: str) -> Path:
        return self.folder / f"{key.task_execution_id}-{key.attempt}.{kind}"

    def _sync_folder(self) -> None:
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
