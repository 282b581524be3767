"""The points in groups, one for each test that goes through them; and what cannot be."""

from collections.abc import Iterable

from eventflow.crashpoints import COMMITS, POINTS, STAGES, Action


def _around(*commits: str) -> frozenset[str]:
    return frozenset(f"{what}.{stage}" for what in commits for stage in STAGES)


# Threads keep other marks than children do.
IN_THREADS = frozenset(point for point in POINTS if point.startswith("journal."))
# Only a store with code that cannot be loaded parks anything.
PARKING = _around("parked")
# Only retention deletes.
PRUNING = _around("prune")
# Reached when another point has failed.
IN_DOUBT = frozenset({"commit.doubted"})
# All others are reached by `tale.WORKFLOW` under `serve`.
SERVING = POINTS - IN_THREADS - PARKING - PRUNING - IN_DOUBT
GROUPS = (IN_THREADS, PARKING, PRUNING, IN_DOUBT, SERVING)

NOTHING_FAILS = (
    "between a commit and its answer nothing is done that can fail: the raise after what was done "
    "is that of X.committed"
)
# `POINT:ACTION` -> why it cannot be.
EXCUSED = {f"{what}.told:{Action.RAISE}": NOTHING_FAILS for what in COMMITS}


def cases(points: Iterable[str], actions: Iterable[Action] = tuple(Action)) -> list[str]:
    """`POINT:ACTION`, in order, without those that cannot be."""
    every = [f"{point}:{action}" for point in sorted(points) for action in actions]
    return [case for case in every if case not in EXCUSED]
