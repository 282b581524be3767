"""The tables of what runs brought and kept, and of what is registered."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Integer, Text
from sqlmodel import Field

from eventflow.store.columns import Instant, Table


class WorkflowTable(Table, table=True):
    """A registered workflow and its newest snapshot (S41)."""

    __tablename__ = "workflow"
    __table_args__ = ({"sqlite_with_rowid": False},)

    namespace: str = Field(primary_key=True, sa_type=Text)
    name: str = Field(primary_key=True, sa_type=Text)
    snapshot: str = Field(sa_type=Text)
    paused: bool
    registered_at: datetime = Field(sa_type=Instant)


class PoolTable(Table, table=True):
    """A pool that was set, and how many slots it has; NULL is any number (S44)."""

    __tablename__ = "pool"
    __table_args__ = (
        CheckConstraint("slots >= 0", name="pool_slots"),
        {"sqlite_with_rowid": False},
    )

    namespace: str = Field(primary_key=True, sa_type=Text)
    name: str = Field(primary_key=True, sa_type=Text)
    slots: int | None
    set_at: datetime = Field(sa_type=Instant)


class SnapshotTable(Table, table=True):
    """Where the code of a snapshot lies; never the code itself.

    `folder` counts from the folder beside the store, so that both can be moved together.
    """

    __tablename__ = "snapshot"
    __table_args__ = ({"sqlite_with_rowid": False},)

    hash: str = Field(primary_key=True, sa_type=Text)
    namespace: str = Field(sa_type=Text)
    workflow: str = Field(sa_type=Text)
    folder: str = Field(sa_type=Text)
    entry: str = Field(sa_type=Text)
    definition: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=Instant)


class ParkedTable(Table, table=True):
    """Why executions cannot go on, as the newest scheduler found when it read the store (S41)."""

    __tablename__ = "parked"

    workflow_execution_id: int = Field(
        primary_key=True, foreign_key="workflow_execution.id", sa_type=Integer
    )
    reason: str = Field(sa_type=Text)


class ResultTable(Table, table=True):
    """What a run brought, as JSON text (S37)."""

    __tablename__ = "result"

    task_execution_id: int = Field(
        primary_key=True, foreign_key="task_execution.id", sa_type=Integer
    )
    value: str = Field(sa_type=Text)


class AttemptFailureTable(Table, table=True):
    """How an attempt failed (S37)."""

    __tablename__ = "attempt_failure"
    __table_args__ = (CheckConstraint("attempt >= 1", name="attempt_failure_attempt"),)

    id: int = Field(primary_key=True, sa_type=Integer)
    task_execution_id: int = Field(foreign_key="task_execution.id", index=True, sa_type=BigInteger)
    attempt: int
    type_name: str = Field(sa_type=Text)
    message: str = Field(sa_type=Text)
    args: str = Field(sa_type=Text)
    traceback: str = Field(sa_type=Text)


class WorkflowDataTable(Table, table=True):
    """Workflow data: a durable key-value store for each execution (S39)."""

    __tablename__ = "workflow_data"
    __table_args__ = ({"sqlite_with_rowid": False},)

    workflow_execution_id: int = Field(primary_key=True, sa_type=BigInteger)
    key: str = Field(primary_key=True, sa_type=Text)
    value: str = Field(sa_type=Text)


class DeterministicValueTable(Table, table=True):
    """Values drawn once: a later attempt of the run gets the same ones (S39)."""

    __tablename__ = "deterministic_value"
    __table_args__ = ({"sqlite_with_rowid": False},)

    task_execution_id: int = Field(primary_key=True, sa_type=BigInteger)
    name: str = Field(primary_key=True, sa_type=Text)
    value: str = Field(sa_type=Text)
