"""Which scheduler a run is on: one of its own in memory, a shared one for each durable store.

A store has one scheduler, so that flows of one process that run on the same store at once share it;
the last one to end stops it.
"""

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from eventflow.reporters.config import UplinkConfig
from eventflow.reporters.uplink import UplinkClient
from eventflow.runtime.scheduler import Scheduler
from eventflow.settings import store_url
from eventflow.store.places import path_of

MEMORY = "sqlite://"


@dataclass(slots=True)
class _Shared:
    scheduler: Scheduler
    users: int = 0


_LOCK = threading.Lock()
_SHARED: dict[str, _Shared] = {}
_BEGINNING: WeakKeyDictionary[Scheduler, threading.Lock] = WeakKeyDictionary()
_REPORTED: WeakKeyDictionary[Scheduler, set[UplinkConfig]] = WeakKeyDictionary()


class Lease:
    """A scheduler for as long as a run needs it; `close` gives it back.

    Args:
        scheduler: One that runs already, and goes on afterwards.
        store: URL or path of the store, where no scheduler is given.
        uplink: A platform to report to.
        pools: Slots by pool.
    """

    def __init__(
        self,
        *,
        scheduler: Scheduler | None,
        store: str | None,
        uplink: UplinkConfig | None,
        pools: Mapping[str, int],
    ) -> None:
        self._place = ""
        self._own = scheduler is None
        self._closed = False
        self._lock = threading.Lock()
        self.scheduler = scheduler if scheduler is not None else self._open(store)
        try:
            if uplink is not None:
                _report(self.scheduler, uplink)
            for name, slots in pools.items():
                self.scheduler.set_pool(name, slots)
        except BaseException:
            self.close()
            raise

    @property
    def is_durable(self) -> bool:
        """Whether the store outlives the process."""
        return self.scheduler.store.files is not None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No other run begins on the scheduler meanwhile."""
        with _LOCK:
            lock = _BEGINNING.setdefault(self.scheduler, threading.Lock())
        with lock:
            yield

    def _open(self, store: str | None) -> Scheduler:
        url = store_url(store or MEMORY)
        path = path_of(url)
        if path is None:
            return _started(url)
        self._place = str(path)
        with _LOCK:
            shared = _SHARED.get(self._place)
            if shared is None:
                shared = _SHARED[self._place] = _Shared(_started(url))
            shared.users += 1
            return shared.scheduler

    def close(self) -> None:
        """Give the scheduler back; a second call does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        if not self._own:
            return
        if not self._place:
            self.scheduler.stop()
            return
        with _LOCK:
            shared = _SHARED[self._place]
            shared.users -= 1
            if shared.users == 0:
                del _SHARED[self._place]
                shared.scheduler.stop()


def _report(scheduler: Scheduler, uplink: UplinkConfig) -> None:
    """Have executions reported there, once whatever the number of runs."""
    with _LOCK:
        reported = _REPORTED.setdefault(scheduler, set())
        if uplink not in reported:
            reported.add(uplink)
            UplinkClient(uplink).attach(scheduler)


def _is_not_about_parking(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(("execution.parked", "snapshot.not_at_hand"))


def _started(url: str) -> Scheduler:
    scheduler = Scheduler(url, program="flow")
    log = logging.getLogger("eventflow")
    try:
        # What an earlier run left is taken up in a moment: no reason to warn of it.
        log.addFilter(_is_not_about_parking)
        try:
            scheduler.start()
        finally:
            log.removeFilter(_is_not_about_parking)
    except BaseException:
        scheduler.stop()
        raise
    return scheduler
