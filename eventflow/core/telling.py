"""An explanation in sentences, as a colleague would give it (S42). Pure; knows no terminal."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from eventflow.core.explanation import (
    ExecutionExplained,
    Explained,
    How,
    LastEvent,
    Link,
    RuleExplained,
    TaskExplained,
    WorkflowExplained,
)
from eventflow.core.itemtelling import items_in_words, origin_in_words
from eventflow.core.retried import is_taken_over
from eventflow.model.event import Event
from eventflow.model.keys import RESERVED
from eventflow.model.records import PoolRecord, TaskExecution
from eventflow.model.status import TaskStatus

When = Callable[[datetime], str]
_VALUE_WIDTH = 200
_IN = "  "


def tell(explained: Explained, when: When) -> list[str]:
    """Lines of text; what belongs to a line before it is indented.

    Args:
        when: How an instant is written.
    """
    match explained:
        case TaskExplained():
            return _task(explained, when)
        case WorkflowExplained():
            return _workflow(explained, when)
        case ExecutionExplained():
            return _execution(explained, when)


def pool_in_words(pool: PoolRecord) -> str:
    """How a pool stands: `pool gpu: 2 slots, 2 held, 5 wait`."""
    slots = "no limit" if pool.slots is None else f"{pool.slots} slots"
    if pool.slots == 1:
        slots = "1 slot"
    if not pool.is_set and pool.slots is not None:
        slots = "nobody has set it"
    return f"pool {pool.name}: {slots}, {pool.held} held, {pool.waiting} waiting"


def _workflow(explained: WorkflowExplained, when: When) -> list[str]:
    newest = f"execution {explained.newest}" if explained.newest is not None else "none yet"
    lines = [f"Workflow {explained.workflow}: its newest execution is {newest}."]
    if explained.paused:
        lines.append("It is paused: events and due times start nothing.")
    if explained.due_at is not None:
        lines.append(f"By its schedule it is due at {when(explained.due_at)}.")
    if not explained.rules:
        lines.append("No event starts it: it has no rules of its own.")
    for rule in explained.rules:
        lines += _rule(rule, when, waiting=True)
    return lines


def _execution(explained: ExecutionExplained, when: When) -> list[str]:
    execution = explained.execution
    why = f" ({execution.reason})" if execution.reason else ""
    lines = [f"Execution {execution.id} of {execution.workflow_name} is {execution.status}{why}."]
    lines += _chain(explained.chain, when, cut=explained.cut)
    lines += [f"Note: {note}." for note in explained.notes if "has ended" not in note]
    for task in explained.tasks:
        lines += ["", *_in_short(task, when)]
    return lines


def _task(task: TaskExplained, when: When) -> list[str]:
    run = task.run
    if run is None:
        return _not_started(task, when)
    lines = [f"{run.label} of execution {task.workflow_execution_id} is {_stands(run)}."]
    if run.status is TaskStatus.SKIPPED and run.taken_from is None:
        lines.append(f"{_IN}its code ended it so (TaskSkipped): no failure, and no result")
    lines += [f"{_IN}{origin_in_words(origin)}" for origin in task.origins]
    lines += _items(task, when)
    lines += [f"{_IN}{note}" for note in task.notes]
    if task.items is None:
        lines += [f"{_IN}{failure}" for failure in task.failures if failure != run.reason]
    lines += _stop(task.stopped_by, when)
    lines += _chain(task.chain, when, cut=task.cut)
    idle = [rule for rule in task.rules if _says_more(rule, task.chain)]
    if idle or task.refused:
        lines += ["", f"What else was asked of {task.task}:"]
        for rule in idle:
            lines += _rule(rule, when, waiting=False)
        lines += _refused(task)
    return lines


def _in_short(task: TaskExplained, when: When) -> list[str]:
    """A task among others: the last link of its chain is enough."""
    if task.run is None:
        return _not_started(task, when)
    lines = [f"{task.run.label} is {_stands(task.run)}."]
    lines += _items(task, when)
    lines += [f"{_IN}{note}" for note in task.notes]
    lines += [f"{_IN}{line}" for line in _stop(task.stopped_by, when)]
    for link in task.chain[:1]:
        lines += [f"{_IN}{line}" for line in _link(link, when)]
    for rule in task.rules:
        if _says_more(rule, task.chain):
            lines += _rule(rule, when, waiting=False)
    return [*lines, *_refused(task)]


def _items(task: TaskExplained, when: When) -> list[str]:
    if task.items is None:
        return []
    return [f"{_IN}{line}" for line in items_in_words(task.task, task.items, when)]


def _not_started(task: TaskExplained, when: When) -> list[str]:
    lines = [f"{task.task} has not started in execution {task.workflow_execution_id}."]
    lines += [f"{_IN}{note}" for note in task.notes]
    for rule in task.rules:
        lines += _rule(rule, when, waiting=True)
    return [*lines, *_refused(task)]


def _refused(task: TaskExplained) -> list[str]:
    return [
        f"{_IN}Command {one.event.value['action']} (offset {one.event.offset}) was refused: "
        f"{one.why}"
        for one in task.refused
    ]


def _stands(run: TaskExecution) -> str:
    attempts = f", attempt {run.attempt}" if run.attempt > 1 else ""
    return f"{run.status}{attempts}{f' ({run.reason})' if run.reason else ''}"


def _stop(link: Link | None, when: When) -> list[str]:
    if link is None:
        return []
    lines = _because(link, when)
    verb = "Stopped, to be started again," if link.did == "restarted" else "Stopped"
    return [f"{verb} {_by(link, when)}", *lines]


def _chain(chain: tuple[Link, ...], when: When, *, cut: bool) -> list[str]:
    lines: list[str] = []
    for before, link in zip((None, *chain), chain, strict=False):
        # A run that stands for an earlier one has the same name: say where that was.
        there = before is not None and before.run_before is not None and bool(link.task)
        first, *rest = _link(link, when)
        lines += [f"There, {first}" if there else first, *rest]
    return [*lines, "... and so on, further back than this looks."] if cut else lines


def _link(link: Link, when: When) -> list[str]:
    what = (
        f"{link.task} #{link.sequence_number}"
        if link.task
        else f"Execution {link.workflow_execution_id} of {link.workflow}"
    )
    if link.how is How.TAKEN_OVER:
        return [f"{what} was taken over from an earlier execution, {_at(link, when)}."]
    # "restarted" is said of the run that was stopped; this one was begun by it.
    return [f"{what} started {_by(link, when)}", *_because(link, when)]


def _by(link: Link, when: When) -> str:
    at = f" {_at(link, when)}" if link.at is not None else ""
    match link.how:
        case How.RETRY if link.task:
            waited = link.event is not None and link.event.key.startswith("eventflow.task.")
            once = ", once the statuses of its rule stood" if waited else ""
            return f"again{at}, as in execution {link.retry_of}{once}."
        case How.RETRY:
            offset = f" (offset {link.event.offset})" if link.event is not None else ""
            return f"as the retry of execution {link.retry_of}, by command{offset}{at}."
        case How.TAKEN_OVER:
            return f"before{at}."
        case How.RULE:
            return f"by its rule {link.rule}, {link.action} when {link.condition},{at}:"
        case How.TRIGGER:
            listens = f", {link.condition}," if link.condition else ""
            return f"by a rule of its workflow{listens}{at}:"
        case How.AUTOSTART:
            return f"with its execution{at}."
        case How.COMMAND:
            offset = f" (offset {link.event.offset})" if link.event is not None else ""
            return f"by command{offset}{at}."
        case How.SUBRUN if link.event is not None:
            parent = link.event.value["parent"]
            task, execution = parent["task_name"], parent["workflow_execution_id"]
            return f"by task {task} of execution {execution}{at}."
        case How.PERIODIC:
            return f"by its own clock{at}."
        case How.SCHEDULE:
            due = f" for {when(link.scheduled_time)}" if link.scheduled_time is not None else ""
            return f"by the schedule{due},{at}."
        case _:
            return f"{at.strip()}; what started it is not in the store."


def _at(link: Link, when: When) -> str:
    return f"at {when(link.at)}" if link.at is not None else ""


def _because(link: Link, when: When) -> list[str]:
    if link.event is None or link.how not in (How.RULE, How.TRIGGER):
        return []
    lines = [_IN + _event(link.event, when)]
    if link.again is not None:
        lines.append(f"{_IN}judged again, by command (offset {link.again.offset})")
    lines += [f"{_IN}and, remembered from before, {_event(one, when)}" for one in link.remembered]
    if link.wrote:
        lines.append(f"{_IN}its condition then kept {_values(link.wrote)}")
    return lines


def _event(event: Event, when: When) -> str:
    tokens = event.key.split(".")
    if tokens[:2] == ["eventflow", "task"] and len(tokens) == 5:
        number = f" #{event.value['sequence_number']}" if isinstance(event.value, dict) else ""
        became = "was taken over as" if is_taken_over(event) else "became"
        return f"{tokens[3]}{number} {became} {tokens[4].upper()} (offset {event.offset})"
    if tokens[:2] == ["eventflow", "workflow"] and len(tokens) == 4:
        number = event.value["workflow_execution_id"] if isinstance(event.value, dict) else ""
        became = f"execution {number} of {tokens[2]} became {tokens[3].upper()}"
        return f"{became} (offset {event.offset})"
    value = "" if event.value is None else f" {_short(event.value)}"
    at = f" at {when(event.logged_at)}" if event.logged_at is not None else ""
    sender = "" if event.key.startswith(RESERVED) else f" by {event.sender or 'an unnamed sender'}"
    return f"event {event.key}{value} (offset {event.offset}), sent{sender}{at}"


def _says_more(rule: RuleExplained, chain: tuple[Link, ...]) -> bool:
    """Whether a rule of a task that ran has something to tell: it is half met, or did nothing."""
    last = rule.last
    if last is None:
        return bool(rule.came or rule.state)
    first = chain[0].event if chain else None
    if first is not None and first.offset == last.event.offset and chain[0].rule == rule.number:
        return False
    return bool(rule.came) or last.did not in ("started", "restarted", "stopped", "not asked")


def _rule(rule: RuleExplained, when: When, *, waiting: bool) -> list[str]:
    does = rule.action or "an execution"
    lines = [f"{_IN}Rule {rule.number}: {does} when {rule.condition}."]
    if waiting and rule.missing and rule.possible:
        lines.append(f"{_IN * 2}It still waits for {' and '.join(rule.missing)}.")
    elif waiting and rule.missing:
        wants = " and ".join(rule.missing)
        lines.append(f"{_IN * 2}It cannot be met any more; it would take: {wants}.")
    if rule.came:
        lines.append(f"{_IN * 2}It remembers that this has come: {' and '.join(rule.came)}.")
    if rule.state:
        lines.append(f"{_IN * 2}Its condition keeps {_values(rule.state)}.")
    if rule.last is not None:
        lines += _last(rule.last, when)
    elif waiting and rule.possible:
        lines.append(f"{_IN * 2}No event that it listens to has come yet.")
    return lines


def _last(last: LastEvent, when: When) -> list[str]:
    why = f" ({last.why})" if last.why else ""
    lines = [f"{_IN * 2}Last came {_event(last.event, when)}: {last.did}{why}."]
    trace = last.error.rstrip().splitlines()
    return lines + [f"{_IN * 3}{line}" for line in trace]


def _values(kept: dict[str, Any]) -> str:
    return ", ".join(f"{name} = {_short(value)}" for name, value in kept.items())


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _VALUE_WIDTH else text[: _VALUE_WIDTH - 3] + "..."
