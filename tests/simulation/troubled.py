"""A store whose writes fail now and then: refused, or done with an error, or the last that is."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from eventflow.errors import CommitUnknownError, StoreError
from eventflow.model.event import Event
from eventflow.store.cut import Cut, Manner, Pruned
from eventflow.store.ports import Batch
from tests.simulation.fates import Fates
from tests.simulation.places import Place
from tests.simulation.statements import DIED, DONE, FULL, NOT_DONE, DiedError

T = TypeVar("T")

_WITHIN_A_BATCH = (1, 1, 2, 3, 4, 6, 8, 11, 15)
_WITHIN_PRUNING = (1, 2, 5, 10, 20, 40, 70)


class TroubledStore:
    """The store as one process sees it.

    Args:
        witness: Told of every batch that is written, whatever its writer was told.
    """

    def __init__(self, place: Place, fates: Fates, witness: Callable[[Batch], None]) -> None:
        self._place = place
        self._fates = fates
        self._witness = witness

    def __getattr__(self, name: str) -> Any:
        return getattr(self._place.store, name)

    def append(
        self, events: Sequence[Event], *, drawn: bool = False, of_run: int = 0
    ) -> list[Event]:
        return self._write(
            "append", lambda: self._place.store.append(events, drawn=drawn, of_run=of_run)
        )

    def undecided(self, limit: int) -> list[Event]:
        if self._fates.strikes("read: error"):
            raise StoreError("the disk reports an error")
        return self._place.store.undecided(limit)

    def park(self, reasons: Any) -> None:
        if self._fates.strikes("start: error"):
            raise StoreError("the disk is full")
        self._place.store.park(reasons)

    def commit(self, batch: Batch) -> None:
        if self._fates.strikes("commit: died before"):
            raise DiedError
        if self._fates.strikes("commit: died at a statement"):
            self._at_a_statement(DIED, lambda: self._commit(batch))
            return
        self._write("commit", lambda: self._commit(batch))
        if self._fates.strikes("commit: died after"):
            raise DiedError

    def prune(self, cut: Cut, manner: Manner | None = None) -> Pruned:
        how = ""
        if self._fates.strikes("retention: died at a statement"):
            how = DIED
        elif self._fates.strikes("retention: a statement fails"):
            how = self._fates.dice.choice([FULL, NOT_DONE, DONE])
        statements = self._place.statements
        if how and statements is not None:
            statements.arm(self._fates.dice.choice(_WITHIN_PRUNING), how)
        try:
            return self._place.store.prune(cut, manner)
        finally:
            if statements is not None:
                statements.disarm()

    def _commit(self, batch: Batch) -> None:
        self._place.store.commit(batch)
        self._witness(batch)

    def _write(self, what: str, do: Callable[[], T]) -> T:
        strikes = self._fates.strikes
        if strikes(f"{what}: busy"):
            raise StoreError("another process keeps it locked")
        if what == "commit" and strikes("commit: full"):
            raise StoreError("the disk is full")
        if strikes(f"{what}: error, not written"):
            raise CommitUnknownError("the commit failed; nobody knows")
        if strikes(f"{what}: a statement fails"):
            return self._at_a_statement(self._fates.dice.choice([FULL, NOT_DONE, DONE]), do)
        done = do()
        if strikes(f"{what}: error, written"):
            raise CommitUnknownError("the commit failed; nobody knows")
        return done

    def _at_a_statement(self, how: str, do: Callable[[], T]) -> T:
        """Do what is written in one transaction, of which a statement fails, if it has so many; in
        memory it has none, and fails as a whole.
        """
        statements, number = self._place.statements, self._fates.dice.choice(_WITHIN_A_BATCH)
        if statements is None:
            raise DiedError if how == DIED else StoreError("a statement failed")
        statements.arm(number, how)
        try:
            done = do()
            struck = statements.struck and not statements.in_doubt
        finally:
            statements.disarm()
        if struck:
            self._place.wrong("a statement of a transaction failed, and nobody was told")
        return done
