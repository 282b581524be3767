"""What executors report, decided: an attempt began, ended, or was lost (S26-S28)."""

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from eventflow.core.actions import drop_successor, let_go, move, queue
from eventflow.core.changes import (
    FailureKept,
    MetricsKept,
    ResultKept,
    TimerCleared,
    TimerSet,
    Withdrawn,
)
from eventflow.core.decision import Deciding, Outcome
from eventflow.core.moves import RunMoved
from eventflow.core.world import LiveExecution, Run, Timer
from eventflow.errors import TaskTimeoutError
from eventflow.model.records import AttemptFailure
from eventflow.model.status import TaskStatus

LOST_COUNT_ANEW_AFTER = timedelta(minutes=10)
LEAVING = (TaskStatus.STOPPING, TaskStatus.RESTARTING)


def decide_report(deciding: Deciding, kind: str, value: dict[str, Any], result: str | None) -> None:
    """Move the run that a report is about; one that is late or repeated moves nothing (S26).

    Args:
        kind: The last token of the report's key.
        value: `execution_id`, `task`, `run_id`, `attempt`, and what the kind carries.
        result: JSON text of what the task returned, with a success.
    """
    live = deciding.world.executions.get(value["execution_id"])
    run = live.run(value["run_id"], value["task"]) if live is not None else None
    if live is None or run is None or not run.alive or run.attempt != value["attempt"]:
        _ignore(deciding, value, f"ignored: late report {kind}")
        return
    if deciding.world.waits_for_slot(live, run):
        _ignore(deciding, value, f"ignored: report {kind} while it waits for a slot")
        return
    if not live.has_attempts(run) and (kind != "refused" or run.status is not TaskStatus.QUEUED):
        # Nothing runs it that could be lost or end: its items (S43) or sub-execution (S40) do.
        _ignore(deciding, value, f"ignored: report {kind} of a run that no executor holds")
        return
    if kind == "running":
        _began(deciding, live, run, value)
        return
    if run.status in (TaskStatus.INIT, TaskStatus.RETRYING):
        _ignore(deciding, value, f"ignored: report {kind} while {run.status.value}")
        return
    if value.get("metrics"):
        deciding.change(MetricsKept(run, value["metrics"]))
    if run.status in LEAVING:
        # It ends STOPPED whatever its code returned, or whoever was lost (S20, S28).
        reason = value.get("reason", "")
        told = kind != "skipped" and reason != "stopped"
        end_run(deciding, live, run, TaskStatus.STOPPED, reason if told else "")
        return
    match kind:
        case "success" if not run.timed_out:
            succeeded(deciding, live, run, result)
        case "skipped" if not run.timed_out:
            run = _run(deciding, live, run)
            end_run(deciding, live, run, TaskStatus.SKIPPED, value.get("reason", "")[:500])
        case "lost":
            _lost(deciding, live, run, value)
        case "refused":
            refused(deciding, live, run, value)
        case _:
            failed(deciding, live, run, with_timeout(live, run, value))


def _began(deciding: Deciding, live: LiveExecution, run: Run, value: dict[str, Any]) -> None:
    if run.status is not TaskStatus.QUEUED:
        _ignore(deciding, value, f"ignored: report running while {run.status.value}")
        return
    begin(deciding, live, run)


def begin(deciding: Deciding, live: LiveExecution, run: Run, reason: str = "") -> None:
    """The attempt is RUNNING; its time runs (S27)."""
    _run(deciding, live, run, reason)
    timeout = live.plan.tasks[run.task].settings.timeout
    if timeout is not None and (run.parent or live.plan.tasks[run.task].mapped is None):
        due = deciding.at + timedelta(seconds=timeout)
        deciding.change(
            TimerSet(
                Timer(
                    "timeout",
                    due,
                    execution_id=live.id,
                    task=run.task,
                    run_id=run.id,
                    attempt=run.attempt,
                )
            )
        )


def _run(deciding: Deciding, live: LiveExecution, run: Run, reason: str = "") -> Run:
    """QUEUED → RUNNING; an end reported for a QUEUED attempt passes through here too (S26)."""
    if run.status is not TaskStatus.QUEUED:
        return run
    began = replace(run, began_at=deciding.at)
    moved = move(deciding, live.id, began, TaskStatus.RUNNING, reason)
    deciding.change(Withdrawn(run.id, run.attempt, ended=False))
    return moved


def succeeded(deciding: Deciding, live: LiveExecution, run: Run, result: str | None) -> None:
    """The attempt has ended well; `result` is JSON text (S37)."""
    run = _run(deciding, live, run)
    if result is not None:
        deciding.change(ResultKept(live.id, run.id, run.task, result))
    end_run(deciding, live, run, TaskStatus.SUCCESS, "")


def failed(deciding: Deciding, live: LiveExecution, run: Run, value: dict[str, Any]) -> None:
    """The attempt has failed: again, with retries left, or the end (S27)."""
    run = _run(deciding, live, run)
    failure = failure_of(value, run.attempt)
    deciding.change(FailureKept(run.id, failure))
    settings = live.plan.tasks[run.task].settings
    reason = f"{failure.type_name}: {failure.message}"[:500]
    run = replace(run, failures=run.failures + 1, lost=0)
    if not value.get("retryable", True) or run.failures > settings.retries:
        end_run(deciding, live, run, TaskStatus.FAILED, reason)
        return
    wait = settings.retry_wait(run.failures, value.get("chance", 0.0))
    _again(deciding, live, run, reason, wait)


def _lost(deciding: Deciding, live: LiveExecution, run: Run, value: dict[str, Any]) -> None:
    settings = live.plan.tasks[run.task].settings
    counted = value.get("counted", True)
    lived = deciding.now - run.began_at if run.began_at is not None else timedelta(0)
    before = 0 if lived >= LOST_COUNT_ANEW_AFTER else run.lost
    lost = before + 1 if counted else before
    if run.timed_out:
        failed(deciding, live, run, with_timeout(live, run, value))
        return
    failure = failure_of(value, run.attempt)
    deciding.change(FailureKept(run.id, failure))
    reason = f"lost: {failure.message}"[:500]
    if settings.on_lost == "fail" or lost > settings.max_lost:
        run = _run(deciding, live, run)
        end_run(deciding, live, replace(run, lost=lost), TaskStatus.FAILED, reason)
        return
    _again(deciding, live, replace(run, lost=lost), reason, timedelta(0))


def refused(deciding: Deciding, live: LiveExecution, run: Run, value: dict[str, Any]) -> None:
    """The attempt cannot be started at all: that is not retried (S26)."""
    failure = failure_of(value, run.attempt)
    deciding.change(FailureKept(run.id, failure))
    end_run(deciding, live, run, TaskStatus.FAILED, f"cannot be started: {failure.message}"[:500])


def _again(deciding: Deciding, live: LiveExecution, run: Run, reason: str, wait: timedelta) -> None:
    """RETRYING, and QUEUED for the next attempt when the wait is over (S27, S28)."""
    let_go(deciding, live, run)
    deciding.change(TimerCleared(f"timeout:{run.id}"))
    run = replace(run, began_at=None, timed_out=False)
    run = move(deciding, live.id, run, TaskStatus.RETRYING, reason)
    if not wait:
        queue(deciding, live, live.plan.tasks[run.task], run, attempt=run.attempt + 1)
        return
    deciding.change(
        TimerSet(
            Timer(
                "retry",
                deciding.now + wait,
                execution_id=live.id,
                task=run.task,
                run_id=run.id,
                attempt=run.attempt,
            )
        )
    )


def end_run(
    deciding: Deciding, live: LiveExecution, run: Run, status: TaskStatus, reason: str
) -> None:
    """The run has ended; a successor that waited for it goes ahead (S21)."""
    move(deciding, live.id, run, status, reason)
    let_go(deciding, live, run)
    if live.plan.tasks[run.task].settings.timeout is not None:
        deciding.change(TimerCleared(f"timeout:{run.id}"))
    standing = live.standing(run.task)
    successor = standing.latest
    if standing.leaving is None or standing.leaving.id != run.id or successor is None:
        return
    if live.stopping:
        drop_successor(deciding, live, successor, run)
    else:
        queue(deciding, live, live.plan.tasks[run.task], successor)


def timed_out(deciding: Deciding, live: LiveExecution, run: Run) -> RunMoved:
    """The run keeps RUNNING until its worker is dead or abandoned (S27)."""
    return RunMoved(live.id, replace(run, timed_out=True), run.status, deciding.at, deciding.turn)


def failure_of(value: dict[str, Any], attempt: int) -> AttemptFailure:
    """The failure that a report carries, or a stand-in for one that carries none."""
    told = value.get("failure") or {}
    return AttemptFailure(
        attempt=attempt,
        type_name=told.get("type_name", "TaskError"),
        message=told.get("message", value.get("reason", "")),
        args=told.get("args", []),
        traceback=told.get("traceback", ""),
    )


def with_timeout(live: LiveExecution, run: Run, value: dict[str, Any]) -> dict[str, Any]:
    """What a report says, or that the time was over when it was (S27)."""
    if not run.timed_out:
        return value
    seconds = live.plan.tasks[run.task].settings.timeout
    message = f"attempt {run.attempt} of task {run.task!r} ran longer than its timeout, {seconds} s"
    failure = {"type_name": TaskTimeoutError.__name__, "message": message, "args": [message]}
    return {**value, "failure": failure, "retryable": True}


def _ignore(deciding: Deciding, value: dict[str, Any], did: str) -> None:
    deciding.note(
        Outcome(value["execution_id"], ("", ""), did, task=value["task"], run_id=value["run_id"])
    )
