"""One seed: a history with faults, and then the quiet in which everything must come to its end."""

import hashlib
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import invariants

from eventflow.errors import StoreError
from eventflow.runtime import loop
from eventflow.runtime.client import Client
from eventflow.runtime.guard import ask_here
from eventflow.runtime.replaying import replay
from eventflow.store.memory import MemoryStore
from eventflow.store.ports import Batch, Store
from eventflow.store.sqlite import SqliteStore
from eventflow.testing.clock import VirtualClock
from tests.simulation import flows, standing
from tests.simulation.fates import Fates
from tests.simulation.process import Process
from tests.simulation.producers import Producers
from tests.simulation.troubled import DiedError, TroubledStore
from tests.simulation.witness import Witness
from tests.simulation.workers import Spool, Workers

# The file is asked so often, in steps, and at each death.
ASK_EVERY = 25
ACTIONS = ("emit", "command", "step", "deliver", "workers", "time", "again", "lose", "register")


class WrongError(BaseException):
    """Something is not as it must be. No error: the loop would look for an event to blame."""


class Play:
    """Everything of one seed.

    Args:
        folder: Where the file of the store goes; `None` for the store in memory.
    """

    def __init__(self, seed: int, folder: Path | None, template: Path | None = None) -> None:
        self.seed = seed
        self.fates = Fates(seed)
        self.trace: list[str] = []
        self._clock = VirtualClock()
        self._path = folder / "store.db" if folder is not None else None
        if self._path is not None and template is not None:
            shutil.copy(template, self._path)
        self._inner = self._open()
        self.witness = Witness(self._wrong)
        self._spool = Spool()
        self._store = TroubledStore(self._inner, self.fates, self._see)
        # What writes from outside has errors of its own, and no part in the scheduler's deaths.
        self._client = Client(_any(self._store), self._clock, lambda: None, _look_once)
        self._producers = Producers(self._client, self._inner, self.fates, self.witness)
        dice = self.fates.dice
        self._versions = [flows.versions(dice, one) for one in flows.family(dice)]
        self._newest = [0 for _ in self._versions]
        self._weights = [dice.random() ** 2 for _ in ACTIONS]
        self._weights[2] = self._weights[3] = self._weights[4] = 1.0
        self.deaths = 0
        self._was_whole = True

    def run(self) -> str:
        """Play it all; the hash of what happened.

        Raises:
            WrongError: If something is not as it must be.
        """
        limits = loop.TURN_LIMIT, loop.READ_LIMIT
        loop.TURN_LIMIT = self.fates.dice.choice([5, 100])
        loop.READ_LIMIT = self.fates.dice.choice([3, 512])
        try:
            self._begin()
            for number in range(self.fates.dice.choice([60, 150, 300])):
                self._act(number)
            self._calm_down()
        finally:
            loop.TURN_LIMIT, loop.READ_LIMIT = limits
            self._inner.close()
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()

    def _open(self) -> Store:
        if self._path is None:
            store: Store = MemoryStore(clock=self._clock)
        else:
            store = SqliteStore(f"sqlite:///{self._path}", clock=self._clock)
        store.hold("simulation")
        return store

    def _begin(self) -> None:
        self._process = self._new_process()
        self._guard(self._register, range(len(self._versions)))
        self._guard(self._client.run, "default", "w")

    def _register(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            workflow = self._versions[number][self._newest[number]]
            plan = self._process.registry.take(workflow)
            self._client.register(plan.namespace, plan.name, plan.snapshot)

    def _act(self, number: int) -> None:
        action = self.fates.dice.choices(ACTIONS, self._weights)[0]
        try:
            self._die_maybe()
            told = getattr(self, f"_do_{action}")()
        except DiedError:
            told = "died"
            self._die()
        self._see_end()
        self._note(f"{action} {told}")
        self._judge(ask_file=number % ASK_EVERY == 0)

    def _die_maybe(self) -> None:
        if self.fates.strikes("process: died"):
            raise DiedError

    def _do_emit(self) -> object:
        return self._producers.emit()

    def _do_command(self) -> object:
        return self._producers.command()

    def _do_step(self) -> object:
        return self._process.step()

    def _do_deliver(self) -> object:
        return self._process.deliver()

    def _do_workers(self) -> object:
        return self._process.workers.go_on()

    def _do_again(self) -> object:
        return self._process.workers.say_again()

    def _do_lose(self) -> object:
        return self._process.workers.lose()

    def _do_register(self) -> object:
        if self.fates.strikes("code: changed"):
            number = self.fates.dice.randrange(len(self._versions))
            self._newest[number] = self.fates.dice.randrange(len(self._versions[number]))
            self._guard(self._register, [number])
        return self._newest

    def _do_time(self) -> object:
        dice = self.fates.dice
        seconds = 0.0
        if self.fates.strikes("clock: forward"):
            seconds = dice.choice([31, 90, 700, 4000])
        elif self.fates.strikes("clock: back"):
            seconds = dice.choice([-1, -90, -4000])
        elif (instant := self._next_instant()) is not None:
            seconds = max((instant - self._clock.now()).total_seconds(), 0)
        self._clock.advance(timedelta(seconds=seconds))
        return self._clock.now().isoformat()

    def _next_instant(self) -> Any:
        instants = [self._process.next_due(), self._process.workers.next_instant()]
        return min((one for one in instants if one is not None), default=None)

    def _see_end(self) -> bool:
        """Whether the scheduler has ended by itself: it may when a batch was written unknown."""
        if not self._process.ended:
            return False
        self._note(f"scheduler ended: {self._process.ended}")
        if self.fates.happened["commit: error, written"] == self._unknown:
            self._wrong(f"the scheduler has ended for no reason: {self._process.ended}")
        self._die()
        return True

    def _die(self) -> None:
        """The process ends, and another begins where the store is."""
        self.deaths += 1
        before, was_whole = self._process.portrait(), self._process.is_whole
        # A batch that was written with an error, or before a death, is not in the live world.
        live_turn = self._process.world.counters.turn
        self._process.workers.die()
        if self._path is not None and self.fates.dice.random() < 0.2:
            self._inner.close()
            self._inner = self._store._inner = self._producers._store = self._open()
        else:
            self._inner.release(clean=False)
            self._inner.hold("simulation")
        self._judge_file()
        self._process = self._new_process()
        if not self._process.is_whole:
            return
        if was_whole and live_turn == self._process.world.counters.turn:
            self._compare(before, self._process.portrait())
        orders = self._store.load(self._process.registry.plan).commands
        kept = {(one.run.id, one.run.attempt, one.action.value) for one in orders}
        if kept != self.witness.orders:
            self._wrong(f"the outbox holds {kept}, and not {self.witness.orders}")

    def _new_process(self) -> Process:
        while True:
            workers = Workers(self._clock, self.fates, self._spool, self._wrong)
            known = [version for versions in self._versions for version in versions]
            at_hand = [one for one in known if not self.fates.strikes("code: not at hand")]
            try:
                process = Process(self._store, self._clock, workers, at_hand)
            except StoreError as error:
                self._note(f"it does not start: {type(error).__name__}")
                continue
            process.is_whole = len(at_hand) == len(known)
            self._unknown = self.fates.happened["commit: error, written"]
            self._was_whole &= process.is_whole
            self.witness.all_hold = self._was_whole
            return process

    def _compare(self, before: dict[str, str], after: dict[str, str]) -> None:
        names = sorted(
            name for name in before.keys() | after.keys() if before.get(name) != after.get(name)
        )
        if names:
            told = [f"{name}: {before.get(name)} -> {after.get(name)}" for name in names[:5]]
            self._wrong(f"what was loaded is not what was live: {told}")

    def _judge(self, *, ask_file: bool) -> None:
        process = self._process
        is_idle = bool(process.engine._loop._idle)
        for fault in standing.faults(process.world, parked=not process.is_whole, idle=is_idle):
            self._wrong(fault)
        if ask_file:
            self._judge_file()

    def _judge_file(self) -> None:
        # What is parked waits where others would not.
        if not self._was_whole or self._path is None:
            return
        if found := invariants.broken(self._path):
            self._wrong(f"in the file: {found[:3]}")

    def _calm_down(self) -> None:
        """No more faults: everything settles, then everything is stopped."""
        self.fates.calm = True
        self._note("calm")
        if not self._process.is_whole or self.fates.dice.random() < 0.3:
            self._die()
        self._process.workers.calm_down()
        self._register(range(len(self._versions)))
        self._producers.calm_down([one[0].name for one in self._versions])
        # Rules may start each other for ever; then there is nothing to wait for.
        if self._is_quiet(within=400):
            for fault in standing.unsettled(self._process.world):
                self._wrong(f"with all faults over: {fault}")
        for name in [one[0].name for one in self._versions]:
            self._client.pause("default", name, paused=True)
        for _ in range(12):
            is_quiet = self._is_quiet(within=200)
            if not self._producers.stop_all():
                if not is_quiet and not self._is_quiet(within=20_000):
                    self._wrong("nothing is left to stop, and it is not quiet")
                break
        self._judge_end()

    def _is_quiet(self, within: int) -> bool:
        """Go on until nothing happens any more at this instant."""
        for _ in range(within):
            process = self._process
            went_on = process.step() or process.deliver() or process.workers.go_on()
            if self._see_end():
                self._process.workers.calm_down()
            elif not went_on:
                self._judge(ask_file=False)
                return True
        return False

    def _judge_end(self) -> None:
        world = self._process.world
        if world.executions:
            self._wrong(f"executions that were stopped have not ended: {[*world.executions]}")
        if self.witness.orders:
            self._wrong(f"the outbox still holds {self.witness.orders}")
        if left := self._inner.undecided(10):
            self._wrong(f"nobody has decided {left}")
        self._die()
        while self._process.deliver():
            continue
        if self._spool.outcomes:
            self._wrong(f"workers still remember {self._spool.outcomes}")
        log = {event.offset: event for event in self._inner.read(limit=100_000)}
        for offset, sent in self._producers.acknowledged.items():
            found = log.get(offset)
            if found is None or (found.key, found.value, found.id) != sent:
                self._wrong(f"{sent} was acknowledged at {offset}, where there is {found}")
        ids = [event.id for event in log.values() if event.sender == "sim"]
        if len({*ids}) < len(ids):
            self._wrong("an id is in the log twice")
        # Where code was not at hand, more was refused than would be now.
        if self._was_whole and self.fates.dice.random() < 0.2:
            found_again = replay(_any(self._inner), self._process.registry.plan, ask=ask_here)
            if not found_again.equal:
                self._wrong(f"decided again it is not the same: {found_again}")

    def _guard(self, do: Any, *arguments: Any) -> None:
        try:
            do(*arguments)
        except StoreError as error:
            self._note(type(error).__name__)

    def _see(self, batch: Batch) -> None:
        self.witness.see(batch)
        for one in batch.decisions:
            kinds = " ".join(type(change).__name__ for change in one.changes)
            self._note(f"  {one.turn} {one.event.key} @{one.event.offset}: {kinds}")

    def _note(self, line: str) -> None:
        self.trace.append(line)

    def _wrong(self, what: str) -> None:
        self.trace.append(f"WRONG: {what}")
        raise WrongError(what)


def make_template(folder: Path) -> Path:
    """An empty store's file, to be copied: its tables are made once."""
    path = folder / "template.db"
    SqliteStore(f"sqlite:///{path}", clock=VirtualClock()).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def _any(stands_for: Any) -> Any:
    return stands_for


def _look_once(check: Any, timeout: float | None) -> Any:
    return check()
