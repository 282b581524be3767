"""How long a store keeps what has ended: `prune` by age, and a thread that does it every hour."""

import logging
import threading
from datetime import timedelta

from eventflow.clock import Clock
from eventflow.errors import EventflowError
from eventflow.settings import duration, read_settings
from eventflow.store.cut import Cut, Manner, Pruned
from eventflow.store.ports import Store

log = logging.getLogger("eventflow")
EVERY_S = 3600.0


def prune(
    store: Store,
    clock: Clock,
    older_than: timedelta,
    *,
    namespace: str | None = None,
    dedup_window: timedelta | None = None,
    snapshots: bool = False,
    manner: Manner | None = None,
) -> Pruned:
    """Let go of executions that ended, and events that were logged, longer ago than that.

    Args:
        namespace: Only of this one; `None` for all.
        dedup_window: How long ids are remembered at least (S3); by default as the settings say.
        snapshots: Whether code may go, too, that nothing needs; see `Cut`.

    Raises:
        EventflowError: If an age is negative.
        StoreError: If the store is in memory, or cannot be written; what is gone stays gone.
    """
    if dedup_window is None:
        dedup_window = duration("dedup_window", read_settings().dedup_window)
    if min(older_than, dedup_window) < timedelta(0):
        raise EventflowError(f"an age must be zero or more, got {min(older_than, dedup_window)}")
    now = clock.now()
    cut = Cut(
        before=now - older_than,
        ids_before=now - dedup_window,
        namespace=namespace,
        snapshots=snapshots,
    )
    return store.prune(cut, manner)


class Retention:
    """Prunes a store every hour, on a thread of its own, until it is stopped."""

    def __init__(
        self, store: Store, clock: Clock, older_than: timedelta, dedup_window: timedelta
    ) -> None:
        self._store = store
        self._clock = clock
        self._older_than = older_than
        self._dedup_window = dedup_window
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="eventflow-retention", daemon=True)

    def start(self) -> None:
        """Begin at once, before the scheduler registers anything: only now code may go, too."""
        self._prune_logged(code=True)
        self._thread.start()

    def stop(self) -> None:
        """End between two transactions."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        self._prune_logged()
        while not self._stopped.wait(EVERY_S):
            self._prune_logged()

    def _prune_logged(self, *, code: bool = False) -> None:
        now = self._clock.now()
        cut = Cut(
            before=now - self._older_than,
            ids_before=now - self._dedup_window,
            snapshots=code,
            others=not code,
        )
        try:
            done = self._store.prune(
                cut, Manner(stop=self._stopped.is_set, wait=self._stopped.wait)
            )
        except EventflowError as error:
            log.warning("retention.failed reason=%r", str(error))
            return
        if done.executions or done.events or done.ids or done.snapshots:
            log.info(
                "retention.pruned executions=%s events=%s ids=%s snapshots=%s longest_s=%.3f",
                done.executions,
                done.events,
                done.ids,
                done.snapshots,
                done.longest_s,
            )
