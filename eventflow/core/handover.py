"""Who gets a slot: what has to wait starts in order of priority, then age (S44).

Parts of the core only ask for slots and free them. Who is next is decided once at the end of each
step of a decision, when all of that has been applied, so that what is taken and freed in one
decision is counted, and tasks that ask at the same time are served in their order too.
"""

from typing import Any

from eventflow.core.actions import hand_over, move
from eventflow.core.decision import Asked, Deciding, Outcome
from eventflow.core.draft import Draft
from eventflow.core.pools import HOLDS_SLOT, Place, Pool, PoolKey
from eventflow.core.slots import PoolSet, SlotAwaited, SlotTaken
from eventflow.core.world import World
from eventflow.errors import DefinitionError
from eventflow.model.settings import check_pool
from eventflow.model.status import TaskStatus


def hand_on(deciding: Deciding, draft: Draft) -> None:
    """Apply what was decided, and give the free slots of the pools that it touched."""
    deciding.apply(draft)
    if not deciding.pools:
        return
    touched, deciding.pools = deciding.pools, {}
    for key, asked in touched.items():
        _give(deciding, key, {one.place: one for one in asked if _still_asks(deciding.world, one)})
    deciding.apply(draft)


def _still_asks(world: World, one: Asked) -> bool:
    """Whether nothing has stopped it meanwhile, as a stop from above does (S40)."""
    live = world.executions.get(one.live.id)
    run = live.run(one.run.id, one.run.task) if live is not None else None
    return run is not None and run.status is one.run.status


def _give(deciding: Deciding, key: PoolKey, asked: dict[Place, Asked]) -> None:
    pool = deciding.world.pools.get(key)
    if pool is not None:
        # The next ones in the line, and those that ask now, in one order.
        free = pool.free
        for place in sorted([*pool.line[:free], *asked])[:free]:
            new = asked.pop(place, None)
            if new is not None:
                run = move(deciding, new.live.id, new.run, TaskStatus.QUEUED)
                hand_over(deciding, new.live, run)
                deciding.change(SlotTaken(key, run))
                continue
            waiting = _waiting(deciding.world, place)
            hand_over(deciding, waiting.live, waiting.run)
            deciding.change(SlotTaken(key, waiting.run, place))
    reason = _reason(key, pool)
    for place, one in asked.items():
        run = move(deciding, one.live.id, one.run, TaskStatus.QUEUED, reason)
        deciding.change(SlotAwaited(key, run, place, reason))


def set_pool(deciding: Deciding, value: dict[str, Any]) -> None:
    """Command: a pool has so many slots; what fits is handed over at once.

    Slots that are taken away are not taken from who holds them: their attempts run to the end.
    """
    key, slots = (value["namespace"], value["pool"]), value["slots"]
    try:
        check_pool(*key, slots)
    except DefinitionError as error:
        deciding.note(Outcome(None, ("", ""), f"refused: {error}"))
        return
    pool = deciding.world.pools.get(key)
    if pool is not None and pool.is_set and pool.slots == slots:
        deciding.note(Outcome(None, ("", ""), "ignored: set so already"))
        return
    held = _with_executor(deciding.world, key) if pool is None else ()
    deciding.change(PoolSet(key, slots, deciding.now, held))
    deciding.note(Outcome(None, ("", ""), "set"))
    if pool is not None and not pool.is_set:
        # They were told that nobody has set it.
        for place in pool.line:
            one = _waiting(deciding.world, place)
            deciding.change(SlotAwaited(key, one.run, place, _wait_of(key)))
    deciding.touch(key)


def _waiting(world: World, place: Place) -> Asked:
    run_id = place[1]
    execution_id, task = world.homes[run_id]
    live = world.executions[execution_id]
    run = live.run(run_id, task)
    if run is None:
        raise LookupError(f"run {run_id} waits for a slot and is not in the picture")
    return Asked(place, live, run)


def _with_executor(world: World, key: PoolKey) -> tuple[int, ...]:
    """The runs that would hold a slot of a pool that was not counted until now."""
    held = []
    for run_id, (execution_id, task) in world.homes.items():
        live = world.executions[execution_id]
        run = live.run(run_id, task)
        if run is not None and live.pool_of(run) == key and run.status in HOLDS_SLOT:
            held.append(run_id)
    return tuple(held)


def _reason(key: PoolKey, pool: Pool | None) -> str:
    if pool is not None and pool.is_set:
        return _wait_of(key)
    namespace, name = key
    option = f" --namespace {namespace}" if namespace != "default" else ""
    return f"{_wait_of(key)}, which has not been set: eventflow pool set {name} 2{option}"


def _wait_of(key: PoolKey) -> str:
    return f"waits for a slot of pool {key[1]!r}"
