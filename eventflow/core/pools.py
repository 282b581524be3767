"""Pools: slots that the tasks of a namespace share, who holds one, and who waits (S44).

State only: `core.slots` has the changes of it, `core.handover` decides who is next.
"""

from bisect import bisect_left, insort
from collections.abc import Container
from dataclasses import dataclass, field

from eventflow.model.settings import DEFAULT_POOL
from eventflow.model.status import BUSY, TaskStatus

# An attempt in one of these is with an executor, unless it is QUEUED and waits.
HOLDS_SLOT = BUSY - {TaskStatus.RETRYING}

# Of a task that no executor ever holds: it takes no slot.
NO_POOL = ""

# A namespace and the name of a pool in it.
PoolKey = tuple[str, str]
# Where a run stands in the line of its pool: what sorts first is next.
Place = tuple[int, int]


def place_of(priority: int, run_id: int) -> Place:
    """Larger priorities come first, then older runs."""
    return (-priority, run_id)


def is_counted(pool: PoolKey, pools: Container[PoolKey]) -> bool:
    """Whether the slots of a pool are counted: a `default` that nobody has set has no end."""
    return pool in pools or pool[1] not in (DEFAULT_POOL, NO_POOL)


@dataclass(slots=True, eq=False)
class Pool:
    """One pool that is counted: any but a `default` that nobody has set.

    The line is a sorted list, not a heap: what a rollback undoes is a plain insert or delete, and
    nothing that was stopped stays behind in it. Moving 100,000 places by one costs microseconds.

    Attributes:
        slots: How many attempts may be with an executor at once; `None` for any number.
        is_set: Whether a command has set it; until then it lets nobody through.
        held: Ids of the runs that hold a slot; more than `slots` after these were lowered.
        line: Who waits, the next one first.
    """

    slots: int | None
    is_set: bool = True
    held: dict[int, None] = field(default_factory=dict)
    line: list[Place] = field(default_factory=list)

    @property
    def free(self) -> int | None:
        """How many slots can be given; `None` when there is no end of them."""
        return None if self.slots is None else max(self.slots - len(self.held), 0)

    def has(self, place: Place) -> bool:
        """Whether somebody waits at that place."""
        at = bisect_left(self.line, place)
        return at < len(self.line) and self.line[at] == place

    def join(self, place: Place) -> None:
        insort(self.line, place)

    def leave(self, place: Place) -> None:
        del self.line[bisect_left(self.line, place)]
