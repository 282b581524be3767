"""Rules: a condition and what follows when it is met."""

from dataclasses import dataclass

from eventflow.errors import DefinitionError
from eventflow.model.condition import Condition, check_complete
from eventflow.model.context import RuleContext
from eventflow.model.event import Event
from eventflow.model.status import TaskAction


def _check_condition(condition: Condition) -> None:
    if not isinstance(condition, Condition):
        raise DefinitionError(f"a rule takes a Condition, got {condition!r}")
    check_complete(condition)


@dataclass(frozen=True, slots=True)
class TaskRule:
    """When `condition` is met, `action` is done to the rule's task (S18)."""

    condition: Condition
    action: TaskAction

    def __post_init__(self) -> None:
        _check_condition(self.condition)
        if not isinstance(self.action, TaskAction):
            raise DefinitionError(
                f"a rule's action is TaskAction.START, RESTART or STOP, got {self.action!r}"
            )

    def trigger(self, event: Event, context: RuleContext) -> TaskAction | None:
        """The action when the condition is met by `event`, else `None`."""
        return self.action if self.condition.is_met(event, context) else None


@dataclass(frozen=True, slots=True)
class WorkflowRule:
    """When `condition` is met, one execution of the rule's workflow starts (S15)."""

    condition: Condition

    def __post_init__(self) -> None:
        _check_condition(self.condition)

    def trigger(self, event: Event, context: RuleContext) -> bool:
        """Whether the condition is met by `event`."""
        return bool(self.condition.is_met(event, context))
