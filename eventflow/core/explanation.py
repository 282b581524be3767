"""What `explain` answers, as frozen values (S42): causes from effect to origin, rules that wait."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from eventflow.model.event import Event
from eventflow.model.records import ItemCounts, TaskExecution, WorkflowExecution
from eventflow.model.status import TaskStatus


class How(StrEnum):
    """By what something was started or stopped."""

    RULE = "rule"
    TRIGGER = "trigger"
    AUTOSTART = "autostart"
    COMMAND = "command"
    PERIODIC = "periodic"
    SCHEDULE = "schedule"
    RETRY = "retry"
    TAKEN_OVER = "taken over"
    SUBRUN = "subrun"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One step back towards the first cause: what was done, and by what.

    Attributes:
        did: `started`, `restarted` or `stopped`.
        task: Empty where it is the execution that was started.
        rule: The rule's place among its task's, from 0.
        condition: In words.
        wrote: What a user's condition kept when it was met, by name.
        again: The command by which `event` was judged again, after its condition had failed.
        remembered: Events that came before `event` and were needed too.
        scheduled_time: The due time that an execution stands for.
        retry_of: The execution that this one is the retry of (S31).
        run_before: The run that was taken over, or runs again here.
    """

    workflow_execution_id: int
    workflow: str
    did: str
    how: How
    task: str = ""
    sequence_number: int = 0
    at: datetime | None = None
    action: str = ""
    rule: int | None = None
    condition: str = ""
    wrote: dict[str, Any] = field(default_factory=dict)
    event: Event | None = None
    again: Event | None = None
    remembered: tuple[Event, ...] = ()
    scheduled_time: datetime | None = None
    retry_of: int | None = None
    run_before: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LastEvent:
    """The newest event that a rule listens to, and what the rule made of it.

    Attributes:
        did: What the rule came to, as `started` or `ignored: alive`; else `not met`, `failed`,
            `undecided` or `not asked`.
        why: In words.
        wrote: What a user's condition kept, by name.
        error: The traceback of a condition that failed.
    """

    event: Event
    did: str
    why: str = ""
    wrote: dict[str, Any] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleExplained:
    """One rule of a task or of a workflow, and how it stands.

    Attributes:
        action: Empty for a workflow rule, which starts an execution.
        missing: What it still waits for, in words.
        came: What it waits for no more, since it remembers that it came.
        state: What a user's condition keeps, by name.
        possible: Whether it can still be met; a branch not taken cannot.
    """

    number: int
    action: str
    condition: str
    missing: tuple[str, ...] = ()
    came: tuple[str, ...] = ()
    state: dict[str, Any] = field(default_factory=dict)
    possible: bool = True
    last: LastEvent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemsWait:
    """How many items of a mapped task stand alike, and what they wait for (S43).

    Attributes:
        why: In words; empty for those that run.
        due_at: When the first of them goes on by itself.
    """

    status: TaskStatus
    count: int
    why: str = ""
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFailed:
    """An item that has failed, and how its last attempt did."""

    index: tuple[int, ...]
    attempt: int
    failure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemsExplained:
    """How the items of a run of a mapped task stand (S43).

    Attributes:
        over: Over what it is mapped: `for each item of fan`.
        waits: Those that have not ended.
        failed: The first of those that have failed; `counts` says how many there are.
    """

    counts: ItemCounts
    over: str = ""
    waits: tuple[ItemsWait, ...] = ()
    failed: tuple[ItemFailed, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemOrigin:
    """Where an item comes from, on some of its axes (S43).

    Attributes:
        task: Upstream; empty for items that the definition gives.
        index: Of the upstream's item; empty where that has none.
        element: Place in the list that is the upstream's result, or was given; `None` where the
            item takes the whole result of the upstream's item.
        status: That of the upstream's item; empty where it has none.
    """

    task: str = ""
    sequence_number: int = 0
    index: tuple[int, ...] = ()
    element: int | None = None
    status: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskExplained:
    """Why a task ran, from effect to first cause, and what its rules wait for.

    Attributes:
        run: The run that is explained, or the item; `None` for a task that has not started.
        chain: From the run back to the first cause; of an item, from the run that it is of.
        cut: The chain goes on, further back than was looked.
        stopped_by: What stopped or restarted the run, where a rule or a command did.
        failures: How its attempts failed, oldest first.
        notes: What else keeps it from running: of a run that waits for a slot, how its pool stands;
            of one that runs a workflow, what it runs (S40).
        refused: Commands for this task that were refused.
        items: Of a run of a mapped task: how its items stand; `None` before it has some.
        origins: Of an item: which item of which upstream it came from.
    """

    workflow_execution_id: int
    workflow: str
    task: str
    run: TaskExecution | None = None
    chain: tuple[Link, ...] = ()
    cut: bool = False
    stopped_by: Link | None = None
    failures: tuple[str, ...] = ()
    rules: tuple[RuleExplained, ...] = ()
    notes: tuple[str, ...] = ()
    refused: tuple[LastEvent, ...] = ()
    items: ItemsExplained | None = None
    origins: tuple[ItemOrigin, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionExplained:
    """Why an execution was started, and how each of its tasks stands.

    Attributes:
        tasks: Each with the first link of its chain; ask about a task for the whole of it.
    """

    execution: WorkflowExecution
    chain: tuple[Link, ...]
    cut: bool = False
    notes: tuple[str, ...] = ()
    tasks: tuple[TaskExplained, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowExplained:
    """What the rules of a workflow wait for that start executions, and its newest execution."""

    namespace: str
    workflow: str
    paused: bool
    rules: tuple[RuleExplained, ...] = ()
    due_at: datetime | None = None
    newest: int | None = None


Explained = ExecutionExplained | TaskExplained | WorkflowExplained
