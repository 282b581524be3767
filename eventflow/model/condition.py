"""Conditions: what a rule waits for. Pulses are true in their moment, levels are read now (S36).

An event is a pulse: true when it comes. A task status is a level: it stands until it changes. A
combination of levels alone is a level; any other is a pulse. A rule on a level is woken by the
edges that its levels name and is met when the level stands (S22).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, Protocol

from eventflow.errors import DefinitionError
from eventflow.model.context import RuleContext, ValueStateDescriptor
from eventflow.model.event import Event
from eventflow.model.keys import check_name, check_pattern, matches, task_key
from eventflow.model.status import TaskStatus


class Named(Protocol):
    """Anything with a task's name: an operator."""

    @property
    def name(self) -> str: ...


class Condition(ABC):
    """What a rule waits for. Subclass it, name the keys that can change its answer, give `is_met`.

    `is_met` is asked once for each event that the keys match. It must depend on the event and on
    its state alone: no clock, no I/O, nothing kept on `self` (S35).
    """

    is_level = False

    def __init__(self, expect_event_keys: Iterable[str]) -> None:
        keys = (expect_event_keys,) if isinstance(expect_event_keys, str) else expect_event_keys
        self.expect_event_keys: tuple[str, ...] = tuple(keys)
        for key in self.expect_event_keys:
            check_pattern(key)

    @abstractmethod
    def is_met(self, event: Event, context: RuleContext) -> bool:
        """Whether the condition is met by this event, given what the state remembers."""

    @property
    def members(self) -> "tuple[Condition, ...]":
        """What it is combined of; empty for a plain condition."""
        return ()

    def wakes(self, workflow_name: str) -> tuple[str, ...]:
        """The patterns of the events that can change its answer, in this workflow."""
        return self.expect_event_keys

    def describe(self) -> dict[str, Any]:
        """Its definition as JSON: part of a snapshot's content (S41)."""
        kind = type(self)
        return {
            "condition": f"{kind.__module__}:{kind.__qualname__}",
            "keys": list(self.expect_event_keys),
            "settings": _plain(vars(self)),
        }

    def __and__(self, other: "Condition") -> "Condition":
        return AllOf(self, other)

    def __or__(self, other: "Condition") -> "Condition":
        return AnyOf(self, other)

    def __invert__(self) -> "Condition":
        return Not(self)


class EventCondition(Condition):
    """A pulse: met by each event whose key fits `key`, which may be a pattern (S24)."""

    def __init__(self, key: str) -> None:
        super().__init__([key])
        self.key = key

    def is_met(self, event: Event, context: RuleContext) -> bool:
        return matches(self.key, event.key)

    def describe(self) -> dict[str, Any]:
        return {"event": self.key}


class TaskStatusCondition(Condition):
    """A level: stands while the latest run of `task` has one of the wanted statuses (S22)."""

    is_level = True

    def __init__(
        self, task: str | Named, status: TaskStatus | str | Iterable[TaskStatus | str]
    ) -> None:
        super().__init__(())
        self.operator = None if isinstance(task, str) else task
        name: Any = getattr(task, "name", task)
        self.task: str = name
        check_name("task", name)
        self.wanted = wanted_statuses(status)

    def is_met(self, event: Event, context: RuleContext) -> bool:
        return context.get_task_status(self.task) in self.wanted

    def wakes(self, workflow_name: str) -> tuple[str, ...]:
        return tuple(task_key(workflow_name, self.task, status) for status in sorted(self.wanted))

    def describe(self) -> dict[str, Any]:
        return {"task": self.task, "status": sorted(self.wanted)}


class _Combined(Condition):
    """What AllOf and AnyOf share: members, each with a place of its own for its state."""

    def __init__(self, *members: Condition) -> None:
        if not members:
            raise DefinitionError(f"{type(self).__name__} needs at least one condition")
        for member in members:
            if not isinstance(member, Condition):
                raise DefinitionError(
                    f"{type(self).__name__} takes conditions, got {member!r}; "
                    f"for an event key write EventCondition({str(member)!r})"
                )
            check_complete(member)
        super().__init__(())
        self._members = members
        self.is_level = all(member.is_level for member in members)

    @property
    def members(self) -> tuple[Condition, ...]:
        return self._members

    def wakes(self, workflow_name: str) -> tuple[str, ...]:
        keys = (key for member in self._members for key in member.wakes(workflow_name))
        return tuple(dict.fromkeys(keys))

    def describe(self) -> dict[str, Any]:
        name = {AllOf: "all", AnyOf: "any"}[type(self)]
        return {name: [member.describe() for member in self._members]}

    def _asks(self, member: Condition, event: Event, context: RuleContext) -> bool:
        """Whether `event` is one of those that can change this member's answer."""
        execution = context.workflow_execution
        name = execution.workflow_name if execution is not None else ""
        return any(matches(pattern, event.key) for pattern in member.wakes(name))


class AllOf(_Combined):
    """Met when all members are: pulses are remembered until then, levels are read now.

    When it fires it forgets its pulses, with what its inner combinations remember: over two events
    it fires on each completed pair (S36).
    """

    def is_met(self, event: Event, context: RuleContext) -> bool:
        if self.is_level:
            return all(
                member.is_met(event, context.within(place))
                for place, member in enumerate(self._members)
            )
        memory = context.get_state(_LATCHED)
        before: list[int] = memory.value()
        latched = [
            place
            for place, member in enumerate(self._members)
            if not member.is_level
            and (place in before or self._pulses(place, member, event, context))
        ]
        levels_stand = all(
            member.is_met(event, context.within(place))
            for place, member in enumerate(self._members)
            if member.is_level
        )
        pulses = sum(not member.is_level for member in self._members)
        if len(latched) < pulses or not levels_stand:
            if latched != before:
                memory.update(latched)
            return False
        for place, member in enumerate(self._members):
            if member.members:
                context.forget(place)
        memory.clear()
        return True

    def _pulses(self, place: int, member: Condition, event: Event, context: RuleContext) -> bool:
        return self._asks(member, event, context) and bool(
            member.is_met(event, context.within(place))
        )


class AnyOf(_Combined):
    """Met when a member is: a pulse when it comes, a level when an edge of its own raises it."""

    def is_met(self, event: Event, context: RuleContext) -> bool:
        # Every member is asked, also after the first that is met: each keeps its own count (S18).
        answers = [
            member.is_met(event, context.within(place))
            for place, member in enumerate(self._members)
            if self.is_level or self._asks(member, event, context)
        ]
        return any(answers)


class Not(Condition):
    """A level that stands while another does not. Of a pulse there is no opposite to read."""

    is_level = True

    def __init__(self, member: Condition) -> None:
        if not isinstance(member, Condition):
            raise DefinitionError(f"Not takes a condition, got {member!r}")
        check_complete(member)
        if not member.is_level:
            raise DefinitionError(
                f"Not({type(member).__name__}): an event is true only in its moment, so it has no "
                f"opposite; Not takes task statuses (TaskStatusCondition and combinations of them)"
            )
        super().__init__(())
        self._member = member

    @property
    def members(self) -> tuple[Condition, ...]:
        return (self._member,)

    def is_met(self, event: Event, context: RuleContext) -> bool:
        return not self._member.is_met(event, context.within(0))

    def wakes(self, workflow_name: str) -> tuple[str, ...]:
        tasks = {level.task for level in levels_of(self._member)}
        return tuple(task_key(workflow_name, task, "*") for task in sorted(tasks))

    def describe(self) -> dict[str, Any]:
        return {"not": self._member.describe()}


_LATCHED: ValueStateDescriptor[list[int]] = ValueStateDescriptor("@latched", default=[])


def wanted_statuses(status: TaskStatus | str | Iterable[TaskStatus | str]) -> frozenset[TaskStatus]:
    """One status or a set of them, as a set.

    Raises:
        DefinitionError: If it is empty or holds something that is no task status.
    """
    asked: Any = status
    several = isinstance(asked, Iterable) and not isinstance(asked, str)
    given = list(asked) if several else [asked]
    if not given:
        raise DefinitionError("a wanted status is a TaskStatus or a set of them, got an empty set")
    try:
        return frozenset(TaskStatus(one) for one in given)
    except ValueError as error:
        names = ", ".join(TaskStatus)
        raise DefinitionError(f"{error.args[0]}; a task status is one of {names}") from error


def levels_of(condition: Condition) -> "list[TaskStatusCondition]":
    """Every task status that a condition reads, at any depth."""
    if isinstance(condition, TaskStatusCondition):
        return [condition]
    return [level for member in condition.members for level in levels_of(member)]


def is_builtin(condition: Condition) -> bool:
    """Whether no code of a user's runs when it is asked."""
    return type(condition) in _BUILTIN and all(map(is_builtin, condition.members))


_BUILTIN = frozenset({EventCondition, TaskStatusCondition, AllOf, AnyOf, Not})


def check_complete(condition: Condition) -> None:
    """Refuse a condition whose class forgot to call `super().__init__` with its keys.

    Raises:
        DefinitionError: Names the class and the remedy.
    """
    if not hasattr(condition, "expect_event_keys"):
        name = type(condition).__name__
        raise DefinitionError(
            f"condition {name} names no event keys; call super().__init__([...keys...]) in its "
            f"__init__"
        )


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a user's condition as far as they are plain values: content of a snapshot."""
    return {
        name: _plain_value(value)
        for name, value in sorted(settings.items())
        if _is_plain(value) and name not in ("expect_event_keys", "_members", "_member")
    }


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(one) for key, one in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | int | float)


def _plain_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain_value(one) for key, one in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(map(_plain_value, value), key=repr)
    if isinstance(value, list | tuple):
        return [_plain_value(one) for one in value]
    return value
