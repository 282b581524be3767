"""A workflow as nodes and edges: what pictures of it are drawn from. Knows no picture.

A rule on one status or one event is one edge. A combination is a node of its own (a gate), so that
"after both" and "after either" are told apart; so is a condition of the user's.
"""

import json
from dataclasses import dataclass, field
from enum import StrEnum

from eventflow.model.condition import (
    AllOf,
    AnyOf,
    Condition,
    EventCondition,
    Not,
    TaskStatusCondition,
)
from eventflow.model.status import TaskAction, TaskStatus
from eventflow.model.workflow import Task, Workflow


class Kind(StrEnum):
    """What a node stands for; each has its own shape."""

    TASK = "task"
    EVENT = "event"
    GATE = "gate"
    CONDITION = "condition"
    SCHEDULE = "schedule"
    EXECUTION = "execution"


@dataclass(frozen=True, slots=True)
class Node:
    """One thing in the picture.

    Attributes:
        id: Made up, `n0`, `n1`, ...: a name such as `end` is a word of Mermaid's own.
        notes: Short lines under the label.
    """

    id: str
    kind: Kind
    label: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Edge:
    """What leads to what. `data` edges carry a result only: they start nothing."""

    source: str
    target: str
    labels: tuple[str, ...] = ()
    data: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    """A workflow as nodes, tasks first in order of definition, and edges, at most one of a kind
    between two nodes.
    """

    name: str
    namespace: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def graph_of(workflow: Workflow) -> Graph:
    """Work out the picture of a workflow."""
    drawing = _Drawing(workflow.name)
    tasks = {
        name: drawing.node(Kind.TASK, name, task_notes(workflow, name)) for name in workflow.tasks
    }
    for name in workflow.tasks:
        for rule in workflow.rules_of(name):
            drawing.rule(rule.condition, tasks[name], rule.action.value, tasks)
    for name, task in workflow.tasks.items():
        for upstream in task.takes:
            drawing.output(tasks.get(upstream), tasks[name])
    if workflow.triggers or workflow.schedule:
        begin = drawing.node(Kind.EXECUTION, "new execution")
        for trigger in workflow.triggers:
            drawing.rule(trigger.condition, begin, "trigger", tasks)
        if workflow.schedule:
            drawing.edge(drawing.node(Kind.SCHEDULE, str(workflow.schedule)), begin, "due")
        for name in workflow.tasks:
            if starts_with_execution(workflow, name):
                drawing.edge(begin, tasks[name], "")
    return Graph(workflow.name, workflow.namespace, tuple(drawing.nodes), drawing.joined_edges())


def starts_with_execution(workflow: Workflow, task_name: str) -> bool:
    """Whether a task starts with its execution (S25, S38)."""
    task = workflow.tasks[task_name]
    starts = any(rule.action is TaskAction.START for rule in workflow.rules_of(task_name))
    return task.settings.autostart and not starts and not task.takes


def starts_by_hand_only(workflow: Workflow, task_name: str) -> bool:
    """Whether no rule, no clock and no beginning starts a task: only a command can."""
    rules = workflow.rules_of(task_name)
    return (
        not starts_with_execution(workflow, task_name)
        and workflow.tasks[task_name].settings.periodic_expression is None
        and all(rule.action is TaskAction.STOP for rule in rules)
    )


def operator_name(task: Task) -> str:
    """The class of a task's operator, as its definition has it."""
    return str(task.describe().get("operator", "")).rpartition(":")[2] or type(task).__name__


def task_notes(workflow: Workflow, task_name: str) -> tuple[str, ...]:
    """What a task's box says under its name."""
    task = workflow.tasks[task_name]
    notes = [operator_name(task)]
    if task.runs_workflow is not None:
        notes.append(f"runs {task.runs_workflow[1]}")
    if task.settings.periodic_expression is not None:
        notes.append(str(task.settings.periodic_expression))
    if starts_with_execution(workflow, task_name):
        notes.append("starts first")
    elif starts_by_hand_only(workflow, task_name):
        notes.append("only by command")
    return tuple(notes)


@dataclass(slots=True)
class _Drawing:
    """A graph in the making."""

    workflow: str
    nodes: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    _events: dict[str, str] = field(default_factory=dict)
    _conditions: dict[str, str] = field(default_factory=dict)

    def node(self, kind: Kind, label: str, notes: tuple[str, ...] = ()) -> str:
        self.nodes.append(Node(f"n{len(self.nodes)}", kind, label, notes))
        return self.nodes[-1].id

    def edge(self, source: str, target: str, label: str) -> None:
        self.edges.append(Edge(source, target, (label,) if label else ()))

    def event(self, key: str) -> str:
        """One node for a key, however many rules listen to it."""
        if key not in self._events:
            self._events[key] = self.node(Kind.EVENT, key)
        return self._events[key]

    def rule(self, condition: Condition, target: str, action: str, tasks: dict[str, str]) -> None:
        condition = _simplest(condition)
        # Either of several is enough: each is an arrow of its own, and needs no gate.
        if isinstance(condition, AnyOf):
            for member in condition.members:
                self.rule(member, target, action, tasks)
            return
        task, told = self._task(condition, tasks)
        if task:
            self.edge(tasks[task], target, f"{action} on {told}")
        else:
            self.edge(self._source(condition, tasks), target, action)

    def output(self, source: str | None, target: str) -> None:
        """A result that is taken; not drawn where a rule leads the same way already."""
        known = any((edge.source, edge.target) == (source, target) for edge in self.edges)
        if source is not None and not known:
            self.edges.append(Edge(source, target, ("output",), data=True))

    def joined_edges(self) -> tuple[Edge, ...]:
        """Several arrows between two nodes become one with several labels."""
        joined: dict[tuple[str, str, bool], list[str]] = {}
        for edge in self.edges:
            labels = joined.setdefault((edge.source, edge.target, edge.data), [])
            labels += [label for label in edge.labels if label not in labels]
        return tuple(
            Edge(source, target, tuple(labels), data)
            for (source, target, data), labels in joined.items()
        )

    def _source(self, condition: Condition, tasks: dict[str, str]) -> str:
        """The node that stands for a condition."""
        if isinstance(condition, EventCondition):
            return self.event(condition.key)
        if not condition.members:
            return self._users(condition)
        gate = self.node(Kind.GATE, _GATES[type(condition)])
        for member in _members(condition):
            task, told = self._task(member, tasks)
            if task:
                self.edge(tasks[task], gate, told)
            else:
                self.edge(self._source(member, tasks), gate, "")
        return gate

    def _users(self, condition: Condition) -> str:
        """One node for a condition of the user's, however many rules have one just like it."""
        alike = json.dumps(condition.describe(), sort_keys=True, default=str)
        if alike not in self._conditions:
            self._conditions[alike] = self.node(Kind.CONDITION, type(condition).__name__)
            for key in condition.expect_event_keys:
                self.edge(self.event(key), self._conditions[alike], "")
        return self._conditions[alike]

    def _task(self, condition: Condition, tasks: dict[str, str]) -> tuple[str, str]:
        """The task of this workflow that a condition is about, and what of it; or nothing."""
        match condition:
            case TaskStatusCondition():
                return condition.task, _short(condition)
            case Not(members=(TaskStatusCondition() as level,)):
                return level.task, f"not {_short(level)}"
            case EventCondition():
                tokens = condition.key.split(".")
                if tokens[:3] == ["eventflow", "task", self.workflow] and len(tokens) == 5:
                    task, status = tokens[3:]
                    told = "any status" if status in ("*", "**") else status.upper()
                    return (task, told) if task in tasks else ("", "")
        return "", ""


_GATES: dict[type[Condition], str] = {AllOf: "all", AnyOf: "any", Not: "not"}


def _simplest(condition: Condition) -> Condition:
    """The same without a combination of one."""
    while isinstance(condition, AllOf | AnyOf) and len(condition.members) == 1:
        (condition,) = condition.members
    return condition


def _members(condition: Condition) -> list[Condition]:
    """What a gate joins. "Not either" in an "all" is "not the one" and "not the other"."""
    found: list[Condition] = []
    for member in map(_simplest, condition.members):
        inner = _simplest(member.members[0]) if isinstance(member, Not) else None
        if isinstance(condition, AllOf) and isinstance(inner, AnyOf):
            found += [Not(_simplest(one)) for one in inner.members]
        elif isinstance(condition, AllOf) and isinstance(member, AllOf):
            found += _members(member)
        else:
            found.append(Not(inner) if inner is not None else member)
    return found


def _short(level: TaskStatusCondition) -> str:
    return "/".join(status.value for status in TaskStatus if status in level.wanted)
