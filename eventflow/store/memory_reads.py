"""What is read from the memory store."""

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Unpack

from eventflow.core.pools import HOLDS_SLOT
from eventflow.model.event import Event
from eventflow.model.records import (
    AttemptFailure,
    DecisionRecord,
    EventCount,
    ItemCounts,
    PoolRecord,
    StatusChange,
    TaskExecution,
    VerdictRecord,
    WorkflowExecution,
)
from eventflow.model.shape import Shape
from eventflow.model.status import ExecutionType, TaskAction, TaskStatus, WorkflowStatus
from eventflow.store.items import KeptItems, assembled
from eventflow.store.listed import SnapshotRecord, TimerRecord, WorkflowRecord
from eventflow.store.records import (
    decision_of,
    execution_of,
    failure_of,
    pools_of,
    status_change_of,
    task_execution_of,
    timer_record_of,
    verdict_of,
    workflow_of,
)
from eventflow.store.rows import DecisionRow, ExecutionRow, RunRow, VerdictRow
from eventflow.store.selection import Selection, Which
from eventflow.store.shelves import Shelves


class MemoryReads:
    """The reading half of the memory store."""

    def __init__(self, shelves: Shelves, lock: threading.RLock) -> None:
        self._shelves = shelves
        self._lock = lock

    def log_path(
        self, execution_id: int, task: str, number: int, attempt: int, item: int = -1
    ) -> Path | None:
        return None

    def undecided(self, limit: int) -> list[Event]:
        shelves = self._shelves
        with self._lock:
            return [shelves.event_at(offset) for offset in islice(shelves.undecided, limit)]

    def has_undecided(self, workflow_execution_id: int, *, after: int) -> bool:
        shelves = self._shelves
        with self._lock:
            for offset in reversed(shelves.undecided):
                if offset <= after:
                    return False
                if shelves.event_at(offset).workflow_execution_id == workflow_execution_id:
                    return True
            return False

    def read(
        self, *, limit: int = 1000, newest: bool = False, **which: Unpack[Which]
    ) -> list[Event]:
        chosen = list(islice(self._chosen(Selection.of(which), newest=newest), limit))
        return chosen[::-1] if newest else chosen

    def count(self, **which: Unpack[Which]) -> EventCount:
        found = Counter(event.sender for event in self._chosen(Selection.of(which)))
        return EventCount(total=found.total(), by_sender=dict(found))

    def offset_at(self, instant: datetime) -> int:
        every = Selection.of({"keys": ["**", "eventflow.**"], "until": instant})
        return next((event.offset for event in self._chosen(every, newest=True)), 0)

    def event_of_turn(self, turn: int) -> Event | None:
        with self._lock:
            offset = self._shelves.turns.get(turn)
            return self._shelves.event_at(offset) if offset is not None else None

    def last_offset(self) -> int:
        return len(self._shelves.events)

    def decided_offset(self, offset: int) -> bool:
        shelves = self._shelves
        with self._lock:
            return 0 < offset <= len(shelves.events) and offset not in shelves.undecided

    def execution(self, execution_id: int) -> WorkflowExecution | None:
        with self._lock:
            row = self._shelves.executions.get(execution_id)
            return self._execution(row, with_tasks=True) if row is not None else None

    def execution_status(self, execution_id: int) -> WorkflowStatus | None:
        row = self._shelves.executions.get(execution_id)
        return WorkflowStatus(row.status) if row is not None else None

    def executions(
        self,
        *,
        workflow: str | None = None,
        namespace: str | None = None,
        statuses: Iterable[WorkflowStatus] = (),
        limit: int = 50,
    ) -> list[WorkflowExecution]:
        wanted = set(statuses)
        with self._lock:
            found = (
                row
                for row in reversed(self._shelves.executions.values())
                if workflow in (None, row.workflow)
                and namespace in (None, row.namespace)
                and (not wanted or row.status in wanted)
            )
            return [self._execution(row) for row in islice(found, limit)]

    def sub_executions(self, execution_id: int) -> list[WorkflowExecution]:
        with self._lock:
            return [
                self._execution(row)
                for row in self._shelves.executions.values()
                if row.parent_execution_id == execution_id
            ]

    def task_execution(self, task_execution_id: int) -> TaskExecution | None:
        with self._lock:
            row = self._shelves.runs.get(task_execution_id)
            return self._task_execution(row) if row is not None else None

    def items(
        self,
        task_execution_id: int,
        *,
        statuses: Iterable[TaskStatus] = (),
        after: int = -1,
        limit: int = 1000,
    ) -> list[TaskExecution]:
        wanted = set(statuses)
        with self._lock:
            row = self._shelves.runs.get(task_execution_id)
            found = (
                item
                for item in (self._items(row) if row is not None else ())
                if item.item > after and (not wanted or item.status in wanted)
            )
            return [self._task_execution(item) for item in islice(found, limit)]

    def history(self, task_execution_id: int) -> list[StatusChange]:
        with self._lock:
            return [*map(status_change_of, self._shelves.steps_of(task_execution_id))]

    def failures(self, task_execution_id: int) -> list[AttemptFailure]:
        with self._lock:
            return [*map(failure_of, self._shelves.failures.get(task_execution_id, ()))]

    def task_status(self, execution_id: int, task: str) -> TaskStatus | None:
        with self._lock:
            standing = [row for row in self._runs(execution_id, task) if not row.dropped]
            return TaskStatus(standing[-1].status) if standing else None

    def result(self, task_execution_id: int, index: Sequence[int] = ()) -> str | None:
        with self._lock:
            row = self._shelves.runs.get(task_execution_id)
            return self._brought_by(row, index) if row is not None else None

    def shape(self, task_execution_id: int) -> Shape | None:
        with self._lock:
            row = self._shelves.runs.get(task_execution_id)
            origin = self._shelves.runs.get(row.taken_from or row.id) if row is not None else None
        if origin is None or origin.items is None:
            return None
        return KeptItems.read(origin.items).shape

    def latest_result(self, execution_id: int, task: str) -> str | None:
        with self._lock:
            done = [
                row for row in self._runs(execution_id, task) if row.status == TaskStatus.SUCCESS
            ]
            return self._brought_by(done[-1]) if done else None

    def read_data(self, execution_id: int, key: str) -> str | None:
        return self._shelves.data.get((execution_id, key))

    def decisions(
        self, execution_id: int | None = None, *, command_offset: int | None = None
    ) -> list[DecisionRecord]:
        with self._lock:
            return [
                self._decision(row)
                for row in self._shelves.decisions
                if execution_id in (None, row.workflow_execution_id)
                and command_offset in (None, self._shelves.turns[row.turn])
            ]

    def verdicts(
        self,
        execution_id: int | None = None,
        *,
        workflow: tuple[str, str] | None = None,
        turn: int | None = None,
        of_turn: int | None = None,
        failed: bool = False,
        unanswered: bool = False,
        limit: int = 1000,
    ) -> list[VerdictRecord]:
        with self._lock:
            newest = {_asked(row): row.turn for row in self._shelves.verdicts} if unanswered else {}
            found = (
                row
                for row in reversed(self._shelves.verdicts)
                if execution_id in (None, row.workflow_execution_id)
                and workflow in (None, (row.namespace, row.workflow))
                and turn in (None, row.turn)
                and of_turn in (None, row.of_turn)
                and (row.error or not (failed or unanswered))
                and newest.get(_asked(row), row.turn) == row.turn
            )
            return [self._verdict(row) for row in islice(found, limit)][::-1]

    def state(self, execution_id: int | None, workflow: tuple[str, str]) -> dict[str, str]:
        owner = (execution_id or 0, *workflow)
        with self._lock:
            kept = self._shelves.states.items()
            return {key.name: text for key, text in sorted(kept) if key[:3] == owner}

    def workflows(self) -> list[WorkflowRecord]:
        with self._lock:
            rows = sorted(self._shelves.workflows.values())
        return [workflow_of(row) for row in rows]

    def pools(self) -> list[PoolRecord]:
        shelves = self._shelves
        with self._lock:
            busy = Counter(
                (
                    shelves.executions[row.workflow_execution_id].namespace,
                    row.pool,
                    row.status == TaskStatus.QUEUED
                    and (row.id, row.attempt, TaskAction.START) not in shelves.outbox,
                )
                for row in shelves.runs.values()
                if row.status in HOLDS_SLOT
            )
            return pools_of(shelves.pools.values(), busy)

    def snapshot(self, snapshot_hash: str) -> SnapshotRecord | None:
        return self._shelves.snapshots.get(snapshot_hash)

    def parked(self) -> dict[int, str]:
        with self._lock:
            return dict(self._shelves.parked)

    def timers(self, kinds: Iterable[str] = ()) -> list[TimerRecord]:
        wanted = set(kinds)
        with self._lock:
            rows = [
                row for row in self._shelves.timers.values() if not wanted or row.kind in wanted
            ]
        return [timer_record_of(row) for row in sorted(rows, key=lambda row: (row.due_at, row.key))]

    def last_fired(self, timer_key: str) -> datetime | None:
        with self._lock:
            fired = (
                row.due_at
                for row in self._shelves.firings.values()
                if row.schedule == timer_key and row.since is None
            )
            return max(fired, default=None)

    def _chosen(self, selection: Selection, *, newest: bool = False) -> Iterator[Event]:
        with self._lock:
            events = self._shelves.events[selection.after : selection.until]
        return filter(selection.has, reversed(events) if newest else events)

    def _runs(self, execution_id: int, task: str) -> Iterator[RunRow]:
        return (row for row in self._shelves.runs_of(execution_id) if row.task == task)

    def _brought_by(self, row: RunRow, index: Sequence[int] = ()) -> str | None:
        """The result of a run, or of the one that it was taken over from (S31)."""
        origin = self._shelves.runs.get(row.taken_from or row.id, row)
        if origin.items is None:
            return self._shelves.results.get(origin.id) if not index else None
        kept = KeptItems.read(origin.items)
        return assembled(kept.first, kept.shape, index, self._results_of)

    def _results_of(self, ids: range) -> list[str | None]:
        shelves = self._shelves
        return [shelves.results.get(shelves.runs[run_id].taken_from or run_id) for run_id in ids]

    def _execution(self, row: ExecutionRow, *, with_tasks: bool = False) -> WorkflowExecution:
        offset = self._shelves.turns.get(row.trigger_turn)
        trigger = self._shelves.event_at(offset) if offset is not None else None
        tasks = self._shelves.runs_of(row.id) if with_tasks else ()
        return execution_of(row, trigger, tuple(map(self._task_execution, tasks)))

    def _task_execution(self, row: RunRow) -> TaskExecution:
        execution = self._shelves.executions[row.workflow_execution_id]
        kind, counts, shape = ExecutionType(execution.execution_type), None, None
        if row.items is not None:
            items = self._items(row)
            found = Counter(TaskStatus(item.status) for item in items)
            counts = ItemCounts(total=len(items), by_status=dict(found))
        if row.parent:
            shape = KeptItems.read(self._shelves.runs[row.parent].items or "").shape
        return task_execution_of(row, kind, counts=counts, shape=shape)

    def _items(self, row: RunRow) -> list[RunRow]:
        if row.items is None:
            return []
        kept = KeptItems.read(row.items)
        return [self._shelves.runs[kept.first + number] for number in range(kept.shape.count)]

    def _decision(self, row: DecisionRow) -> DecisionRecord:
        event = self._shelves.event_at(self._shelves.turns[row.turn])
        return decision_of(row, event.key, event.offset)

    def _verdict(self, row: VerdictRow) -> VerdictRecord:
        event = self._shelves.event_at(self._shelves.turns[row.turn])
        return verdict_of(row, event.key, event.offset, event.logged_at)


def _asked(row: VerdictRow) -> tuple[object, ...]:
    """Names the rule, and the event that it was asked about, once or several times."""
    rule = (row.workflow_execution_id, row.namespace, row.workflow, row.task, row.rule)
    return (row.of_turn or row.turn, *rule)
