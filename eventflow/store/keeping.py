"""What a SQLite store has kept of the live world: a few SELECTs, all as of one commit.

Each is put together once: that takes longer than to read a small store. Their rows go past
SQLAlchemy, which takes longer over them than SQLite itself where many executions wait.
"""

from datetime import datetime
from functools import cache
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Select, and_, func, literal, literal_column, or_, select
from sqlmodel import Session

from eventflow.core.world import Counters
from eventflow.garbage import no_collection
from eventflow.model.event import Event
from eventflow.model.status import ALIVE, TaskStatus
from eventflow.store.columns import Instant, instant_of, one_of
from eventflow.store.compiled import bound, table
from eventflow.store.loading import Kept, Step
from eventflow.store.log import event_of
from eventflow.store.rows import (
    ExecutionRow,
    OutboxRow,
    PoolRow,
    RunRow,
    StateKey,
    TimerRow,
    WorkflowRow,
)
from eventflow.store.tables import LIVE

Row = TypeVar("Row", bound=NamedTuple)

_FACTS = ("eventflow.task.", "eventflow.task/")

_CURSOR, _EVENT = table("cursor"), table("event")
_EXECUTION, _RUN, _HISTORY = (
    table("workflow_execution"),
    table("task_execution"),
    table("task_history"),
)
_STATE = table("state")

IS_LIVE: ColumnElement[bool] = literal_column(LIVE)
_LIVE = select(_EXECUTION.c.id).where(IS_LIVE)


@no_collection()
def kept_in(session: Session) -> Kept:
    """Read all that the live world is made of."""
    offset, turn, execution_id, run_id = (
        session.connection()
        .execute(
            select(
                _CURSOR.c.offset,
                _CURSOR.c.turn,
                _CURSOR.c.execution_id,
                _CURSOR.c.task_execution_id,
            )
        )
        .one()
    )
    return Kept(
        cursor=offset,
        counters=Counters(turn, execution_id, run_id),
        workflows=_rows(session, WorkflowRow, _workflows()),
        # In order of id, which is their first column: SQLite would write them down to sort them.
        executions=sorted(_rows(session, ExecutionRow, _executions())),
        triggers={event.turn: event for event in _events(session, *_triggers())},
        runs=_rows(session, RunRow, _standing_runs()),
        items=_rows(session, RunRow, _items()),
        states=[(StateKey(*key), value) for *key, value in session.connection().execute(_states())],
        timers=_rows(session, TimerRow, _all(TimerRow, "timer")),
        pools=_rows(session, PoolRow, _all(PoolRow, "pool")),
        outbox=_rows(session, OutboxRow, _all(OutboxRow, "outbox")),
        accounted=_accounted(session),
        untold=_events(session, *_untold()),
        steps=_rows(session, Step, _steps()),
    )


class _Question(NamedTuple):
    """A SELECT as text for the driver, and which columns of its answer are instants."""

    text: str
    parameters: tuple[Any, ...]
    instants: tuple[int, ...]


def _question(statement: Select[Any]) -> _Question:
    text, parameters = bound(statement)
    columns = enumerate(statement.selected_columns)
    instants = (place for place, column in columns if isinstance(column.type, Instant))
    return _Question(text, tuple(parameters), tuple(instants))


def _rows(session: Session, kind: type[Row], question: _Question) -> list[Row]:
    text, parameters, instants = question
    found = session.connection().exec_driver_sql(text, parameters)
    if not instants:
        return [kind._make(row) for row in found]
    rows = []
    for row in found:
        values = list(row)
        for place in instants:
            values[place] = instant_of(values[place])
        rows.append(kind._make(values))
    return rows


def _columns(kind: type[NamedTuple], of: Any) -> Select[Any]:
    """A SELECT of the columns that a row has, in its order."""
    return select(*(of.c[field] for field in kind._fields))


@cache
def _all(kind: type[NamedTuple], name: str) -> _Question:
    return _question(_columns(kind, table(name)))


@cache
def _workflows() -> _Question:
    workflows = table("workflow")
    return _question(_columns(WorkflowRow, workflows).order_by(*workflows.primary_key))


@cache
def _executions() -> _Question:
    return _question(_columns(ExecutionRow, _EXECUTION).where(IS_LIVE))


def _events(session: Session, text: str, parameters: list[Any]) -> list[Event]:
    found = session.connection().exec_driver_sql(text, tuple(parameters))
    return [event_of(tuple(row)) for row in found]


@cache
def _triggers() -> tuple[str, list[Any]]:
    """The events that started the live executions."""
    turns = select(_EXECUTION.c.trigger_turn).where(IS_LIVE, _EXECUTION.c.trigger_turn > 0)
    return bound(select(*_EVENT.c).where(_EVENT.c.turn.in_(turns)))


@cache
def _standing_runs() -> _Question:
    """The runs of live executions that still count, however many a periodic task has had."""
    place = (_RUN.c.workflow_execution_id, _RUN.c.task)
    newest_first = _RUN.c.sequence_number.desc()
    succeeded = _RUN.c.status == TaskStatus.SUCCESS.value
    ranked = (
        select(
            *_RUN.c,
            func.row_number().over(partition_by=place, order_by=newest_first).label("newest"),
            func.row_number()
            .over(partition_by=(*place, _RUN.c.dropped), order_by=newest_first)
            .label("standing"),
            func.row_number()
            .over(partition_by=(*place, succeeded), order_by=newest_first)
            .label("output"),
        )
        .where(_RUN.c.workflow_execution_id.in_(_LIVE), _RUN.c.item < 0)
        .subquery("ranked")
    )
    return _question(
        _columns(RunRow, ranked)
        .where(
            or_(
                ranked.c.newest == 1,
                ranked.c.standing == 1,
                and_(ranked.c.output == 1, ranked.c.status == TaskStatus.SUCCESS.value),
                literal_column(one_of("ranked.status", ALIVE)),
            )
        )
        .order_by(ranked.c.workflow_execution_id, ranked.c.task, ranked.c.sequence_number)
    )


@cache
def _items() -> _Question:
    """All items of the runs of mapped tasks that have not ended, in order of id."""
    owner = _RUN.alias("owner")
    alive = select(owner.c.id).where(
        owner.c.workflow_execution_id.in_(_LIVE),
        owner.c["items"].is_not(None),
        literal_column(one_of("owner.status", ALIVE)),
    )
    return _question(
        _columns(RunRow, _RUN)
        .where(_RUN.c.workflow_execution_id.in_(_LIVE), _RUN.c.item >= 0, _RUN.c.parent.in_(alive))
        .order_by(_RUN.c.id)
    )


def _accounted(session: Session) -> dict[tuple[str, str], datetime]:
    found = session.connection().execute(_newest_firings())
    return {(namespace, name): due_at for namespace, name, due_at in found if due_at is not None}


@cache
def _newest_firings() -> Select[Any]:
    """Of each registered workflow, by one seek: firings are as many as due times there were."""
    workflow, firing = table("workflow"), table("schedule_firing")
    key = literal("schedule:") + workflow.c.namespace + literal("/") + workflow.c.name
    newest = select(func.max(firing.c.due_at)).where(firing.c.schedule == key).scalar_subquery()
    return select(workflow.c.namespace, workflow.c.name, newest)


@cache
def _states() -> Select[Any]:
    execution = _STATE.c.workflow_execution_id
    return select(*_STATE.c).where(or_(execution == 0, execution.in_(_LIVE)))


@cache
def _untold() -> tuple[str, list[Any]]:
    return bound(select(*_EVENT.c).where(_is_untold()).order_by(_EVENT.c.offset))


def _is_untold() -> ColumnElement[bool]:
    """A status fact of a task of a live execution that is in the log without a turn."""
    return and_(
        _EVENT.c.turn.is_(None),
        _EVENT.c.key >= _FACTS[0],
        _EVENT.c.key < _FACTS[1],
        _EVENT.c.workflow_execution_id.in_(_LIVE),
    )


@cache
def _steps() -> _Question:
    """The history of the tasks of every execution that has such a fact."""
    touched = select(_EVENT.c.workflow_execution_id).where(_is_untold())
    return _question(
        select(
            _RUN.c.workflow_execution_id,
            _RUN.c.task,
            _RUN.c.sequence_number,
            _RUN.c.id,
            _HISTORY.c.status,
        )
        .join_from(_HISTORY, _RUN, _HISTORY.c.task_execution_id == _RUN.c.id)
        .where(
            _RUN.c.workflow_execution_id.in_(touched),
            _RUN.c.dropped.is_(False),
            _RUN.c.item < 0,
        )
        .order_by(_RUN.c.id, _HISTORY.c.turn, _HISTORY.c.number)
    )
