"""A report as an event of the log: what an executor said, without the result (S8, S37)."""

from datetime import datetime
from typing import Any

from eventflow.core.decide import REPORT, SENDER
from eventflow.executors.port import Report
from eventflow.model.event import Event


def event_of(report: Report, home: tuple[int, str] | None, namespace: str, at: datetime) -> Event:
    """The event that stands for a report.

    Args:
        home: Execution id and task of the run; `None` when it is not alive any more.
        at: When the report came, aware UTC.
    """
    execution_id, task = home or (0, "")
    value: dict[str, Any] = {
        "execution_id": execution_id,
        "task": task,
        "run_id": report.key.task_execution_id,
        "attempt": report.key.attempt,
    }
    if report.reason:
        value["reason"] = report.reason
    if report.failure is not None:
        value["failure"] = {
            "type_name": report.failure.type_name,
            "message": report.failure.message,
            "args": report.failure.args,
            "traceback": report.failure.traceback,
        }
        value["retryable"] = report.retryable
        value["chance"] = report.chance
    if not report.counted:
        value["counted"] = False
    if report.metrics:
        value["metrics"] = report.metrics
    return Event(
        REPORT + report.kind.value,
        value,
        namespace=namespace,
        sender=SENDER,
        time=at,
        workflow_execution_id=execution_id or None,
    )
