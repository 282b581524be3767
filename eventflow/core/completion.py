"""Has an execution ended, and how (S29, S30).

Asked when nothing in the execution is alive and nothing of it is undecided. What remains is
whether any task that has not run can still come to: the least fixed point over the tasks whose
rules listen to the outside, or to tasks that can.
"""

from collections.abc import Iterator
from typing import Any

from eventflow.core.plan import Rule
from eventflow.core.retrying import can_stand
from eventflow.core.world import LiveExecution
from eventflow.model.condition import (
    AllOf,
    AnyOf,
    Condition,
    Not,
    TaskStatusCondition,
    levels_of,
)
from eventflow.model.jsonvalue import read
from eventflow.model.keys import RESERVED, matches, task_key
from eventflow.model.status import TaskStatus, WorkflowStatus


def ending_of(live: LiveExecution) -> tuple[WorkflowStatus, str] | None:
    """How a quiet execution ends, with the reason; `None` while it waits for something."""
    if not live.stopping:
        workflow = live.plan.workflow
        if workflow.completion == "manual" or live.plan.has_periodic_task:
            return None
        # One is enough: the rest of them would be worked out from it.
        if any(True for _ in _next_to_come(live, set())):
            return None
    if live.failed_by_timeout:
        return WorkflowStatus.FAILED, live.stopping
    failed = _failed_tasks(live)
    if failed:
        return WorkflowStatus.FAILED, f"failed: {', '.join(failed)}"
    if live.stopping:
        return WorkflowStatus.STOPPED, live.stopping
    return WorkflowStatus.SUCCESS, ""


def _failed_tasks(live: LiveExecution) -> list[str]:
    return [
        name
        for name, task in live.plan.tasks.items()
        if not task.settings.allow_failure
        and (latest := live.standing(name).latest) is not None
        and latest.status is TaskStatus.FAILED
    ]


def tasks_to_come(live: LiveExecution) -> set[str]:
    """The tasks without a run that something outside, or a retry (S31), can still bring to run."""
    coming: set[str] = set()
    while more := set(_next_to_come(live, coming)):
        coming |= more
    return coming


def _next_to_come(live: LiveExecution, coming: set[str]) -> Iterator[str]:
    """Those that can come to run by themselves, or once those in `coming` have."""
    for name, task in live.plan.tasks.items():
        if name in coming or live.standing(name).latest is not None:
            continue
        if any(_can_be_met(live, rule, coming) for rule in task.starters) or _can_run_again(
            live, name, coming
        ):
            yield name


def _can_be_met(live: LiveExecution, rule: Rule, coming: set[str]) -> bool:
    if rule.wanted is not None:
        # The edge can only come from a task that is to come; the rest may stand already.
        return any(name in coming for name in rule.wanted) and all(
            name in coming or _stands(live, name, statuses)
            for name, statuses in rule.wanted.items()
        )
    look = _Look(live, coming)
    return look.can_stand(rule.condition, rule.owner) and look.can_wake(rule.condition, rule.owner)


def _can_run_again(live: LiveExecution, task: str, coming: set[str]) -> bool:
    retried = live.retried.get(task)
    return retried is not None and can_stand(live, retried, coming)


def _stands(live: LiveExecution, task: str, wanted: frozenset[TaskStatus]) -> bool:
    told = live.standing(task).told
    return told is not None and told[1] in wanted


class _Look:
    """Whether a condition can still be met, given the tasks that are to come."""

    def __init__(self, live: LiveExecution, coming: set[str]) -> None:
        self._live = live
        self._coming = coming

    def can_wake(self, condition: Condition, place: str) -> bool:
        """Whether an event that it waits for can still come."""
        if isinstance(condition, TaskStatusCondition | Not):
            return any(level.task in self._coming for level in levels_of(condition))
        if isinstance(condition, AnyOf):
            return any(
                self.can_stand(member, inner) and self.can_wake(member, inner)
                for member, inner in _members(condition, place)
            )
        if isinstance(condition, AllOf):
            return any(self.can_wake(member, inner) for member, inner in _members(condition, place))
        return any(self._can_come(key) for key in condition.expect_event_keys)

    def can_stand(self, condition: Condition, place: str) -> bool:
        """Whether it is true already, or can come to be."""
        if isinstance(condition, TaskStatusCondition):
            return condition.task in self._coming or _stands(
                self._live, condition.task, condition.wanted
            )
        if isinstance(condition, Not):
            (inner,) = condition.members
            return self.can_wake(condition, place) or not self.can_stand(inner, place)
        if isinstance(condition, AllOf):
            latched = self._latched(place)
            return all(
                number in latched or self.can_stand(member, inner)
                for number, (member, inner) in enumerate(_members(condition, place))
            )
        if isinstance(condition, AnyOf):
            return any(
                self.can_stand(member, inner) for member, inner in _members(condition, place)
            )
        return self.can_wake(condition, place)

    def _can_come(self, pattern: str) -> bool:
        if not pattern.startswith(RESERVED):
            return True
        name = self._live.plan.name
        return any(
            matches(pattern, task_key(name, task, status))
            for task in self._coming
            for status in TaskStatus
        )

    def _latched(self, place: str) -> Any:
        text = self._live.state.get(f"{place}:@latched")
        return read(text) if text else []


def _members(condition: Condition, place: str) -> list[tuple[Condition, str]]:
    return [(member, f"{place}.{number}") for number, member in enumerate(condition.members)]
