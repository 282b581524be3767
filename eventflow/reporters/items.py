"""The items of mapped tasks in a picture, each with the runs and items that it came from (S43).

A map of more than `MAX_ITEMS` is told by its counts alone, and so are the oldest of many maps: a
post stays small however wide an execution is.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from eventflow.model.arguments import Output, places_in
from eventflow.model.mapped import Along
from eventflow.model.operator import Operator
from eventflow.model.records import ItemCounts, TaskExecution
from eventflow.model.status import TaskStatus
from eventflow.model.workflow import Task
from eventflow.reporters.reading import Records, cut, newest_error

MAX_ITEMS = 1_000
# Of all maps of one picture together.
MAX_ITEMS_IN_ALL = 5_000
# Where items take parts of maps, each is a link to many: beyond so many the map stands for them.
MAX_LINKS = 10_000

Index = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PicturedItem:
    """One item of a run of a mapped task.

    Attributes:
        key: That of its run and its index, `1_work_1[2,0]`.
        predecessors: Keys of the items and runs that it came from.
        error: Type and message of the newest failed attempt, or nothing.
    """

    key: str
    index: Index
    attempt: int
    status: TaskStatus
    predecessors: tuple[str, ...] = ()
    created_at: datetime | None = None
    begin_date: datetime | None = None
    end_date: datetime | None = None
    reason: str = ""
    error: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """What an item takes of another task: the axes of its own that pick the part of a map."""

    task_name: str
    axes: tuple[int, ...]


def sources_of(task: Task) -> tuple[Source, ...]:
    """What each item of a mapped task takes; of one task the narrowest parts only."""
    found = dict.fromkeys(_sources(task))
    most: dict[str, int] = {}
    for source in found:
        most[source.task_name] = max(most.get(source.task_name, 0), len(source.axes))
    return tuple(source for source in found if len(source.axes) == most[source.task_name])


def _sources(task: Task) -> Iterator[Source]:
    for axis, over in enumerate(task.mapped.axes if task.mapped is not None else ()):
        if isinstance(over, Along):
            yield from (Source(one.task_name, (*one.at, axis)) for one in over.outputs)
    mapped_outputs = task.mapped.outputs if task.mapped is not None else ()
    places = places_in(task.arguments) if isinstance(task, Operator) else ()
    for place in (*mapped_outputs, *places):
        if isinstance(place, Output):
            yield Source(place.task_name, place.at)


class Items:
    """The items of the maps of one execution, as far as they are told one by one.

    Args:
        runs: Its runs, oldest first.
        sources: What the items of a task take, by its name.

    Attributes:
        keys: Of the runs, by their ids.
    """

    def __init__(
        self,
        records: Records,
        runs: Sequence[TaskExecution],
        sources: Mapping[str, tuple[Source, ...]],
    ) -> None:
        self._records = records
        self._sources = sources
        self._by_id = {run.id: run for run in runs}
        self.keys = {run.id: str(run.key) for run in runs}
        self._read = dict(self._told(runs))
        self._below: dict[int, dict[Index, list[str]]] = {}
        self._links = 0

    def of(self, run: TaskExecution, origins: Iterable[int]) -> tuple[PicturedItem, ...]:
        """The items of a run that came from those runs; none where only their counts are told."""
        items = self._read.get(run.id)
        if not items:
            return ()
        taken = {
            source: upstream
            for source in self._sources.get(run.task_name, ())
            if (upstream := self._by_id.get(run.inputs.get(source.task_name, 0))) is not None
        }
        parted = {upstream.id for upstream in taken.values()}
        whole = [self.keys[one] for one in origins if one not in parted]
        return tuple(self._item(run, item, taken, whole) for item in items)

    def _told(self, runs: Sequence[TaskExecution]) -> Iterator[tuple[int, Sequence[TaskExecution]]]:
        left = MAX_ITEMS_IN_ALL
        for run in reversed(runs):
            total = run.items.total if run.items is not None else 0
            if 0 < total <= min(MAX_ITEMS, left):
                left -= total
                yield run.id, self._records.items(run.id, limit=MAX_ITEMS)

    def _item(
        self,
        run: TaskExecution,
        item: TaskExecution,
        taken: Mapping[Source, TaskExecution],
        whole: list[str],
    ) -> PicturedItem:
        parts = (
            self._part(upstream, tuple(item.index[axis] for axis in source.axes))
            for source, upstream in taken.items()
        )
        return PicturedItem(
            key=self._key(run.id, item.index),
            index=item.index,
            attempt=item.attempt,
            status=item.status,
            predecessors=tuple(dict.fromkeys([*whole, *(key for keys in parts for key in keys)])),
            created_at=item.created_at,
            begin_date=item.begin_date,
            end_date=item.end_date,
            reason=cut(item.reason),
            error=newest_error(self._records, item),
        )

    def _part(self, upstream: TaskExecution, index: Index) -> Sequence[str]:
        """The keys of the items below an index; that of the run where they are not told, or all."""
        keys = self._items_below(upstream).get(index, ()) if index else ()
        self._links += len(keys)
        return keys if keys and self._links <= MAX_LINKS else [self.keys[upstream.id]]

    def _items_below(self, run: TaskExecution) -> dict[Index, list[str]]:
        below = self._below.get(run.id)
        if below is None:
            below = self._below[run.id] = defaultdict(list)
            for item in self._read.get(run.id, ()):
                for depth in range(1, len(item.index) + 1):
                    below[item.index[:depth]].append(self._key(run.id, item.index))
        return below

    def _key(self, run_id: int, index: Index) -> str:
        return f"{self.keys[run_id]}[{','.join(map(str, index))}]"


def counts_of(counts: ItemCounts | None) -> tuple[tuple[TaskStatus, int], ...] | None:
    """How many items stand how; `None` of a run without items."""
    return tuple(sorted(counts.by_status.items())) if counts is not None else None
