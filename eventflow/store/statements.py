"""What the writer writes: every INSERT, UPDATE and DELETE, as text for the driver."""

from sqlalchemy import bindparam, delete, literal_column, update

from eventflow.model.status import TaskAction
from eventflow.store.compiled import insert_into, table, text_of, update_by_id
from eventflow.store.rows import (
    DecisionRow,
    ExecutionRow,
    ExecutionUpdate,
    FailureRow,
    FiringRow,
    HistoryRow,
    OutboxRow,
    PoolRow,
    RunRow,
    RunUpdate,
    StateKey,
    TimerRow,
    VerdictRow,
    WorkflowRow,
)

_CURSOR, _EVENT, _OUTBOX = table("cursor"), table("event"), table("outbox")
_STATE, _TIMER, _WORKFLOW = table("state"), table("timer"), table("workflow")
_DATA, _PARKED = table("workflow_data"), table("parked")

# An event that is new has not been decided by an earlier batch.
INSERT_EVENT = insert_into(
    "event",
    [name for name in _EVENT.c.keys() if name != "decided_at"],  # noqa: SIM118
).text
INSERT_DEDUP = insert_into("dedup", table("dedup").c.keys()).text
INSERT_EXECUTION = insert_into("workflow_execution", ExecutionRow._fields)
UPDATE_EXECUTION = update_by_id(
    "workflow_execution", ExecutionUpdate._fields, keep=ExecutionUpdate._fields
)
INSERT_RUN = insert_into("task_execution", RunRow._fields)
UPDATE_RUN = update_by_id(
    "task_execution",
    RunUpdate._fields,
    keep=("reason", "metrics", "items"),
    first=("began_at", "ended_at"),
)
# Items that were never opened: their history first, while they are still in INIT (S43).
CLOSE_HISTORY = (
    "INSERT INTO task_history (task_execution_id, turn, number, status, at, attempt, reason)"
    " SELECT id, ?, ? + id - ?, 'STOPPED', ?, attempt, ? FROM task_execution"
    " WHERE id BETWEEN ? AND ? AND status = 'INIT'"
)
CLOSE_ITEMS = (
    "UPDATE task_execution SET status = 'STOPPED', ended_at = ?, reason = ?"
    " WHERE id BETWEEN ? AND ? AND status = 'INIT'"
)
INSERT_HISTORY = insert_into("task_history", HistoryRow._fields)
INSERT_DECISION = insert_into("decision", DecisionRow._fields)
INSERT_VERDICT = insert_into("verdict", VerdictRow._fields)
INSERT_ORDER = insert_into("outbox", OutboxRow._fields, on_repeat="IGNORE")
INSERT_FIRING = insert_into("schedule_firing", FiringRow._fields)
INSERT_FAILURE = insert_into("attempt_failure", FailureRow._fields)
INSERT_WORKFLOW = insert_into("workflow", WorkflowRow._fields, on_repeat="IGNORE")
PUT_STATE = insert_into("state", (*StateKey._fields, "value"), on_repeat="REPLACE")
PUT_POOL = insert_into("pool", PoolRow._fields, on_repeat="REPLACE")
PUT_TIMER = insert_into("timer", TimerRow._fields, on_repeat="REPLACE")
PUT_RESULT = insert_into("result", ("task_execution_id", "value"), on_repeat="REPLACE")
PUT_DATA = insert_into("workflow_data", _DATA.c.keys(), on_repeat="REPLACE")
DELETE_PARKED = text_of(delete(_PARKED))
PARK = insert_into("parked", _PARKED.c.keys()).text
KEEP_SNAPSHOT = insert_into("snapshot", table("snapshot").c.keys(), on_repeat="IGNORE")
KEEP_VALUE = insert_into(
    "deterministic_value", table("deterministic_value").c.keys(), on_repeat="IGNORE"
)

TURN_EVENT = text_of(
    update(_EVENT)
    .ordered_values((_EVENT.c.turn, bindparam("taken")), (_EVENT.c.decided_at, bindparam("now")))
    .where(_EVENT.c.offset == bindparam("at"))
)
# One compare-and-set does two jobs: each turn is taken once, and a scheduler that has lost its
# lease is fenced off. A batch of reports and timers moves no offset: the turn tells that it is
# written already, when its commit had failed and nobody knew.
MOVE_CURSOR = text_of(
    update(_CURSOR)
    .ordered_values(
        (_CURSOR.c.offset, bindparam("read_to")),
        (_CURSOR.c.turn, bindparam("turns")),
        (_CURSOR.c.execution_id, bindparam("executions")),
        (_CURSOR.c.task_execution_id, bindparam("runs")),
    )
    .where(_CURSOR.c.offset == bindparam("read_from"))
    .where(_CURSOR.c.turn == bindparam("turns_from"))
    .where(_CURSOR.c.lease_epoch == bindparam("epoch"))
)
TAKE_LEASE = text_of(
    update(_CURSOR).ordered_values(
        (_CURSOR.c.lease_epoch, _CURSOR.c.lease_epoch + literal_column("1")),
        (_CURSOR.c.clean, literal_column("0")),
        (_CURSOR.c.holder_pid, bindparam("pid")),
        (_CURSOR.c.holder_host, bindparam("host")),
        (_CURSOR.c.holder_since, bindparam("since")),
        (_CURSOR.c.holder_program, bindparam("program")),
    )
)
GIVE_LEASE = text_of(
    update(_CURSOR)
    .ordered_values((_CURSOR.c.clean, bindparam("is_clean")))
    .where(_CURSOR.c.lease_epoch == bindparam("epoch"))
)
REGISTER = text_of(
    update(_WORKFLOW)
    .ordered_values(
        (_WORKFLOW.c.snapshot, bindparam("hash")), (_WORKFLOW.c.registered_at, bindparam("at"))
    )
    .where(_WORKFLOW.c.namespace == bindparam("space"), _WORKFLOW.c.name == bindparam("named"))
)
PAUSE = text_of(
    update(_WORKFLOW)
    .ordered_values((_WORKFLOW.c.paused, bindparam("is_paused")))
    .where(_WORKFLOW.c.namespace == bindparam("space"), _WORKFLOW.c.name == bindparam("named"))
)

_OF_ATTEMPT = (
    _OUTBOX.c.task_execution_id == bindparam("run"),
    _OUTBOX.c.attempt == bindparam("number"),
)
DELETE_ATTEMPT = text_of(delete(_OUTBOX).where(*_OF_ATTEMPT))
DELETE_START = text_of(
    delete(_OUTBOX).where(*_OF_ATTEMPT, _OUTBOX.c.action == literal_column(f"'{TaskAction.START}'"))
)
DELETE_STATE = text_of(
    delete(_STATE).where(*(_STATE.c[name] == bindparam(name) for name in StateKey._fields))
)
DELETE_TIMER = text_of(delete(_TIMER).where(_TIMER.c.key == bindparam("named")))
COPY_DATA = (
    "INSERT INTO workflow_data (workflow_execution_id, key, value)"
    " SELECT ?, key, value FROM workflow_data WHERE workflow_execution_id = ?"
)
DELETE_DATA = text_of(
    delete(_DATA).where(
        _DATA.c.workflow_execution_id == bindparam("execution"), _DATA.c.key == bindparam("named")
    )
)
