"""Reading logs of attempts as they grow. Files only: who writes them is not known here."""

import codecs
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from eventflow.model.records import TaskExecution
from eventflow.store.ports import Store

_CHUNK = 64 * 1024


class LogLine(NamedTuple):
    """One line of one attempt's log."""

    run: TaskExecution
    attempt: int
    text: str


class _Tail:
    """One growing file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0
        self._rest = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def lines(self, *, last: bool) -> Iterator[str]:
        """The whole lines that are new; with `last` also what has no line end."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._at)
                while data := file.read(_CHUNK):
                    self._at += len(data)
                    text = self._rest + self._decoder.decode(data)
                    *whole, self._rest = text.split("\n")
                    yield from whole
        except FileNotFoundError:
            return
        if last and self._rest:
            yield self._rest
            self._rest = ""


class Tails:
    """The logs of many attempts, each read on from where it was left."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tails: dict[tuple[int, int], _Tail] = {}
        self._done: set[tuple[int, int]] = set()

    def new_lines(self, runs: Iterable[TaskExecution]) -> Iterator[LogLine]:
        """What was written since the last look, in order of runs and attempts.

        A run that has ended is read to its end, once.
        """
        for run in runs:
            for attempt in range(1, run.attempt + 1):
                key = (run.id, attempt)
                if key in self._done:
                    continue
                path = self._store.log_path(
                    run.workflow_execution_id, run.task_name, run.sequence_number, attempt
                )
                if path is None:
                    continue
                over = run.ended or attempt < run.attempt
                tail = self._tails.setdefault(key, _Tail(path))
                for text in tail.lines(last=over):
                    yield LogLine(run, attempt, text)
                if over:
                    self._done.add(key)
                    del self._tails[key]
