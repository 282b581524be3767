"""Why it ran, and why it did not: causes and waiting rules as data (S42). Pure.

What the store holds comes in, gathered by `runtime.explaining`; what it means goes out. Rules on
plain events and task statuses leave no trace where they were not met (S9), so an explanation says
of them what is still wanted, never what was asked.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from eventflow.core.explanation import How, LastEvent, Link
from eventflow.model.condition import AllOf, Condition, EventCondition, is_builtin
from eventflow.model.event import Event
from eventflow.model.jsonvalue import read
from eventflow.model.keys import RESERVED, matches
from eventflow.model.phrase import phrase
from eventflow.model.records import (
    DecisionRecord,
    TaskExecution,
    TaskExecutionKey,
    VerdictRecord,
    WorkflowExecution,
)
from eventflow.model.workflow import Workflow

_TASK_FACT, _WORKFLOW_FACT = "eventflow.task.", "eventflow.workflow."
_LATCHED = ":@latched"
# Of an item it is the mapped task that was started.
_SENT_BY_TASK = re.compile(r"(\d+)_(.+)_(\d+)(?:\[[\d,]+\])?")


class Subject(NamedTuple):
    """What is asked about next: a run by id or by key, or else a workflow execution."""

    workflow_execution_id: int | None = None
    task_execution_id: int | None = None
    key: TaskExecutionKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What the store holds about one thing that was done.

    Attributes:
        run: The run that it was done to; `None` where it is the execution itself.
        workflow: As its snapshot defines it; `None` when the store does not have that.
        decision: `None` for a run that started with its execution.
        event: The one that was decided then, or that was judged again then.
        again: The command that had it judged again.
        verdicts: Of that event.
        earlier: The newest events before it that its condition wants too.
        not_found: The patterns of those of them that were not found.
        run_before: Of a retry: the run that was taken over, or runs again (S31).
    """

    execution: WorkflowExecution
    run: TaskExecution | None = None
    workflow: Workflow | None = None
    decision: DecisionRecord | None = None
    event: Event | None = None
    again: Event | None = None
    verdicts: tuple[VerdictRecord, ...] = ()
    earlier: tuple[Event, ...] = ()
    not_found: tuple[str, ...] = ()
    run_before: int | None = None


def link_of(act: Act) -> Link:
    """Say what was done, and by what."""
    execution, run, decision, event = act.execution, act.run, act.decision, act.event
    condition, wrote = _condition_of(act), _wrote(act)
    return Link(
        workflow_execution_id=execution.id,
        workflow=execution.workflow_name,
        task=run.task_name if run is not None else "",
        sequence_number=run.sequence_number if run is not None else 0,
        did=decision.did if decision is not None else "started",
        how=_how(act),
        at=decision.at if decision is not None else (run or execution).created_at,
        action=decision.action if decision is not None and run is not None else "",
        rule=decision.rule if decision is not None else None,
        condition=condition,
        wrote=wrote,
        event=event,
        again=act.again,
        remembered=act.earlier,
        scheduled_time=execution.scheduled_time if run is None else None,
        retry_of=execution.retry_of,
        run_before=act.run_before,
    )


def before(link: Link) -> Subject | None:
    """What to ask about next; `None` when the link is the first cause."""
    if link.how is How.AUTOSTART:
        return Subject(workflow_execution_id=link.workflow_execution_id)
    if link.how in (How.RETRY, How.TAKEN_OVER):
        of_execution = link.retry_of if not link.task else None
        return Subject(workflow_execution_id=of_execution, task_execution_id=link.run_before)
    event = link.event
    if link.how is How.SUBRUN and event is not None:
        return Subject(task_execution_id=event.value["parent"]["task_execution_id"])
    if link.how not in (How.RULE, How.TRIGGER) or event is None:
        return None
    if event.key.startswith(_TASK_FACT):
        return Subject(task_execution_id=event.value["task_execution_id"])
    if event.key.startswith(_WORKFLOW_FACT):
        return Subject(workflow_execution_id=event.value["workflow_execution_id"])
    sent = _SENT_BY_TASK.fullmatch(event.sender)
    if sent is None or event.key.startswith(RESERVED):
        return None
    return Subject(key=TaskExecutionKey(int(sent[1]), sent[2], int(sent[3])))


def also_wanted(condition: Condition, event: Event) -> list[str]:
    """The patterns of the events that an AllOf needed besides this one."""
    if not isinstance(condition, AllOf):
        return []
    return [
        member.key
        for member in condition.members
        if isinstance(member, EventCondition) and not matches(member.key, event.key)
    ]


def rule_condition(workflow: Workflow | None, task: str, rule: int | None) -> Condition | None:
    """The condition of a task's rule by its number, if it is known."""
    if workflow is None or rule is None:
        return None
    rules = workflow.rules_of(task)
    return rules[rule].condition if rule < len(rules) else None


def last_event(
    event: Event,
    rule: int,
    condition: Condition,
    *,
    decisions: list[DecisionRecord],
    verdict: VerdictRecord | None,
    wanted: tuple[str, ...],
    ended_at: datetime | None,
    again: str = "",
) -> LastEvent:
    """Say what a rule made of the newest event that it listens to.

    Args:
        decisions: What the rules of its task came to in that turn.
        wanted: What the rule waits for now, in words.
        ended_at: When the execution ended; `None` while it goes on.
        again: What came of it when it failed and was asked again, in words.
    """
    if not event.turn:
        return LastEvent(event=event, did="undecided", why="no scheduler has decided it yet")
    if verdict is not None and verdict.error:
        return _failed(event, verdict, again)
    wrote = short_names(verdict.writes) if verdict is not None else {}
    for decision in decisions:
        if decision.rule == rule:
            why = _WHY.get(decision.did, "")
            if decision.did == "shadowed":
                first = next(one for one in decisions if one.did != "shadowed")
                why = f"rule {first.rule} of the task was met first: {first.action} {first.did}"
            return LastEvent(event=event, did=decision.did, why=why, wrote=wrote)
    if ended_at is not None and event.logged_at is not None and event.logged_at > ended_at:
        return LastEvent(event=event, did="not asked", why="the execution had ended by then")
    if verdict is not None:
        return LastEvent(event=event, did="not met", why="its condition said no", wrote=wrote)
    if isinstance(condition, EventCondition) or not is_builtin(condition):
        return LastEvent(
            event=event, did="not asked", why="no rule acts in an execution that is being stopped"
        )
    why = f"not enough yet: {' and '.join(wanted)}" if wanted else "something else was wanted then"
    return LastEvent(event=event, did="not met", why=why)


_WHY = {
    "ignored: alive": "a run of the task was alive already",
    "ignored: not alive": "no run of the task was alive",
    "ignored: restart pending": "a restart was under way already",
}


def short_names(writes: dict[str, Any]) -> dict[str, Any]:
    """State by the name that its condition gives it, without the rule that owns it (S35)."""
    return {
        name.rpartition(":")[2]: value
        for name, value in writes.items()
        if not name.endswith(_LATCHED)
    }


def kept_by(state: Mapping[str, str], owner: str) -> tuple[dict[str, Any], dict[str, list[int]]]:
    """What a rule's condition keeps by its own names, and what its combinations have latched.

    Args:
        state: Name -> JSON text, of the execution or the workflow.
        owner: Names the rule, as `pack/0` or `trigger/0` (S35).
    """
    own = {
        name: read(text)
        for name, text in state.items()
        if name.startswith((f"{owner}:", f"{owner}."))
    }
    latches = {
        name.removeprefix(owner).removesuffix(_LATCHED): places
        for name, places in own.items()
        if name.endswith(_LATCHED)
    }
    return short_names(own), latches


def last_event_of_trigger(
    event: Event,
    condition: Condition,
    *,
    started: int | None,
    paused: bool,
    verdict: VerdictRecord | None,
    wanted: tuple[str, ...],
    again: str = "",
) -> LastEvent:
    """Say what a workflow rule made of the newest event that it listens to.

    Args:
        started: The execution of its workflow that the event started.
        paused: Whether the workflow was paused when the event was decided (S17).
        again: What came of it when it failed and was asked again, in words.
    """
    if not event.turn:
        return LastEvent(event=event, did="undecided", why="no scheduler has decided it yet")
    if verdict is not None and verdict.error:
        return _failed(event, verdict, again)
    wrote = short_names(verdict.writes) if verdict is not None else {}
    if verdict is not None and not verdict.met:
        return LastEvent(event=event, did="not met", why="its condition said no", wrote=wrote)
    if started is not None:
        return LastEvent(event=event, did="started", why=f"execution {started}", wrote=wrote)
    if paused:
        return LastEvent(event=event, did="paused", why="the workflow was paused then")
    if isinstance(condition, EventCondition) or not is_builtin(condition):
        return LastEvent(event=event, did="not asked", why="the rule did not stand yet")
    return LastEvent(event=event, did="not met", why=f"not enough yet: {' and '.join(wanted)}")


def _failed(event: Event, verdict: VerdictRecord, again: str) -> LastEvent:
    what = "it was met and not followed" if verdict.met else "its condition failed"
    why = f"{what}; {again}" if again else what
    return LastEvent(event=event, did="failed", why=why, error=verdict.error)


def _how(act: Act) -> How:
    decision, run = act.decision, act.run
    if run is not None and run.taken_from is not None:
        return How.TAKEN_OVER
    if decision is not None and decision.action == "retry":
        return How.RETRY
    if run is not None and decision is None:
        return How.AUTOSTART if run.started_by == "autostart" else How.UNKNOWN
    if decision is None:
        return How.UNKNOWN
    if decision.rule is not None:
        return How.RULE
    if decision.event_key == "eventflow.command.subrun":
        return How.SUBRUN
    if decision.action == "trigger":
        return How.TRIGGER
    if decision.event_key.startswith("eventflow.command."):
        return How.COMMAND
    if run is not None:
        return How.PERIODIC
    return How.SCHEDULE if decision.action == "schedule" else How.UNKNOWN


def _condition_of(act: Act) -> str:
    decision, workflow = act.decision, act.workflow
    if decision is None or workflow is None:
        return ""
    if decision.rule is not None:
        condition = rule_condition(workflow, decision.task, decision.rule)
        return phrase(condition) if condition is not None else ""
    if act.event is None or _how(act) is not How.TRIGGER:
        return ""
    # Which workflow rule was met is told by its verdict, or else by the keys that it listens to.
    said_yes = {verdict.rule for verdict in act.verdicts if verdict.met and not verdict.task}
    found = [
        phrase(rule.condition)
        for number, rule in enumerate(workflow.triggers)
        if number in said_yes
        or (
            is_builtin(rule.condition)
            and any(matches(key, act.event.key) for key in rule.condition.wakes(workflow.name))
        )
    ]
    return " or ".join(found)


def _wrote(act: Act) -> dict[str, Any]:
    decision = act.decision
    wrote: dict[str, Any] = {}
    for verdict in act.verdicts:
        of_rule = decision is not None and (verdict.task, verdict.rule) == (
            decision.task,
            decision.rule,
        )
        if of_rule or (act.run is None and verdict.met):
            wrote |= short_names(verdict.writes)
    return wrote
