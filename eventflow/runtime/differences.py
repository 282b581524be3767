"""Where a replay came out otherwise than the recording: what was kept then, what comes out now."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from eventflow.store.recording import Stored

MOST_SHOWN = 20
_PLACES = frozenset({"turn", "number"})  # told beside, or counted for each batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not as it was.

    Attributes:
        turn: Where it came to light; 0 when only the end shows it.
        event: Key of the event of that turn.
        what: The table, or the part of the world.
        then: What the recording has; `None` where it has nothing.
        now: What the replay has; `None` where it has nothing.
    """

    turn: int
    event: str
    what: str
    then: Any
    now: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsteady:
    """A condition that answered otherwise than it did then: its code or what it reads has changed.

    Attributes:
        task: Empty for a rule of the workflow.
        rule: Its place among the rules of its task, or of its workflow; from 0.
        then: Whether it was met, whether it failed, and what it wrote.
    """

    turn: int
    event: str
    namespace: str
    workflow: str
    task: str
    rule: int
    workflow_execution_id: int | None
    then: dict[str, Any]
    now: dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Replayed:
    """What came of a replay.

    Attributes:
        events: How many were decided.
        decisions: How many outcomes of rules and commands that gave.
        count: How many differences there are; `differences` has the first of them.
        asked: How many answers of users' conditions were asked for again.
        unsteady: The conditions of which one was different, each with the first such answer.
    """

    events: int = 0
    decisions: int = 0
    count: int = 0
    differences: list[Difference] = field(default_factory=list)
    asked: int = 0
    unsteady: list[Unsteady] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Whether nothing at all was different."""
        return not (self.count or self.unsteady)

    def differs(self, turn: int, event: str, what: str, then: Any, now: Any) -> None:
        self.count += 1
        if len(self.differences) < MOST_SHOWN:
            self.differences.append(
                Difference(turn=turn, event=event, what=what, then=then, now=now)
            )

    def compare(
        self, turn: int, event: str, what: str, then: Sequence[Stored], now: Sequence[Stored]
    ) -> None:
        """Hold rows against each other, one by one, in their order."""
        for place in range(max(len(then), len(now))):
            before = then[place] if place < len(then) else None
            after = now[place] if place < len(now) else None
            if before is None or after is None:
                self.differs(turn, event, what, _shown(before), _shown(after))
                continue
            changed = [
                name
                for name, value in before.items()
                if name not in _PLACES and after.get(name) != value
            ]
            if changed:
                self.differs(turn, event, what, _shown(before, changed), _shown(after, changed))

    def compare_named(
        self, what: str, key: Sequence[str], then: Iterable[Stored], now: Iterable[Stored]
    ) -> None:
        """Hold rows against each other that are in no order; `key` are the columns of a name."""
        before = {tuple(row[column] for column in key): row for row in then}
        after = {tuple(row[column] for column in key): row for row in now}
        for name in before.keys() | after.keys():
            pair = [[rows[name]] if name in rows else [] for rows in (before, after)]
            self.compare(0, "", what, *pair)


def _shown(row: Stored | None, changed: Sequence[str] = ()) -> Stored | None:
    """What of a row tells which it is, and what differs in it."""
    if row is None:
        return None
    named = ("id", "task_execution_id", "workflow_execution_id", "task", "did", "status")
    wanted = {*named, *changed} if changed else set(row)
    return {name: value for name, value in row.items() if name in wanted}
