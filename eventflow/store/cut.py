"""What a store is to let go of, and what it has let go of."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """From when on a store is kept.

    Attributes:
        before: Executions that ended, and events that were logged, before this instant may go.
        ids_before: Ids that were used before it are forgotten, once their events are gone (S3).
        namespace: Only what belongs to it may go; `None` for any.
        snapshots: Whether snapshots may go that nothing needs: only where no scheduler can be
            about to register one of them.
        others: Whether anything but snapshots may go.
    """

    before: datetime
    ids_before: datetime
    namespace: str | None = None
    snapshots: bool = False
    others: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What is gone, or would be.

    Attributes:
        runs: Task executions and items.
        ids: Ids of events that are not remembered any more.
        firings: Due times of schedules that are accounted for and not listed any more.
        longest_s: The longest transaction, in seconds, with the wait for its turn.
        stopped: Whether it was told to end before all was done.
    """

    executions: int = 0
    runs: int = 0
    events: int = 0
    ids: int = 0
    firings: int = 0
    snapshots: int = 0
    log_folders: int = 0
    commits: int = 0
    longest_s: float = 0.0
    stopped: bool = False


def _never() -> bool:
    return False


def _wait(seconds: float) -> None:
    threading.Event().wait(seconds)


def _nobody(done: Pruned) -> None:
    """Tells no one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How it is done.

    Attributes:
        dry: Nothing is deleted; only counted.
        stop: Asked between two transactions; `True` ends it.
        wait: Passes some seconds between two transactions: other processes take their turns.
        progress: Told what is gone so far, after each transaction.
    """

    dry: bool = False
    stop: Callable[[], bool] = _never
    wait: Callable[[float], object] = _wait
    progress: Callable[[Pruned], None] = _nobody
