"""One history: steps with faults, and then the quiet in which everything must come to its end."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

from eventflow.errors import StoreError
from eventflow.runtime.client import Client
from eventflow.store.cut import Cut, Manner
from eventflow.store.ports import Batch
from eventflow.testing.clock import START, VirtualClock
from tests.simulation import flows
from tests.simulation.bounds import drawn_bounds
from tests.simulation.course import Course
from tests.simulation.fates import Fates
from tests.simulation.lives import Lives
from tests.simulation.places import Disk, Place
from tests.simulation.producers import Producers
from tests.simulation.quiet import Quiet
from tests.simulation.statements import DiedError, any_
from tests.simulation.troubled import TroubledStore
from tests.simulation.witness import Witness

# The file is asked so often, in steps.
ASK_EVERY = 100
ACTIONS = (
    "emit",
    "command",
    "step",
    "deliver",
    "workers",
    "time",
    "again",
    "lose",
    "register",
    "prune",
)
# When the clocks change in the zones of the workflows, in 2026.
CHANGES = (
    datetime(2026, 3, 8, 7, tzinfo=UTC),
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 4, 4, 15, tzinfo=UTC),
    datetime(2026, 4, 5, 3, tzinfo=UTC),
    datetime(2026, 9, 6, 4, tzinfo=UTC),
    datetime(2026, 10, 3, 15, 30, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 11, 1, 6, tzinfo=UTC),
)
MOST_TOLD = 700
# Ages in seconds.
AGES = (0, 0, 5, 60, 600, 7200)


class WrongError(BaseException):
    """Something is not as it must be. No error: the loop would look for an event to blame."""


class Play:
    """Everything of one history.

    Attributes:
        at: The number of the step that is being played; -1 before the first.
    """

    def __init__(self, course: Course, disk: Disk | None) -> None:
        self.course = course
        self.fates = Fates(course)
        self.trace: list[str] = []
        self.at = -1
        dice = self.fates.dice
        self._clock = VirtualClock(_begin(self.fates))
        self._bounds = drawn_bounds(dice)
        self._place = Place(disk, self._clock, self._wrong)
        self.witness = Witness(self._wrong)
        self._store = TroubledStore(self._place, self.fates, self._see)
        # What writes from outside has errors of its own, and no part in the scheduler's deaths.
        self._client = Client(any_(self._store), self._clock, lambda: None, _look_once)
        self._producers = Producers(self._client, self._place, self.fates, self.witness)
        self._versions = [flows.versions(dice, one) for one in flows.family(dice)]
        self._newest = [0 for _ in self._versions]
        # Or all that was missed in days would be caught up with at once.
        self._most_s = 4000 if any(map(flows.floods, chain(*self._versions))) else 400_000
        self._weights = [dice.random() ** 2 for _ in ACTIONS]
        self._weights[2] = self._weights[3] = self._weights[4] = 1.0
        self._weights[-1] *= 0.3
        self.length = dice.choice([60, 150, 300])
        self._lives: Lives

    @property
    def deaths(self) -> int:
        return self._lives.deaths if hasattr(self, "_lives") else 0

    def run(self) -> str:
        """Play it all; the hash of what happened.

        Raises:
            WrongError: If something is not as it must be.
        """
        try:
            with self._bounds:
                self._begin()
                for number in range(self.length):
                    if self.course.only is None or number in self.course.only:
                        self.at = number
                        self.fates.turn_to(number)
                        self._act(number)
                self.at = self.length
                self.fates.turn_to(self.length)
                self._end()
        finally:
            self._place.close()
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()

    def _begin(self) -> None:
        self._lives = Lives(
            place=self._place,
            store=self._store,
            clock=self._clock,
            fates=self.fates,
            witness=self.witness,
            workflows=[version for versions in self._versions for version in versions],
            note=self._note,
            wrong=self._wrong,
        )
        self._guard(self._register, range(len(self._versions)))
        self._guard(self._client.run, "default", "w")

    def _register(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            workflow = self._versions[number][self._newest[number]]
            plan = self._lives.process.registry.take(workflow)
            self._client.register(plan.namespace, plan.name, plan.snapshot)

    def _act(self, number: int) -> None:
        action = self.fates.dice.choices(ACTIONS, self._weights)[0]
        if self.fates.strikes("process: died"):
            told = "died"
            self._lives.die(stands_still=number % 2 == 0)
        else:
            told = self._do(action)
        self._lives.see_end()
        self._note(f"[{number}] {action} {told}")
        if action == "step" or told == "died":
            self._lives.wake_replaced()
            self._lives.judge()
        if number % ASK_EVERY == ASK_EVERY - 1:
            self._place.judge(parked=not self._lives.was_whole)

    def _do(self, action: str) -> object:
        try:
            return getattr(self, f"_do_{action}")()
        except DiedError:
            self._lives.die()
            return "died"

    def _do_emit(self) -> object:
        return self._producers.emit()

    def _do_command(self) -> object:
        return self._producers.command()

    def _do_step(self) -> object:
        return self._lives.process.step()

    def _do_deliver(self) -> object:
        return self._lives.process.deliver()

    def _do_workers(self) -> object:
        return self._lives.process.workers.go_on()

    def _do_again(self) -> object:
        return self._lives.process.workers.say_again()

    def _do_lose(self) -> object:
        return self._lives.process.workers.lose()

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
        elif self.fates.strikes("clock: days"):
            seconds = dice.choice([-86_400, 50_000, 90_000, 300_000])
        elif (instant := self._next_instant()) is not None:
            seconds = max((instant - self._clock.now()).total_seconds(), 0)
        self._clock.advance(timedelta(seconds=min(seconds, self._most_s)))
        return self._clock.now().isoformat()

    def _do_prune(self) -> object:
        """Let go of what has ended and is old; a file only, since the memory store keeps all."""
        dice = self.fates.dice
        older, window = dice.choice(AGES), dice.choice(AGES)
        if not self.fates.strikes("retention: prunes") or self._place.twins is None:
            return ""
        now = self._clock.now()
        cut = Cut(
            before=now - timedelta(seconds=older),
            ids_before=now - timedelta(seconds=window),
        )
        told: object
        try:
            told = self._store.prune(cut, Manner(wait=lambda seconds: None))
        except DiedError:
            told = "died"
            self._lives.die(cut)
        except StoreError as error:
            told = type(error).__name__
        self._place.let_go(cut)
        self._producers.forget(self._place.gone)
        return told

    def _next_instant(self) -> Any:
        process = self._lives.process
        instants = [process.next_due(), process.workers.next_instant()]
        return min((one for one in instants if one is not None), default=None)

    def _end(self) -> None:
        """No more faults: everything settles, then everything is stopped."""
        self.fates.calm = True
        self._note("calm")
        if not self._lives.process.is_whole or self.fates.dice.random() < 0.3:
            self._lives.die()
        self._lives.process.workers.calm_down()
        self._register(range(len(self._versions)))
        names = [one[0].name for one in self._versions]
        self._producers.calm_down(names)
        quiet = Quiet(self._place, self._lives, self._client, self._producers, self._wrong)
        quiet.settle()
        quiet.stop_all(names)
        quiet.judge_end()
        if self.fates.dice.random() < 0.2:
            quiet.decide_again()

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
        self.trace.append(f"WRONG: {what[:MOST_TOLD]}")
        raise WrongError(what[:MOST_TOLD])


def _begin(fates: Fates) -> datetime:
    """Any time, or shortly before the clocks change somewhere."""
    dice = fates.dice
    change, before = dice.choice(CHANGES), dice.choice([60, 1800, 7000, 90_000])
    return START if dice.random() < 0.5 else change - timedelta(seconds=before)


def _look_once(check: Any, timeout: float | None, execution_id: int | None = None) -> Any:
    return check()
