"""What is asked while something waits for the answer: SELECTs as text for the driver."""

from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Select,
    and_,
    bindparam,
    func,
    literal_column,
    select,
    type_coerce,
)

from eventflow.model.status import BUSY, TaskAction, TaskStatus, WorkflowStatus
from eventflow.store.columns import one_of
from eventflow.store.compiled import table, text_of
from eventflow.store.rows import DecisionRow, ExecutionRow, RunRow

_CURSOR, _DEDUP, _EVENT = table("cursor"), table("dedup"), table("event")
_EXECUTION, _RUN, _RESULT = table("workflow_execution"), table("task_execution"), table("result")
_DATA, _VALUE, _OUTBOX = table("workflow_data"), table("deterministic_value"), table("outbox")
_DECISION = table("decision")


def _first_of(statement: Select[Any]) -> str:
    # SQLAlchemy would bind an OFFSET too.
    return text_of(statement) + " LIMIT 1"


_WAITS = and_(_RUN.c.status == literal_column(f"'{TaskStatus.QUEUED}'"), _OUTBOX.c.action.is_(None))
# Who waits for a slot is QUEUED without a START. In these words SQLite uses the index of busy runs.
BUSY_IN_POOLS = text_of(
    select(_EXECUTION.c.namespace, _RUN.c.pool, _WAITS, func.count())
    .join_from(_RUN, _EXECUTION, _EXECUTION.c.id == _RUN.c.workflow_execution_id)
    .outerjoin(
        _OUTBOX,
        and_(
            _OUTBOX.c.task_execution_id == _RUN.c.id,
            _OUTBOX.c.attempt == _RUN.c.attempt,
            _OUTBOX.c.action == literal_column(f"'{TaskAction.START}'"),
        ),
    )
    .where(
        literal_column(one_of("task_execution.status", BUSY)),
        _RUN.c.status != literal_column(f"'{TaskStatus.RETRYING}'"),
    )
    .group_by(_EXECUTION.c.namespace, _RUN.c.pool, _WAITS)
)

# SQLite keeps the highest offset ever given, also when its event is gone.
NEWEST_OFFSET = "SELECT seq FROM sqlite_sequence WHERE name = 'event'"

HOPS_OF_RUN = text_of(select(_RUN.c.hops, _RUN.c.created_at).where(_RUN.c.id == bindparam("run")))
FIND_SEEN = text_of(
    select(_DEDUP.c.offset, _DEDUP.c.value_hash).where(
        _DEDUP.c.namespace == bindparam("space"),
        _DEDUP.c.sender == bindparam("who"),
        _DEDUP.c.id == bindparam("named"),
    )
)
FIRST_USED = text_of(
    select(type_coerce(_DEDUP.c.at, BigInteger)).where(
        _DEDUP.c.namespace == bindparam("space"),
        _DEDUP.c.sender == bindparam("who"),
        _DEDUP.c.id == bindparam("named"),
    )
)
NEWEST_TURN = text_of(select(_CURSOR.c.turn))
UNDECIDED = (
    text_of(select(*_EVENT.c).where(_EVENT.c.turn.is_(None)).order_by(_EVENT.c.offset)) + " LIMIT ?"
)
HAS_UNDECIDED = _first_of(
    select(literal_column("1")).where(
        _EVENT.c.turn.is_(None),
        _EVENT.c.workflow_execution_id == bindparam("execution"),
        _EVENT.c.offset > bindparam("after"),
    )
)
EVENT_AT = text_of(select(*_EVENT.c).where(_EVENT.c.offset == bindparam("at")))
# Read back from the end: the clock is hardly ever set back, and an index of its own would cost
# every insert.
OFFSET_AT = _first_of(
    select(_EVENT.c.offset)
    .where(_EVENT.c.logged_at <= bindparam("at"))
    .order_by(_EVENT.c.offset.desc())
)
EVENT_OF_TURN = text_of(select(*_EVENT.c).where(_EVENT.c.turn == bindparam("taken")))
TURN_AT = text_of(select(_EVENT.c.turn).where(_EVENT.c.offset == bindparam("at")))
AT_CURSOR = text_of(select(_CURSOR.c.offset, _CURSOR.c.turn, _CURSOR.c.lease_epoch))
LEASE = text_of(
    select(
        _CURSOR.c.lease_epoch,
        _CURSOR.c.clean,
        _CURSOR.c.holder_pid,
        _CURSOR.c.holder_host,
        _CURSOR.c.holder_since,
        _CURSOR.c.holder_program,
    )
)
_EXECUTIONS = select(*(_EXECUTION.c[name] for name in ExecutionRow._fields))
EXECUTION = text_of(_EXECUTIONS.where(_EXECUTION.c.id == bindparam("execution")))
# The second condition is that of the index.
SUB_EXECUTIONS = text_of(
    _EXECUTIONS.where(
        _EXECUTION.c.parent_execution_id == bindparam("parent"),
        literal_column("parent_execution_id > 0"),
    ).order_by(_EXECUTION.c.id)
)
DECISIONS_AT = text_of(
    select(_EVENT.c.key, *(_DECISION.c[name] for name in DecisionRow._fields))
    .join_from(_EVENT, _DECISION, _DECISION.c.turn == _EVENT.c.turn)
    .where(_EVENT.c.offset == bindparam("at"))
    .order_by(_DECISION.c.number)
)
EXECUTION_STATUS = text_of(
    select(_EXECUTION.c.status).where(_EXECUTION.c.id == bindparam("execution"))
)
_OF_TASK = (
    _RUN.c.workflow_execution_id == bindparam("execution"),
    _RUN.c.task == bindparam("named"),
    _RUN.c.item < literal_column("0"),
)
TASK_STATUS = _first_of(
    select(_RUN.c.status)
    .where(*_OF_TASK, _RUN.c.dropped == literal_column("0"))
    .order_by(_RUN.c.sequence_number.desc())
)
_RUNS = select(*(_RUN.c[name] for name in RunRow._fields)).order_by(_RUN.c.id)
RUNS_OF = text_of(
    _RUNS.where(
        _RUN.c.workflow_execution_id == bindparam("execution"), _RUN.c.item < literal_column("0")
    )
)
# A run that was taken over has the result of the one that brought it (S31).
_ORIGIN = _RUN.alias("origin")
_ORIGIN_ID = func.coalesce(_RUN.c.taken_from, _RUN.c.id)
# One row for a run: whose result it is, what that one says about its items, and the result itself.
RESULT = text_of(
    select(_ORIGIN.c.id, _ORIGIN.c["items"], _RESULT.c.value)
    .select_from(
        _RUN.join(_ORIGIN, _ORIGIN.c.id == _ORIGIN_ID).outerjoin(
            _RESULT, _RESULT.c.task_execution_id == _ORIGIN_ID
        )
    )
    .where(_RUN.c.id == bindparam("run"))
)
# Of runs whose ids follow one another: the items of a mapped task (S43).
RESULTS_BETWEEN = text_of(
    select(_RUN.c.id, _RESULT.c.value)
    .select_from(_RUN.outerjoin(_RESULT, _RESULT.c.task_execution_id == _ORIGIN_ID))
    .where(_RUN.c.id.between(bindparam("first"), bindparam("last")))
    .order_by(_RUN.c.id)
)
COUNT_ITEMS = text_of(
    select(_RUN.c.status, func.count())
    .where(_RUN.c.id.between(bindparam("first"), bindparam("last")))
    .group_by(_RUN.c.status)
)
LATEST_SUCCESS = _first_of(
    select(_RUN.c.id)
    .where(*_OF_TASK, _RUN.c.status == literal_column(f"'{TaskStatus.SUCCESS}'"))
    .order_by(_RUN.c.sequence_number.desc())
)
DATA = text_of(
    select(_DATA.c.value).where(
        _DATA.c.workflow_execution_id == bindparam("execution"), _DATA.c.key == bindparam("named")
    )
)
DRAWN = text_of(
    select(_VALUE.c.value).where(
        _VALUE.c.task_execution_id == bindparam("run"), _VALUE.c.name == bindparam("named")
    )
)


@cache
def executions(workflow: bool, namespace: bool, statuses: frozenset[WorkflowStatus]) -> str:
    """Executions, the newest first, of a workflow and a namespace if so and of any status if none.

    Its parameters: the workflow and the namespace where there is one, and how many.
    """
    statement = _EXECUTIONS.order_by(_EXECUTION.c.id.desc())
    if workflow:
        statement = statement.where(_EXECUTION.c.workflow == bindparam("named"))
    if namespace:
        statement = statement.where(_EXECUTION.c.namespace == bindparam("space"))
    if statuses:
        statement = statement.where(literal_column(one_of("status", statuses)))
    return text_of(statement) + " LIMIT ?"


@cache
def items(statuses: frozenset[TaskStatus]) -> str:
    """Items of a mapped task, in their order, of any status if none.

    Its parameters: the ids of the first and the last, and how many.
    """
    statement = _RUNS.where(_RUN.c.id.between(bindparam("first"), bindparam("last")))
    if statuses:
        statement = statement.where(literal_column(one_of("status", statuses)))
    return text_of(statement) + " LIMIT ?"
