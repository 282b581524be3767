"""FlowNode and StepFailure: what became of a step, or of one item of it, in one run."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from eventflow.flow.steps import FlowStep
from eventflow.model.records import AttemptFailure
from eventflow.model.status import TaskStatus

Index = tuple[int, ...]


def node_id(step: str, index: Index = ()) -> str:
    """`step`, or of an item `step[2,0]`: no name of a step has a bracket in it."""
    return f"{step}[{','.join(map(str, index))}]" if index else step


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowNode:
    """A step of one run, or one item of it.

    Attributes:
        step: The step that it belongs to.
        index: Of an item its number at each foreach and repeat around it; empty for a whole step.
        status: `None` as long as it has not been reached.
        reason: Why it was skipped or stopped, or what it waits for; may be empty.
        error: How its last attempt failed; `None` unless it is FAILED.
        exception: What that attempt raised, where that was in this process.
        run_id: Id of the task execution; 0 when there is none.
        attempt: How many attempts were begun; 0 before.
        begin: When the first attempt began, aware UTC.
        end: When it ended, aware UTC.
    """

    step: FlowStep
    index: Index = ()
    status: TaskStatus | None = None
    reason: str = ""
    error: AttemptFailure | None = None
    exception: BaseException | None = None
    run_id: int = 0
    attempt: int = 0
    begin: datetime | None = None
    end: datetime | None = None
    _result: Callable[[], Any] = field(default=lambda: None, repr=False)
    _lineage: Callable[[], tuple[str, ...]] = field(default=lambda: (), repr=False)

    @property
    def id(self) -> str:
        """Unique in its run: the step's, and in brackets the item's index."""
        return node_id(self.step.id, self.index)

    @property
    def result(self) -> Any:
        """What it returned; `None` without a success. The status tells the difference."""
        return self._result()

    @property
    def predecessors(self) -> tuple[str, ...]:
        """Ids of the nodes that it came from: which item of which step before it."""
        return self._lineage()

    @property
    def skipped(self) -> bool:
        return self.status is TaskStatus.SKIPPED

    @property
    def succeeded(self) -> bool:
        return self.status is TaskStatus.SUCCESS

    @property
    def failed(self) -> bool:
        return self.status is TaskStatus.FAILED


@dataclass(frozen=True, slots=True)
class StepFailure:
    """One failure in a run.

    Attributes:
        step: Id of the step.
        index: Of an item of it; empty for a whole step.
        error: Exception type, message and traceback, as text.
        exception: The exception itself, where it was raised in this process.
    """

    step: str
    index: Index
    error: AttemptFailure
    exception: BaseException | None = field(default=None, compare=False)

    @property
    def node(self) -> str:
        """The id of the FlowNode."""
        return node_id(self.step, self.index)

    def __str__(self) -> str:
        return f"{self.node}: {self.error.type_name}: {self.error.message}"
