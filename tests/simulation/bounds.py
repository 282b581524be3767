"""The sizes of eventflow's own steps, which a seed draws small or as they are."""

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from eventflow.runtime import loop
from eventflow.store import erasing, pruning, sweeping

_BOUNDS = (
    (((loop, "TURN_LIMIT"),), (5, 100)),
    (((loop, "READ_LIMIT"),), (3, 512)),
    (((pruning, "RUNS_A_COMMIT"), (erasing, "RUNS_A_COMMIT")), (2, 200)),
    (((pruning, "EXECUTIONS_A_COMMIT"),), (1, 200)),
    (((pruning, "EVENTS_A_COMMIT"),), (3, 300)),
    (((sweeping, "WINDOW"),), (20, 5_000)),
)


@contextmanager
def drawn_bounds(dice: Random) -> Iterator[None]:
    """Draw each bound, and put them back at the end."""
    kept = [(place, vars(place[0])[place[1]]) for places, _ in _BOUNDS for place in places]
    try:
        for places, sizes in _BOUNDS:
            size = dice.choice(sizes)
            for module, name in places:
                setattr(module, name, size)
        yield
    finally:
        for (module, name), size in kept:
            setattr(module, name, size)
