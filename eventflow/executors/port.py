"""What the scheduler and an executor say to each other: Job, Report, and the two protocols.

An attempt is named by (task execution, attempt). A repeated submit of one is one start (S11); each
submit and each cancel is answered by exactly one end report, whatever happens to the worker.
"""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Protocol

from msgspec import Struct, field

from eventflow.model.event import Event
from eventflow.model.operator import Operator
from eventflow.model.records import AttemptFailure, TaskExecution, WorkflowExecution
from eventflow.model.status import TaskStatus


class AttemptKey(NamedTuple):
    """Names one attempt of one run."""

    task_execution_id: int
    attempt: int


class Code(Struct, frozen=True, kw_only=True):
    """Where a worker finds a workflow's code: a snapshot folder and the file in it (S41).

    Attributes:
        folder: The snapshot's folder, absolute; `None` for a workflow of the running program.
        entry: The file that defines the workflow, relative to `folder`.
    """

    snapshot: str
    folder: Path | None = None
    entry: str = ""


class Job(Struct, frozen=True, kw_only=True):
    """One attempt to make.

    Attributes:
        inputs: Upstream task name -> id of the task execution whose result it takes (S38).
        index: Of an item of a mapped task: its number on each axis, from 0; else empty (S43).
        elements: Number of an axis -> JSON text of the element that the item is about there.
        log_path: File for its output; `None` where logs are not kept.
        stop_grace_s: Seconds between the request to stop and the kill.
        must_not_repeat: The begin mark is made durable before the task's code runs (S28).
    """

    workflow_execution: WorkflowExecution
    task_execution: TaskExecution
    trigger_event: Event | None
    code: Code
    inputs: dict[str, int] = field(default_factory=dict)
    index: tuple[int, ...] = ()
    elements: dict[str, str] = field(default_factory=dict)
    log_path: Path | None = None
    stop_grace_s: float = 10.0
    heartbeat_timeout_s: float = 60.0
    must_not_repeat: bool = False

    @property
    def key(self) -> AttemptKey:
        return AttemptKey(self.task_execution.id, self.task_execution.attempt)


class ReportKind(StrEnum):
    """How an attempt stands. Every kind but RUNNING is an end."""

    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"
    STOPPED = "stopped"
    LOST = "lost"
    REFUSED = "refused"


class Report(Struct, frozen=True, kw_only=True):
    """What an executor says about one attempt.

    Attributes:
        result: JSON text of what the task returned; set with SUCCESS.
        failure: The exception; set with FAILED, LOST and REFUSED.
        retryable: Whether `retry_on` takes the exception; matched where it was raised (S27).
        chance: A number drawn from [0, 1) with a FAILED: the jitter of a retry is data.
        counted: Whether a LOST counts against `max_lost`: not when a signal stopped the scheduler.
        reason: A note for people: `exit code 3`, `abandoned`; with SKIPPED what the task said.
        metrics: What `Operator.get_metrics` returned.
    """

    key: AttemptKey
    kind: ReportKind
    result: str | None = None
    failure: AttemptFailure | None = None
    retryable: bool = True
    chance: float = 0.0
    counted: bool = True
    reason: str = ""
    metrics: dict[str, float] = field(default_factory=dict)


class Desk(Protocol):
    """What a running task may ask of the scheduler's side. Thread-safe; values are JSON text."""

    def emit(self, event: Event, task_execution_id: int) -> Event:
        """Append to the log; returns the committed event (S2). Raises EventError and its kin.

        Args:
            task_execution_id: The run whose task says it (S45).
        """
        ...

    def result_of(self, task_execution_id: int, index: tuple[int, ...] = ()) -> str | None:
        """The result of one run; of a mapped one with `index` that of the items below it (S43)."""
        ...

    def latest_result(self, workflow_execution_id: int, task_name: str) -> str | None:
        """The result of the latest SUCCESS of a task."""
        ...

    def task_status(self, workflow_execution_id: int, task_name: str) -> TaskStatus | None:
        """Status of the latest run of a task, as committed."""
        ...

    def read_data(self, workflow_execution_id: int, key: str) -> str | None:
        """Workflow data (S39)."""
        ...

    def write_data(self, workflow_execution_id: int, key: str, value: str | None) -> None:
        """Set workflow data, durably; `None` deletes."""
        ...

    def drawn(self, task_execution_id: int, name: str) -> str | None:
        """The value kept under `name`, if any: what was computed once is not computed again."""
        ...

    def draw(self, task_execution_id: int, name: str, value: str) -> str:
        """Keep `value` under `name` unless one is kept; return the kept one (S39)."""
        ...


class Executor(Protocol):
    """Runs attempts. The scheduler calls `recover`, `start`, then the rest, from one thread."""

    def recover(self) -> list[Report]:
        """Ends of attempts that began under an earlier scheduler on this store (S28).

        Kills what still runs, reads the outcomes that were written down, and reports every other
        begun attempt as LOST. Called before anything is submitted.
        """
        ...

    def start(
        self, desk: Desk, report: Callable[[Report], None], find: Callable[[Job], Operator]
    ) -> None:
        """Get ready.

        Args:
            desk: Serves the tasks' calls; thread-safe.
            report: Takes reports from any thread; never blocks for long.
            find: The operator of a job whose workflow is known in this process. Raises
                EventflowError when it is not.
        """
        ...

    def prepare(self, code: Code) -> None:
        """Have what the jobs of a snapshot need at hand, so that the next one begins at once.

        Returns when it is, or cannot be: then the jobs themselves will say why.
        """
        ...

    def submit(self, job: Job) -> None:
        """Run one attempt; a repeat is dropped. What cannot be started is reported REFUSED."""
        ...

    def cancel(self, key: AttemptKey) -> None:
        """Stop one attempt (S20): asked, then killed after the job's grace, then reported STOPPED.

        One that is not known here, or has not begun, is refused from now on and reported STOPPED.
        """
        ...

    def confirm(self, key: AttemptKey) -> None:
        """The attempt's end is committed: its begin mark and outcome may go."""
        ...

    def stop(self, grace_s: float) -> None:
        """End all attempts: `grace_s` seconds to finish, then they are killed, without a report."""
        ...
