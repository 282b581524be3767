"""Judging again: conditions that failed on an event are asked once more, by command (S13).

The command carries the event as the log had it, so that its turn can be replayed from the log
alone (S9). Asked is with the state as it is at the command's turn; the answer is a verdict of that
turn. A running execution keeps its snapshot, rules and code (S41); a workflow's own rules are those
of its newest snapshot.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from eventflow.core.actions import act
from eventflow.core.asked import Writes
from eventflow.core.decision import Deciding, Outcome
from eventflow.core.executions import create
from eventflow.core.hops import hops_after
from eventflow.core.judge import Ask, Judged, Verdict, rule_met, trigger_met
from eventflow.core.plan import Rule
from eventflow.core.world import Known, LiveExecution, World
from eventflow.model.event import Event
from eventflow.model.jsonvalue import encode, read
from eventflow.model.keys import matches
from eventflow.model.status import ExecutionType

REJUDGE = "eventflow.command.rejudge"


@dataclass(slots=True)
class JudgedAgain:
    """What came of asking again.

    Attributes:
        event: The one on which the conditions failed, as the log had it.
        started: The execution that the event has started already; a workflow starts one per event
            (S15).
        refused: Why nothing was asked.
        verdicts: The answers, in the order in which the rules may act.
    """

    event: Event
    execution_id: int | None
    workflow: tuple[str, str]
    started: int | None = None
    refused: str = ""
    known: Known | None = None
    live: LiveExecution | None = None
    verdicts: list[Verdict] = field(default_factory=list)


def carried(event: Event) -> dict[str, Any]:
    """An event of the log as a command carries it; its value as text, however deep it is.

    Without its hops: whoever has it judged again stands outside, and what follows counts from 0
    (S45).
    """
    return {
        "key": event.key,
        "value": encode(event.value),
        "namespace": event.namespace,
        "sender": event.sender,
        "id": event.id,
        "time": event.time.isoformat() if event.time is not None else None,
        "attributes": dict(event.attributes),
        "workflow_execution_id": event.workflow_execution_id,
        "offset": event.offset,
        "logged_at": event.logged_at.isoformat() if event.logged_at is not None else None,
        "turn": event.turn,
    }


def event_in(told: dict[str, Any]) -> Event:
    """The event that `carried` has written down."""
    instants = {
        name: datetime.fromisoformat(told[name]) if told[name] is not None else None
        for name in ("time", "logged_at")
    }
    return Event(**{**told, **instants, "value": read(told["value"])})


def judge_again(world: World, command: Event, ask: Ask, judged: Judged) -> JudgedAgain:
    """Ask what a command names; the answers join those that the command itself has met."""
    value = command.value
    again = JudgedAgain(
        event_in(value["event"]),
        value["workflow_execution_id"],
        (value["namespace"], value["workflow"]),
        value["started"],
    )
    fresh = Judged(of_turn=again.event.turn)
    rules = [(task, number) for task, number in value["rules"]]
    written = {
        write.name: write.value
        for write in judged.writes
        if (write.execution_id, write.workflow) == (again.execution_id, again.workflow)
    }
    if again.execution_id is None:
        _ask_triggers(world, again, rules, ask, written, fresh)
    else:
        _ask_rules(world, again, rules, ask, written, fresh)
    again.verdicts = fresh.verdicts
    judged.verdicts += fresh.verdicts
    judged.writes += fresh.writes
    return again


def act_again(deciding: Deciding, again: JudgedAgain) -> None:
    """Do what the rules that are met by now ask for, on the event of then."""
    if again.refused:
        deciding.note(Outcome(again.execution_id, again.workflow, f"refused: {again.refused}"))
        return
    deciding.again = again.event
    if again.live is not None:
        _act(deciding, again, again.live)
    elif again.known is not None:
        _start(deciding, again, again.known)
    deciding.again = None


def _ask_rules(
    world: World,
    again: JudgedAgain,
    rules: list[tuple[str, int]],
    ask: Ask,
    written: Writes,
    fresh: Judged,
) -> None:
    live = world.executions.get(again.execution_id or 0)
    if live is None:
        again.refused = f"execution {again.execution_id} has ended, or its code is not at hand"
        return
    if live.stopping:
        again.refused = f"execution {live.id} is being stopped: no rule of it acts any more"
        return
    again.live = live
    tasks = live.plan.tasks
    for task, number in sorted(rules, key=lambda rule: (tasks[rule[0]].order, rule[1])):
        rule_met(live, tasks[task].rules[number], again.event, ask, written, fresh)


def _ask_triggers(
    world: World,
    again: JudgedAgain,
    rules: list[tuple[str, int]],
    ask: Ask,
    written: Writes,
    fresh: Judged,
) -> None:
    namespace, name = again.workflow
    known = world.known(namespace, name)
    if known is None:
        again.refused = f"workflow {name!r} is not registered, or its code is not at hand"
        return
    if known.paused:
        again.refused = f"workflow {name!r} is paused; resume it first"
        return
    triggers = known.plan.triggers
    for _, number in sorted(rules):
        listens = number < len(triggers) and any(
            matches(key, again.event.key) for key in triggers[number].condition.wakes(name)
        )
        if not listens:
            again.refused = (
                f"rule {number} of workflow {name!r} does not listen to {again.event.key!r} in "
                f"its newest snapshot"
            )
            return
    again.known = known
    for _, number in sorted(rules):
        trigger_met(known, triggers[number], again.event, ask, written, fresh)


def _act(deciding: Deciding, again: JudgedAgain, live: LiveExecution) -> None:
    acted: set[str] = set()
    for verdict in again.verdicts:
        task = live.plan.tasks[verdict.task]
        rule: Rule = task.rules[verdict.number]
        did, run_id = _unmet(verdict), None
        if not did and rule.task in acted:
            did = "shadowed"
        elif not did:
            acted.add(rule.task)
            hops = hops_after(live, rule.task, again.event, deciding.now)
            did, run_id = act(deciding, live, task, rule.action, again.event.key, hops)
        deciding.note(
            Outcome(live.id, again.workflow, did, rule.task, rule.number, rule.action.value, run_id)
        )


def _start(deciding: Deciding, again: JudgedAgain, known: Known) -> None:
    for verdict in again.verdicts:
        did = _unmet(verdict)
        if not did and again.started is None:
            hops = again.event.hops + 1
            again.started = create(
                deciding, known, ExecutionType.EVENT, trigger=again.event, hops=hops
            )
            deciding.note(Outcome(again.started, again.workflow, "started", action="trigger"))
            continue
        deciding.note(
            Outcome(
                again.started if not did else None,
                again.workflow,
                did or "ignored: started already",
                rule=verdict.number,
                action="trigger",
            )
        )


def _unmet(verdict: Verdict) -> str:
    """What a rule came to that is not met; empty for one that is."""
    if verdict.error:
        return "failed again"
    return "" if verdict.met else "not met"
