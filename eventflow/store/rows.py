"""The rows that both stores keep: their fields are the columns of a table, in its order.

Instants are aware datetimes here; the SQLite store turns them into microseconds when it binds them.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from eventflow.core.world import Counters
from eventflow.model.event import Event


class ExecutionRow(NamedTuple):
    """One workflow execution. `params` is JSON text; turns are 0 where no event was the cause.

    `parent_` names the attempt of a run that it stands for; 0 and empty for most (S40).
    """

    id: int
    namespace: str
    workflow: str
    execution_type: str
    status: str
    snapshot: str
    params: str
    created_at: datetime
    began_at: datetime | None
    ended_at: datetime | None
    scheduled_time: datetime | None
    trigger_turn: int
    command_offset: int
    idempotency_key: str
    stopping: str
    failed_by_timeout: bool
    reason: str
    retry_of: int | None
    parent_execution_id: int
    parent_task: str
    parent_task_execution_id: int
    parent_attempt: int
    hops: int


class ExecutionUpdate(NamedTuple):
    """What changed of an execution of an earlier batch; `None` leaves a column as it is."""

    status: str | None
    began_at: datetime | None
    ended_at: datetime | None
    stopping: str | None
    failed_by_timeout: bool | None
    reason: str | None
    id: int


class RunRow(NamedTuple):
    """One run of one task. `inputs` is JSON text; `attempt_began_at` is of the present attempt.

    An item of a mapped task names its run as `parent`, and its number as `item`; for any other run
    these are 0 and -1. `items` is the JSON text of a `KeptItems`, once there are some (S43).
    """

    id: int
    workflow_execution_id: int
    task: str
    sequence_number: int
    attempt: int
    status: str
    failures: int
    lost: int
    timed_out: bool
    dropped: bool
    created_at: datetime
    attempt_began_at: datetime | None
    began_at: datetime | None
    ended_at: datetime | None
    started_by: str
    trigger_turn: int
    inputs: str | None
    pool: str
    reason: str
    taken_from: int | None
    metrics: str | None
    parent: int
    item: int
    items: str | None
    hops: int


class RunUpdate(NamedTuple):
    """A run of an earlier batch as it is now; `None` in the last five leaves them as they are."""

    attempt: int
    status: str
    failures: int
    lost: int
    timed_out: bool
    dropped: bool
    attempt_began_at: datetime | None
    inputs: str | None
    began_at: datetime | None
    ended_at: datetime | None
    reason: str | None
    metrics: str | None
    items: str | None
    id: int


class ItemsClosing(NamedTuple):
    """Items with these ids that are in INIT end STOPPED (S43).

    `number` is that of the first one's step in the history, if it has one; the others' follow it.
    """

    first_id: int
    last_id: int
    at: datetime
    turn: int
    number: int
    reason: str


class HistoryRow(NamedTuple):
    """One status of a run; `number` orders those of one turn."""

    task_execution_id: int
    turn: int
    number: int
    status: str
    at: datetime
    attempt: int
    reason: str


class DecisionRow(NamedTuple):
    """What a rule or a command came to; `number` orders those of one turn."""

    turn: int
    number: int
    at: datetime
    workflow_execution_id: int | None
    namespace: str
    workflow: str
    task: str
    rule: int | None
    action: str
    did: str
    task_execution_id: int | None


class VerdictRow(NamedTuple):
    """What a user's condition said; `number` orders those of one turn. `writes` is JSON text.

    `of_turn` is the turn in which it failed at first, when it was asked again; else 0.
    """

    turn: int
    number: int
    workflow_execution_id: int | None
    namespace: str
    workflow: str
    task: str
    rule: int
    met: bool
    writes: str
    ask_again_at: datetime | None
    error: str
    of_turn: int


# Before the name of a task: what a retry is still to do with it (S31). Names of conditions' states
# have a colon, which no task's name has.
RETRIED = "@retried/"


class StateKey(NamedTuple):
    """Names a state; execution 0 stands for what the workflow's own rules keep (S35)."""

    workflow_execution_id: int
    namespace: str
    workflow: str
    name: str


class OutboxRow(NamedTuple):
    """An order that no executor has taken yet, and the turn in which it was given (S11)."""

    task_execution_id: int
    attempt: int
    action: str
    workflow_execution_id: int
    turn: int


class TimerRow(NamedTuple):
    """Something that will be due."""

    key: str
    kind: str
    due_at: datetime
    namespace: str
    workflow: str
    workflow_execution_id: int
    task: str
    task_execution_id: int
    attempt: int
    after: datetime | None
    anchor: datetime | None


class FiringRow(NamedTuple):
    """A due time that was fired; a range of them that was skipped when `since` is set (S33)."""

    schedule: str
    due_at: datetime
    since: datetime | None
    reason: str


class FailureRow(NamedTuple):
    """How an attempt failed. `args` is JSON text."""

    task_execution_id: int
    attempt: int
    type_name: str
    message: str
    args: str
    traceback: str


class WorkflowRow(NamedTuple):
    """A registered workflow and its newest snapshot."""

    namespace: str
    name: str
    snapshot: str
    paused: bool
    registered_at: datetime


class PoolRow(NamedTuple):
    """A pool that was set; `slots` is `None` for any number (S44)."""

    namespace: str
    name: str
    slots: int | None
    set_at: datetime


@dataclass(slots=True)
class Rows:
    """What one batch writes.

    Attributes:
        appended: New events in their order, each with its turn; `None` for one that was left over.
        turned: Offset and turn of events that were in the log already.
        states: The new value; `None` where the state was forgotten.
        withdrawn: Attempts whose START is not to be delivered any more.
        ended: Attempts of which nothing is to be delivered any more.
        closed: Items that never start, written when all else of the runs has been.
        timers: The timer by its key; `None` where it was cleared.
        paused: What changed of workflows that were registered before.
        data_copied: To and from which execution all workflow data is copied (S31, S39).
    """

    counters: Counters
    appended: list[tuple[Event, int | None]] = field(default_factory=list)
    turned: list[tuple[int, int]] = field(default_factory=list)
    executions: list[ExecutionRow] = field(default_factory=list)
    execution_updates: list[ExecutionUpdate] = field(default_factory=list)
    runs: list[RunRow] = field(default_factory=list)
    run_updates: list[RunUpdate] = field(default_factory=list)
    closed: list[ItemsClosing] = field(default_factory=list)
    history: list[HistoryRow] = field(default_factory=list)
    decisions: list[DecisionRow] = field(default_factory=list)
    verdicts: list[VerdictRow] = field(default_factory=list)
    states: dict[StateKey, str | None] = field(default_factory=dict)
    outbox: list[OutboxRow] = field(default_factory=list)
    withdrawn: list[tuple[int, int]] = field(default_factory=list)
    ended: list[tuple[int, int]] = field(default_factory=list)
    timers: dict[str, TimerRow | None] = field(default_factory=dict)
    firings: list[FiringRow] = field(default_factory=list)
    results: dict[int, str] = field(default_factory=dict)
    failures: list[FailureRow] = field(default_factory=list)
    workflows: dict[tuple[str, str], WorkflowRow] = field(default_factory=dict)
    paused: dict[tuple[str, str], bool] = field(default_factory=dict)
    pools: dict[tuple[str, str], PoolRow] = field(default_factory=dict)
    data_copied: list[tuple[int, int]] = field(default_factory=list)

    @property
    def has_more(self) -> bool:
        """Whether there is anything but events, executions, runs, orders and decisions."""
        return bool(
            self.verdicts
            or self.timers
            or self.states
            or self.closed
            or self.firings
            or self.failures
            or self.workflows
            or self.paused
            or self.pools
            or self.data_copied
        )
