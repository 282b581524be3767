"""Changes of pools: how many slots, who holds one, who waits for one (S44)."""

from datetime import datetime
from functools import partial

from msgspec import Struct

from eventflow.core.draft import Draft
from eventflow.core.pools import Place, Pool, PoolKey
from eventflow.core.world import Run


class PoolSet(Struct, frozen=True):
    """A pool has so many slots from now on.

    Attributes:
        slots: `None` for any number.
        held: Runs that hold one already, when they were not counted until now.
    """

    pool: PoolKey
    slots: int | None
    at: datetime
    held: tuple[int, ...] = ()

    def apply(self, draft: Draft) -> None:
        pools = draft.world.pools
        pool = pools.get(self.pool)
        if pool is None:
            draft.put(pools, self.pool, Pool(self.slots, held=dict.fromkeys(self.held)))
        else:
            draft.set(pool, "slots", self.slots)
            draft.set(pool, "is_set", True)


class SlotAwaited(Struct, frozen=True):
    """A QUEUED run waits for a slot; said again when the reason changes."""

    pool: PoolKey
    run: Run
    place: Place
    reason: str

    def apply(self, draft: Draft) -> None:
        pools = draft.world.pools
        pool = pools.get(self.pool)
        if pool is None:
            pool = Pool(0, is_set=False)
            draft.put(pools, self.pool, pool)
        if not pool.has(self.place):
            pool.join(self.place)
            draft.undo_by(partial(pool.leave, self.place))


class SlotForgone(Struct, frozen=True):
    """A run that waited for a slot was stopped: it waits no more."""

    pool: PoolKey
    place: Place

    def apply(self, draft: Draft) -> None:
        pools = draft.world.pools
        pool = pools[self.pool]
        _leave(draft, pool, self.place)
        if not pool.is_set and not pool.line:
            # Nobody has set it, so it is there for those who wait only.
            draft.drop(pools, self.pool)


class SlotTaken(Struct, frozen=True):
    """A run holds a slot, from its hand-over to the end of its attempt.

    Attributes:
        place: Where it waited; `None` when it got the slot as soon as it asked.
    """

    pool: PoolKey
    run: Run
    place: Place | None = None

    def apply(self, draft: Draft) -> None:
        pool = draft.world.pools[self.pool]
        draft.put(pool.held, self.run.id, None)
        if self.place is not None:
            _leave(draft, pool, self.place)


class SlotFreed(Struct, frozen=True):
    """The attempt has ended: its slot is free."""

    pool: PoolKey
    run_id: int

    def apply(self, draft: Draft) -> None:
        draft.drop(draft.world.pools[self.pool].held, self.run_id)


def _leave(draft: Draft, pool: Pool, place: Place) -> None:
    pool.leave(place)
    draft.undo_by(partial(pool.join, place))
