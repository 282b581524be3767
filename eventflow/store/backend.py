"""What users and tasks ask of a SQLite store.

What a task waits for goes past SQLAlchemy; what a person asks for is a SELECT on the tables, put
together as of one commit.
"""

import os
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from sqlmodel import SQLModel, col, select

from eventflow.model.event import Event
from eventflow.model.jsonvalue import read
from eventflow.model.records import (
    AttemptFailure,
    DecisionRecord,
    PoolRecord,
    StatusChange,
    TaskExecution,
    VerdictRecord,
    WorkflowExecution,
)
from eventflow.model.status import ExecutionType, TaskStatus, WorkflowStatus
from eventflow.store import queries
from eventflow.store.asked import IS_AGAIN, asked_again
from eventflow.store.columns import instant_of
from eventflow.store.data_tables import (
    AttemptFailureTable,
    ParkedTable,
    PoolTable,
    SnapshotTable,
    WorkflowTable,
)
from eventflow.store.database import Database
from eventflow.store.listed import SnapshotRecord, TimerRecord, WorkflowRecord
from eventflow.store.log import event_of
from eventflow.store.places import resolved
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
from eventflow.store.rows import (
    DecisionRow,
    ExecutionRow,
    FailureRow,
    HistoryRow,
    PoolRow,
    RunRow,
    TimerRow,
    VerdictRow,
    WorkflowRow,
)
from eventflow.store.statements import DELETE_DATA, KEEP_VALUE, PUT_DATA
from eventflow.store.tables import (
    DecisionTable,
    EventTable,
    ScheduleFiringTable,
    StateTable,
    TaskExecutionTable,
    TaskHistoryTable,
    TimerTable,
    VerdictTable,
    WorkflowExecutionTable,
)
from eventflow.store.writer import Writer

Row = TypeVar("Row", bound=NamedTuple)
_INSTANTS: dict[type[NamedTuple], list[int]] = {
    kind: [place for place, name in enumerate(kind._fields) if name.endswith(("_at", "_time"))]
    for kind in (ExecutionRow, RunRow)
}


class SqliteBackend:
    """The state backend's part of a SQLite store."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._reader = database.reader
        self._writer = writer
        self._logs = str(database.files / "logs")

    def log_path(self, execution_id: int, task: str, number: int, attempt: int) -> Path | None:
        return Path(self._log_name(execution_id, task, number, attempt))

    def execution(self, execution_id: int) -> WorkflowExecution | None:
        with self._database.session() as session:
            # Past the ORM, which takes most of the time where there are many runs.
            connection = session.connection()
            found = connection.exec_driver_sql(queries.EXECUTION, (execution_id,)).first()
            if found is None:
                return None
            row = _stored(ExecutionRow, found)
            kind = ExecutionType(row.execution_type)
            runs = connection.exec_driver_sql(queries.RUNS_OF, (execution_id,))
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
            if found is None:
                return None
            return self._task_execution(_row(RunRow, found[0]), ExecutionType(found[1]))

    def history(self, task_execution_id: int) -> list[StatusChange]:
        statement = (
            select(TaskHistoryTable)
            .where(TaskHistoryTable.task_execution_id == task_execution_id)
            .order_by(col(TaskHistoryTable.turn), col(TaskHistoryTable.number))
        )
        with self._database.session() as session:
            return [status_change_of(_row(HistoryRow, one)) for one in session.exec(statement)]

    def failures(self, task_execution_id: int) -> list[AttemptFailure]:
        statement = (
            select(AttemptFailureTable)
            .where(AttemptFailureTable.task_execution_id == task_execution_id)
            .order_by(col(AttemptFailureTable.id))
        )
        with self._database.session() as session:
            return [failure_of(_row(FailureRow, one)) for one in session.exec(statement)]

    def task_status(self, execution_id: int, task: str) -> TaskStatus | None:
        status = self._reader.value(queries.TASK_STATUS, (execution_id, task))
        return TaskStatus(status) if status is not None else None

    def result(self, task_execution_id: int, index: Sequence[int] = ()) -> str | None:
        return self._text(queries.RESULT, (task_execution_id,))

    def latest_result(self, execution_id: int, task: str) -> str | None:
        return self._text(queries.LATEST_RESULT, (execution_id, task))

    def read_data(self, execution_id: int, key: str) -> str | None:
        return self._text(queries.DATA, (execution_id, key))

    def write_data(self, execution_id: int, key: str, value: str | None) -> None:
        if value is None:
            self._writer.do(lambda wire: wire.execute(DELETE_DATA, (execution_id, key)))
        else:
            self._writer.do(lambda wire: wire.execute(PUT_DATA.text, (execution_id, key, value)))

    def drawn(self, task_execution_id: int, name: str) -> str | None:
        return self._text(queries.DRAWN, (task_execution_id, name))

    def draw(self, task_execution_id: int, name: str, value: str) -> str:
        def write(connection: sqlite3.Connection) -> str:
            connection.execute(KEEP_VALUE.text, (task_execution_id, name, value))
            kept: str = connection.execute(queries.DRAWN, (task_execution_id, name)).fetchone()[0]
            return kept

        return self._writer.do(write)

    def decisions(
        self, execution_id: int | None = None, *, command_offset: int | None = None
    ) -> list[DecisionRecord]:
        statement = (
            select(DecisionTable, EventTable.key, EventTable.offset)
            .join(EventTable, col(EventTable.turn) == col(DecisionTable.turn))
            .order_by(col(DecisionTable.turn), col(DecisionTable.number))
        )
        if execution_id is not None:
            statement = statement.where(DecisionTable.workflow_execution_id == execution_id)
        if command_offset is not None:
            statement = statement.where(EventTable.offset == command_offset)
        with self._database.session() as session:
            return [
                decision_of(_row(DecisionRow, decision), key, offset)
                for decision, key, offset in session.exec(statement)
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
        statement = (
            select(VerdictTable, EventTable.key, EventTable.offset, EventTable.logged_at)
            .join(EventTable, col(EventTable.turn) == col(VerdictTable.turn))
            .order_by(col(VerdictTable.turn).desc(), col(VerdictTable.number).desc())
            .limit(limit)
        )
        if execution_id is not None:
            statement = statement.where(VerdictTable.workflow_execution_id == execution_id)
        if turn is not None:
            statement = statement.where(VerdictTable.turn == turn)
        if of_turn is not None:
            statement = statement.where(IS_AGAIN, VerdictTable.of_turn == of_turn)
        if workflow is not None:
            statement = statement.where(
                VerdictTable.namespace == workflow[0], VerdictTable.workflow == workflow[1]
            )
        if failed or unanswered:
            statement = statement.where(VerdictTable.error != "")
        if unanswered:
            statement = statement.where(~asked_again())
        with self._database.session() as session:
            found = session.exec(statement).all()
            return [
                verdict_of(_row(VerdictRow, verdict), key, offset, at)
                for verdict, key, offset, at in reversed(found)
            ]

    def state(self, execution_id: int | None, workflow: tuple[str, str]) -> dict[str, str]:
        namespace, name = workflow
        statement = select(StateTable.name, StateTable.value).where(
            StateTable.workflow_execution_id == (execution_id or 0),
            StateTable.namespace == namespace,
            StateTable.workflow == name,
        )
        with self._database.session() as session:
            return dict(session.exec(statement.order_by(StateTable.name)).all())

    def workflows(self) -> list[WorkflowRecord]:
        statement = select(WorkflowTable).order_by(WorkflowTable.namespace, WorkflowTable.name)
        with self._database.session() as session:
            return [workflow_of(_row(WorkflowRow, one)) for one in session.exec(statement)]

    def pools(self) -> list[PoolRecord]:
        with self._database.session() as session:
            rows = [_row(PoolRow, one) for one in session.exec(select(PoolTable))]
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
            return [timer_record_of(_row(TimerRow, one)) for one in session.exec(statement)]

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

    def _task_execution(self, run: RunRow, kind: ExecutionType) -> TaskExecution:
        name = self._log_name(run.workflow_execution_id, run.task, run.sequence_number, run.attempt)
        return task_execution_of(run, kind, name)

    def _log_name(self, execution_id: int, task: str, number: int, attempt: int) -> str:
        # As text: to put together a Path takes longer than to read the run.
        return f"{self._logs}{os.sep}{execution_id}{os.sep}{task}.{number}.{attempt}.log"


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


def _row(kind: type[Row], found: SQLModel) -> Row:
    """What the tables gave, as the row that both stores make records from."""
    return kind._make(attrgetter(*kind._fields)(found))
