"""A workflow as the core reads it: rules by key, status rules by the edge that wakes them.

Compiled once for each snapshot; immutable.
"""

from dataclasses import dataclass, field

from eventflow.core.index import RuleIndex
from eventflow.core.pools import NO_POOL
from eventflow.model.condition import (
    AllOf,
    Condition,
    EventCondition,
    TaskStatusCondition,
    is_builtin,
    levels_of,
)
from eventflow.model.mapped import Mapped
from eventflow.model.settings import TaskSettings
from eventflow.model.status import TaskAction, TaskStatus
from eventflow.model.workflow import Workflow


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One rule of one task.

    Attributes:
        number: Its place among the task's rules, from 0; the first that is met acts (S18).
        wanted: Task -> statuses, for a rule on task statuses alone: counted, never asked (S22).
        users: Whether code of a user's runs when the condition is asked.
        plain: Whether a match of the key is all that it takes.
    """

    task: str
    number: int
    action: TaskAction
    condition: Condition
    wanted: dict[str, frozenset[TaskStatus]] | None
    users: bool
    plain: bool

    @property
    def owner(self) -> str:
        """Names the rule within its execution: the root of its private state (S35)."""
        return f"{self.task}/{self.number}"


@dataclass(frozen=True, slots=True, eq=False)
class Trigger:
    """One workflow rule (S15)."""

    number: int
    condition: Condition
    users: bool
    plain: bool

    @property
    def owner(self) -> str:
        return f"trigger/{self.number}"


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """One task: its settings and rules.

    Attributes:
        order: Its place in the workflow.
        takes: The tasks whose output it takes; `may_lack` are those that need have none (S38).
        runs_workflow: Namespace and name of the workflow that it runs: no executor holds it (S40).
        mapped: Over what it is mapped: its items have attempts, not the run itself (S43).
    """

    name: str
    order: int
    settings: TaskSettings
    rules: tuple[Rule, ...]
    takes: tuple[str, ...]
    may_lack: frozenset[str] = frozenset()
    runs_workflow: tuple[str, str] | None = None
    mapped: Mapped | None = None

    @property
    def has_attempts(self) -> bool:
        """Whether an executor holds its runs, and not only their items or sub-executions."""
        return self.runs_workflow is None and self.mapped is None

    @property
    def pool(self) -> str:
        """The pool of whose slots a run takes one; none for one without attempts (S44)."""
        return self.settings.pool if self.has_attempts else NO_POOL

    @property
    def autostarts(self) -> bool:
        """Whether it starts with its execution (S25, S38)."""
        starts = any(rule.action is TaskAction.START for rule in self.rules)
        return self.settings.autostart and not starts and not self.takes

    @property
    def starters(self) -> tuple[Rule, ...]:
        """The rules that can give it a run."""
        return tuple(rule for rule in self.rules if rule.action is not TaskAction.STOP)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """One snapshot of one workflow.

    Attributes:
        readers: Task -> the tasks with a rule that reads its status, in order of definition.
    """

    workflow: Workflow
    snapshot: str
    tasks: dict[str, TaskPlan]
    triggers: tuple[Trigger, ...]
    index: RuleIndex[Rule] = field(default_factory=RuleIndex)
    patterns: frozenset[str] = frozenset()
    by_edge: dict[tuple[str, TaskStatus], tuple[Rule, ...]] = field(default_factory=dict)
    readers: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.workflow.name

    @property
    def namespace(self) -> str:
        return self.workflow.namespace

    @property
    def has_periodic_task(self) -> bool:
        return any(task.settings.periodic_expression for task in self.tasks.values())


def plan_of(workflow: Workflow, snapshot: str) -> Plan:
    """Compile a workflow; `snapshot` is its content hash."""
    tasks = {
        name: TaskPlan(
            name,
            order,
            task.settings,
            _rules(workflow, name),
            task.takes,
            frozenset(task.takes_if_any),
            task.runs_workflow,
            task.mapped,
        )
        for order, (name, task) in enumerate(workflow.tasks.items())
    }
    index: RuleIndex[Rule] = RuleIndex()
    patterns: set[str] = set()
    by_edge: dict[tuple[str, TaskStatus], list[Rule]] = {}
    readers: dict[str, dict[str, None]] = {}
    for task in tasks.values():
        for rule in task.rules:
            for level in levels_of(rule.condition):
                readers.setdefault(level.task, {})[task.name] = None
            if rule.wanted is not None:
                for upstream, statuses in rule.wanted.items():
                    for status in statuses:
                        by_edge.setdefault((upstream, status), []).append(rule)
                continue
            for pattern in rule.condition.wakes(workflow.name):
                index.add(pattern, rule)
                patterns.add(pattern)
    return Plan(
        workflow=workflow,
        snapshot=snapshot,
        tasks=tasks,
        triggers=tuple(
            Trigger(
                number,
                rule.condition,
                users=not is_builtin(rule.condition),
                plain=type(rule.condition) is EventCondition,
            )
            for number, rule in enumerate(workflow.triggers)
        ),
        index=index,
        patterns=frozenset(patterns),
        by_edge={edge: tuple(rules) for edge, rules in by_edge.items()},
        readers={upstream: tuple(names) for upstream, names in readers.items()},
    )


def _rules(workflow: Workflow, task_name: str) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            task=task_name,
            number=number,
            action=rule.action,
            condition=rule.condition,
            wanted=_wanted(rule.condition),
            users=not is_builtin(rule.condition),
            plain=type(rule.condition) is EventCondition,
        )
        for number, rule in enumerate(workflow.rules_of(task_name))
    )


def _wanted(condition: Condition) -> dict[str, frozenset[TaskStatus]] | None:
    """What a condition on task statuses alone wants of each; `None` for any other condition."""
    members = condition.members if type(condition) is AllOf else (condition,)
    wanted: dict[str, frozenset[TaskStatus]] = {}
    for member in members:
        if type(member) is not TaskStatusCondition:
            return None
        wanted[member.task] = wanted.get(member.task, member.wanted) & member.wanted
    return wanted
