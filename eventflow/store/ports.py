"""What a store is, by who calls it: log, ledger and state backend, and the batch between them.

`memory` keeps all of it in dicts, `sqlite` in one file; one contract suite holds them together.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol, Unpack

from eventflow.core.changes import Commanded
from eventflow.core.decision import Decision
from eventflow.core.plan import Plan
from eventflow.core.world import Counters, World
from eventflow.model.event import Event
from eventflow.model.records import (
    AttemptFailure,
    DecisionRecord,
    EventCount,
    PoolRecord,
    StatusChange,
    TaskExecution,
    VerdictRecord,
    WorkflowExecution,
)
from eventflow.model.shape import Shape
from eventflow.model.status import TaskStatus, WorkflowStatus
from eventflow.store.cut import Cut, Manner, Pruned
from eventflow.store.listed import Held, SnapshotRecord, TimerRecord, WorkflowRecord
from eventflow.store.selection import Which


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one round of the loop writes, all or nothing (S10).

    Attributes:
        decisions: In the order of their turns. An event with an offset is in the log already and
            only gets its turn; one without is appended with it.
        left_over: Facts beyond the bound: appended without a turn, to be read later (S12).
        read_from: What the cursor must say now.
        read_to: Offset of the last outside event of this batch.
        counters: As they are after the batch.
    """

    decisions: Sequence[Decision]
    left_over: Sequence[Event]
    read_from: int
    read_to: int
    counters: Counters
    now: datetime

    @property
    def turns_from(self) -> int:
        """The last turn that must be taken now."""
        return self.decisions[0].turn - 1 if self.decisions else self.counters.turn


@dataclass(slots=True)
class Loaded:
    """The world as the store has it.

    Attributes:
        commands: Orders that no executor has taken yet, oldest first (S11).
        parked: Execution id -> why it cannot go on: its code cannot be loaded (S41);
            `parked_snapshots` are what these executions run.
        cursor: Offset of the last outside event that was read.
        facts_to: Offset of the last status fact that waits in the log; 0 when none does (S12).
    """

    world: World
    commands: list[Commanded] = field(default_factory=list)
    parked: dict[int, str] = field(default_factory=dict)
    parked_snapshots: set[str] = field(default_factory=set)
    cursor: int = 0
    facts_to: int = 0


class EventLog(Protocol):
    """The one log."""

    def append(
        self, events: Sequence[Event], *, drawn: bool = False, of_run: int = 0
    ) -> list[Event]:
        """Commit events, well formed; return them with offset and `logged_at` (S2).

        One whose (namespace, sender, id) was there before is returned as it was (S3).

        Args:
            drawn: The ids were drawn a moment ago: no earlier one can have them.
            of_run: Id of the run whose task says it: the events have its hops (S45), others none.

        Raises:
            DuplicateEventError: If the value differs from the first one's. Nothing is written.
        """
        ...

    def undecided(self, limit: int) -> list[Event]:
        """The oldest events without a turn, in offset order; at most `limit`."""
        ...

    def has_undecided(self, workflow_execution_id: int, *, after: int) -> bool:
        """Whether the log holds, behind `after`, an event of this scope without a turn (S29)."""
        ...

    def read(
        self, *, limit: int = 1000, newest: bool = False, **which: Unpack[Which]
    ) -> list[Event]:
        """The first `limit` events that are meant, or with `newest` the last, in offset order."""
        ...

    def count(self, **which: Unpack[Which]) -> EventCount:
        """How many events are meant."""
        ...

    def offset_at(self, instant: datetime) -> int:
        """The highest offset of an event logged at or before an instant; 0 when there is none."""
        ...

    def event_of_turn(self, turn: int) -> Event | None:
        """The event that was decided in a turn."""
        ...

    def last_offset(self) -> int:
        """The highest offset given; 0 in an empty log."""
        ...


class Ledger(Protocol):
    """What the loop writes, and reads when it starts."""

    def hold(self, program: str) -> None:
        """Become the one scheduler of this store.

        Raises:
            StoreBusyError: If another process is; names it.
        """
        ...

    def release(self, *, clean: bool) -> None:
        """Stop being it. `clean` says that the executor was stopped by a signal (S28)."""
        ...

    def holder(self) -> Held | None:
        """Who holds the store now; `None` when nobody does."""
        ...

    def was_clean(self) -> bool:
        """Whether the scheduler before this one released the store with `clean`."""
        ...

    def load(self, plan_of: Callable[[str], Plan]) -> Loaded:
        """The world as of the last commit.

        Args:
            plan_of: The plan of a snapshot's hash. Raises EventflowError when its code cannot be
                loaded: the executions of that snapshot are parked.
        """
        ...

    def commit(self, batch: Batch) -> None:
        """Write a batch, all or nothing.

        Raises:
            LeaseLostError: If the cursor is not where the batch says, as when it is written
                already. Nothing was written.
            StoreError: If it could not be written. Nothing was written.
        """

    def keep_snapshot(self, *records: SnapshotRecord) -> None:
        """Store where the code of snapshots is; one that is known stays as it is."""

    def park(self, reasons: Mapping[int, str]) -> None:
        """Keep why executions cannot go on, in the place of what was kept (S41)."""


class StateBackend(Protocol):
    """What users and tasks ask: executions, results, history, workflow data."""

    def execution(self, execution_id: int) -> WorkflowExecution | None:
        """One execution with its task executions."""
        ...

    def execution_status(self, execution_id: int) -> WorkflowStatus | None:
        """The status of one execution; cheap."""
        ...

    def executions(
        self,
        *,
        workflow: str | None = None,
        namespace: str | None = None,
        statuses: Iterable[WorkflowStatus] = (),
        limit: int = 50,
    ) -> list[WorkflowExecution]:
        """The newest executions first, without their tasks."""
        ...

    def sub_executions(self, execution_id: int) -> list[WorkflowExecution]:
        """What the tasks of an execution have run, oldest first, without their tasks (S40)."""
        ...

    def task_execution(self, task_execution_id: int) -> TaskExecution | None: ...

    def items(
        self,
        task_execution_id: int,
        *,
        statuses: Iterable[TaskStatus] = (),
        after: int = -1,
        limit: int = 1000,
    ) -> list[TaskExecution]:
        """The items of a run of a mapped task, in item order (S43).

        Args:
            statuses: Only those that stand so; empty means all.
            after: Only those with a higher number.
        """
        ...

    def history(self, task_execution_id: int) -> list[StatusChange]:
        """Every status of a run, oldest first (S37)."""
        ...

    def failures(self, task_execution_id: int) -> list[AttemptFailure]:
        """How each failed attempt of a run failed, oldest first (S37)."""
        ...

    def task_status(self, execution_id: int, task: str) -> TaskStatus | None:
        """Status of the latest run of a task."""
        ...

    def result(self, task_execution_id: int, index: Sequence[int] = ()) -> str | None:
        """JSON text of a run's result; of a map the list of its items', or those below `index`."""
        ...

    def shape(self, task_execution_id: int) -> Shape | None:
        """How many items a run of a mapped task has, axis by axis; `None` while it has none."""
        ...

    def latest_result(self, execution_id: int, task: str) -> str | None:
        """JSON text of the result of the latest SUCCESS of a task."""
        ...

    def read_data(self, execution_id: int, key: str) -> str | None:
        """Workflow data (S39)."""
        ...

    def write_data(self, execution_id: int, key: str, value: str | None) -> None:
        """Set workflow data, durably; `None` deletes."""
        ...

    def drawn(self, task_execution_id: int, name: str) -> str | None:
        """The value kept under `name`, if any (S39)."""
        ...

    def draw(self, task_execution_id: int, name: str, value: str) -> str:
        """Keep `value` unless one is kept; return the kept one (S39)."""
        ...

    def decisions(
        self, execution_id: int | None = None, *, command_offset: int | None = None
    ) -> list[DecisionRecord]:
        """What rules and commands came to, in turn order: of an execution, or of one command."""
        ...

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
        """The newest answers of users' conditions that fit, in turn order (S9).

        Args:
            of_turn: Those that were asked again because they had failed in that turn.
            failed: Only those that have no answer but an error (S13).
            unanswered: Of these only where the condition was not asked again since.
        """
        ...

    def state(self, execution_id: int | None, workflow: tuple[str, str]) -> dict[str, str]:
        """What conditions keep, name -> JSON text: in an execution, or for workflow rules (S35)."""
        ...

    def decided_offset(self, offset: int) -> bool:
        """Whether the event at `offset` has its turn."""
        ...

    def workflows(self) -> list[WorkflowRecord]:
        """By namespace and name."""
        ...

    def pools(self) -> list[PoolRecord]:
        """Pools that were set, or that runs hold slots of or wait for, by namespace and name."""
        ...

    def snapshot(self, snapshot_hash: str) -> SnapshotRecord | None: ...
    def parked(self) -> dict[int, str]:
        """Execution id -> why the newest scheduler found that it cannot go on (S41)."""
        ...

    def timers(self, kinds: Iterable[str] = ()) -> list[TimerRecord]:
        """What is due, earliest first."""
        ...

    def last_fired(self, timer_key: str) -> datetime | None:
        """The newest due time of a schedule that was fired."""
        ...


class Store(EventLog, Ledger, StateBackend, Protocol):
    """All of it, over one place."""

    @property
    def url(self) -> str:
        """What it was opened by."""
        ...

    @property
    def files(self) -> Path | None:
        """The folder beside it, for snapshots, logs and the spool; `None` for memory."""
        ...

    def log_path(
        self, execution_id: int, task: str, number: int, attempt: int, item: int = -1
    ) -> Path | None:
        """Where the output of one attempt goes; `None` where logs are not kept."""
        ...

    def prune(self, cut: Cut, manner: Manner | None = None) -> Pruned:
        """Delete what a cut leaves behind, in small transactions beside whoever works on it.

        An event without a turn stays, and so does what a living execution, or any that is kept,
        refers to. Offsets and ids are never given again. What was begun, the next one finishes.

        Raises:
            StoreError: If the store is in memory, or cannot be written; what is gone stays gone.
        """
        ...

    def close(self) -> None:
        """Give back files and threads; a second call does nothing."""
        ...
