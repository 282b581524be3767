"""What was decided and why, asked of a SQLite store: decisions, verdicts, kept state."""

from operator import attrgetter
from typing import NamedTuple, TypeVar

from sqlmodel import SQLModel, col, select

from eventflow.model.records import DecisionRecord, VerdictRecord
from eventflow.store import queries
from eventflow.store.asked import IS_AGAIN, asked_again
from eventflow.store.columns import instant_of
from eventflow.store.database import Database
from eventflow.store.records import decision_of, verdict_of
from eventflow.store.rows import DecisionRow, VerdictRow
from eventflow.store.tables import DecisionTable, EventTable, StateTable, VerdictTable

Row = TypeVar("Row", bound=NamedTuple)
_AT = DecisionRow._fields.index("at")


class SqliteDecided:
    """The part of the state backend that explains."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def decisions(
        self, execution_id: int | None = None, *, command_offset: int | None = None
    ) -> list[DecisionRecord]:
        if command_offset is not None and execution_id is None:
            return self._decisions_at(command_offset)
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
                decision_of(row_of(DecisionRow, decision), key, offset)
                for decision, key, offset in session.exec(statement)
            ]

    def _decisions_at(self, offset: int) -> list[DecisionRecord]:
        """Past SQLAlchemy: whoever commands something waits for this."""
        found = self._database.reader.rows(queries.DECISIONS_AT, (offset,))
        decisions = []
        for key, *columns in found:
            columns[_AT] = instant_of(columns[_AT])
            decisions.append(decision_of(DecisionRow._make(columns), key, offset))
        return decisions

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
                verdict_of(row_of(VerdictRow, verdict), key, offset, at)
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


def row_of(kind: type[Row], found: SQLModel) -> Row:
    """What the tables gave, as the row that both stores make records from."""
    return kind._make(attrgetter(*kind._fields)(found))
