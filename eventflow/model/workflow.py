"""Workflow: a named collection of tasks and rules, and its definition as content (S41).

A workflow holds its tasks by name behind the small protocol `Task`, so that operators may know
workflows and not the other way round.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextvars import ContextVar, Token
from typing import Any, Literal, Protocol, TypeVar

from eventflow.errors import DefinitionError
from eventflow.model.condition import (
    AllOf,
    Condition,
    EventCondition,
    Named,
    TaskStatusCondition,
    levels_of,
)
from eventflow.model.drawing import graph_of
from eventflow.model.graph import Graph
from eventflow.model.keys import check_fact_pattern, check_name
from eventflow.model.mapped import Mapped
from eventflow.model.pictured import Pictured
from eventflow.model.rule import TaskRule, WorkflowRule
from eventflow.model.schedule import Catchup, Schedule
from eventflow.model.settings import TaskSettings
from eventflow.model.status import TaskAction, TaskStatus
from eventflow.model.suggest import nearest
from eventflow.model.workflow_settings import (
    DEFAULT_MAX_HOPS,
    checked_catchup,
    checked_completion,
    checked_count,
    checked_grace,
    checked_hops,
    checked_schedule,
    checked_seconds,
    checked_tags,
)

Wanted = TaskStatus | str | Iterable[TaskStatus | str]
NamedTask = TypeVar("NamedTask", bound=str | Named)


class Task(Protocol):
    """What a workflow needs to know of an operator."""

    @property
    def name(self) -> str: ...

    @property
    def settings(self) -> TaskSettings: ...

    @property
    def takes(self) -> tuple[str, ...]:
        """Names of the tasks whose output its arguments and items take (S38, S43)."""
        ...

    @property
    def takes_if_any(self) -> tuple[str, ...]:
        """Those of them that may have none, because they were skipped."""
        ...

    @property
    def mapped(self) -> Mapped | None:
        """Over what it is mapped (S43)."""
        ...

    @property
    def runs_workflow(self) -> tuple[str, str] | None: ...

    @property
    def sub_workflow(self) -> "Workflow | None": ...

    def check_places(self) -> None:
        """Refuse items and arguments that no result can fill."""
        ...

    def describe(self) -> dict[str, Any]:
        """Its definition as JSON."""
        ...


_SUCCESS = frozenset({TaskStatus.SUCCESS})
# What a task waits for that takes an output if there is one.
_HAS_RUN = _SUCCESS | {TaskStatus.SKIPPED}

_current: ContextVar["Workflow | None"] = ContextVar("eventflow_workflow", default=None)


class Workflow(Pictured):
    """A collection of tasks and rules; define tasks inside `with Workflow(...):`.

    Args:
        schedule: When PERIODIC executions start; a Cron or Every (S32).
        completion: `"auto"` ends an execution when nothing can happen in it any more (S29);
            `"manual"` only by a stop or `timeout`.
        timeout: Seconds after which an execution is stopped and FAILED.
        max_active: Executions that may be RUNNING at once; more wait in INIT (S44).
        catchup: What becomes of due times that passed while no scheduler ran (S33).
        misfire_grace: Seconds that a due time may be late and still be fired; by default 60 with
            `catchup="none"`, and any number with the others.
        max_hops: How many starts by rules may follow one another, faster than one a minute (S45);
            `None` for rules that are meant to go round.
    """

    def __init__(
        self,
        name: str,
        namespace: str = "default",
        *,
        schedule: Schedule | None = None,
        completion: Literal["auto", "manual"] = "auto",
        timeout: float | None = None,
        max_active: int = 16,
        catchup: Catchup | str = Catchup.LATEST,
        misfire_grace: float | None = None,
        max_hops: int | None = DEFAULT_MAX_HOPS,
        tags: Iterable[str] = (),
        description: str = "",
    ) -> None:
        check_name("workflow", name)
        check_name("namespace", namespace)
        self.name = name
        self.namespace = namespace
        self.schedule = checked_schedule(name, schedule)
        self.completion = checked_completion(name, completion)
        self.timeout = checked_seconds(name, "timeout", timeout)
        self.max_active = checked_count(name, max_active)
        self.catchup = checked_catchup(name, catchup)
        self.misfire_grace = checked_grace(name, self.catchup, misfire_grace)
        self.max_hops = checked_hops(name, max_hops)
        self.tags = checked_tags(name, tags)
        self.description = description
        self.tasks: dict[str, Task] = {}
        self.triggers: list[WorkflowRule] = []
        self._rules: dict[str, list[TaskRule]] = {}
        self._token: Token[Workflow | None] | None = None

    def __repr__(self) -> str:
        return f"<Workflow {self.name!r}: {len(self.tasks)} tasks>"

    def __enter__(self) -> "Workflow":
        outer = _current.get()
        if outer is not None:
            raise DefinitionError(
                f"workflow {self.name!r} is opened inside workflow {outer.name!r}; close the outer "
                f"'with' first"
            )
        self._token = _current.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            _current.reset(self._token)
            self._token = None

    def add(self, task: Task) -> None:
        """Take a task in; operators call it when they are made.

        Raises:
            DefinitionError: If the workflow has a task of that name already.
        """
        if task.name in self.tasks:
            raise DefinitionError(
                f"workflow {self.name!r} has a task {task.name!r} already; give this one another "
                f"name"
            )
        self.tasks[task.name] = task

    @property
    def rules(self) -> dict[str, list[TaskRule]]:
        """Task name -> its rules in order, the one worked out from outputs included (S18, S38)."""
        return {name: self.rules_of(name) for name in self.tasks}

    def rules_of(self, task_name: str) -> list[TaskRule]:
        """The rules of one task, in order (S18)."""
        task = self._task(task_name)
        written = list(self._rules.get(task_name, ()))
        starts = any(rule.action is not TaskAction.STOP for rule in written)
        if not starts and task.settings.autostart and task.takes:
            levels = [
                TaskStatusCondition(name, _HAS_RUN if name in task.takes_if_any else _SUCCESS)
                for name in task.takes
            ]
            written.append(TaskRule(AllOf(*levels), TaskAction.START))
        return written

    def action_on_condition(self, task_name: str, action: TaskAction, condition: Condition) -> None:
        """Do `action` to a task whenever `condition` is met (S24)."""
        rule = TaskRule(condition, action)
        self._task(task_name)
        for level in levels_of(condition):
            self._check_upstream(task_name, level.task)
            if level.operator is not None:
                self._check_own(task_name, level.operator)
        self._rules.setdefault(task_name, []).append(rule)

    def action_on_event_received(self, task_name: str, event_key: str, action: TaskAction) -> None:
        """Do `action` to a task on each event whose key fits `event_key` (S24)."""
        self.action_on_condition(task_name, action, EventCondition(event_key))

    def action_on_task_status(
        self,
        task_name: str,
        action: TaskAction,
        upstream_task_status_dict: Mapping[NamedTask, Wanted],
    ) -> None:
        """Do `action` to a task when the latest runs of all named tasks stand as wanted (S22)."""
        if not upstream_task_status_dict:
            raise DefinitionError(f"task {task_name!r}: a status rule needs at least one task")
        levels = []
        for upstream, wanted in upstream_task_status_dict.items():
            levels.append(TaskStatusCondition(upstream, wanted))
        self.action_on_condition(task_name, action, AllOf(*levels))

    def trigger_on_event(self, key: str) -> None:
        """Start an EVENT execution for each event whose key fits `key` (S15)."""
        self.trigger_on_condition(EventCondition(key))

    def trigger_on_condition(self, condition: Condition) -> None:
        """Start an EVENT execution whenever `condition` is met (S15)."""
        rule = WorkflowRule(condition)
        for level in levels_of(condition):
            raise DefinitionError(
                f"workflow {self.name!r}: a workflow rule has no execution in which task "
                f"{level.task!r} could have a status; listen to the event "
                f"'eventflow.task.<workflow>.{level.task}.<status>' instead"
            )
        self.triggers.append(rule)

    def validate(self) -> None:
        """Refuse a workflow that cannot work as written.

        Raises:
            DefinitionError: If it has no task, takes an output that is not here, or runs itself.
        """
        if not self.tasks:
            raise DefinitionError(
                f"workflow {self.name!r} has no task; make operators inside 'with Workflow(...):'"
            )
        for task in self.tasks.values():
            task.check_places()
            for upstream in task.takes:
                self._check_upstream(task.name, upstream)
            for rule in self.rules_of(task.name):
                self._check_patterns(rule.condition)
        for trigger in self.triggers:
            self._check_patterns(trigger.condition)
        self._check_cycle((), set())

    def to_graph(self) -> Graph:
        """Tasks, events and rules as nodes and edges."""
        return graph_of(self)

    def definition(self) -> dict[str, Any]:
        """The workflow as JSON: what its snapshot's hash is made from (S41)."""
        return {
            "workflow": self.name,
            "namespace": self.namespace,
            "schedule": self.schedule.definition() if self.schedule else None,
            "completion": self.completion,
            "timeout_s": self.timeout,
            "max_active": self.max_active,
            "catchup": self.catchup.value,
            "misfire_grace_s": self.misfire_grace and self.misfire_grace.total_seconds(),
            "max_hops": self.max_hops,
            "tags": list(self.tags),
            "description": self.description,
            "tasks": [
                {
                    **task.describe(),
                    "rules": [
                        {"when": rule.condition.describe(), "action": rule.action.value}
                        for rule in self.rules_of(task.name)
                    ],
                }
                for task in self.tasks.values()
            ],
            "triggers": [rule.condition.describe() for rule in self.triggers],
        }

    def _task(self, name: str) -> Task:
        try:
            return self.tasks[name]
        except KeyError:
            raise DefinitionError(
                f"workflow {self.name!r} has no task {name!r}{nearest(name, self.tasks)}"
            ) from None

    def _check_patterns(self, condition: Condition) -> None:
        for pattern in condition.expect_event_keys:
            check_fact_pattern(pattern, self.name, self.tasks)
        for member in condition.members:
            self._check_patterns(member)

    def _check_cycle(self, above: tuple[tuple[str, str], ...], checked: set[int]) -> None:
        """Refuse workflows that run each other in a circle (S40)."""
        path = (*above, (self.namespace, self.name))
        for task in self.tasks.values():
            if task.runs_workflow in path:
                names = [name for _, name in path[path.index(task.runs_workflow) :]]
                circle = " -> ".join([*names, names[0]])
                raise DefinitionError(f"task {task.name!r}: a workflow cannot run itself: {circle}")
            if task.sub_workflow is not None and id(task.sub_workflow) not in checked:
                task.sub_workflow._check_cycle(path, checked)
        checked.add(id(self))

    def _check_upstream(self, task_name: str, upstream: str) -> None:
        if upstream not in self.tasks:
            raise DefinitionError(
                f"task {task_name!r} waits for the status of task {upstream!r}, which is not in "
                f"workflow {self.name!r}{nearest(upstream, self.tasks)}; another workflow's tasks "
                f"are watched by trigger_on_event('eventflow.task.<workflow>.{upstream}.success')"
            )

    def _check_own(self, task_name: str, upstream: Named) -> None:
        if self.tasks.get(upstream.name) is not upstream:
            raise DefinitionError(
                f"task {task_name!r} waits for the status of {upstream!r}, which is not in "
                f"workflow {self.name!r}; another workflow's tasks are watched by "
                f"trigger_on_event('eventflow.task.<workflow>.{upstream.name}.success')"
            )


def current_workflow(task_name: str) -> Workflow:
    """The workflow whose `with` block is open in this thread.

    Raises:
        DefinitionError: If none is open; names the task that is being made.
    """
    workflow = _current.get()
    if workflow is None:
        raise DefinitionError(
            f"operator {task_name!r} is made outside a workflow; put it under 'with Workflow(...):'"
        )
    return workflow


def content_hash(content: Any) -> str:
    """The SHA-256 of JSON content in canonical form: what names a snapshot."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
