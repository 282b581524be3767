"""Where the memory store keeps its rows, and how a batch's rows are put there."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from eventflow.core.world import Counters
from eventflow.model.event import Event
from eventflow.model.status import TaskStatus
from eventflow.store.listed import SnapshotRecord
from eventflow.store.repeats import DedupKey, Seen
from eventflow.store.rows import (
    DecisionRow,
    ExecutionRow,
    ExecutionUpdate,
    FailureRow,
    FiringRow,
    HistoryRow,
    ItemsClosing,
    OutboxRow,
    PoolRow,
    Rows,
    RunRow,
    RunUpdate,
    StateKey,
    TimerRow,
    VerdictRow,
    WorkflowRow,
)


@dataclass(slots=True)
class Shelves:
    """The rows of every table.

    Attributes:
        events: By offset, less one: none is ever deleted here.
        undecided: Offsets of events without a turn, oldest first.
        turns: Turn -> offset.
        decided_at: Offset -> when it was decided, of events that were in the log before.
        history: Run -> its steps, as plain tuples of what a HistoryRow has: those cost the garbage
            collector nothing, and they are most of what there is.
        run_ids: Execution id -> its runs that are no items, in order of their ids.
    """

    cursor: int = 0
    counters: Counters = field(default_factory=Counters)
    events: list[Event] = field(default_factory=list)
    undecided: dict[int, None] = field(default_factory=dict)
    turns: dict[int, int] = field(default_factory=dict)
    decided_at: dict[int, datetime] = field(default_factory=dict)
    seen: dict[DedupKey, Seen] = field(default_factory=dict)
    workflows: dict[tuple[str, str], WorkflowRow] = field(default_factory=dict)
    pools: dict[tuple[str, str], PoolRow] = field(default_factory=dict)
    snapshots: dict[str, SnapshotRecord] = field(default_factory=dict)
    executions: dict[int, ExecutionRow] = field(default_factory=dict)
    runs: dict[int, RunRow] = field(default_factory=dict)
    run_ids: dict[int, list[int]] = field(default_factory=dict)
    history: dict[int, list[tuple[Any, ...]]] = field(default_factory=dict)
    decisions: list[DecisionRow] = field(default_factory=list)
    verdicts: list[VerdictRow] = field(default_factory=list)
    states: dict[StateKey, str] = field(default_factory=dict)
    outbox: dict[tuple[int, int, str], OutboxRow] = field(default_factory=dict)
    timers: dict[str, TimerRow] = field(default_factory=dict)
    firings: dict[tuple[str, datetime], FiringRow] = field(default_factory=dict)
    results: dict[int, str] = field(default_factory=dict)
    failures: dict[int, list[FailureRow]] = field(default_factory=dict)
    data: dict[tuple[int, str], str] = field(default_factory=dict)
    drawn: dict[tuple[int, str], str] = field(default_factory=dict)
    parked: dict[int, str] = field(default_factory=dict)

    def event_at(self, offset: int) -> Event:
        return self.events[offset - 1]

    def runs_of(self, execution_id: int) -> Iterator[RunRow]:
        """The runs of one execution, oldest first."""
        return (self.runs[run_id] for run_id in self.run_ids.get(execution_id, ()))

    def steps_of(self, run_id: int) -> list[HistoryRow]:
        """The history of a run, oldest first."""
        return [HistoryRow._make(step) for step in self.history.get(run_id, ())]

    def every_step(self) -> list[HistoryRow]:
        """The history of all runs."""
        return [step for run_id in self.history for step in self.steps_of(run_id)]

    def put_event(self, event: Event) -> None:
        self.events.append(event)
        if event.turn:
            self.turns[event.turn] = event.offset
        else:
            self.undecided[event.offset] = None

    def remember(self, key: DedupKey, offset: int, value_hash: str) -> None:
        self.seen[key] = Seen(offset, value_hash)

    def take(self, rows: Rows, now: datetime) -> None:
        """Put a batch's rows where they belong."""
        self.counters = rows.counters
        for offset, turn in rows.turned:
            event = self.event_at(offset)
            self.events[offset - 1] = relogged(event, event.value, offset, event.logged_at, turn)
            self.turns[turn] = offset
            self.decided_at[offset] = now
            self.undecided.pop(offset, None)
        for event, taken in rows.appended:
            offset = len(self.events) + 1
            self.put_event(relogged(event, event.value, offset, now, taken or 0))
        self._take_executions(rows)
        self._take_runs(rows)
        self.decisions.extend(rows.decisions)
        self.verdicts.extend(rows.verdicts)
        _merge(self.states, rows.states)
        _merge(self.timers, rows.timers)
        for firing in rows.firings:
            self.firings[firing.schedule, firing.due_at] = firing
        for name, workflow in rows.workflows.items():
            before = self.workflows.get(name)
            paused = before.paused if before is not None else False
            self.workflows[name] = workflow._replace(paused=paused)
        self.pools.update(rows.pools)
        for name, is_paused in rows.paused.items():
            self.workflows[name] = self.workflows[name]._replace(paused=is_paused)

    def accounted(self) -> dict[tuple[str, str], datetime]:
        """The newest firing of each registered workflow."""
        newest: dict[str, datetime] = {}
        for schedule, due_at in self.firings:
            newest[schedule] = max(due_at, newest.get(schedule, due_at))
        keys = {name: f"schedule:{'/'.join(name)}" for name in self.workflows}
        return {name: newest[key] for name, key in keys.items() if key in newest}

    def _take_executions(self, rows: Rows) -> None:
        for row in rows.executions:
            self.executions[row.id] = row
        for new, old in rows.data_copied:
            found = [(key, text) for (owner, key), text in self.data.items() if owner == old]
            self.data.update({(new, key): text for key, text in found})
        for update in rows.execution_updates:
            self.executions[update.id] = _updated_execution(self.executions[update.id], update)

    def _take_runs(self, rows: Rows) -> None:
        for row in rows.runs:
            self.runs[row.id] = row
            if not row.parent:
                self.run_ids.setdefault(row.workflow_execution_id, []).append(row.id)
        for update in rows.run_updates:
            self.runs[update.id] = _updated_run(self.runs[update.id], update)
        for entry in rows.history:
            self.history.setdefault(entry.task_execution_id, []).append(tuple(entry))
        for closing in rows.closed:
            self._close_items(closing)
        for run_id, attempt in rows.withdrawn:
            self.outbox.pop((run_id, attempt, "START"), None)
        for run_id, attempt in rows.ended:
            for action in ("START", "STOP"):
                self.outbox.pop((run_id, attempt, action), None)
        for order in rows.outbox:
            self.outbox.setdefault((order.task_execution_id, order.attempt, order.action), order)
        self.results.update(rows.results)
        for failure in rows.failures:
            self.failures.setdefault(failure.task_execution_id, []).append(failure)

    def _close_items(self, closing: ItemsClosing) -> None:
        for item_id in range(closing.first_id, closing.last_id + 1):
            row = self.runs.get(item_id)
            if row is None or row.status != TaskStatus.INIT:
                continue
            stopped = TaskStatus.STOPPED.value
            self.runs[item_id] = row._replace(
                status=stopped, ended_at=closing.at, reason=closing.reason
            )
            number = closing.number + item_id - closing.first_id
            self.history.setdefault(item_id, []).append(
                (item_id, closing.turn, number, stopped, closing.at, row.attempt, closing.reason)
            )


def relogged(event: Event, value: Any, offset: int, at: datetime | None, turn: int) -> Event:
    """The event as the log has it."""
    return Event(
        event.key,
        value,
        namespace=event.namespace,
        sender=event.sender,
        id=event.id,
        time=event.time,
        attributes=event.attributes,
        workflow_execution_id=event.workflow_execution_id,
        offset=offset,
        logged_at=at,
        turn=turn,
        hops=event.hops,
    )


def _merge(table: dict[Any, Any], changes: dict[Any, Any]) -> None:
    """Put what is new; `None` takes away."""
    for key, value in changes.items():
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value


def _updated_execution(row: ExecutionRow, update: ExecutionUpdate) -> ExecutionRow:
    changed = {
        name: value
        for name, value in update._asdict().items()
        if value is not None and name != "id"
    }
    return row._replace(**changed)


def _updated_run(row: RunRow, update: RunUpdate) -> RunRow:
    return row._replace(
        **{
            **update._asdict(),
            "began_at": row.began_at or update.began_at,
            "ended_at": row.ended_at or update.ended_at,
            "reason": row.reason if update.reason is None else update.reason,
            "metrics": row.metrics if update.metrics is None else update.metrics,
            "items": row.items if update.items is None else update.items,
        }
    )
