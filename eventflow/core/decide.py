"""Deciding one event: (world, event, verdicts, now) → Decision. One function per kind of event.

`take` is the whole of a turn: tell the rules of a status fact, judge, decide, apply. It does no
I/O, reads no clock and draws no random number, so that the same log and verdicts always give the
same decisions (S9).
"""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from eventflow.core.actions import act
from eventflow.core.again import REJUDGE, JudgedAgain, act_again, judge_again
from eventflow.core.alarms import decide_alarm, decide_quiet, past
from eventflow.core.changes import Change
from eventflow.core.commands import decide_command
from eventflow.core.decision import IGNORED_PAUSED, Deciding, Decision, Outcome
from eventflow.core.draft import Draft
from eventflow.core.executions import create
from eventflow.core.handover import hand_on
from eventflow.core.hops import (
    TOO_FAR,
    hops_after,
    hops_of_run,
    is_too_far,
    refuse_rule,
    refuse_start,
    would_start,
)
from eventflow.core.idle import IDLE, decide_idle
from eventflow.core.judge import Ask, Judged, judge
from eventflow.core.mapping import tend
from eventflow.core.moves import (
    ExecutionCreated,
    ExecutionMoved,
    RunCreated,
    RunMoved,
    RunTakenOver,
    Told,
)
from eventflow.core.plan import Rule
from eventflow.core.reports import decide_report
from eventflow.core.retried import is_taken_over
from eventflow.core.retrying import run_again
from eventflow.core.subs import decide_sub_ended, stop_below
from eventflow.core.world import Known, LiveExecution, Run, Standing, Timer, World
from eventflow.model.event import Event
from eventflow.model.keys import RESERVED, task_key, workflow_key
from eventflow.model.records import ParentLink
from eventflow.model.status import ExecutionType, TaskStatus, WorkflowStatus

COMMAND = "eventflow.command."
REPORT = "eventflow.report."
TASK_FACT = "eventflow.task."
WORKFLOW_FACT = "eventflow.workflow."
QUIET = "eventflow.timer.quiet"
SENDER = "eventflow"
# How the outcome of an event begins that could not be decided.
SET_ASIDE = "refused: it cannot be decided: "


def take(
    draft: Draft,
    event: Event,
    ask: Ask,
    now: datetime,
    *,
    timer: Timer | None = None,
    result: str | None = None,
) -> Decision:
    """Decide one event on a draft, and apply what was decided to it.

    Args:
        timer: What went off, when the event is an alarm.
        result: JSON text that a report of success brings; it travels beside the event (S37).
        now: The batch's time, aware UTC.
    """
    world = draft.world
    turn = draft.next_turn()
    told, latest = _tell(draft, event)
    judged = judge(world, event, ask, level_rules=latest)
    if not told and judged.is_empty and _is_for_rules_alone(world, event):
        return Decision(event, turn, ())
    at = event.time if event.key.startswith(REPORT) and event.time is not None else now
    deciding = Deciding(world, event, turn, now, at)
    again = judge_again(world, event, ask, judged) if event.key == REJUDGE else None
    for write in judged.writes:
        deciding.change(write)
    _decide(deciding, timer, result, again)
    # A rule may listen to the very report, timer or command that has just been decided (S4).
    _settle(deciding, draft)
    _decide_rules(deciding, judged, told)
    _settle(deciding, draft)
    run_again(deciding)
    _settle(deciding, draft)
    return Decision(
        event,
        turn,
        tuple(deciding.changes),
        tuple(deciding.outcomes),
        tuple(judged.told()),
    )


def _is_for_rules_alone(world: World, event: Event) -> bool:
    """Whether nothing but a rule can act on an event: most that is logged is of no use to any."""
    if not event.key.startswith(RESERVED):
        return True
    if not event.key.startswith(TASK_FACT):
        return False
    live = world.executions.get(event.workflow_execution_id or 0)
    return live is None or not live.retried


def _settle(deciding: Deciding, draft: Draft) -> None:
    """Make what was decided true, and decide what follows at once: what it stops below, and who
    has the slots that it frees.
    """
    if deciding.is_settled:
        return
    deciding.apply(draft)
    if deciding.maps or deciding.world.subs:
        tend(deciding, draft)
        stop_below(deciding, draft)
        # What was stopped below may be items too.
        tend(deciding, draft)
    hand_on(deciding, draft)


def set_aside(
    draft: Draft, event: Event, why: str, now: datetime, *, timer: Timer | None = None
) -> Decision:
    """Give an event that cannot be decided its turn, and no effect but a decision that says why.

    A timer that went off is cleared, or it would go off for ever; a schedule goes on behind it.
    """
    turn = draft.next_turn()
    changes: list[Change] = [past(draft.world, timer, now)] if timer is not None else []
    for change in changes:
        change.apply(draft)
    workflow = timer.workflow if timer is not None and timer.workflow is not None else ("", "")
    outcome = Outcome(event.workflow_execution_id, workflow, f"{SET_ASIDE}{why}")
    return Decision(event, turn, tuple(changes), (outcome,))


def facts_of(world: World, changes: Iterable[Change], now: datetime) -> list[Event]:
    """The status facts that changes make true, in their order (S12).

    Args:
        world: As it is after the changes, but for executions that they ended.
    """
    facts = []
    for change in changes:
        match change:
            case RunCreated():
                facts.append(_task_fact(world, change.execution_id, change.run, now))
            case RunTakenOver():
                facts.append(
                    _task_fact(world, change.execution_id, change.run, now, taken_over=True)
                )
            case RunMoved() if _is_fact(change):
                facts.append(_task_fact(world, change.execution_id, change.run, now))
            case ExecutionCreated(record):
                workflow = (record.namespace, record.workflow_name)
                fact = _workflow_fact(workflow, record.id, record.status, now, record.parent)
                facts.append(replace(fact, hops=record.hops))
            case ExecutionMoved(execution_id, workflow, status):
                fact = _workflow_fact(
                    workflow, execution_id, status, now, change.parent, change.reason
                )
                facts.append(replace(fact, hops=change.hops))
            case _:
                continue
    return facts


def _is_fact(change: RunMoved) -> bool:
    """Whether rules see a move: not a dropped successor's (S20), not an item's (S43)."""
    moved = change.before is not change.run.status
    return moved and not change.dropped and not change.run.parent


def _task_fact(
    world: World, execution_id: int, run: Run, now: datetime, *, taken_over: bool = False
) -> Event:
    plan = world.executions[execution_id].plan
    told = {
        "task": run.task,
        "status": run.status.value,
        "sequence_number": run.sequence_number,
        "attempt": run.attempt,
        "task_execution_id": run.id,
    }
    return Event(
        task_key(plan.name, run.task, run.status.value),
        {**told, "taken_over": True} if taken_over else told,
        namespace=plan.namespace,
        sender=SENDER,
        time=now,
        workflow_execution_id=execution_id,
        hops=hops_of_run(run, now),
    )


def _workflow_fact(
    workflow: tuple[str, str],
    execution_id: int,
    status: WorkflowStatus,
    now: datetime,
    parent: ParentLink | None,
    reason: str = "",
) -> Event:
    namespace, name = workflow
    value: dict[str, Any] = {"status": status.value, "workflow_execution_id": execution_id}
    if parent is not None:
        # All that moving the run needs: its sub-execution is not in the world any more (S40).
        value |= {"workflow": name, "reason": reason[:500], "parent": asdict(parent)}
    return Event(
        workflow_key(name, status.value),
        value,
        namespace=namespace,
        sender=SENDER,
        time=now,
        workflow_execution_id=execution_id,
    )


def _tell(draft: Draft, event: Event) -> tuple[list[Rule], bool]:
    """Let the rules know of a task's status fact (S22).

    Returns:
        The status rules that it completes, and whether it is about the task's latest run.
    """
    if not event.key.startswith(TASK_FACT) or event.workflow_execution_id is None:
        return [], True
    live = draft.world.executions.get(event.workflow_execution_id)
    if live is None:
        return [], True
    fact = event.value
    task, number, status = fact["task"], fact["sequence_number"], TaskStatus(fact["status"])
    standing = live.standing(task)
    behind = standing.told is not None and number < standing.told[0]
    # A successor that was dropped before its INIT was decided: LATEST passes over it (S20).
    if behind or _was_dropped(standing, number):
        return [], False
    Told(live.id, task, number, status).apply(draft)
    if live.stopping:
        return [], True
    taken_over = is_taken_over(event)
    return [
        rule
        for rule in live.plan.by_edge.get((task, status), ())
        if rule.wanted is not None
        and live.met[(rule.task, rule.number)] == len(rule.wanted)
        and (not taken_over or live.has_never_run(rule.task))
    ], True


def _was_dropped(standing: Standing, number: int) -> bool:
    latest, leaving = standing.latest, standing.leaving
    if latest is None:
        return False
    if number > latest.sequence_number:
        return True
    # Only one run waits behind the one that is being stopped: an earlier one was dropped.
    return leaving is not None and leaving.sequence_number < number < latest.sequence_number


def _decide(
    deciding: Deciding, timer: Timer | None, result: str | None, again: JudgedAgain | None
) -> None:
    key = deciding.event.key
    if again is not None:
        act_again(deciding, again)
    elif key.startswith(COMMAND):
        decide_command(deciding, key.removeprefix(COMMAND), deciding.event.value)
    elif key.startswith(REPORT):
        decide_report(deciding, key.removeprefix(REPORT), deciding.event.value, result)
    elif timer is not None:
        decide_alarm(deciding, timer)
    elif key.startswith(WORKFLOW_FACT) and _ends_a_sub_execution(deciding.event):
        decide_sub_ended(deciding, deciding.event.value)
    elif key == QUIET:
        decide_quiet(deciding, deciding.event.value["workflow_execution_id"])
    elif key in IDLE:
        decide_idle(deciding)


def _ends_a_sub_execution(event: Event) -> bool:
    return "parent" in event.value and WorkflowStatus(event.value["status"]).ended


def _decide_rules(deciding: Deciding, judged: Judged, told: list[Rule]) -> None:
    """Workflow rules start executions; of each task the first rule that is met acts (S15, S18)."""
    event, world = deciding.event, deciding.world
    for known in judged.paused:
        workflow = (known.plan.namespace, known.plan.name)
        deciding.note(Outcome(None, workflow, IGNORED_PAUSED, action="trigger"))
    for known, numbers in judged.triggers.items():
        _start(deciding, known, numbers, judged)
    met = [
        (live, rules)
        for live, rules in judged.rules
        if live.id in world.executions and not live.stopping
    ]
    if told and event.workflow_execution_id is not None:
        live = world.executions[event.workflow_execution_id]
        others = [rules for found, rules in met if found is live]
        met = [(found, rules) for found, rules in met if found is not live]
        met.append((live, [*told, *(others[0] if others else ())]))
    for live, rules in met:
        _act_on(deciding, live, rules, judged)


def _start(deciding: Deciding, known: Known, numbers: list[int], judged: Judged) -> None:
    plan, event, hops = known.plan, deciding.event, deciding.event.hops + 1
    workflow = (plan.namespace, plan.name)
    if is_too_far(plan, hops):
        for number in numbers:
            refuse_start(judged, plan, number, event, hops)
            deciding.note(Outcome(None, workflow, TOO_FAR, rule=number, action="trigger"))
        return
    execution_id = create(deciding, known, ExecutionType.EVENT, trigger=event, hops=hops)
    deciding.note(Outcome(execution_id, workflow, "started", action="trigger"))


def _act_on(deciding: Deciding, live: LiveExecution, rules: list[Rule], judged: Judged) -> None:
    plan, event = live.plan, deciding.event
    workflow = (plan.namespace, plan.name)
    acted: set[str] = set()
    for rule in sorted(rules, key=lambda rule: (plan.tasks[rule.task].order, rule.number)):
        if rule.task in acted:
            did, run_id = "shadowed", None
        else:
            acted.add(rule.task)
            hops = hops_after(live, rule.task, event, deciding.now)
            if is_too_far(plan, hops) and would_start(live, rule.task, rule.action):
                refuse_rule(judged, live, rule, event, hops)
                did, run_id = TOO_FAR, None
            else:
                task = plan.tasks[rule.task]
                did, run_id = act(deciding, live, task, rule.action, event.key, hops)
        deciding.note(
            Outcome(live.id, workflow, did, rule.task, rule.number, rule.action.value, run_id)
        )
