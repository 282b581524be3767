"""Replay: a log that was decided goes through the real core again, and must come out equal (S9).

Nothing of a user's is asked or run: what conditions said then is recorded. A turn is decided, then
what it would write is held against what was written; a run or execution that has ended is compared
whole and forgotten, so that the length of the log costs no memory.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import islice

from eventflow.core.decide import (
    COMMAND,
    QUIET,
    REPORT,
    SENDER,
    SET_ASIDE,
    TASK_FACT,
    facts_of,
    set_aside,
    take,
)
from eventflow.core.decision import Decision
from eventflow.core.draft import Draft
from eventflow.core.judge import Ask
from eventflow.core.plan import Plan
from eventflow.core.portrait import portrait
from eventflow.core.world import Timer, World
from eventflow.errors import EventflowError, NotFoundError, StoreError
from eventflow.model.event import Event
from eventflow.model.jsonvalue import json_text
from eventflow.runtime.asking import Asking
from eventflow.runtime.differences import Replayed
from eventflow.runtime.remade import Remade
from eventflow.store.doomed import BEING_PRUNED
from eventflow.store.gathering import rows_of
from eventflow.store.ports import Batch
from eventflow.store.recording import Recorded, Recording, Stored, decided_at, event_in, stored

PAGE = 1000
_WORKFLOW_FACT = "eventflow.workflow."
_SUCCESS = f"{REPORT}success"
# What a task returned is not in the log (S37): this stands for it, and is compared with nothing.
_NO_RESULT = "null"
# Of a snapshot that is registered, and of an execution that is retried.
_NO_CODE = ("refused: the code of snapshot", "refused: the code of execution")
# By turn, and compared in it.
_OF_TURN = ("decision", "verdict", "task_history")

FactId = tuple[str, str, int | None, str, datetime | None]


def replay(
    store: Recorded,
    plan_of: Callable[[str], Plan],
    *,
    ask: Ask | None = None,
    progress: Callable[[int], None] = lambda turns: None,
) -> Replayed:
    """Replay what a store holds, as of one commit; nothing is written to it.

    Args:
        plan_of: The plan of a snapshot's hash; raises EventflowError when its code is not at hand.
        ask: Asks users' conditions again, beside what is recorded; `None` asks none.
        progress: Called now and then with the number of turns that are replayed.

    Raises:
        NotFoundError: If the code of a workflow cannot be loaded; names every such workflow.
        StoreError: If the log does not begin at its first turn.
    """
    with store.recording() as recording:
        return replay_recording(recording, plan_of, ask=ask, progress=progress)


def replay_recording(
    recording: Recording,
    plan_of: Callable[[str], Plan],
    *,
    ask: Ask | None = None,
    progress: Callable[[int], None] = lambda turns: None,
) -> Replayed:
    """Replay a recording; see `replay`."""
    replaying = _Replay(recording, plan_of, ask)
    rows = recording.table("event")
    while page := list(islice(rows, PAGE)):
        if not replaying.take(page):
            break
        progress(replaying.found.events)
    else:
        replaying.end()
    return replaying.found


class _Replay:
    """The world that comes out so far, and what was found different."""

    def __init__(
        self, recording: Recording, plan_of: Callable[[str], Plan], ask: Ask | None
    ) -> None:
        self.found = Replayed()
        self._recording = recording
        self._plan_of = plan_of
        self._world = World()
        self._rows = Remade(recording, self.found)
        self._asking = Asking(self.found, ask)
        self._streams = {name: _Stream(recording.table(name)) for name in _OF_TURN}
        # Status facts that a decision has made true, until the log has them (S12).
        self._facts: Counter[FactId] = Counter()
        self._read_to = 0

    def take(self, page: list[Stored]) -> bool:
        """Replay some turns; `False` when it cannot go on behind one of them."""
        for row in page:
            if not self._turn(row):
                return False
        self._rows.compare_ended()
        return True

    def end(self) -> None:
        """Hold what stands at the end against what was kept."""
        for name, stream in self._streams.items():
            for row in stream.rest():
                self.found.differs(
                    row["turn"], "", f"{name} of a turn that is not there", row, None
                )
        cursor = next(self._recording.table("cursor"))
        counters = self._world.counters
        if counters.turn < cursor["turn"]:
            raise StoreError(
                f"the log ends with turn {counters.turn} where {cursor['turn']} were decided; what "
                f"is missing was pruned or is lost, and a replay needs all of it"
            )
        self._check_executions(cursor["execution_id"])
        self.found.compare(
            0,
            "",
            "cursor",
            [cursor],
            [
                {
                    "offset": self._read_to,
                    "turn": counters.turn,
                    "execution_id": counters.execution_id,
                    "task_execution_id": counters.run_id,
                }
            ],
        )
        waiting = Counter(
            _fact_id(event)
            for event in map(event_in, self._recording.table("undecided"))
            if _is_fact(event)
        )
        for fact in (self._facts - waiting).elements():
            self.found.differs(0, fact[0], "fact", None, list(fact[:4]))
        self._rows.end()
        self._compare_worlds()

    def _check_executions(self, made: int) -> None:
        """They may be gone before the log is: a prune was killed on the way."""
        rows = self._recording.table("workflow_execution")
        gone = made - sum(row["reason"] != BEING_PRUNED for row in rows)
        if gone > 0:
            raise StoreError(
                f"{gone} of {made} executions were pruned or are lost, and a replay needs all of "
                f"them"
            )

    def _turn(self, row: Stored) -> bool:
        event, now, turn = event_in(row), decided_at(row), row["turn"]
        expected = self._world.counters.turn + 1
        if turn != expected:
            begins = expected == 1
            told = "does not begin at its beginning, but" if begins else "goes on"
            raise StoreError(
                f"the log {told} with turn {turn} where turn {expected} should be; what is "
                f"missing was pruned or is lost, and a replay needs all of it"
            )
        then = {name: stream.take(turn) for name, stream in self._streams.items()}
        self._read_to = max(self._read_to, event.offset)
        if event.key == f"{COMMAND}register":
            self._learn(event, then["decision"])
        self._asking.begin(turn, event.key, then["verdict"])
        try:
            decision = self._decide(event, now, then["decision"])
            facts = facts_of(self._world, decision.changes, now)
        except Exception as error:
            # A core that fails at what one before it decided is what a replay is there to find.
            self.found.differs(turn, event.key, "decided", "it was decided", repr(error))
            return False
        self._account_for(event, turn, facts)
        self._compare(turn, decision, then, now)
        return True

    def _decide(self, event: Event, now: datetime, then: list[Stored]) -> Decision:
        draft, timer = Draft(self._world), self._timer(event, now)
        aside = [row["did"] for row in then if row["did"].startswith(SET_ASIDE)]
        if aside:
            # Whatever kept it from being decided was an input of that day, as a verdict is.
            why = aside[0].removeprefix(SET_ASIDE)
            return set_aside(draft, event, why, now, timer=timer)
        result = _NO_RESULT if event.key == _SUCCESS else None
        with self._code_of(event, then):
            return take(draft, event, self._asking.ask, now, timer=timer, result=result)

    @contextmanager
    def _code_of(self, event: Event, then: list[Stored]) -> Iterator[None]:
        """Leave out the plan that was not at hand then, though it had been before."""
        plans = self._world.plans
        lacked = any(row["did"].startswith(_NO_CODE) for row in then)
        plan = plans.pop(event.value["snapshot"], None) if lacked else None
        try:
            yield
        finally:
            if plan is not None:
                plans[plan.snapshot] = plan

    def _compare(
        self, turn: int, decision: Decision, then: dict[str, list[Stored]], now: datetime
    ) -> None:
        batch = Batch(
            decisions=[decision],
            left_over=[],
            read_from=0,
            read_to=0,
            counters=self._world.counters,
            now=now,
        )
        rows = rows_of(batch)
        key = decision.event.key
        self.found.events += 1
        self.found.decisions += len(rows.decisions)
        made = {
            "decision": list(map(stored, rows.decisions)),
            "verdict": list(map(stored, rows.verdicts)),
        }
        made["task_history"] = list(map(stored, self._rows.take(turn, key, rows, now)))
        for name, found in made.items():
            self.found.compare(turn, key, name, then[name], found)

    def _learn(self, event: Event, decisions: list[Stored]) -> None:
        """Have the plan that is registered; where it was not at hand then, it is not now."""
        if any(row["did"].startswith((*_NO_CODE, SET_ASIDE)) for row in decisions):
            return
        try:
            self._world.learn(self._plan_of(event.value["snapshot"]))
        except EventflowError as error:
            raise NotFoundError(self._missing()) from error

    def _missing(self) -> str:
        reasons = []
        for record in self._recording.snapshots():
            try:
                self._plan_of(record.hash)
            except EventflowError as error:
                reasons.append(f"{record.workflow!r} (snapshot {record.hash[:12]}): {error}")
        return f"these workflows cannot be replayed: {'; '.join(reasons)}"

    def _timer(self, event: Event, now: datetime) -> Timer | None:
        """What went off, when the event is an alarm."""
        if not event.key.startswith("eventflow.timer.") or event.key == QUIET:
            return None
        told = event.value
        timer = self._world.timers.get(told["timer"])
        if timer is not None and (timer.due_at, timer.attempt) == (
            datetime.fromisoformat(told["due_at"]),
            told["attempt"],
        ):
            return timer
        # It was cleared or moved before its turn came: one that the world does not have.
        return Timer("gone", now)

    def _account_for(self, event: Event, turn: int, facts: Iterable[Event]) -> None:
        """Every status fact of the log was made by a decision before it, once (S12)."""
        if _is_fact(event):
            fact = _fact_id(event)
            if self._facts[fact] < 1:
                self.found.differs(turn, event.key, "fact", event.value, None)
            elif self._facts[fact] == 1:
                del self._facts[fact]
            else:
                self._facts[fact] -= 1
        self._facts.update(map(_fact_id, facts))

    def _compare_worlds(self) -> None:
        """Loading must give the world that deciding has made (S10)."""
        loaded = self._recording.load(self._plan_of)
        if loaded is None:
            return
        then, now = portrait(loaded.world), portrait(self._world)
        for name in sorted({*then, *now}):
            if then.get(name) != now.get(name):
                self.found.differs(0, "", f"world: {name}", then.get(name), now.get(name))


class _Stream:
    """Rows in the order of turns, taken a turn at a time."""

    def __init__(self, rows: Iterator[Stored]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    def take(self, turn: int) -> list[Stored]:
        """The rows up to a turn; there are none of an earlier one where nothing is wrong."""
        found = []
        while self._next is not None and self._next["turn"] <= turn:
            found.append(self._next)
            self._next = next(self._rows, None)
        return found

    def rest(self) -> Iterator[Stored]:
        while self._next is not None:
            yield self._next
            self._next = next(self._rows, None)


def _is_fact(event: Event) -> bool:
    return event.sender == SENDER and event.key.startswith((TASK_FACT, _WORKFLOW_FACT))


def _fact_id(event: Event) -> FactId:
    return (
        event.key,
        event.namespace,
        event.workflow_execution_id,
        json_text(event.value),
        event.time,
    )
