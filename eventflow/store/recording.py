"""A log that was decided, and the rows that were kept of it: what a replay reads (S9).

A row is a dict by column here, as JSON has it: instants are microseconds UTC. So a replay compares
by name what a recording holds, whatever tables and columns an eventflow of its time had.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from eventflow.core.plan import Plan
from eventflow.model.event import Event
from eventflow.store.columns import instant_of, micros_of
from eventflow.store.listed import SnapshotRecord
from eventflow.store.ports import Loaded
from eventflow.store.rows import (
    DecisionRow,
    ExecutionRow,
    FailureRow,
    FiringRow,
    HistoryRow,
    OutboxRow,
    PoolRow,
    RunRow,
    StateKey,
    TimerRow,
    VerdictRow,
    WorkflowRow,
)

Stored = dict[str, Any]

# The columns of every table that a recording has. What tasks returned is not among them: a result
# decides nothing, and may be large or secret.
TABLES: dict[str, tuple[str, ...]] = {
    "event": (
        "offset",
        "turn",
        "logged_at",
        "key",
        "value",
        "namespace",
        "sender",
        "id",
        "time",
        "attributes",
        "workflow_execution_id",
        "decided_at",
        "hops",
    ),
    "decision": DecisionRow._fields,
    "verdict": VerdictRow._fields,
    "task_history": HistoryRow._fields,
    "schedule_firing": FiringRow._fields,
    "attempt_failure": FailureRow._fields,
    "workflow_execution": ExecutionRow._fields,
    "task_execution": RunRow._fields,
    "state": (*StateKey._fields, "value"),
    "result": ("task_execution_id",),
    "workflow": WorkflowRow._fields,
    "timer": TimerRow._fields,
    "outbox": OutboxRow._fields,
    "pool": PoolRow._fields,
    "cursor": ("offset", "turn", "execution_id", "task_execution_id"),
}
# What names a row of a table that is in no order; rows are asked for by the first of it.
KEYS: dict[str, tuple[str, ...]] = {
    "workflow_execution": ("id",),
    "task_execution": ("id",),
    "attempt_failure": ("task_execution_id", "attempt"),
    "result": ("task_execution_id",),
    "state": StateKey._fields,
    "workflow": ("namespace", "name"),
    "timer": ("key",),
    "outbox": ("task_execution_id", "attempt", "action"),
    "pool": ("namespace", "name"),
}


class Recording(Protocol):
    """A log with its decisions, as of one commit; it is only read."""

    def table(self, name: str) -> Iterator[Stored]:
        """Every row of a table, in the order in which deciding made them.

        Of `event` those that have a turn, by their turns; `undecided` are the others.
        """
        ...

    def rows(self, name: str, ids: Iterable[int]) -> list[Stored]:
        """The rows of a table of `KEYS` that have one of these ids."""
        ...

    def count(self, name: str) -> int:
        """How many rows a table of `KEYS` has."""
        ...

    def snapshots(self) -> list[SnapshotRecord]:
        """Every snapshot of the store, in order of hash."""
        ...

    def load(self, plan_of: Callable[[str], Plan]) -> Loaded | None:
        """The world that a scheduler would begin with; `None` where there is no store behind it."""
        ...


class Tables:
    """The tables of a recording, all of them in memory; rows are found by their id."""

    def __init__(self) -> None:
        self._tables: dict[str, list[Stored]] = defaultdict(list)
        self._by_id: dict[str, dict[int, list[Stored]]] = {}

    def table(self, name: str) -> Iterator[Stored]:
        return iter(self._tables[name])

    def rows(self, name: str, ids: Iterable[int]) -> list[Stored]:
        found = self._by_id.get(name)
        if found is None:
            found = self._by_id[name] = {}
            for row in self._tables[name]:
                found.setdefault(row[KEYS[name][0]], []).append(row)
        return [row for one in ids for row in found.get(one, ())]

    def count(self, name: str) -> int:
        return len(self._tables[name])


class Recorded(Protocol):
    """What has a recording: either store."""

    def recording(self) -> AbstractContextManager[Recording]:
        """What it holds as of one commit."""
        ...


def stored(row: NamedTuple) -> Stored:
    """A row by its columns."""
    return {
        name: micros_of(value) if isinstance(value, datetime) else value
        for name, value in row._asdict().items()
    }


def stored_event(event: Event, decided_at: datetime | None) -> Stored:
    """A row of the log."""
    return {
        "offset": event.offset,
        "turn": event.turn,
        "logged_at": micros_of(event.logged_at),
        "key": event.key,
        "value": event.value,
        "namespace": event.namespace,
        "sender": event.sender,
        "id": event.id,
        "time": micros_of(event.time),
        "attributes": event.attributes,
        "workflow_execution_id": event.workflow_execution_id,
        "decided_at": micros_of(decided_at),
        "hops": event.hops,
    }


def event_in(row: Stored) -> Event:
    """The event of a row, as the loop had it: one that its batch made had no place in the log."""
    was_logged = row["decided_at"] is not None
    return Event(
        row["key"],
        row["value"],
        namespace=row["namespace"],
        sender=row["sender"],
        id=row["id"],
        time=instant_of(row["time"]),
        attributes=row["attributes"] or {},
        workflow_execution_id=row["workflow_execution_id"],
        offset=row["offset"] if was_logged else 0,
        logged_at=instant_of(row["logged_at"]) if was_logged else None,
        # A recording of before there were any has none.
        hops=row.get("hops", 0),
    )


def decided_at(row: Stored) -> datetime:
    """The `now` of the batch that decided an event (S9)."""
    micros = row["decided_at"] if row["decided_at"] is not None else row["logged_at"]
    instant = instant_of(micros)
    if instant is None:
        raise ValueError(f"event {row['offset']} has no time")
    return instant
