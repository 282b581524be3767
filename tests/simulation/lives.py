"""One process after the other on the same store, and what must be so when one follows another."""

from collections.abc import Callable
from datetime import timedelta

from eventflow.errors import StoreError
from eventflow.model.workflow import Workflow
from eventflow.store.cut import Cut
from eventflow.testing.clock import VirtualClock
from tests.simulation import standing
from tests.simulation.fates import Fates
from tests.simulation.places import Place
from tests.simulation.process import Process
from tests.simulation.statements import any_
from tests.simulation.troubled import TroubledStore
from tests.simulation.witness import Witness
from tests.simulation.workers import Spool, Workers


class Lives:
    """The process that decides now; `die` puts another in its place.

    Attributes:
        deaths: How often it has died.
        was_whole: Whether in none of them anything was parked (S41).

    Args:
        workflows: All whose code may be at hand, in every version.
        note: Told what happens, for the trace.
        wrong: Told what may not be.
    """

    def __init__(
        self,
        *,
        place: Place,
        store: TroubledStore,
        clock: VirtualClock,
        fates: Fates,
        witness: Witness,
        workflows: list[Workflow],
        note: Callable[[str], None],
        wrong: Callable[[str], None],
    ) -> None:
        self._place = place
        self._store = store
        self._clock = clock
        self._fates = fates
        self._witness = witness
        self._workflows = workflows
        self._note = note
        self._wrong = wrong
        self.spool = Spool()
        self.deaths = 0
        self._replaced: Process | None = None
        self.was_whole = True
        self.process = self._new()

    def see_end(self) -> bool:
        """Whether the scheduler has ended by itself, which it has no reason for."""
        if not self.process.ended:
            return False
        self._note(f"scheduler ended: {self.process.ended}")
        self._wrong(f"the scheduler has ended for no reason: {self.process.ended}")
        self.die()
        return True

    def die(self, cut: Cut | None = None, *, stands_still: bool = False) -> None:
        """The process ends, and another begins where the store is.

        Args:
            cut: What it was about to prune.
            stands_still: It does not end: it is taken for dead, and goes on later.
        """
        self.deaths += 1
        self._replaced = self.process if stands_still else None
        before, was_whole = self.process.portrait(), self.process.is_whole
        # A batch that was written with an error, or before a death, is not in the live world.
        live_turn = self.process.world.counters.turn
        self.process.workers.die()
        self._place.die(killed=cut is not None or self._fates.dice.random() < 0.3)
        if cut is not None:
            self._place.let_go(cut)
        if self._fates.dice.random() < 0.2:
            self._place.judge(parked=not self.was_whole)
        self.process = self._new()
        if not self.process.is_whole:
            return
        if was_whole and live_turn == self.process.world.counters.turn:
            self._compare(before, self.process.portrait())
        if self.process.orders != self._witness.orders:
            self._wrong(f"the outbox holds {self.process.orders}, not {self._witness.orders}")

    def wake_replaced(self) -> None:
        """Let one that was taken for dead go on, once the next has decided: it writes nothing."""
        replaced = self._replaced
        if replaced is None or replaced.turn == self.process.turn:
            return
        self._replaced = None
        before = self._place.turn
        self._note(f"the replaced one goes on: {replaced.go_on(any_(self._place.store))}")
        if self._place.turn != before:
            self._wrong("a scheduler that was replaced has written")

    def judge(self) -> None:
        """Ask what must be so between two batches."""
        process = self.process
        is_idle = bool(process.engine._loop._idle)
        for fault in standing.faults(process.world, parked=not process.is_whole, idle=is_idle):
            self._wrong(fault)

    def _new(self) -> Process:
        while True:
            workers = Workers(self._clock, self._fates, self.spool, self._wrong)
            at_hand = [
                one for one in self._workflows if not self._fates.strikes("code: not at hand")
            ]
            try:
                self._take_code()
                process = Process(self._store, self._clock, workers, at_hand)
            except StoreError as error:
                self._note(f"it does not start: {type(error).__name__}")
                continue
            process.is_whole = not process.engine.parked and len(process.world.workflows) == len(
                self._place.store.workflows()
            )
            self.was_whole &= process.is_whole
            self._witness.all_hold = self.was_whole
            return process

    def _take_code(self) -> None:
        """Let go of snapshots that nothing needs, before any is registered."""
        twins = self._place.twins
        if not self._fates.strikes("retention: takes code") or twins is None:
            return
        now = self._clock.now() + timedelta(seconds=1)
        cut = Cut(before=now, ids_before=now, snapshots=True, others=False)
        twins.prune(cut)
        twins.let_go(cut)

    def _compare(self, before: dict[str, str], after: dict[str, str]) -> None:
        names = sorted(
            name for name in before.keys() | after.keys() if before.get(name) != after.get(name)
        )
        if names:
            told = [f"{name}: {before.get(name)} -> {after.get(name)}" for name in names[:5]]
            self._wrong(f"what was loaded is not what was live: {told}")
