"""The tables that the loop and the log write. What must never be false is a constraint.

The columns of a table are the fields of its row in `rows`, in their order. Tables that grow with
every step have one tree each where that can be: what a commit costs is the pages that it touches.
Values are stored once, as JSON text.
"""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, Text, UniqueConstraint, text
from sqlmodel import Field

from eventflow.model.keys import RESERVED
from eventflow.model.status import (
    BUSY,
    WORKFLOW_ENDED,
    ExecutionType,
    TaskAction,
    TaskStatus,
    WorkflowStatus,
)
from eventflow.store.columns import Instant, Table, one_of

# The scheduler's own keys are not in the index of keys: facts are most of the log.
OUTSIDE = f"(key < '{RESERVED}' OR key >= '{RESERVED[:-1]}/')"
# Executions that have not ended; in these words SQLite uses their index.
LIVE = one_of("status", frozenset(WorkflowStatus) - WORKFLOW_ENDED)
# Of a column that came later: what the rows have that were there before it.
NONE_YET = {"server_default": text("0")}


class EventTable(Table, table=True):
    """The log. Offsets are never reused: AUTOINCREMENT remembers the highest (S2, F20).

    `decided_at` is the time of the batch that decided an event which was in the log before it; one
    that a batch appended with its turn was decided at `logged_at`, and has none.
    """

    __tablename__ = "event"
    __table_args__ = (
        # Finds the undecided too: they come first in it, in the order of their offsets.
        Index("event_turn", "turn", unique=True),
        # With the turn, which is NULL in all of it, SQLite sees that this one serves better.
        Index(
            "event_undecided",
            "workflow_execution_id",
            "turn",
            sqlite_where=text("turn IS NULL AND workflow_execution_id IS NOT NULL"),
        ),
        Index("event_key", "key", sqlite_where=text(OUTSIDE)),
        {"sqlite_autoincrement": True},
    )

    offset: int = Field(primary_key=True, sa_type=Integer)
    turn: int | None = Field(sa_type=BigInteger)
    logged_at: datetime = Field(sa_type=Instant)
    key: str = Field(sa_type=Text)
    value: str = Field(sa_type=Text)
    namespace: str = Field(sa_type=Text)
    sender: str = Field(sa_type=Text)
    id: str = Field(sa_type=Text)
    time: datetime = Field(sa_type=Instant)
    attributes: str | None = Field(sa_type=Text)
    workflow_execution_id: int | None = Field(sa_type=BigInteger)
    decided_at: datetime | None = Field(sa_type=Instant)
    hops: int = Field(sa_column_kwargs=NONE_YET)


class DedupTable(Table, table=True):
    """Which ids were used, and for what value; it outlives the event (S3)."""

    __tablename__ = "dedup"
    __table_args__ = ({"sqlite_with_rowid": False},)

    namespace: str = Field(primary_key=True, sa_type=Text)
    sender: str = Field(primary_key=True, sa_type=Text)
    id: str = Field(primary_key=True, sa_type=Text)
    offset: int = Field(sa_type=BigInteger)
    value_hash: str = Field(sa_type=Text)
    at: datetime = Field(sa_type=Instant)


class CursorTable(Table, table=True):
    """One row: how far the loop has read, what ids are drawn from, and who may write it.

    `clean` says how the last scheduler released the store; the `holder_` columns name the present
    one, for the message that refuses a second. Whether it lives is told by its lock alone.
    """

    __tablename__ = "cursor"
    __table_args__ = (CheckConstraint("id = 1", name="cursor_one_row"),)

    id: int = Field(primary_key=True, sa_type=Integer)
    offset: int = Field(sa_type=BigInteger)
    lease_epoch: int = Field(sa_type=BigInteger)
    turn: int = Field(sa_type=BigInteger)
    execution_id: int = Field(sa_type=BigInteger)
    task_execution_id: int = Field(sa_type=BigInteger)
    clean: bool
    holder_pid: int | None
    holder_host: str | None = Field(sa_type=Text)
    holder_since: datetime | None = Field(sa_type=Instant)
    holder_program: str | None = Field(sa_type=Text)


class WorkflowExecutionTable(Table, table=True):
    """One execution of a workflow. Its id is drawn by the core."""

    __tablename__ = "workflow_execution"
    __table_args__ = (
        CheckConstraint(one_of("status", WorkflowStatus), name="workflow_execution_status"),
        CheckConstraint(one_of("execution_type", ExecutionType), name="workflow_execution_type"),
        Index("workflow_execution_live", "status", sqlite_where=text(LIVE)),
        Index("workflow_execution_workflow", "workflow"),
        # S40: an attempt of a run has one sub-execution.
        Index(
            "workflow_execution_parent",
            "parent_execution_id",
            "parent_task_execution_id",
            "parent_attempt",
            unique=True,
            sqlite_where=text("parent_execution_id > 0"),
        ),
    )

    id: int = Field(primary_key=True, sa_type=Integer)
    namespace: str = Field(sa_type=Text)
    workflow: str = Field(sa_type=Text)
    execution_type: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text)
    snapshot: str = Field(sa_type=Text)
    params: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=Instant)
    began_at: datetime | None = Field(sa_type=Instant)
    ended_at: datetime | None = Field(sa_type=Instant)
    scheduled_time: datetime | None = Field(sa_type=Instant)
    trigger_turn: int = Field(sa_type=BigInteger)
    command_offset: int = Field(sa_type=BigInteger)
    idempotency_key: str = Field(sa_type=Text)
    stopping: str = Field(sa_type=Text)
    failed_by_timeout: bool
    reason: str = Field(sa_type=Text)
    # Not a foreign key: the old execution may be pruned before its retry.
    retry_of: int | None = Field(sa_type=BigInteger)
    parent_execution_id: int = Field(sa_type=BigInteger)
    parent_task: str = Field(sa_type=Text)
    parent_task_execution_id: int = Field(sa_type=BigInteger)
    parent_attempt: int
    hops: int = Field(sa_column_kwargs=NONE_YET)


class TaskExecutionTable(Table, table=True):
    """One run of one task. `sequence_number` counts runs, `attempt` counts retries in a run.

    An item of a mapped task is a run too, that names the run which it is an item of: their ids
    follow one another, and the run's `items` says where they begin (S43).

    A dropped run is a successor that a STOP ended while it waited: no one's latest (S20). One that
    was taken over has the result of another, of an execution that may be pruned first (S31).
    """

    __tablename__ = "task_execution"
    __table_args__ = (
        UniqueConstraint("workflow_execution_id", "task", "sequence_number", "item"),
        CheckConstraint(one_of("status", TaskStatus), name="task_execution_status"),
        CheckConstraint("sequence_number >= 1 AND attempt >= 1", name="task_execution_counts"),
        CheckConstraint("(item < 0) = (parent = 0)", name="task_execution_item"),
        # S19, S21: a task never has two runs with an executor, nor two of one item.
        Index(
            "task_execution_one_busy",
            "workflow_execution_id",
            "task",
            "item",
            unique=True,
            sqlite_where=text(one_of("status", BUSY)),
        ),
    )

    id: int = Field(primary_key=True, sa_type=Integer)
    workflow_execution_id: int = Field(foreign_key="workflow_execution.id", sa_type=BigInteger)
    task: str = Field(sa_type=Text)
    sequence_number: int
    attempt: int
    status: str = Field(sa_type=Text)
    failures: int
    lost: int
    timed_out: bool
    dropped: bool
    created_at: datetime = Field(sa_type=Instant)
    attempt_began_at: datetime | None = Field(sa_type=Instant)
    began_at: datetime | None = Field(sa_type=Instant)
    ended_at: datetime | None = Field(sa_type=Instant)
    started_by: str = Field(sa_type=Text)
    trigger_turn: int = Field(sa_type=BigInteger)
    inputs: str | None = Field(sa_type=Text)
    pool: str = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)
    taken_from: int | None = Field(sa_type=BigInteger)
    metrics: str | None = Field(sa_type=Text)
    parent: int = Field(sa_type=BigInteger)
    item: int
    items: str | None = Field(sa_type=Text)
    hops: int = Field(sa_column_kwargs=NONE_YET)


class TaskHistoryTable(Table, table=True):
    """Every status that a run took, with its time and attempt (S37)."""

    __tablename__ = "task_history"
    __table_args__ = (
        CheckConstraint(one_of("status", TaskStatus), name="task_history_status"),
        {"sqlite_with_rowid": False},
    )

    task_execution_id: int = Field(
        primary_key=True, foreign_key="task_execution.id", sa_type=BigInteger
    )
    turn: int = Field(primary_key=True, sa_type=BigInteger)
    number: int = Field(primary_key=True)
    status: str = Field(sa_type=Text)
    at: datetime = Field(sa_type=Instant)
    attempt: int
    reason: str = Field(sa_type=Text)


class DecisionTable(Table, table=True):
    """What a met rule or a command came to."""

    __tablename__ = "decision"
    __table_args__ = ({"sqlite_with_rowid": False},)

    turn: int = Field(primary_key=True, sa_type=BigInteger)
    number: int = Field(primary_key=True)
    at: datetime = Field(sa_type=Instant)
    workflow_execution_id: int | None = Field(index=True, sa_type=BigInteger)
    namespace: str = Field(sa_type=Text)
    workflow: str = Field(sa_type=Text)
    task: str = Field(sa_type=Text)
    rule: int | None
    action: str = Field(sa_type=Text)
    did: str = Field(sa_type=Text)
    task_execution_id: int | None = Field(sa_type=BigInteger)


class VerdictTable(Table, table=True):
    """What a user's condition said about an event: a replay reads it instead of asking (S9)."""

    __tablename__ = "verdict"
    __table_args__ = (
        # What was asked again (S13), which is little of it.
        Index("verdict_again", "of_turn", sqlite_where=text("of_turn > 0")),
        {"sqlite_with_rowid": False},
    )

    turn: int = Field(primary_key=True, sa_type=BigInteger)
    number: int = Field(primary_key=True)
    workflow_execution_id: int | None = Field(sa_type=BigInteger)
    namespace: str = Field(sa_type=Text)
    workflow: str = Field(sa_type=Text)
    task: str = Field(sa_type=Text)
    rule: int
    met: bool
    writes: str = Field(sa_type=Text)
    ask_again_at: datetime | None = Field(sa_type=Instant)
    error: str = Field(sa_type=Text)
    of_turn: int = Field(sa_type=BigInteger)


class StateTable(Table, table=True):
    """What conditions keep (S35); execution 0 stands for the workflow's own rules."""

    __tablename__ = "state"
    __table_args__ = ({"sqlite_with_rowid": False},)

    workflow_execution_id: int = Field(primary_key=True, sa_type=BigInteger)
    namespace: str = Field(primary_key=True, sa_type=Text)
    workflow: str = Field(primary_key=True, sa_type=Text)
    name: str = Field(primary_key=True, sa_type=Text)
    value: str = Field(sa_type=Text)


class OutboxTable(Table, table=True):
    """Orders that no executor has taken yet (S11)."""

    __tablename__ = "outbox"
    __table_args__ = (
        CheckConstraint(one_of("action", TaskAction), name="outbox_action"),
        {"sqlite_with_rowid": False},
    )

    task_execution_id: int = Field(
        primary_key=True, foreign_key="task_execution.id", sa_type=BigInteger
    )
    attempt: int = Field(primary_key=True)
    action: str = Field(primary_key=True, sa_type=Text)
    workflow_execution_id: int = Field(sa_type=BigInteger)
    turn: int = Field(sa_type=BigInteger)


class TimerTable(Table, table=True):
    """What will be due; setting a timer again moves it."""

    __tablename__ = "timer"
    __table_args__ = ({"sqlite_with_rowid": False},)

    key: str = Field(primary_key=True, sa_type=Text)
    kind: str = Field(sa_type=Text)
    due_at: datetime = Field(sa_type=Instant)
    namespace: str = Field(sa_type=Text)
    workflow: str = Field(sa_type=Text)
    workflow_execution_id: int = Field(sa_type=BigInteger)
    task: str = Field(sa_type=Text)
    task_execution_id: int = Field(sa_type=BigInteger)
    attempt: int
    after: datetime | None = Field(sa_type=Instant)
    anchor: datetime | None = Field(sa_type=Instant)


class ScheduleFiringTable(Table, table=True):
    """Due times that were fired or skipped: each at most once, also with two schedulers (S33)."""

    __tablename__ = "schedule_firing"
    __table_args__ = (UniqueConstraint("schedule", "due_at"),)

    id: int = Field(primary_key=True, sa_type=Integer)
    schedule: str = Field(sa_type=Text)
    due_at: datetime = Field(sa_type=Instant)
    since: datetime | None = Field(sa_type=Instant)
    reason: str = Field(sa_type=Text)
