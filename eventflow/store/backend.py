"""What users and tasks ask of a SQLite store.

What a task waits for goes past SQLAlchemy; what a person asks for is a SELECT on the tables, put
together as of one commit.
"""

import os
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from sqlmodel import col, select

from eventflow.model.event import Event
from eventflow.model.jsonvalue import read
from eventflow.model.records import (
    AttemptFailure,
    PoolRecord,
    StatusChange,
    TaskExecution,
    WorkflowExecution,
)
from eventflow.model.shape import Shape
from eventflow.model.status import ExecutionType, TaskStatus, WorkflowStatus
from eventflow.store import queries
from eventflow.store.columns import instant_of
from eventflow.store.data_tables import (
    AttemptFailureTable,
    ParkedTable,
    PoolTable,
    SnapshotTable,
    WorkflowTable,
)
from eventflow.store.database import Database
from eventflow.store.decided import SqliteDecided, row_of
from eventflow.store.items import KeptItems
from eventflow.store.listed import SnapshotRecord, TimerRecord, WorkflowRecord
from eventflow.store.log import event_of
from eventflow.store.places import resolved
from eventflow.store.records import (
    execution_of,
    failure_of,
    pools_of,
    status_change_of,
    task_execution_of,
    timer_record_of,
    workflow_of,
)
from eventflow.store.results import SqliteResults
from eventflow.store.rows import (
    ExecutionRow,
    FailureRow,
    HistoryRow,
    PoolRow,
    RunRow,
    TimerRow,
    WorkflowRow,
)
from eventflow.store.statements import DELETE_DATA, KEEP_VALUE, PUT_DATA
from eventflow.store.tables import (
    ScheduleFiringTable,
    TaskExecutionTable,
    TaskHistoryTable,
    TimerTable,
    WorkflowExecutionTable,
)
from eventflow.store.writer import Writer

Row = TypeVar("Row", bound=NamedTuple)
_INSTANTS: dict[type[NamedTuple], list[int]] = {
    kind: [place for place, name in enumerate(kind._fields) if name.endswith(("_at", "_time"))]
    for kind in (ExecutionRow, RunRow)
}


class SqliteBackend(SqliteDecided):
    """The state backend's part of a SQLite store."""

    def __init__(self, database: Database, writer: Writer) -> None:
        super().__init__(database)
        self._reader = database.reader
        self._writer = writer
        self._results = SqliteResults(database.reader)
        self._logs = str(database.files / "logs")

    def log_path(
        self, execution_id: int, task: str, number: int, attempt: int, item: int = -1
    ) -> Path | None:
        return Path(self._log_name(execution_id, task, number, attempt, item))

    def execution(self, execution_id: int) -> WorkflowExecution | None:
        # Past SQLAlchemy: who has started a thousand executions asks for each.
        one = (execution_id,)
        found, runs = self._reader.at_one_commit((queries.EXECUTION, one), (queries.RUNS_OF, one))
        if not found:
            return None
        row = _stored(ExecutionRow, found[0])
        kind = ExecutionType(row.execution_type)
        tasks = tuple(self._task_execution(_stored(RunRow, run), kind) for run in runs)
        return execution_of(row, self._event_of_turn(row.trigger_turn), tasks)

    def execution_status(self, execution_id: int) -> WorkflowStatus | None:
        status = self._reader.value(queries.EXECUTION_STATUS, (execution_id,))
        return WorkflowStatus(status) if status is not None else None

    def executions(
        self,
        *,
        workflow: str | None = None,
        namespace: str | None = None,
        statuses: Iterable[WorkflowStatus] = (),
        limit: int = 50,
    ) -> list[WorkflowExecution]:
        wanted = frozenset(map(WorkflowStatus, statuses))
        given = [one for one in (workflow, namespace) if one is not None]
        statement = queries.executions(workflow is not None, namespace is not None, wanted)
        return self._executions(statement, (*given, limit))

    def sub_executions(self, execution_id: int) -> list[WorkflowExecution]:
        return self._executions(queries.SUB_EXECUTIONS, (execution_id,))

    def task_execution(self, task_execution_id: int) -> TaskExecution | None:
        with self._database.session() as session:
            found = session.exec(
                select(TaskExecutionTable, WorkflowExecutionTable.execution_type)
                .join(WorkflowExecutionTable)
                .where(TaskExecutionTable.id == task_execution_id)
            ).first()
            if not found:
                return None
            run, kind = found[0], ExecutionType(found[1])
            owner = session.get(TaskExecutionTable, run.parent) if run.parent else None
            kept = KeptItems.read(owner.items) if owner is not None and owner.items else None
            shape = kept.shape if kept is not None else None
            return self._task_execution(row_of(RunRow, run), kind, shape)

    def items(
        self,
        task_execution_id: int,
        *,
        statuses: Iterable[TaskStatus] = (),
        after: int = -1,
        limit: int = 1000,
    ) -> list[TaskExecution]:
        with self._database.session() as session:
            run = session.get(TaskExecutionTable, task_execution_id)
            if run is None or run.items is None:
                return []
            owner = session.get(WorkflowExecutionTable, run.workflow_execution_id)
            kind = (
                ExecutionType(owner.execution_type) if owner is not None else ExecutionType.MANUAL
            )
            kept = KeptItems.read(run.items)
            shape, first = kept.shape, kept.first
            chosen = queries.items(frozenset(map(TaskStatus, statuses)))
            between = (first + after + 1, first + shape.count - 1, limit)
            rows = session.connection().exec_driver_sql(chosen, between)
            return [self._task_execution(_stored(RunRow, row), kind, shape) for row in rows]

    def history(self, task_execution_id: int) -> list[StatusChange]:
        statement = (
            select(TaskHistoryTable)
            .where(TaskHistoryTable.task_execution_id == task_execution_id)
            .order_by(col(TaskHistoryTable.turn), col(TaskHistoryTable.number))
        )
        with self._database.session() as session:
            return [status_change_of(row_of(HistoryRow, one)) for one in session.exec(statement)]

    def failures(self, task_execution_id: int) -> list[AttemptFailure]:
        statement = (
            select(AttemptFailureTable)
            .where(AttemptFailureTable.task_execution_id == task_execution_id)
            .order_by(col(AttemptFailureTable.id))
        )
        with self._database.session() as session:
            return [failure_of(row_of(FailureRow, one)) for one in session.exec(statement)]

    def task_status(self, execution_id: int, task: str) -> TaskStatus | None:
        status = self._reader.value(queries.TASK_STATUS, (execution_id, task))
        return TaskStatus(status) if status is not None else None

    def result(self, task_execution_id: int, index: Sequence[int] = ()) -> str | None:
        return self._results.result(task_execution_id, index)

    def shape(self, task_execution_id: int) -> Shape | None:
        return self._results.shape(task_execution_id)

    def latest_result(self, execution_id: int, task: str) -> str | None:
        return self._results.latest(execution_id, task)

    def read_data(self, execution_id: int, key: str) -> str | None:
        return self._text(queries.DATA, (execution_id, key))

    def write_data(self, execution_id: int, key: str, value: str | None) -> None:
        if value is None:
            self._writer.do("data", lambda wire: wire.execute(DELETE_DATA, (execution_id, key)))
        else:
            self._writer.do(
                "data", lambda wire: wire.execute(PUT_DATA.text, (execution_id, key, value))
            )

    def drawn(self, task_execution_id: int, name: str) -> str | None:
        return self._text(queries.DRAWN, (task_execution_id, name))

    def draw(self, task_execution_id: int, name: str, value: str) -> str:
        def write(connection: sqlite3.Connection) -> str:
            connection.execute(KEEP_VALUE.text, (task_execution_id, name, value))
            kept: str = connection.execute(queries.DRAWN, (task_execution_id, name)).fetchone()[0]
            return kept

        return self._writer.do("drawn", write)

    def workflows(self) -> list[WorkflowRecord]:
        statement = select(WorkflowTable).order_by(WorkflowTable.namespace, WorkflowTable.name)
        with self._database.session() as session:
            return [workflow_of(row_of(WorkflowRow, one)) for one in session.exec(statement)]

    def pools(self) -> list[PoolRecord]:
        with self._database.session() as session:
            rows = [row_of(PoolRow, one) for one in session.exec(select(PoolTable))]
            busy = session.connection().exec_driver_sql(queries.BUSY_IN_POOLS)
            return pools_of(
                rows, {(space, name, bool(waits)): count for space, name, waits, count in busy}
            )

    def snapshot(self, snapshot_hash: str) -> SnapshotRecord | None:
        with self._database.session() as session:
            found = session.get(SnapshotTable, snapshot_hash)
            if found is None:
                return None
            fields = found.model_dump()
        return snapshot_of(fields, self._database.files)

    def parked(self) -> dict[int, str]:
        with self._database.session() as session:
            found = session.exec(select(ParkedTable)).all()
            return {one.workflow_execution_id: one.reason for one in found}

    def timers(self, kinds: Iterable[str] = ()) -> list[TimerRecord]:
        statement = select(TimerTable).order_by(col(TimerTable.due_at), TimerTable.key)
        if wanted := sorted(set(kinds)):
            statement = statement.where(col(TimerTable.kind).in_(wanted))
        with self._database.session() as session:
            return [timer_record_of(row_of(TimerRow, one)) for one in session.exec(statement)]

    def last_fired(self, timer_key: str) -> datetime | None:
        statement = (
            select(ScheduleFiringTable.due_at)
            .where(
                ScheduleFiringTable.schedule == timer_key, col(ScheduleFiringTable.since).is_(None)
            )
            .order_by(col(ScheduleFiringTable.due_at).desc())
        )
        with self._database.session() as session:
            return session.exec(statement.limit(1)).first()

    def _text(self, statement: str, parameters: Sequence[Any]) -> str | None:
        found: str | None = self._reader.value(statement, parameters)
        return found

    def _executions(self, statement: str, parameters: Sequence[Any]) -> list[WorkflowExecution]:
        found = self._database.rows(statement, parameters)
        rows = [_stored(ExecutionRow, one) for one in found]
        return [execution_of(row, self._event_of_turn(row.trigger_turn)) for row in rows]

    def _event_of_turn(self, turn: int) -> Event | None:
        rows = self._reader.rows(queries.EVENT_OF_TURN, (turn,)) if turn else ()
        return event_of(rows[0]) if rows else None

    def _task_execution(
        self, run: RunRow, kind: ExecutionType, shape: Shape | None = None
    ) -> TaskExecution:
        name = self._log_name(
            run.workflow_execution_id, run.task, run.sequence_number, run.attempt, run.item
        )
        counts = self._results.counts(run.items) if run.items is not None else None
        return task_execution_of(run, kind, name, counts=counts, shape=shape)

    def _log_name(self, execution_id: int, task: str, number: int, attempt: int, item: int) -> str:
        # As text: to put together a Path takes longer than to read the run.
        run = f"{task}.{number}" if item < 0 else f"{task}.{number}-{item}"
        return f"{self._logs}{os.sep}{execution_id}{os.sep}{run}.{attempt}.log"


def snapshot_of(fields: dict[str, Any], files: Path) -> SnapshotRecord:
    """A snapshot from the columns of its row; `files` is the folder beside the store."""
    folder = resolved(fields["folder"], files)
    return SnapshotRecord(**{**fields, "folder": folder, "definition": read(fields["definition"])})


def _stored(kind: type[Row], columns: Sequence[Any]) -> Row:
    """A row from its columns as they are stored: instants are numbers there."""
    values = list(columns)
    for place in _INSTANTS[kind]:
        values[place] = instant_of(values[place])
    return kind._make(values)
