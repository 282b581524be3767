"""Which runs a run came from, worked out from the definition and the records.

An output that is taken names its run. For a rule, the runs are those that were the latest when it
acted: ids are drawn in the order of deciding, so the newest with a smaller id.
"""

from collections.abc import Iterable

from eventflow.model.condition import Condition, EventCondition, Not, TaskStatusCondition
from eventflow.model.keys import matches
from eventflow.model.records import TaskExecution, WorkflowExecution
from eventflow.model.status import TaskAction
from eventflow.model.workflow import Workflow

_FACT = ["eventflow", "task"]


def upstreams(workflow: Workflow, task_name: str) -> tuple[str, ...]:
    """The other tasks that a task starts after or takes the output of, in order of definition."""
    found = set(workflow.tasks[task_name].takes)
    for rule in workflow.rules_of(task_name):
        if rule.action is not TaskAction.STOP:
            found |= _tasks(workflow, rule.condition)
    return tuple(name for name in workflow.tasks if name in found and name != task_name)


def lineage(
    workflow: Workflow | None, execution: WorkflowExecution
) -> dict[int, tuple[TaskExecution, ...]]:
    """Id of each run -> the runs that it came from, oldest first.

    Args:
        workflow: The definition; without it only outputs tell.
    """
    latest: dict[str, TaskExecution] = {}
    by_id = {run.id: run for run in execution.tasks}
    found: dict[int, tuple[TaskExecution, ...]] = {}
    for run in sorted(execution.tasks, key=lambda run: run.id):
        origins = {by_id[taken] for taken in run.inputs.values() if taken in by_id}
        if workflow is not None and run.task_name in workflow.tasks:
            names = _woken_by(workflow, run)
            # What it takes is known by its id, and may be older than the latest.
            names -= set(run.inputs)
            origins |= {latest[name] for name in names if name in latest}
        found[run.id] = tuple(sorted(origins, key=lambda run: run.id))
        latest[run.task_name] = run
    return found


def _woken_by(workflow: Workflow, run: TaskExecution) -> set[str]:
    """The tasks whose statuses are in the rule that started a run: of the first that may be it."""
    for rule in workflow.rules_of(run.task_name):
        if rule.action is not TaskAction.STOP and run.started_by in _Keys(workflow, rule.condition):
            return _tasks(workflow, rule.condition)
    return set()


class _Keys:
    """The events that can be the last thing that a condition waited for."""

    def __init__(self, workflow: Workflow, condition: Condition) -> None:
        self._patterns = tuple(_patterns(workflow, condition))

    def __contains__(self, key: str) -> bool:
        return any(matches(pattern, key) for pattern in self._patterns)


def _patterns(workflow: Workflow, condition: Condition) -> Iterable[str]:
    if not condition.members:
        yield from condition.wakes(workflow.name)
    for member in condition.members:
        yield from _patterns(workflow, member)


def _tasks(workflow: Workflow, condition: Condition) -> set[str]:
    """The tasks that a condition is about; not those of which it says that they do not stand."""
    match condition:
        case Not():
            return set()
        case TaskStatusCondition():
            return {condition.task}
        case EventCondition():
            tokens = condition.key.split(".")
            ours = tokens[:2] == _FACT and tokens[2:3] == [workflow.name] and len(tokens) == 5
            return {tokens[3]} & set(workflow.tasks) if ours else set()
        case _:
            return {name for member in condition.members for name in _tasks(workflow, member)}
