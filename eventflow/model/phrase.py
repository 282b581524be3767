"""A condition in words: for pictures, listings and "what is being waited for". One line each."""

from eventflow.model.condition import (
    AllOf,
    AnyOf,
    Condition,
    EventCondition,
    Not,
    TaskStatusCondition,
)
from eventflow.model.status import TaskStatus


def phrase(condition: Condition) -> str:
    """What a condition waits for: `train is SUCCESS`, `event data.arrived`, `all of (...)`."""
    match condition:
        case EventCondition():
            return f"event {condition.key}"
        case TaskStatusCondition():
            return f"{condition.task} is {statuses(condition.wanted)}"
        case AllOf():
            return _joined(condition, " and ")
        case AnyOf():
            return _joined(condition, " or ")
        case Not():
            return f"not ({phrase(condition.members[0])})"
        case _:
            keys = ", ".join(condition.expect_event_keys)
            return f"condition {type(condition).__name__} on {keys or 'no event'}"


def statuses(wanted: frozenset[TaskStatus]) -> str:
    """A set of wanted statuses: `SUCCESS or SKIPPED`, in the order of the enum."""
    return " or ".join(status.value for status in TaskStatus if status in wanted)


def _joined(condition: Condition, word: str) -> str:
    parts = [
        f"({phrase(member)})" if len(member.members) > 1 else phrase(member)
        for member in condition.members
    ]
    return word.join(parts) or "nothing"
