"""Results as they are asked for: of one run, or of a mapped one put together from its items.

Nothing is copied when the items have ended: their results stand by themselves, and what was taken
over has that of the run that brought it (S31, S43).
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence

from eventflow.model.records import ItemCounts
from eventflow.model.shape import Shape
from eventflow.model.status import TaskStatus
from eventflow.store.database import Reader
from eventflow.store.items import KeptItems, assembled
from eventflow.store.queries import COUNT_ITEMS, LATEST_SUCCESS, RESULT, RESULTS_BETWEEN

# A join asks for one map, each of its items perhaps for another.
_SHAPES_KEPT = 8


class SqliteResults:
    """The results in a SQLite store."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, tuple[KeptItems, Shape]] = OrderedDict()

    def result(self, task_execution_id: int, index: Sequence[int]) -> str | None:
        """JSON text of the result of a run, or of the items below an index."""
        rows = self._reader.rows(RESULT, (task_execution_id,))
        if not rows:
            return None
        origin, items, value = rows[0]
        if items is None:
            return value if isinstance(value, str) and not index else None
        kept, shape = self._items(origin, items)
        return assembled(kept.first, shape, index, self._between)

    def shape(self, task_execution_id: int) -> Shape | None:
        """That of the items of a run."""
        rows = self._reader.rows(RESULT, (task_execution_id,))
        if not rows or rows[0][1] is None:
            return None
        return self._items(rows[0][0], rows[0][1])[1]

    def latest(self, execution_id: int, task: str) -> str | None:
        """The result of the latest SUCCESS of a task."""
        run_id = self._reader.value(LATEST_SUCCESS, (execution_id, task))
        return self.result(run_id, ()) if run_id is not None else None

    def counts(self, text: str) -> ItemCounts:
        """How the items stand that the row of a run of a mapped task tells of."""
        kept = KeptItems.read(text)
        count = kept.shape.count
        ids = (kept.first, kept.first + count - 1)
        counted = self._reader.rows(COUNT_ITEMS, ids) if count else ()
        by_status = {TaskStatus(status): number for status, number in counted}
        return ItemCounts(total=count, by_status=by_status)

    def _items(self, run_id: int, text: str) -> tuple[KeptItems, Shape]:
        with self._lock:
            found = self._kept.get(run_id)
            if found is None:
                kept = KeptItems.read(text)
                found = self._kept[run_id] = (kept, kept.shape)
                if len(self._kept) > _SHAPES_KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(run_id)
            return found

    def _between(self, ids: range) -> list[str | None]:
        rows = self._reader.rows(RESULTS_BETWEEN, (ids.start, ids.stop - 1))
        return [value for _, value in rows]
