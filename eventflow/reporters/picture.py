"""The newest whole picture of one execution, read from the records of a scheduler's store.

It holds no parameters, no results and no events: what a platform is told is how the work goes, not
what it is about. Texts and numbers of runs are bounded.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from eventflow.model.drawing import operator_name
from eventflow.model.operator import Operator
from eventflow.model.records import TaskExecution, WorkflowExecution
from eventflow.model.status import TaskStatus, WorkflowStatus
from eventflow.model.workflow import Task, Workflow
from eventflow.reporters.items import Items, PicturedItem, counts_of, sources_of
from eventflow.reporters.lineage import Ancestry, lineage
from eventflow.reporters.reading import Records, cut, newest_error

MAX_RUNS = 5_000
MAX_DEFINITIONS = 32


@dataclass(frozen=True, slots=True)
class PicturedTask:
    """One task of the definition. `docs` is what its author says about it."""

    name: str
    predecessors: tuple[str, ...]
    operator: str = ""
    docs: str = ""
    is_mapped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PicturedRun:
    """One run of one task.

    Attributes:
        key: `<execution>_<task>_<sequence number>`.
        predecessors: Keys of the runs that it came from.
        error: Type and message of the newest failed attempt, or nothing.
        counts: Of a run of a mapped task: how many items stand how; `None` before it has some.
        items: Its items, in their order; none where there are too many of them.
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
    counts: tuple[tuple[TaskStatus, int], ...] | None = None
    items: tuple[PicturedItem, ...] = ()


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


class Definitions:
    """The definitions that were pictured lately, by their snapshot.

    Args:
        workflow_of: The workflow of a snapshot; `None` while its code is not at hand.
    """

    def __init__(self, workflow_of: Callable[[str], Workflow | None]) -> None:
        self._workflow_of = workflow_of
        self._kept: dict[str, Definition] = {}

    def of(self, snapshot: str) -> "Definition | None":
        known = self._kept.get(snapshot)
        if known is not None:
            return known
        workflow = self._workflow_of(snapshot)
        if workflow is None:
            return None
        while len(self._kept) >= MAX_DEFINITIONS:
            self._kept.pop(next(iter(self._kept)), None)
        return self._kept.setdefault(snapshot, Definition(workflow))


class Definition:
    """What the pictures of all executions of one definition share, worked out once."""

    def __init__(self, workflow: Workflow) -> None:
        self.ancestry = Ancestry(workflow)
        self.tasks = tuple(_task(self.ancestry, task) for task in workflow.tasks.values())
        self.sources = {
            name: sources_of(task)
            for name, task in workflow.tasks.items()
            if task.mapped is not None
        }


def picture_of(
    records: Records, execution: WorkflowExecution, definition: Definition | None
) -> Picture:
    """The picture of an execution with its tasks; without its definition the graph is empty."""
    origins = lineage(definition.ancestry if definition is not None else None, execution.tasks)
    runs = _newest(execution.tasks)
    items = Items(records, execution.tasks, definition.sources if definition is not None else {})
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
        tasks=definition.tasks if definition is not None else (),
        runs=tuple(
            _run(
                records,
                run,
                items.keys[run.id],
                tuple(items.keys[origin] for origin in origins[run.id]),
                items.of(run, origins[run.id]),
            )
            for run in runs
        ),
        left_out=len(execution.tasks) - len(runs),
    )


def _newest(runs: Sequence[TaskExecution]) -> list[TaskExecution]:
    """The newest runs, and of every task its newest."""
    if len(runs) <= MAX_RUNS:
        return list(runs)
    latest = {run.task_name: run.id for run in runs}
    kept = {run.id for run in runs[-MAX_RUNS:]} | set(latest.values())
    return [run for run in runs if run.id in kept]


def _task(ancestry: Ancestry, task: Task) -> PicturedTask:
    upstreams, is_mapped = ancestry.upstreams(task.name), task.mapped is not None
    if not isinstance(task, Operator):
        return PicturedTask(task.name, upstreams, operator_name(task), "", is_mapped)
    # Its definition names it too, and takes long to put together.
    return PicturedTask(task.name, upstreams, type(task).__qualname__, cut(task.docs), is_mapped)


def _run(
    records: Records,
    run: TaskExecution,
    key: str,
    predecessors: tuple[str, ...],
    items: tuple[PicturedItem, ...],
) -> PicturedRun:
    return PicturedRun(
        key=key,
        task=run.task_name,
        sequence_number=run.sequence_number,
        attempt=run.attempt,
        status=run.status,
        predecessors=predecessors,
        created_at=run.created_at,
        begin_date=run.begin_date,
        end_date=run.end_date,
        reason=cut(run.reason),
        error=newest_error(records, run),
        counts=counts_of(run.items),
        items=items,
    )
