"""A workflow in words, for a terminal. What is drawn is in `model.drawing`."""

from collections.abc import Mapping

from eventflow.model.condition import Condition, EventCondition
from eventflow.model.drawing import (
    map_words,
    operator_name,
    starts_by_hand_only,
    starts_with_execution,
)
from eventflow.model.graph import Progress
from eventflow.model.keys import RESERVED
from eventflow.model.phrase import phrase
from eventflow.model.status import TaskAction
from eventflow.model.workflow import Workflow

_VERB = {TaskAction.START: "starts", TaskAction.RESTART: "restarts", TaskAction.STOP: "stops"}
_WIDTH = 10


def to_text(
    workflow: Workflow, progress: Mapping[str, Progress] | None = None, about: str = ""
) -> str:
    """The workflow in words: how executions start, every task with its rules, outside events.

    Args:
        progress: Of an execution: task -> how it stands; one left out has not run.
        about: Which execution that is.
    """
    lines = [f"workflow {workflow.name}  (namespace {workflow.namespace})"]
    if about:
        lines.append(f"  {about}")
    if workflow.description:
        lines.append(f"  {_one_line(workflow.description)}")
    lines += [_row("starts", when) for when in _beginnings(workflow)]
    lines += [_row("ends", _ending(workflow))]
    for name in workflow.tasks:
        lines += ["", *_task_lines(workflow, name)]
        if progress is not None:
            lines.append(_row("is", ", ".join(progress.get(name, Progress()).words)))
    events = outside_events(workflow)
    if events:
        lines += ["", "events from outside"]
        width = max(map(len, events))
        lines += [f"  {key:<{width}}  {', '.join(uses)}" for key, uses in events.items()]
    return "\n".join(lines) + "\n"


def outside_events(workflow: Workflow) -> dict[str, list[str]]:
    """Key or pattern of each event from outside -> what it may do, in order of definition."""
    found: dict[str, list[str]] = {}
    for rule in workflow.triggers:
        for key in _outside_keys(rule.condition):
            found.setdefault(key, []).append("new execution")
    for name in workflow.tasks:
        for task_rule in workflow.rules_of(name):
            for key in _outside_keys(task_rule.condition):
                use = f"{task_rule.action.value} {name}"
                if use not in found.setdefault(key, []):
                    found[key].append(use)
    return found


def _outside_keys(condition: Condition) -> list[str]:
    if condition.members:
        return [key for member in condition.members for key in _outside_keys(member)]
    keys = (condition.key,) if isinstance(condition, EventCondition) else ()
    return [key for key in keys or condition.expect_event_keys if not key.startswith(RESERVED)]


def _beginnings(workflow: Workflow) -> list[str]:
    found = ["when someone runs it"]
    if workflow.schedule is not None:
        found.append(f"at {workflow.schedule}, catch-up {workflow.catchup.value}")
    return found + [f"on {phrase(rule.condition)}" for rule in workflow.triggers]


def _ending(workflow: Workflow) -> str:
    ends = "when nothing can happen in it any more"
    periodic = any(task.settings.periodic_expression for task in workflow.tasks.values())
    if workflow.completion == "manual" or periodic:
        ends = "by a stop only"
    if workflow.timeout is not None:
        ends += f", or FAILED after {workflow.timeout:g} s"
    return ends


def _task_lines(workflow: Workflow, name: str) -> list[str]:
    task = workflow.tasks[name]
    told = [operator_name(task)]
    for setting, value in task.settings.describe().items():
        if setting not in ("periodic_expression", "autostart"):
            told.append(f"{setting}={value!r}")
    lines = [f"{name}  ({', '.join(told)})"]
    if starts_with_execution(workflow, name):
        lines.append(_row("starts", "with the execution"))
    if task.settings.periodic_expression is not None:
        lines.append(_row("starts", f"at {task.settings.periodic_expression}"))
    for rule in workflow.rules_of(name):
        when = "when" if rule.condition.is_level else "on"
        lines.append(_row(_VERB[rule.action], f"{when} {phrase(rule.condition)}"))
    if starts_by_hand_only(workflow, name):
        lines.append(_row("starts", "by command only"))
    if task.runs_workflow is not None:
        namespace, child = task.runs_workflow
        where = f" of namespace {namespace}" if namespace != workflow.namespace else ""
        lines.append(_row("runs", f"workflow {child}{where}"))
    if task.mapped is not None:
        lines.append(_row("runs", map_words(task.mapped)))
    if task.takes:
        taken = (f"{one} if any" if one in task.takes_if_any else one for one in task.takes)
        lines.append(_row("takes", f"the output of {', '.join(taken)}"))
    return lines


def _row(what: str, text: str) -> str:
    return f"  {what:<{_WIDTH}}{text}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
