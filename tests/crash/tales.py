"""The points in groups, one for each test that goes through them; and what cannot be."""

from collections.abc import Iterable

from eventflow.crashpoints import COMMITS, POINTS, STAGES, Action


def _around(*commits: str) -> frozenset[str]:
    return frozenset(f"{what}.{stage}" for what in commits for stage in STAGES)


def _of(beginning: str) -> frozenset[str]:
    return frozenset(point for point in POINTS if point.startswith(beginning))


# Threads keep other marks than children do.
IN_THREADS = _of("journal.")
# Only a store with code that cannot be loaded parks anything.
PARKING = _around("parked")
# Only retention deletes.
PRUNING = _around("prune")
# Reached when another point has failed.
IN_DOUBT = frozenset({"commit.doubted"})
# Only what is asked for by `eventflow db` reaches these.
RETENTION = _of("retention.")
BACKUP = _of("backup.")
RESTORE = _of("restore.")
# All others are reached by `tale.WORKFLOW` under `serve`.
ELSEWHERE = (IN_THREADS, PARKING, PRUNING, IN_DOUBT, RETENTION, BACKUP, RESTORE)
# Those of `append` once more, in the process of who emits.
PRODUCING = _around("append")
SERVING = POINTS.difference(*ELSEWHERE)
GROUPS = (*ELSEWHERE, SERVING)

NOTHING_FAILS = (
    "between a commit and its answer nothing is done that can fail: the raise after what was done "
    "is that of X.committed"
)
GOES_AS_FAR_AS_IT_CAN = "folders are deleted as far as they can be, and what cannot is left"
# `POINT:ACTION` -> why it cannot be.
EXCUSED = {f"{what}.told:{Action.RAISE}": NOTHING_FAILS for what in COMMITS} | {
    f"retention.{what}:{Action.RAISE}": GOES_AS_FAR_AS_IT_CAN for what in ("code", "output")
}


def cases(points: Iterable[str], actions: Iterable[Action] = tuple(Action)) -> list[str]:
    """`POINT:ACTION`, in order, without those that cannot be."""
    every = [f"{point}:{action}" for point in sorted(points) for action in actions]
    return [case for case in every if case not in EXCUSED]
