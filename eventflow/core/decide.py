"""Deciding one event: (world, event, verdicts, now) → Decision. One function per kind of event.

`take` is the whole of a turn: tell the rules of a status fact, judge, decide, apply. It does no
I/O, reads no clock and draws no random number, so that the same log and verdicts always give the
same decisions (S9).
"""

from collections.abc import Iterable
from datetime import datetime

from eventflow.core.actions import act
from eventflow.core.again import REJUDGE, JudgedAgain, act_again, judge_again
from eventflow.core.alarms import decide_alarm, decide_quiet
from eventflow.core.changes import Change, TurnTaken
from eventflow.core.commands import decide_command
from eventflow.core.decision import IGNORED_PAUSED, Deciding, Decision, Outcome
from eventflow.core.executions import create
from eventflow.core.judge import Ask, Judged, judge
from eventflow.core.moves import ExecutionCreated, ExecutionMoved, RunCreated, RunMoved, Told
from eventflow.core.plan import Rule
from eventflow.core.reports import decide_report
from eventflow.core.world import Draft, LiveExecution, Run, Timer, World
from eventflow.model.event import Event
from eventflow.model.keys import task_key, workflow_key
from eventflow.model.status import ExecutionType, TaskStatus, WorkflowStatus

COMMAND = "eventflow.command."
REPORT = "eventflow.report."
TASK_FACT = "eventflow.task."
QUIET = "eventflow.timer.quiet"
SENDER = "eventflow"


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
    turn = world.counters.turn + 1
    TurnTaken(turn).apply(draft)
    at = event.time if event.key.startswith(REPORT) and event.time is not None else now
    deciding = Deciding(world, event, turn, now, at)
    told, latest = _tell(draft, event)
    judged = judge(world, event, ask, level_rules=latest)
    again = judge_again(world, event, ask, judged) if event.key == REJUDGE else None
    for write in judged.writes:
        deciding.change(write)
    _decide(deciding, timer, result, again)
    # A rule may listen to the very report, timer or command that has just been decided (S4).
    deciding.apply(draft)
    _decide_rules(deciding, judged, told)
    deciding.apply(draft)
    return Decision(
        event,
        turn,
        tuple(deciding.changes),
        tuple(deciding.outcomes),
        tuple(judged.verdicts),
    )


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
            case RunMoved() if not change.dropped and change.before is not change.run.status:
                facts.append(_task_fact(world, change.execution_id, change.run, now))
            case ExecutionCreated(record):
                workflow = (record.namespace, record.workflow_name)
                facts.append(_workflow_fact(workflow, record.id, record.status, now))
            case ExecutionMoved():
                facts.append(
                    _workflow_fact(change.workflow, change.execution_id, change.status, now)
                )
            case _:
                continue
    return facts


def _task_fact(world: World, execution_id: int, run: Run, now: datetime) -> Event:
    plan = world.executions[execution_id].plan
    return Event(
        task_key(plan.name, run.task, run.status.value),
        {
            "task": run.task,
            "status": run.status.value,
            "sequence_number": run.sequence_number,
            "attempt": run.attempt,
            "task_execution_id": run.id,
        },
        namespace=plan.namespace,
        sender=SENDER,
        time=now,
        workflow_execution_id=execution_id,
    )


def _workflow_fact(
    workflow: tuple[str, str], execution_id: int, status: WorkflowStatus, now: datetime
) -> Event:
    namespace, name = workflow
    return Event(
        workflow_key(name, status.value),
        {"status": status.value, "workflow_execution_id": execution_id},
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
    dropped = standing.latest is not None and number > standing.latest.sequence_number
    if behind or dropped:
        return [], False
    Told(live.id, task, number, status).apply(draft)
    if live.stopping:
        return [], True
    return [
        rule
        for rule in live.plan.by_edge.get((task, status), ())
        if rule.wanted is not None and live.met[(rule.task, rule.number)] == len(rule.wanted)
    ], True


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
    elif key == QUIET:
        decide_quiet(deciding, deciding.event.value["workflow_execution_id"])


def _decide_rules(deciding: Deciding, judged: Judged, told: list[Rule]) -> None:
    """Workflow rules start executions; of each task the first rule that is met acts (S15, S18)."""
    event, world = deciding.event, deciding.world
    for known in judged.paused:
        workflow = (known.plan.namespace, known.plan.name)
        deciding.note(Outcome(None, workflow, IGNORED_PAUSED, action="trigger"))
    for known in judged.triggers:
        execution_id = create(deciding, known, ExecutionType.EVENT, trigger=event)
        workflow = (known.plan.namespace, known.plan.name)
        deciding.note(Outcome(execution_id, workflow, "started", action="trigger"))
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
        _act_on(deciding, live, rules)


def _act_on(deciding: Deciding, live: LiveExecution, rules: list[Rule]) -> None:
    plan = live.plan
    workflow = (plan.namespace, plan.name)
    acted: set[str] = set()
    for rule in sorted(rules, key=lambda rule: (plan.tasks[rule.task].order, rule.number)):
        if rule.task in acted:
            did, run_id = "shadowed", None
        else:
            acted.add(rule.task)
            task = plan.tasks[rule.task]
            did, run_id = act(deciding, live, task, rule.action, deciding.event.key)
        deciding.note(
            Outcome(live.id, workflow, did, rule.task, rule.number, rule.action.value, run_id)
        )
