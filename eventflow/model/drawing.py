"""A workflow as a graph: tasks, events from outside, and what starts, stops and restarts what.

A rule on one status or one event is one edge. A combination is a node of its own (a gate), so that
"after both" and "after either" are told apart; so is a condition of the user's. Workflows are known
by a protocol, so that they may know their pictures.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from eventflow.model.condition import (
    AllOf,
    AnyOf,
    Condition,
    EventCondition,
    Not,
    TaskStatusCondition,
)
from eventflow.model.graph import Edge, Graph, Kind, Link, Node
from eventflow.model.mapped import Along, Axis, Each, Given, Mapped
from eventflow.model.phrase import phrase
from eventflow.model.rule import TaskRule, WorkflowRule
from eventflow.model.schedule import Schedule
from eventflow.model.settings import TaskSettings
from eventflow.model.status import TaskAction, TaskStatus


class DrawnTask(Protocol):
    """What a picture shows of a task; see `model.workflow.Task`."""

    @property
    def settings(self) -> TaskSettings: ...

    @property
    def takes(self) -> tuple[str, ...]: ...

    @property
    def takes_if_any(self) -> tuple[str, ...]: ...

    @property
    def mapped(self) -> Mapped | None: ...

    @property
    def runs_workflow(self) -> tuple[str, str] | None: ...

    def describe(self) -> dict[str, Any]: ...


class Drawn(Protocol):
    """What a picture shows of a workflow; see `model.workflow.Workflow`."""

    @property
    def name(self) -> str: ...

    @property
    def namespace(self) -> str: ...

    @property
    def tasks(self) -> Mapping[str, DrawnTask]: ...

    @property
    def triggers(self) -> Sequence[WorkflowRule]: ...

    @property
    def schedule(self) -> Schedule | None: ...

    def rules_of(self, task_name: str) -> Sequence[TaskRule]: ...


def graph_of(workflow: Drawn) -> Graph:
    """Work out the picture of a workflow: its tasks first, in order of definition."""
    drawing = _Drawing(workflow.name)
    tasks = {
        name: drawing.task(name, task_notes(workflow, name), mapped=task.mapped is not None)
        for name, task in workflow.tasks.items()
    }
    for name in workflow.tasks:
        for rule in workflow.rules_of(name):
            drawing.rule(rule.condition, tasks[name], rule.action.value, tasks)
    for name in workflow.tasks:
        for upstream in workflow.tasks[name].takes:
            if upstream in tasks:
                drawing.output(_carried(workflow, upstream, name), tasks[upstream], tasks[name])
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


def starts_with_execution(workflow: Drawn, task_name: str) -> bool:
    """Whether a task starts with its execution (S25, S38)."""
    task = workflow.tasks[task_name]
    starts = any(rule.action is TaskAction.START for rule in workflow.rules_of(task_name))
    return task.settings.autostart and not starts and not task.takes


def starts_by_hand_only(workflow: Drawn, task_name: str) -> bool:
    """Whether no rule, no clock and no beginning starts a task: only a command can."""
    rules = workflow.rules_of(task_name)
    return (
        not starts_with_execution(workflow, task_name)
        and workflow.tasks[task_name].settings.periodic_expression is None
        and all(rule.action is TaskAction.STOP for rule in rules)
    )


def operator_name(task: DrawnTask) -> str:
    """The class of a task's operator, as its definition has it."""
    return str(task.describe().get("operator", "")).rpartition(":")[2] or type(task).__name__


def task_notes(workflow: Drawn, task_name: str) -> tuple[str, ...]:
    """What a task's box says under its name."""
    task = workflow.tasks[task_name]
    notes = [operator_name(task)]
    if task.mapped is not None:
        notes.append(map_words(task.mapped))
    if task.runs_workflow is not None:
        notes.append(f"runs {task.runs_workflow[1]}")
    if task.settings.periodic_expression is not None:
        notes.append(str(task.settings.periodic_expression))
    if starts_with_execution(workflow, task_name):
        notes.append("starts first")
    elif starts_by_hand_only(workflow, task_name):
        notes.append("only by command")
    return tuple(notes)


def map_words(mapped: Mapped) -> str:
    """Over what a task is mapped, in words: `for each item of fan` (S43)."""
    return f"for each {', each '.join(dict.fromkeys(map(_axis_words, mapped.axes)))}"


def _axis_words(axis: Axis) -> str:
    match axis:
        case Given(elements):
            return f"of {len(elements)} items"
        case Each(output):
            return f"element of {output.task_name}" if output.at else f"item of {output.task_name}"
        case Along(outputs):
            return f"item of {' and '.join(output.task_name for output in outputs)}"


def _carried(workflow: Drawn, upstream: str, name: str) -> Edge:
    """What an edge tells of the result that one task takes from another; its ends are names."""
    mapped, optional = workflow.tasks[name].mapped, upstream in workflow.tasks[name].takes_if_any
    kind, label = Link.OUTPUT, "output"
    if mapped is not None and upstream in {output.task_name for output in mapped.outputs}:
        kind, label = Link.MAP, "each item"
    elif mapped is None and workflow.tasks[upstream].mapped is not None:
        label = "all items"
    return Edge(upstream, name, (f"{label}, if any" if optional else label,), kind, optional)


@dataclass(slots=True)
class _Drawing:
    """A graph in the making."""

    workflow: str
    nodes: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    _events: dict[str, str] = field(default_factory=dict)
    _conditions: dict[str, str] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)
    _pairs: set[tuple[str, str]] = field(default_factory=set)

    def task(self, name: str, notes: tuple[str, ...], *, mapped: bool) -> str:
        self.nodes.append(Node(f"task:{name}", Kind.TASK, name, notes, mapped))
        return self.nodes[-1].id

    def node(self, kind: Kind, label: str, meaning: str = "") -> str:
        """A node whose id is made of its meaning; nodes that mean the same are counted."""
        same = ":".join(filter(None, (kind.value, meaning)))
        count = self._counts[same] = self._counts.get(same, 0) + 1
        self.nodes.append(Node(same if count == 1 else f"{same}:{count}", kind, label))
        return self.nodes[-1].id

    def edge(self, source: str, target: str, label: str) -> None:
        self.edges.append(Edge(source, target, (label,) if label else ()))
        self._pairs.add((source, target))

    def event(self, key: str) -> str:
        """One node for a key, however many rules listen to it."""
        if key not in self._events:
            self._events[key] = self.node(Kind.EVENT, key, key)
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

    def output(self, carried: Edge, source: str, target: str) -> None:
        """A result that is taken; a plain one is not drawn where a rule leads the same way."""
        known = (source, target) in self._pairs
        if not known or carried.labels != ("output",):
            kind = Link.RULE if known and carried.kind is Link.OUTPUT else carried.kind
            self.edges.append(Edge(source, target, carried.labels, kind, carried.optional))

    def joined_edges(self) -> tuple[Edge, ...]:
        """Several arrows from one node to another become one with several labels."""
        joined: dict[tuple[str, str], Edge] = {}
        for edge in self.edges:
            ends = (edge.source, edge.target)
            known = joined.get(ends, edge)
            labels = tuple(dict.fromkeys((*known.labels, *edge.labels)))
            kind = Link.MAP if Link.MAP in (known.kind, edge.kind) else known.kind
            joined[ends] = Edge(*ends, labels, kind, known.optional or edge.optional)
        return tuple(joined.values())

    def _source(self, condition: Condition, tasks: dict[str, str]) -> str:
        """The node that stands for a condition."""
        if isinstance(condition, EventCondition):
            return self.event(condition.key)
        if not condition.members:
            return self._users(condition)
        gate = self.node(Kind.GATE, _GATES[type(condition)], _digest(phrase(condition)))
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
            self._conditions[alike] = self.node(
                Kind.CONDITION, type(condition).__name__, _digest(phrase(condition))
            )
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


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
