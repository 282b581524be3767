"""What a memory store has recorded: its rows as they were at one moment."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from eventflow.core.plan import Plan
from eventflow.store.listed import SnapshotRecord
from eventflow.store.loading import Kept, load
from eventflow.store.ports import Loaded
from eventflow.store.recording import Stored, Tables, stored, stored_event
from eventflow.store.shelves import Shelves


class MemoryRecording(Tables):
    """A Recording of the shelves of a memory store; taken under its lock."""

    def __init__(self, shelves: Shelves, kept: Kept) -> None:
        super().__init__()
        self._kept = kept
        self._snapshots = sorted(shelves.snapshots.values(), key=lambda record: record.hash)
        for name, rows in _TABLES.items():
            self._tables[name] = list(rows(shelves))

    def snapshots(self) -> list[SnapshotRecord]:
        return self._snapshots

    def load(self, plan_of: Callable[[str], Plan]) -> Loaded:
        return load(self._kept, plan_of)


def _events(shelves: Shelves) -> Iterator[Stored]:
    for turn in sorted(shelves.turns):
        offset = shelves.turns[turn]
        yield stored_event(shelves.event_at(offset), shelves.decided_at.get(offset))


def _undecided(shelves: Shelves) -> Iterator[Stored]:
    return (stored_event(shelves.event_at(offset), None) for offset in shelves.undecided)


def _history(shelves: Shelves) -> Iterator[Stored]:
    return map(stored, sorted(shelves.every_step(), key=lambda row: (row.turn, row.number)))


def _states(shelves: Shelves) -> Iterator[Stored]:
    return (key._asdict() | {"value": text} for key, text in shelves.states.items())


def _cursor(shelves: Shelves) -> Iterator[Stored]:
    counters = shelves.counters
    yield {
        "offset": shelves.cursor,
        "turn": counters.turn,
        "execution_id": counters.execution_id,
        "task_execution_id": counters.run_id,
    }


def _all(of: Callable[[Shelves], Iterable[NamedTuple]]) -> Callable[[Shelves], Iterator[Stored]]:
    return lambda shelves: map(stored, of(shelves))


_TABLES: dict[str, Callable[[Shelves], Iterator[Stored]]] = {
    "event": _events,
    "undecided": _undecided,
    "decision": _all(lambda shelves: shelves.decisions),
    "verdict": _all(lambda shelves: shelves.verdicts),
    "task_history": _history,
    "schedule_firing": _all(lambda shelves: shelves.firings.values()),
    "attempt_failure": _all(
        lambda shelves: [row for rows in shelves.failures.values() for row in rows]
    ),
    "workflow_execution": _all(lambda shelves: shelves.executions.values()),
    "task_execution": _all(lambda shelves: shelves.runs.values()),
    "state": _states,
    "result": lambda shelves: ({"task_execution_id": run_id} for run_id in shelves.results),
    "workflow": _all(lambda shelves: shelves.workflows.values()),
    "timer": _all(lambda shelves: shelves.timers.values()),
    "outbox": _all(lambda shelves: shelves.outbox.values()),
    "pool": _all(lambda shelves: shelves.pools.values()),
    "cursor": _cursor,
}
