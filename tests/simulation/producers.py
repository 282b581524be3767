"""Who writes into the log from outside: emitters that try again, and people who command."""

from contextlib import suppress
from typing import Any, NamedTuple

from eventflow.errors import ConflictError, DuplicateEventError, NotFoundError, StoreError
from eventflow.model.event import Event
from eventflow.model.status import TaskAction
from eventflow.runtime.client import Client
from tests.simulation.fates import Fates
from tests.simulation.flows import KEYS, POISON, TASKS
from tests.simulation.gone import Gone
from tests.simulation.places import Place
from tests.simulation.witness import Witness

MALFORMED: tuple[tuple[str, Any], ...] = (
    ("eventflow.command.task", {"workflow_execution_id": 1}),
    ("eventflow.command.stop", None),
    ("eventflow.command.expand", {"workflow_execution_id": "no"}),
    ("eventflow.command.run", [1, 2]),
    ("eventflow.report.success", {"run_id": 1}),
)


class Emitted(NamedTuple):
    """An event that its emitter means to be in the log, once."""

    key: str
    value: Any
    id: str


class Producers:
    """Emitters and commanders; `acknowledged` is what they were told is committed."""

    def __init__(self, client: Client, place: Place, fates: Fates, witness: Witness) -> None:
        self._client = client
        self._place = place
        self._fates = fates
        self._witness = witness
        self._again: list[Emitted] = []
        self._named: list[Emitted] = []
        self._count = 0
        self.acknowledged: dict[int, Emitted] = {}

    def emit(self) -> str:
        """Send an event under an id, one of before at times."""
        dice = self._fates.dice
        if self._again and dice.random() < 0.5:
            return self._send(self._again.pop(0))
        if self._named and self._fates.strikes("event: same id again"):
            return self._send(dice.choice(self._named))
        if self._named and self._fates.strikes("event: same id, other value"):
            return self._contradict(dice.choice(self._named))
        poison = self._fates.strikes("condition: raises")
        self._count += 1
        event = Emitted(dice.choice(KEYS), POISON if poison else self._count, f"e{self._count}")
        self._named.append(event)
        return self._send(event)

    def forget(self, gone: Gone) -> None:
        """Expect no more what retention has taken: an id that is forgotten is free again."""
        self._named = [one for one in self._named if ("default", "sim", one.id) not in gone.ids]
        for offset in self.acknowledged.keys() & gone.offsets:
            del self.acknowledged[offset]

    def finish(self) -> None:
        """Send what was never acknowledged."""
        while self._again:
            self._send(self._again.pop(0))

    def command(self) -> str:
        """Command something, maybe what makes no sense now."""
        dice = self._fates.dice
        if self._fates.strikes("command: malformed"):
            return self._malformed()
        what = dice.choice(["run", "run", "task", "task", "stop", "retry", "pause", "pool"])
        try:
            getattr(self, f"_{what}")()
        except (ConflictError, NotFoundError, StoreError) as error:
            return f"{what}: {type(error).__name__}"
        return what

    def calm_down(self, names: list[str]) -> None:
        """Give everybody who waits what they wait for, and let nothing begin by itself."""
        self.finish()
        for name in names:
            self._client.pause("default", name, paused=False)
        self._client.set_pool("p", 3)
        self._client.set_pool("default", None)

    def stop_all(self) -> int:
        """Stop every execution; how many had not ended."""
        alive = [
            one.id for one in self._place.store.executions(limit=10_000) if not one.status.ended
        ]
        for number in alive:
            self._client.stop(number)
        return len(alive)

    def _send(self, wanted: Emitted) -> str:
        try:
            event = self._client.emit(wanted.key, wanted.value, id=wanted.id, sender="sim")
        except StoreError:
            # Whether it is there is not known: the same again, under the same id (S3).
            self._again.append(wanted)
            return f"{wanted.id} failed"
        if event.offset not in self._place.gone.offsets:
            self.acknowledged[event.offset] = wanted
        return f"{wanted.id} at {event.offset}"

    def _contradict(self, named: Emitted) -> str:
        known = named in self.acknowledged.values()
        try:
            event = self._client.emit(named.key, "another", id=named.id, sender="sim")
        except DuplicateEventError:
            return f"{named.id} contradicted: refused"
        except StoreError as error:
            if not known:
                # Either of the two may have the id now.
                self._let_be(named)
            return f"{named.id} contradicted: {type(error).__name__}"
        if known:
            raise AssertionError(f"{named} is in the log, and {event.value!r} was taken too")
        # It never came; now this one has its id, and the first can only be refused.
        self._let_be(named)
        self.acknowledged[event.offset] = named._replace(value="another")
        return f"{named.id} is another now"

    def _let_be(self, named: Emitted) -> None:
        self._again = [one for one in self._again if one.id != named.id]
        self._named = [one for one in self._named if one.id != named.id]

    def _malformed(self) -> str:
        key, value = self._fates.dice.choice(MALFORMED)
        self._count += 1
        event = Event(
            key, value, sender="sim", id=f"m{self._count}", time=self._client._clock.now()
        )
        (written,) = self._place.store.append([event])
        self._witness.malformed.add(written.offset)
        return f"malformed {key} at {written.offset}"

    def _execution(self) -> int:
        found = self._place.store.executions(limit=6)
        if not found:
            raise NotFoundError("there is no execution")
        return self._fates.dice.choice(found).id

    def _run(self) -> None:
        again = self._fates.dice.choice(["", "", "monday"])
        self._client.run("default", "w", idempotency_key=again)

    def _task(self) -> None:
        dice = self._fates.dice
        task, action = dice.choice([*TASKS, "sub"]), dice.choice(sorted(TaskAction))
        self._client.task(self._execution(), task, action)

    def _stop(self) -> None:
        self._client.stop(self._execution())

    def _retry(self) -> None:
        self._client.retry(self._execution())

    def _pause(self) -> None:
        self._client.pause("default", "w", paused=self._fates.dice.random() < 0.5)

    def _pool(self) -> None:
        dice = self._fates.dice
        with suppress(DuplicateEventError):
            self._client.set_pool(dice.choice(["p", "p", "default"]), dice.choice([None, 0, 1, 2]))
