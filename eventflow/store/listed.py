"""What a store lists beside executions: snapshots, workflows, timers, and who holds it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRecord:
    """One snapshot of a workflow: where its code lies, never the code itself (S41).

    Attributes:
        folder: Absolute folder of its source files; empty for a workflow of a running program.
        entry: The defining file, relative to `folder`.
    """

    hash: str
    namespace: str
    workflow: str
    folder: str
    entry: str
    definition: dict[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowRecord:
    """One registered workflow."""

    namespace: str
    name: str
    snapshot: str
    paused: bool
    registered_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerRecord:
    """What is due next; `after` is the instant up to which a schedule is accounted for."""

    key: str
    kind: str
    due_at: datetime
    namespace: str
    workflow: str
    workflow_execution_id: int
    task: str
    after: datetime | None


class Held(NamedTuple):
    """Who holds the store: for the message that refuses a second scheduler."""

    pid: int
    host: str
    since: datetime
    program: str
