"""A store in dicts: for tests, examples and replays, and the oracle for the others.

Nothing here outlives the program. Everything is under one lock.
"""

import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace

from eventflow.clock import Clock
from eventflow.core.plan import Plan
from eventflow.errors import LeaseLostError, StoreBusyError, StoreError, StoreRefusedError
from eventflow.model.event import Event
from eventflow.model.hops import calmed
from eventflow.model.jsonvalue import json_text, read
from eventflow.model.status import ALIVE, WORKFLOW_ENDED
from eventflow.store.cut import Cut, Manner, Pruned
from eventflow.store.gathering import rows_of
from eventflow.store.listed import Held, SnapshotRecord
from eventflow.store.loading import Kept, Step, load
from eventflow.store.memory_reads import MemoryReads
from eventflow.store.memory_recording import MemoryRecording
from eventflow.store.ports import Batch, Loaded
from eventflow.store.recording import Recording
from eventflow.store.repeats import dedup_key, place, value_hash
from eventflow.store.rows import Rows
from eventflow.store.shelves import Shelves, relogged


class MemoryStore(MemoryReads):
    """All ports of a store, in this process only.

    Args:
        clock: What `logged_at` is read from.
    """

    def __init__(self, *, clock: Clock) -> None:
        super().__init__(Shelves(), threading.RLock())
        self._clock = clock
        self._held: Held | None = None
        self._clean = False
        self._was_clean = False

    @property
    def url(self) -> str:
        return "sqlite://"

    @property
    def files(self) -> Path | None:
        return None

    def close(self) -> None:
        """Nothing to give back; what was kept stays as long as the store itself."""

    def append(
        self, events: Sequence[Event], *, drawn: bool = False, of_run: int = 0
    ) -> list[Event]:
        values = [read(json_text(event.value)) for event in events]
        hashes = [] if drawn else [value_hash(event) for event in events]
        shelves = self._shelves
        with self._lock:
            at = self._clock.now()
            run = shelves.runs.get(of_run)
            hops = calmed(run.hops, run.created_at, at) if run is not None else 0
            if drawn:
                offsets = list(
                    range(len(shelves.events) + 1, len(shelves.events) + 1 + len(events))
                )
                fresh = list(range(len(events)))
            else:
                offsets, fresh = place(events, hashes, shelves.seen.get, after=len(shelves.events))
            for number in fresh:
                event = replace(events[number], hops=hops)
                event = relogged(event, values[number], offsets[number], at, 0)
                shelves.put_event(event)
                key = dedup_key(event)
                if key is not None and not drawn:
                    shelves.remember(key, event.offset, hashes[number])
            return [shelves.events[offset - 1] for offset in offsets]

    def hold(self, program: str) -> None:
        with self._lock:
            if self._held is not None:
                raise StoreBusyError(
                    f"store {self.url!r} is held by {self._held.program} "
                    f"(pid {self._held.pid} on {self._held.host}, "
                    f"since {self._held.since.isoformat()}); stop that scheduler first"
                )
            self._held = Held(os.getpid(), socket.gethostname(), self._clock.now(), program)
            self._was_clean, self._clean = self._clean, False

    def release(self, *, clean: bool) -> None:
        with self._lock:
            if self._held is not None:
                self._held, self._clean = None, clean

    def holder(self) -> Held | None:
        return self._held

    def was_clean(self) -> bool:
        return self._was_clean

    def commit(self, batch: Batch) -> None:
        rows = rows_of(batch)
        with self._lock:
            at = (self._shelves.cursor, self._shelves.counters.turn)
            if self._held is None or at != (batch.read_from, batch.turns_from):
                raise LeaseLostError(
                    f"store {self.url!r}: the cursor is not at {batch.read_from}, turn "
                    f"{batch.turns_from}, under this scheduler's lease any more"
                )
            self._check(rows)
            self._shelves.cursor = batch.read_to
            self._shelves.take(rows, batch.now)

    def keep_snapshot(self, *records: SnapshotRecord) -> None:
        with self._lock:
            for record in records:
                self._shelves.snapshots.setdefault(record.hash, record)

    def park(self, reasons: Mapping[int, str]) -> None:
        with self._lock:
            self._shelves.parked = dict(reasons)

    def prune(self, cut: Cut, manner: Manner | None = None) -> Pruned:
        raise StoreError(
            f"store {self.url!r} is in memory and ends with its program: nothing of it is pruned; "
            f"name a file with --store sqlite:///eventflow.db"
        )

    def write_data(self, execution_id: int, key: str, value: str | None) -> None:
        with self._lock:
            if value is None:
                self._shelves.data.pop((execution_id, key), None)
            else:
                self._shelves.data[execution_id, key] = value

    def draw(self, task_execution_id: int, name: str, value: str) -> str:
        with self._lock:
            return self._shelves.drawn.setdefault((task_execution_id, name), value)

    def drawn(self, task_execution_id: int, name: str) -> str | None:
        return self._shelves.drawn.get((task_execution_id, name))

    def load(self, plan_of: Callable[[str], Plan]) -> Loaded:
        with self._lock:
            kept = self._kept()
        return load(kept, plan_of)

    @contextmanager
    def recording(self) -> Iterator[Recording]:
        with self._lock:
            recorded = MemoryRecording(self._shelves, self._kept())
        yield recorded

    def _check(self, rows: Rows) -> None:
        """Refuse what the tables of the other store would: nothing of a bad batch is written."""
        shelves = self._shelves
        fired = [(row.schedule, row.due_at) for row in rows.firings]
        if len({*fired}) < len(fired) or not shelves.firings.keys().isdisjoint(fired):
            raise StoreRefusedError(f"store {self.url!r}: a due time would be fired twice: {fired}")
        # One by one: a set less the keys of the whole shelf would walk the shelf.
        unknown = {update.id for update in rows.run_updates if update.id not in shelves.runs}
        if unknown:
            raise StoreRefusedError(f"store {self.url!r}: no task execution {unknown}")

    def _kept(self) -> Kept:
        shelves = self._shelves
        executions = [
            row for row in shelves.executions.values() if row.status not in WORKFLOW_ENDED
        ]
        live = {row.id for row in executions}
        turns = (row.trigger_turn for row in executions)
        untold = [
            event
            for event in map(shelves.event_at, shelves.undecided)
            if event.key.startswith("eventflow.task.") and event.workflow_execution_id in live
        ]
        told = {event.workflow_execution_id for event in untold}
        runs = sorted(
            (row for execution_id in live for row in shelves.runs_of(execution_id)),
            key=lambda row: (row.workflow_execution_id, row.task, row.sequence_number),
        )
        mapped = {row.id for row in runs if row.items is not None and row.status in ALIVE}
        return Kept(
            cursor=shelves.cursor,
            counters=shelves.counters,
            workflows=list(shelves.workflows.values()),
            executions=executions,
            triggers={turn: shelves.event_at(shelves.turns[turn]) for turn in turns if turn},
            runs=runs,
            items=[row for row in shelves.runs.values() if row.parent in mapped],
            states=[
                (key, text)
                for key, text in shelves.states.items()
                if not key.workflow_execution_id or key.workflow_execution_id in live
            ],
            timers=list(shelves.timers.values()),
            pools=list(shelves.pools.values()),
            outbox=list(shelves.outbox.values()),
            accounted=shelves.accounted(),
            untold=untold,
            steps=[
                Step(run.workflow_execution_id, run.task, run.sequence_number, run.id, entry.status)
                for run in runs
                if run.workflow_execution_id in told and not run.dropped
                for entry in shelves.steps_of(run.id)
            ],
        )
