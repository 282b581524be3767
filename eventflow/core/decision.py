"""What deciding one event comes to: changes, and outcomes that say why."""

from datetime import datetime
from typing import NamedTuple

from msgspec import Struct, field

from eventflow.core.changes import Change
from eventflow.core.draft import Draft
from eventflow.core.judge import Verdict
from eventflow.core.pools import Place, PoolKey, is_counted
from eventflow.core.world import LiveExecution, Run, World
from eventflow.model.event import Event

# What an event comes to that a workflow rule listens to while its workflow is paused (S17).
IGNORED_PAUSED = "ignored: paused"


class Outcome(Struct, frozen=True):
    """What a met rule or a command came to: a row of the table `decision`, read by `explain`.

    Attributes:
        rule: The rule's place among its task's; `None` for a command or the schedule.
        did: `started`, `restarted`, `stopped`, `ignored: alive`, `shadowed`, `refused: ...`; of a
            condition that was asked again also `not met` and `failed again`.
        run_id: The run that it started or stopped.
    """

    execution_id: int | None
    workflow: tuple[str, str]
    did: str
    task: str = ""
    rule: int | None = None
    action: str = ""
    run_id: int | None = None


class Decision(Struct, frozen=True):
    """The answer to one event."""

    event: Event
    turn: int
    changes: tuple[Change, ...]
    outcomes: tuple[Outcome, ...] = ()
    verdicts: tuple[Verdict, ...] = ()


class Asked(NamedTuple):
    """A run that is to be QUEUED and wants a slot, and its place among those who do."""

    place: Place
    live: LiveExecution
    run: Run


class Deciding(Struct):
    """A decision in the making: what the parts of the core write their changes to.

    Ids are drawn here from the world's counters, so that the same state gives the same ids.

    Attributes:
        now: The batch's time: what deadlines and delays are counted from.
        at: When the event happened, for the history: of a report, when it came.
        pools: Pools in which somebody may be next, with those that asked for a slot (S44).
        maps: Runs of mapped tasks of which something has moved (S43).
        again: The earlier event that is acted on, while one is judged again (S13).
    """

    world: World
    event: Event
    turn: int
    now: datetime
    at: datetime
    again: Event | None = None
    changes: list[Change] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    pools: dict[PoolKey, list[Asked]] = field(default_factory=dict)
    maps: dict[int, None] = field(default_factory=dict)
    _runs: int = 0
    _executions: int = 0
    _applied: int = 0

    @property
    def trigger_key(self) -> str:
        """Key of the event that is acted on."""
        return (self.again or self.event).key

    @property
    def trigger_turn(self) -> int:
        """Turn of the event that is acted on: what it starts reads that one (S16)."""
        return self.turn if self.again is None else self.again.turn

    def new_run_id(self) -> int:
        self._runs += 1
        return self.world.counters.run_id + self._runs

    def new_run_ids(self, count: int) -> int:
        """Draw ids that follow one another; return the first."""
        first = self.new_run_id()
        self._runs += count - 1
        return first

    def new_execution_id(self) -> int:
        self._executions += 1
        return self.world.counters.execution_id + self._executions

    def change(self, change: Change) -> None:
        self.changes.append(change)

    def counts(self, pool: PoolKey) -> bool:
        """Whether a pool's slots are counted."""
        return is_counted(pool, self.world.pools)

    def ask(self, pool: PoolKey, live: LiveExecution, run: Run) -> None:
        """Have a run QUEUED, and handed over as soon as it is its turn."""
        self.pools.setdefault(pool, []).append(Asked(live.place_of(run), live, run))

    def touch(self, pool: PoolKey) -> None:
        """Say that somebody in a pool may be next."""
        self.pools.setdefault(pool, [])

    def touch_map(self, run_id: int) -> None:
        """Say that a run of a mapped task is to be looked after."""
        self.maps[run_id] = None

    @property
    def is_settled(self) -> bool:
        """Whether nothing was decided since it was applied."""
        return self._applied == len(self.changes) and not self.maps and not self.pools

    def apply(self, draft: Draft) -> None:
        """Make what was decided so far true in the draft: what is decided next builds on it."""
        for change in self.changes[self._applied :]:
            change.apply(draft)
        self._applied = len(self.changes)
        self._runs = self._executions = 0

    def note(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
