"""What is read of a store for a picture, and how much of a text is told."""

from collections.abc import Sequence
from typing import Protocol

from eventflow.model.records import AttemptFailure, TaskExecution, WorkflowExecution
from eventflow.model.status import TaskStatus

MAX_TEXT = 1_000
_FAILING = (TaskStatus.FAILED, TaskStatus.RETRYING)


class Records(Protocol):
    """What is read of a store."""

    def execution(self, execution_id: int) -> WorkflowExecution | None: ...

    def failures(self, task_execution_id: int) -> Sequence[AttemptFailure]: ...

    def items(self, task_execution_id: int, *, limit: int = 1000) -> Sequence[TaskExecution]: ...


def cut(text: str) -> str:
    """At most 1,000 characters, and `...` where there were more."""
    if not text.isascii():
        # A lone surrogate has no form on the wire.
        text = text.encode(errors="replace").decode()
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "..."


def newest_error(records: Records, run: TaskExecution) -> tuple[str, str] | None:
    """How a run or an item failed last; one that never failed is not asked about."""
    if run.attempt == 1 and run.status not in _FAILING:
        return None
    failures = records.failures(run.id)
    return (failures[-1].type_name, cut(failures[-1].message)) if failures else None
