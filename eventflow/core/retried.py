"""What a retry does with one task of the execution that it retries, as data (S31)."""

from dataclasses import dataclass
from typing import Any

from eventflow.model.event import Event
from eventflow.model.status import TaskStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """One task that had a run: it is taken over, or it runs again.

    Attributes:
        run_id: The run itself: of a task that is taken over the one that brought the result, also
            when it was taken over before.
        execution_id: The execution of that run.
        again: Whether it failed or was stopped from outside.
        trigger_turn: Turn of the event that started it; 0 when it started with its execution.
        started_by: What made its rule act: an event's key, or `autostart`, `command`, `periodic`.
        rule: The rule that started it; `None` when none did.
    """

    task: str
    run_id: int
    execution_id: int
    status: TaskStatus
    again: bool
    trigger_turn: int = 0
    started_by: str = ""
    rule: int | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "run_id": self.run_id,
            "execution_id": self.execution_id,
            "status": self.status.value,
            "again": self.again,
            "trigger_turn": self.trigger_turn,
            "started_by": self.started_by,
            "rule": self.rule,
        }

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> "Retried":
        return cls(**{**told, "status": TaskStatus(told["status"])})


def is_taken_over(event: Event) -> bool:
    """Whether a status fact tells of a run that was taken over: it happened before."""
    return event.key.startswith("eventflow.task.") and bool(event.value.get("taken_over"))
