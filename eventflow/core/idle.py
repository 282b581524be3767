"""Room that somebody waits for in a world that was loaded (S41, S44).

No decision leaves any behind. But those who held a slot, or a place among the active executions,
may be parked, or have ended while those who wait were.
"""

from datetime import datetime

from eventflow.core.decision import Deciding
from eventflow.core.executions import begin_waiting
from eventflow.core.world import Known, World
from eventflow.model.event import Event

_POOL = "eventflow.timer.pool"
_WORKFLOW = "eventflow.timer.room"
IDLE = frozenset({_POOL, _WORKFLOW})


def idle_events(world: World, sender: str, now: datetime) -> list[Event]:
    """An event for each pool with a free slot, and each workflow with room, that is waited for."""
    pools = [key for key, pool in world.pools.items() if pool.line and pool.free != 0]
    roomy = [key for key, known in world.workflows.items() if known.waiting and _room(known) > 0]
    return [
        *(_event(_POOL, "pool", key, sender, now) for key in pools),
        *(_event(_WORKFLOW, "workflow", key, sender, now) for key in roomy),
    ]


def decide_idle(deciding: Deciding) -> None:
    """Give what is free to those who wait."""
    event = deciding.event
    if event.key == _POOL:
        deciding.touch((event.namespace, event.value["pool"]))
        return
    known = deciding.world.workflows.get((event.namespace, event.value["workflow"]))
    if known is not None:
        begin_waiting(deciding, known, _room(known))


def _room(known: Known) -> int:
    return known.plan.workflow.max_active - len(known.active)


def _event(key: str, what: str, whose: tuple[str, str], sender: str, now: datetime) -> Event:
    namespace, name = whose
    return Event(key, {what: name}, namespace=namespace, sender=sender, time=now)
