"""What users read about executions and the log: frozen values. The store makes them from rows."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from eventflow.model.event import Event
from eventflow.model.itemname import in_brackets
from eventflow.model.settings import DEFAULT_POOL
from eventflow.model.status import ENDED, WORKFLOW_ENDED, ExecutionType, TaskStatus, WorkflowStatus


class TaskExecutionKey(NamedTuple):
    """Names one run of one task; `sequence_number` counts from 1."""

    workflow_execution_id: int
    task_name: str
    sequence_number: int

    def __str__(self) -> str:
        return f"{self.workflow_execution_id}_{self.task_name}_{self.sequence_number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCount:
    """How many events of the log fit a question; `by_sender` holds the senders that have any."""

    total: int
    by_sender: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChange:
    """One entry of a run's history: the status it took, when, and in which attempt."""

    status: TaskStatus
    at: datetime
    attempt: int
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailure:
    """How one attempt failed (S37). `args` are the exception's arguments as JSON values."""

    attempt: int
    type_name: str
    message: str
    args: list[Any] = field(default_factory=list)
    traceback: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemCounts:
    """How the items of a run of a mapped task stand (S43)."""

    total: int
    by_status: dict[TaskStatus, int] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        """For people: `812/1000 items, 3 failed`; what has ended stands before the stroke."""
        ended = sum(count for status, count in self.by_status.items() if status in ENDED)
        told = [f"{ended}/{self.total} items"]
        for status in (TaskStatus.FAILED, TaskStatus.STOPPED, TaskStatus.SKIPPED):
            if self.by_status.get(status):
                told.append(f"{self.by_status[status]} {status.value.lower()}")
        return ", ".join(told)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskExecution:
    """One run of one task.

    Attributes:
        sequence_number: Counts the runs of this task in its execution, from 1.
        attempt: Counts the attempts of this run, from 1.
        begin_date: When the first attempt began to run, aware UTC; `None` before.
        end_date: When the run ended, aware UTC; `None` before.
        started_by: What made the rule act: an event's key, or `autostart`, `command`, `periodic`.
        trigger_turn: The turn of the event that started it (S8).
        reason: Why it ended as it did, or what it waits for; may be empty.
        dropped: It was a successor that a STOP ended while it waited: no one's latest (S20).
        taken_from: The run whose status and result it has: nothing ran (S31).
        log_path: Where the newest attempt's output is, or empty.
        pool: Of whose slots its attempts take one (S44).
        inputs: Upstream task -> id of the run whose result it takes (S38); empty until QUEUED.
        metrics: What `get_metrics` of its operator said when its newest attempt ended (S37).
        parent: Of an item of a mapped task: the id of the run that it is an item of (S43).
        item: Its number among the items, from 0.
        index: The same as a number on each axis of the map, outermost first.
        items: Of a run of a mapped task: how its items stand; `None` before it has some.
    """

    id: int
    workflow_execution_id: int
    task_name: str
    sequence_number: int
    attempt: int
    status: TaskStatus
    execution_type: ExecutionType = ExecutionType.MANUAL
    created_at: datetime | None = None
    begin_date: datetime | None = None
    end_date: datetime | None = None
    started_by: str = ""
    trigger_turn: int = 0
    reason: str = ""
    log_path: str = ""
    pool: str = DEFAULT_POOL
    dropped: bool = False
    taken_from: int | None = None
    inputs: dict[str, int] = field(default_factory=dict, hash=False)
    metrics: dict[str, float] = field(default_factory=dict, hash=False)
    parent: int | None = None
    item: int | None = None
    index: tuple[int, ...] = ()
    items: ItemCounts | None = None

    @property
    def key(self) -> TaskExecutionKey:
        return TaskExecutionKey(self.workflow_execution_id, self.task_name, self.sequence_number)

    @property
    def sender(self) -> str:
        """Who sends its events: `1_work_2`, and of an item, by its index, `1_work_2[17]` (S14)."""
        return f"{self.key}{in_brackets(self.index)}"

    @property
    def label(self) -> str:
        """For people: `work #2`, and of an item `work[17] #2`."""
        return f"{self.task_name}{in_brackets(self.index)} #{self.sequence_number}"

    @property
    def ended(self) -> bool:
        return self.status in ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentLink:
    """The run of a task, and its attempt, that a sub-execution stands for (S40)."""

    workflow_execution_id: int
    task_name: str
    task_execution_id: int
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowExecution:
    """One execution of a workflow.

    Attributes:
        snapshot: Content hash of the definition that it runs (S41).
        params: What the caller gave with the start; JSON.
        trigger_event: The event that started it; `None` unless it is an EVENT execution (S16).
        scheduled_time: The due time that a PERIODIC execution stands for, aware UTC (S33).
        retry_of: The ended execution that it is the retry of (S31).
        tasks: Its task executions, oldest first; empty where they were not asked for.
        reason: Why it ended as it did, or why it waits; may be empty.
        parent: The task of another execution that runs this one; `None` for any other (S40).
        stopping: Why it was to stop (S29): while it is being stopped, and once it has ended so.
        hops: How many starts by rules lie between it and an event from outside (S45).
    """

    id: int
    workflow_name: str
    namespace: str
    execution_type: ExecutionType
    status: WorkflowStatus
    snapshot: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    begin_date: datetime | None = None
    end_date: datetime | None = None
    scheduled_time: datetime | None = None
    trigger_event: Event | None = None
    retry_of: int | None = None
    tasks: tuple[TaskExecution, ...] = ()
    reason: str = ""
    parent: ParentLink | None = None
    stopping: str = ""
    hops: int = 0

    @property
    def ended(self) -> bool:
        return self.status in WORKFLOW_ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolRecord:
    """A pool that was set, or that tasks are in now (S44).

    Attributes:
        slots: How many attempts may be with an executor at once; `None` for any number.
        held: How many are; more than `slots` for a while after these were lowered.
        waiting: How many attempts wait for a slot.
        is_set: Whether somebody has set it. A pool that nobody has set, but for `default`, lets
            nobody through.
    """

    namespace: str
    name: str
    slots: int | None
    held: int = 0
    waiting: int = 0
    is_set: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRecord:
    """What a met rule or a command came to, with the event that it answered."""

    turn: int
    event_key: str
    event_offset: int
    at: datetime
    workflow_execution_id: int | None
    workflow: str
    task: str
    rule: int | None
    action: str
    did: str
    task_execution_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictRecord:
    """What a user's condition said about an event (S9).

    Attributes:
        at: When the log took the event, aware UTC.
        workflow_execution_id: `None` for a workflow rule.
        task: The task whose rule it is; empty for a workflow rule.
        rule: The rule's place among its task's, or its workflow's, from 0.
        writes: State that it wrote, by name; `None` where it was forgotten.
        error: The traceback, when it has no answer (S13).
        of_turn: The turn in which it failed at first, when it was asked again; else 0. The event
            is then the command that asked.
    """

    turn: int
    event_key: str
    event_offset: int
    at: datetime | None
    workflow_execution_id: int | None
    namespace: str
    workflow: str
    task: str
    rule: int
    met: bool
    writes: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    of_turn: int = 0
