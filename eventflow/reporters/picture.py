"""The newest whole picture of one execution, read from the records of a scheduler's store.

It holds no parameters, no results and no events: what a platform is told is how the work goes, not
what it is about. Texts and numbers of runs are bounded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from eventflow.model.drawing import operator_name
from eventflow.model.operator import Operator
from eventflow.model.records import AttemptFailure, TaskExecution, WorkflowExecution
from eventflow.model.status import TaskStatus, WorkflowStatus
from eventflow.model.workflow import Workflow
from eventflow.reporters.lineage import lineage, upstreams

MAX_TEXT = 1_000
MAX_RUNS = 5_000


class Records(Protocol):
    """What is read of a store."""

    def execution(self, execution_id: int) -> WorkflowExecution | None: ...

    def failures(self, task_execution_id: int) -> Sequence[AttemptFailure]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PicturedTask:
    """One task of the definition. `docs` is what its author says about it."""

    name: str
    predecessors: tuple[str, ...]
    operator: str = ""
    docs: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PicturedRun:
    """One run of one task.

    Attributes:
        key: `<execution>_<task>_<sequence number>`.
        predecessors: Keys of the runs that it came from.
        error: Type and message of the newest failed attempt, or nothing.
    """

    key: str
    task: str
    sequence_number: int
    attempt: int
    status: TaskStatus
    predecessors: tuple[str, ...] = ()
    created_at: datetime | None = None
    begin_date: datetime | None = None
    end_date: datetime | None = None
    reason: str = ""
    error: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One execution as it was when it was looked at. Equal pictures say the same.

    Attributes:
        left_out: How many of the oldest runs are not in `runs`.
    """

    execution_id: int
    workflow: str
    namespace: str
    execution_type: str
    status: WorkflowStatus
    created_at: datetime | None = None
    begin_date: datetime | None = None
    end_date: datetime | None = None
    reason: str = ""
    tasks: tuple[PicturedTask, ...] = ()
    runs: tuple[PicturedRun, ...] = ()
    left_out: int = 0

    @property
    def final(self) -> bool:
        """Whether the execution has ended: nothing in it will change any more."""
        return self.status.ended


def picture_of(
    records: Records, execution: WorkflowExecution, workflow: Workflow | None
) -> Picture:
    """The picture of an execution with its tasks; without its workflow the graph is empty."""
    runs = _newest(execution.tasks)
    origins = lineage(workflow, execution)
    return Picture(
        execution_id=execution.id,
        workflow=execution.workflow_name,
        namespace=execution.namespace,
        execution_type=execution.execution_type.value,
        status=execution.status,
        created_at=execution.created_at,
        begin_date=execution.begin_date,
        end_date=execution.end_date,
        reason=cut(execution.reason),
        tasks=_tasks(workflow) if workflow is not None else (),
        runs=tuple(_run(records, run, origins[run.id]) for run in runs),
        left_out=len(execution.tasks) - len(runs),
    )


def cut(text: str) -> str:
    """At most 1,000 characters, and `...` where there were more."""
    # A lone surrogate has no form on the wire.
    text = text.encode(errors="replace").decode()
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "..."


def _newest(runs: Sequence[TaskExecution]) -> list[TaskExecution]:
    """The newest runs, and of every task its newest."""
    if len(runs) <= MAX_RUNS:
        return list(runs)
    latest = {run.task_name: run.id for run in runs}
    kept = {run.id for run in runs[-MAX_RUNS:]} | set(latest.values())
    return [run for run in runs if run.id in kept]


def _tasks(workflow: Workflow) -> tuple[PicturedTask, ...]:
    return tuple(
        PicturedTask(
            name=name,
            predecessors=upstreams(workflow, name),
            operator=operator_name(task),
            docs=cut(task.docs) if isinstance(task, Operator) else "",
        )
        for name, task in workflow.tasks.items()
    )


def _run(records: Records, run: TaskExecution, origins: tuple[TaskExecution, ...]) -> PicturedRun:
    return PicturedRun(
        key=str(run.key),
        task=run.task_name,
        sequence_number=run.sequence_number,
        attempt=run.attempt,
        status=run.status,
        predecessors=tuple(str(origin.key) for origin in origins),
        created_at=run.created_at,
        begin_date=run.begin_date,
        end_date=run.end_date,
        reason=cut(run.reason),
        error=_error(records, run),
    )


def _error(records: Records, run: TaskExecution) -> tuple[str, str] | None:
    """How it failed last; a run that never failed is not asked about."""
    failed = run.status in (TaskStatus.FAILED, TaskStatus.RETRYING)
    if not failed and run.attempt == 1:
        return None
    failures = records.failures(run.id)
    return (failures[-1].type_name, cut(failures[-1].message)) if failures else None
