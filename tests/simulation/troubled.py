"""A store whose writes fail now and then: refused, or done with an error, or the last that is."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from eventflow.errors import StoreError
from eventflow.model.event import Event
from eventflow.store.ports import Batch, Store
from tests.simulation.fates import Fates

T = TypeVar("T")


class DiedError(BaseException):
    """The scheduler's process ends here, as by kill -9."""


class TroubledStore:
    """The store as one process sees it.

    Args:
        witness: Told of every batch that is written, whatever its writer was told.
    """

    def __init__(
        self,
        inner: Store,
        fates: Fates,
        witness: Callable[[Batch], None],
    ) -> None:
        self._inner = inner
        self._fates = fates
        self._witness = witness

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def append(
        self, events: Sequence[Event], *, drawn: bool = False, of_run: int = 0
    ) -> list[Event]:
        return self._write("append", lambda: self._inner.append(events, drawn=drawn, of_run=of_run))

    def undecided(self, limit: int) -> list[Event]:
        if self._fates.strikes("read: error"):
            raise StoreError("the disk reports an error")
        return self._inner.undecided(limit)

    def park(self, reasons: Any) -> None:
        if self._fates.strikes("start: error"):
            raise StoreError("the disk is full")
        self._inner.park(reasons)

    def commit(self, batch: Batch) -> None:
        if self._fates.strikes("commit: died before"):
            raise DiedError
        self._write("commit", lambda: self._commit(batch))
        if self._fates.strikes("commit: died after"):
            raise DiedError

    def _commit(self, batch: Batch) -> None:
        self._inner.commit(batch)
        self._witness(batch)

    def _write(self, what: str, do: Callable[[], T]) -> T:
        strikes = self._fates.strikes
        if strikes(f"{what}: busy"):
            raise StoreError("another process keeps it locked")
        if what == "commit" and strikes("commit: full"):
            raise StoreError("the disk is full")
        if strikes(f"{what}: error, not written"):
            raise StoreError("the commit failed; nobody knows")
        done = do()
        if strikes(f"{what}: error, written"):
            raise StoreError("the commit failed; nobody knows")
        return done
