"""Which runs a run came from, worked out from the definition and the records.

An output that is taken names its run. For a rule, the runs are those that were the latest when it
acted: ids are drawn in the order of deciding, so the newest with a smaller id.
"""

from collections.abc import Sequence
from functools import cached_property

from eventflow.model.condition import Condition, EventCondition, Not, TaskStatusCondition
from eventflow.model.keys import matches
from eventflow.model.records import TaskExecution
from eventflow.model.status import TaskAction
from eventflow.model.workflow import Workflow

_FACT = ["eventflow", "task"]


class Ancestry:
    """What leads to what in one definition; all of it is read once, when it is first asked for."""

    def __init__(self, workflow: Workflow) -> None:
        self._workflow = workflow

    def upstreams(self, task_name: str) -> tuple[str, ...]:
        """The other tasks that one starts after or takes the output of, in order of definition."""
        found = set(self._workflow.tasks[task_name].takes)
        for rule in self._rules[task_name]:
            found |= rule.tasks
        found.discard(task_name)
        return tuple(sorted(found, key=self._places.__getitem__))

    def woken_by(self, run: TaskExecution) -> frozenset[str]:
        """The tasks whose statuses are in the rule that started a run: of the first it may be."""
        for rule in self._rules.get(run.task_name, ()):
            if rule.may_end_with(run.started_by):
                return rule.tasks
        return frozenset()

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self._workflow.tasks)}

    @cached_property
    def _rules(self) -> dict[str, list["_Rule"]]:
        """The rules that start each task."""
        workflow = self._workflow
        return {
            name: [
                _Rule(workflow, rule.condition)
                for rule in workflow.rules_of(name)
                if rule.action is not TaskAction.STOP
            ]
            for name in workflow.tasks
        }


class _Rule:
    """What a condition is about, and the events that can be the last thing that it waited for."""

    def __init__(self, workflow: Workflow, condition: Condition) -> None:
        tasks: set[str] = set()
        keys: set[str] = set()
        _read(workflow, condition, tasks, keys)
        self.tasks = frozenset(tasks)
        self._keys = keys
        self._patterns = [key for key in keys if "*" in key]

    def may_end_with(self, key: str) -> bool:
        return key in self._keys or any(matches(pattern, key) for pattern in self._patterns)


def lineage(ancestry: Ancestry | None, runs: Sequence[TaskExecution]) -> dict[int, tuple[int, ...]]:
    """Id of each run -> the ids of the runs that it came from, oldest first.

    Args:
        ancestry: Of the definition; without it only outputs tell.
        runs: All of one execution, oldest first.
    """
    latest: dict[str, int] = {}
    ids = {run.id for run in runs}
    found: dict[int, tuple[int, ...]] = {}
    for run in runs:
        origins = ids.intersection(run.inputs.values())
        if ancestry is not None:
            # What it takes is known by its id, and may be older than the latest.
            names = ancestry.woken_by(run) - run.inputs.keys()
            origins.update(latest[name] for name in names if name in latest)
        found[run.id] = tuple(sorted(origins))
        latest[run.task_name] = run.id
    return found


def _read(workflow: Workflow, condition: Condition, tasks: set[str], keys: set[str]) -> None:
    """Add the tasks that a condition is about, and the patterns of the events that wake it.

    Of what may not stand only the events are added: nothing comes from it.
    """
    if not condition.members:
        keys.update(condition.wakes(workflow.name))
    match condition:
        case TaskStatusCondition():
            tasks.add(condition.task)
        case EventCondition():
            tokens = condition.key.split(".")
            ours = tokens[:2] == _FACT and tokens[2:3] == [workflow.name] and len(tokens) == 5
            if ours and tokens[3] in workflow.tasks:
                tasks.add(tokens[3])
        case _:
            about = set[str]() if isinstance(condition, Not) else tasks
            for member in condition.members:
                _read(workflow, member, about, keys)
