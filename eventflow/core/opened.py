"""Changes of the items of mapped tasks: they come to be, are opened, and are closed (S43)."""

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from eventflow.core.draft import Draft
from eventflow.core.world import Items, Run
from eventflow.model.shape import Shape


class ItemsCreated(Struct, frozen=True):
    """A run of a mapped task has its items: all of them, in INIT, before the first starts.

    Attributes:
        first: Id of item 0; the others follow it.
        taken: Items that were taken over (S31): number, the run that brought the result, and how
            many there are in a row of both.
    """

    execution_id: int
    run: Run
    shape: Shape
    first: int
    at: datetime
    turn: int
    pool: str
    taken: tuple[tuple[int, int, int], ...] = ()

    @property
    def started_by(self) -> str:
        return "map"

    def apply(self, draft: Draft) -> None:
        live = draft.world.executions[self.execution_id]
        taken = frozenset(item + more for item, _, count in self.taken for more in range(count))
        after = 0
        while after in taken:
            after += 1
        draft.put(live.items, self.run.id, Items(self.shape, self.first, taken, after))
        if self.shape.count:
            counters = draft.world.counters
            newest = max(counters.run_id, self.first + self.shape.count - 1)
            draft.set(draft.world, "counters", replace(counters, run_id=newest))


class ItemsOpened(Struct, frozen=True):
    """Some items are about to be QUEUED. `next` is the first that is not."""

    execution_id: int
    parent: int
    runs: tuple[Run, ...]
    next: int

    def apply(self, draft: Draft) -> None:
        items = draft.world.executions[self.execution_id].items[self.parent]
        draft.set(items, "next", self.next)
        for run in self.runs:
            draft.put(items.alive, run.id, run)
            draft.put(draft.world.homes, run.id, (self.execution_id, run.task))


class ItemsClosed(Struct, frozen=True):
    """No further item is opened: those with these ids that are in INIT end STOPPED."""

    execution_id: int
    parent: int
    waiting: range
    at: datetime
    turn: int
    reason: str

    def apply(self, draft: Draft) -> None:
        items = draft.world.executions[self.execution_id].items[self.parent]
        draft.set(items, "next", items.count)
