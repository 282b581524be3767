"""Reading logs of attempts as they grow. Files only: who writes them is not known here."""

import codecs
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from eventflow.model.records import TaskExecution
from eventflow.model.status import ALIVE, ENDED, TaskStatus
from eventflow.runtime.items import each_item
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
    """The logs of many attempts, each read on from where it was left.

    No file stays open, and of a mapped task only those are looked at that may have grown: the items
    that are alive, and those that have ended since the last look.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tails: dict[tuple[int, int], _Tail] = {}
        self._done: set[tuple[int, int]] = set()
        self._maps: dict[int, _Items] = {}

    def new_lines(self, runs: Iterable[TaskExecution]) -> Iterator[LogLine]:
        """What was written since the last look, in order of runs and attempts.

        A run that has ended is read to its end, once.
        """
        for run in runs:
            if run.items is None:
                yield from self._of(run, self._done)
            else:
                yield from self._of_items(run)

    def _of_items(self, run: TaskExecution) -> Iterator[LogLine]:
        seen = self._maps.setdefault(run.id, _Items(self._store))
        done: set[tuple[int, int]] = set()
        for item in seen.to_read(run):
            yield from self._of(item, done)

    def _of(self, run: TaskExecution, done: set[tuple[int, int]]) -> Iterator[LogLine]:
        never_began = run.begin_date is None and run.status is TaskStatus.STOPPED
        if run.taken_from is not None or never_began:
            return
        for attempt in range(1, run.attempt + 1):
            key = (run.id, attempt)
            if key in done:
                continue
            path = self._store.log_path(
                run.workflow_execution_id,
                run.task_name,
                run.sequence_number,
                attempt,
                run.item if run.item is not None else -1,
            )
            if path is None:
                continue
            over = run.ended or attempt < run.attempt
            tail = self._tails.setdefault(key, _Tail(path))
            for text in tail.lines(last=over):
                yield LogLine(run, attempt, text)
            if over and (run.item is None or run.ended):
                done.add(key)
                del self._tails[key]


_OPENED = ALIVE - {TaskStatus.INIT}
# Items that are so near to each other are asked for together.
_NEAR = 100


class _Items:
    """Which items of one run are to be read: it has seen all below a number, which end in any
    order; but they are opened in theirs, so that few are alive at once.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._alive: set[int] = set()
        self._below = 0

    def to_read(self, run: TaskExecution) -> Iterator[TaskExecution]:
        """The items that have ended since the last look, and those that are alive."""
        opened = [] if run.ended else list(each_item(self._store, run, _OPENED))
        alive = {item.item or 0 for item in opened}
        total = run.items.total if run.items is not None else 0
        below = total if run.ended else max([self._below, *(number + 1 for number in alive)])
        new = sorted(self._alive - alive) + [n for n in range(self._below, below) if n not in alive]
        self._alive, self._below = alive, below
        yield from self._numbered(run, new)
        yield from (item for item in opened if item.status is not TaskStatus.QUEUED)

    def _numbered(self, run: TaskExecution, numbers: list[int]) -> Iterator[TaskExecution]:
        """The items with these numbers, which go up."""
        begin = 0
        for place, number in enumerate(numbers):
            last = place + 1 == len(numbers)
            if last or numbers[place + 1] - number > _NEAR:
                wanted = set(numbers[begin : place + 1])
                first = numbers[begin]
                found = each_item(
                    self._store, run, ENDED, after=first - 1, limit=number - first + 1
                )
                yield from (item for item in found if item.item in wanted)
                begin = place + 1
