"""What must be so when all faults are over: everything settles, ends, and can be decided again."""

from collections.abc import Callable

from eventflow.errors import StoreError
from eventflow.runtime.client import Client
from eventflow.runtime.guard import ask_here
from eventflow.runtime.replaying import replay
from tests.simulation import standing
from tests.simulation.lives import Lives
from tests.simulation.places import Place
from tests.simulation.producers import Producers
from tests.simulation.statements import any_


class Quiet:
    """The end of one history; `wrong` is told what may not be."""

    def __init__(
        self,
        place: Place,
        lives: Lives,
        client: Client,
        producers: Producers,
        wrong: Callable[[str], None],
    ) -> None:
        self._place = place
        self._lives = lives
        self._client = client
        self._producers = producers
        self._wrong = wrong

    def settle(self) -> None:
        """Let all go on that can; rules may start each other for ever, and are not waited for."""
        if not self._comes(within=400):
            return
        for fault in standing.unsettled(self._lives.process.world):
            self._wrong(f"with all faults over: {fault}")
        self._place.compare()

    def stop_all(self, names: list[str]) -> None:
        """Stop whatever goes on, and let nothing begin by itself."""
        for name in names:
            self._client.pause("default", name, paused=True)
        for _ in range(12):
            is_quiet = self._comes(within=200)
            if not self._producers.stop_all():
                if not is_quiet and not self._comes(within=20_000):
                    self._wrong("nothing is left to stop, and it is not quiet")
                return

    def judge_end(self) -> None:
        """Nothing goes on, waits or is remembered; what was acknowledged is in the log, once."""
        world = self._lives.process.world
        if world.executions:
            self._wrong(f"executions that were stopped have not ended: {[*world.executions]}")
        if left := self._place.store.undecided(10):
            self._wrong(f"nobody has decided {left}")
        self._place.judge(parked=not self._lives.was_whole)
        self._lives.die()
        while self._lives.process.deliver():
            continue
        if self._lives.spool.outcomes:
            self._wrong(f"workers still remember {self._lives.spool.outcomes}")
        if orders := self._place.store.load(self._lives.process.registry.plan).commands:
            self._wrong(f"the outbox still holds {orders}")
        self._place.compare()
        log = {event.offset: event for event in self._place.store.read(limit=100_000)}
        for offset, sent in self._producers.acknowledged.items():
            found = log.get(offset)
            if found is None or (found.key, found.value, found.id) != sent:
                self._wrong(f"{sent} was acknowledged at {offset}, where there is {found}")
        ids = [event.id for event in log.values() if event.sender == "sim"]
        if len({*ids}) < len(ids):
            self._wrong("an id is in the log twice")

    def decide_again(self) -> None:
        """Replay it (S9), unless code was not at hand once; where some is gone, that is told."""
        gone = self._place.gone
        if not self._lives.was_whole or gone.offsets:
            return
        plan_of = self._lives.process.registry.plan
        try:
            found = replay(any_(self._place.store), plan_of, ask=ask_here)
        except StoreError as error:
            if not gone.executions:
                self._wrong(f"it cannot be decided again: {error}")
            return
        if not found.equal:
            self._wrong(f"decided again it is not the same: {found}")

    def _comes(self, within: int) -> bool:
        """Go on until nothing happens any more at this instant; whether that comes."""
        for _ in range(within):
            process = self._lives.process
            went_on = process.step() or process.deliver() or process.workers.go_on()
            if self._lives.see_end():
                self._lives.process.workers.calm_down()
            elif not went_on:
                self._lives.judge()
                return True
        return False
