"""Statuses and actions, and the one table of legal moves (S26)."""

from enum import StrEnum

from eventflow.errors import TransitionError


class TaskStatus(StrEnum):
    """What one run of a task is doing."""

    INIT = "INIT"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"
    RESTARTING = "RESTARTING"
    RETRYING = "RETRYING"
    SKIPPED = "SKIPPED"


class WorkflowStatus(StrEnum):
    """What one execution of a workflow is doing (S29)."""

    INIT = "INIT"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    STOPPED = "STOPPED"

    @property
    def ended(self) -> bool:
        return self in WORKFLOW_ENDED


class TaskAction(StrEnum):
    """What a rule does to its task (S19-S21)."""

    START = "START"
    RESTART = "RESTART"
    STOP = "STOP"


class ExecutionType(StrEnum):
    """Who asked for a workflow execution: someone, an event, or the schedule."""

    MANUAL = "MANUAL"
    EVENT = "EVENT"
    PERIODIC = "PERIODIC"


ENDED = frozenset({TaskStatus.SUCCESS, TaskStatus.FAILED, TaskStatus.STOPPED, TaskStatus.SKIPPED})
ALIVE = frozenset(TaskStatus) - ENDED
# An executor may hold, or may have held and not yet let go of, a run in one of these.
BUSY = ALIVE - {TaskStatus.INIT}
WORKFLOW_ENDED = frozenset({WorkflowStatus.SUCCESS, WorkflowStatus.FAILED, WorkflowStatus.STOPPED})

_INIT, _QUEUED, _RUNNING = TaskStatus.INIT, TaskStatus.QUEUED, TaskStatus.RUNNING
_STOPPING, _STOPPED = TaskStatus.STOPPING, TaskStatus.STOPPED
_RESTARTING, _RETRYING = TaskStatus.RESTARTING, TaskStatus.RETRYING
_SUCCESS, _FAILED, _SKIPPED = TaskStatus.SUCCESS, TaskStatus.FAILED, TaskStatus.SKIPPED

MOVES: dict[TaskStatus | None, frozenset[TaskStatus]] = {
    None: frozenset({_INIT, _SKIPPED}),
    _INIT: frozenset({_QUEUED, _STOPPED, _SKIPPED}),
    _QUEUED: frozenset({_RUNNING, _STOPPING, _RESTARTING, _STOPPED, _FAILED, _RETRYING}),
    _RUNNING: frozenset({_SUCCESS, _FAILED, _SKIPPED, _RETRYING, _STOPPING, _RESTARTING}),
    _RETRYING: frozenset({_QUEUED, _STOPPED, _FAILED}),
    _STOPPING: frozenset({_STOPPED}),
    _RESTARTING: frozenset({_STOPPED, _STOPPING}),
    _SUCCESS: frozenset(),
    _FAILED: frozenset(),
    _STOPPED: frozenset(),
    _SKIPPED: frozenset(),
}


def check_move(before: TaskStatus | None, after: TaskStatus) -> None:
    """Refuse a move that S26's table does not hold.

    Raises:
        TransitionError: Always a bug of ours: callers look before they move.
    """
    legal = MOVES[before]
    if after not in legal:
        name = before.value if before is not None else "(new)"
        ways = ", ".join(sorted(legal)) or "nothing, it has ended"
        raise TransitionError(
            f"task status {name} -> {after.value} is not legal; from {name}: {ways}"
        )
