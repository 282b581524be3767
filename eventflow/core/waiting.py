"""What is being waited for: why a task has not started, and whether it ever can (S42). Pure.

Works on the workflow and the statuses of its tasks alone, so that it can be asked about any
execution that the store holds. What a combination has latched is known where its state is given
too; else, of two events that a rule wants, both are named, also when one has come.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from eventflow.core.explain import kept_by
from eventflow.model.condition import AllOf, AnyOf, Condition, Not, TaskStatusCondition
from eventflow.model.keys import matches, task_key
from eventflow.model.phrase import phrase
from eventflow.model.rule import TaskRule
from eventflow.model.status import ALIVE, TaskAction, TaskStatus
from eventflow.model.workflow import Workflow

Statuses = Mapping[str, TaskStatus | None]
# Place in a rule's condition, as `.0.1` -> the members of the AllOf there that have come (S36).
Latches = Mapping[str, Collection[int]]
NOTHING: Latches = {}
NO_STATE: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A task that has not run, and what one of its rules still wants.

    Attributes:
        missing: In words, each for itself; empty for a task without a rule that starts it: it
            starts with its execution, or by command only, which `possible` tells apart.
        possible: Whether it can still come; a branch not taken is not waited for.
        came: What the rule wants too, and remembers that it came (S36).
        rule: Its place among the task's rules; `None`, as `condition`, without a rule.
    """

    task: str
    action: TaskAction
    missing: tuple[str, ...]
    possible: bool
    came: tuple[str, ...] = ()
    rule: int | None = None
    condition: Condition | None = None


def waits_for(
    workflow: Workflow,
    statuses: Statuses,
    state: Mapping[str, str] = NO_STATE,
    again: Collection[str] = (),
) -> list[Waiting]:
    """What the rules of each task that has never run still want, in order of definition.

    Args:
        statuses: Task -> status of its latest run; missing or `None` when it has none.
        state: Name -> JSON text of what the execution's conditions keep (S35).
        again: The tasks that a retry is still to run again (S31); nothing is said of them here.
    """
    coming = _coming(workflow, statuses, again)
    found = []
    for name in workflow.tasks:
        if statuses.get(name) is not None or name in again:
            continue
        starters = _starters(workflow, name)
        for number, rule in starters:
            _, latches = kept_by(state, f"{name}/{number}")
            found.append(
                Waiting(
                    task=name,
                    action=rule.action,
                    missing=tuple(missing(rule.condition, statuses, latches)),
                    possible=_can_be_met(workflow, rule.condition, statuses, coming),
                    came=tuple(map(phrase, arrived(rule.condition, latches))),
                    rule=number,
                    condition=rule.condition,
                )
            )
        if not starters:
            found.append(
                Waiting(task=name, action=TaskAction.START, missing=(), possible=name in coming)
            )
    return found


def never_start(workflow: Workflow) -> list[str]:
    """The tasks that no rule, clock or beginning can bring to run, in order of definition."""
    coming = _coming(workflow, {})
    return [name for name in workflow.tasks if name not in coming]


def _starters(workflow: Workflow, name: str) -> list[tuple[int, TaskRule]]:
    """The rules that can give a task a run, each with its place among the task's rules."""
    rules = enumerate(workflow.rules_of(name))
    return [(number, rule) for number, rule in rules if rule.action is not TaskAction.STOP]


def _begins(workflow: Workflow, name: str) -> bool:
    """Whether it starts with its execution, or by its own clock (S25, S34, S38)."""
    task = workflow.tasks[name]
    if task.settings.periodic_expression is not None:
        return True
    starts = any(rule.action is TaskAction.START for rule in workflow.rules_of(name))
    return task.settings.autostart and not starts and not task.takes


def _coming(workflow: Workflow, statuses: Statuses, again: Collection[str] = ()) -> set[str]:
    """The tasks that are alive, or that have never run and can still come to: a fixed point."""
    coming = {name for name, status in statuses.items() if status in ALIVE} | set(again)
    waiting = [name for name in workflow.tasks if statuses.get(name) is None]
    coming |= {name for name in waiting if _begins(workflow, name)}
    while True:
        more = {
            name
            for name in waiting
            if name not in coming
            and any(
                _can_be_met(workflow, rule.condition, statuses, coming)
                for _, rule in _starters(workflow, name)
            )
        }
        if not more:
            return coming
        coming |= more


def _can_be_met(
    workflow: Workflow, condition: Condition, statuses: Statuses, coming: set[str]
) -> bool:
    match condition:
        case TaskStatusCondition():
            return condition.task in coming or statuses.get(condition.task) in condition.wanted
        case AllOf():
            return all(
                _can_be_met(workflow, member, statuses, coming) for member in condition.members
            )
        case AnyOf():
            return any(
                _can_be_met(workflow, member, statuses, coming) for member in condition.members
            )
        case Not():
            return True
        case _:
            keys = condition.expect_event_keys
            return any(_can_come(workflow, key, coming) for key in keys)


def _can_come(workflow: Workflow, pattern: str, coming: set[str]) -> bool:
    """Whether an event of this key can come: of a task of this workflow, only if that can run."""
    own = f"eventflow.task.{workflow.name}."
    if not pattern.startswith(own):
        return True
    return any(
        matches(pattern, task_key(workflow.name, task, status))
        for task in coming
        for status in TaskStatus
    )


def missing(
    condition: Condition, statuses: Statuses, latches: Latches = NOTHING, place: str = ""
) -> list[str]:
    """What does not stand yet, in words; an event is still to come unless it is latched."""
    match condition:
        case TaskStatusCondition():
            if statuses.get(condition.task) in condition.wanted:
                return []
            now = statuses.get(condition.task)
            stands = "not started yet" if now is None else f"now {now.value}"
            return [f"{phrase(condition)} ({stands})"]
        case AllOf():
            latched = latches.get(place, ())
            return [
                text
                for number, member in enumerate(condition.members)
                if number not in latched
                for text in missing(member, statuses, latches, f"{place}.{number}")
            ]
        case AnyOf():
            open_ones = [
                missing(member, statuses, latches, f"{place}.{number}")
                for number, member in enumerate(condition.members)
            ]
            if condition.is_level and not all(open_ones):
                return []
            return [" or ".join(" and ".join(texts) for texts in open_ones if texts)]
        case Not() if not missing(condition.members[0], statuses):
            return [phrase(condition)]
        case Not():
            return []
        case _:
            return [phrase(condition)]


def arrived(condition: Condition, latches: Latches, place: str = "") -> list[Condition]:
    """The members, at any depth, that have come and are remembered (S36)."""
    found: list[Condition] = []
    for number, member in enumerate(condition.members):
        if isinstance(condition, AllOf) and number in latches.get(place, ()):
            found.append(member)
        else:
            found += arrived(member, latches, f"{place}.{number}")
    return found


def levels_missing(condition: Condition, statuses: Statuses) -> list[str]:
    """The statuses alone that do not stand yet, in words: its events have come (S31)."""
    if condition.is_level:
        return missing(condition, statuses)
    if isinstance(condition, AllOf):
        return [text for member in condition.members for text in levels_missing(member, statuses)]
    if isinstance(condition, AnyOf):
        found = [" and ".join(levels_missing(member, statuses)) for member in condition.members]
        return [" or ".join(filter(None, found))] if any(found) else []
    return []


def can_be_met(
    workflow: Workflow, condition: Condition, statuses: Statuses, again: Collection[str] = ()
) -> bool:
    """Whether it can still come: a branch not taken is not waited for."""
    return _can_be_met(workflow, condition, statuses, _coming(workflow, statuses, again))


def starts_by_itself(workflow: Workflow, name: str) -> bool:
    """Whether a task starts with its execution, or by its own clock (S25, S34, S38)."""
    return _begins(workflow, name)
