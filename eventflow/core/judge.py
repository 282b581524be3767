"""Judging: which rules an event meets, before anything is decided (S9).

Rules on plain events match by key. Any other condition is asked: a user's through the `ask` that
the caller gives, with a time limit round it; a combination of built-ins here. The answer is a
Verdict, as data. Rules on task statuses alone are not asked at all: `core.decide` counts them.
"""

import copy
from collections.abc import Callable, Iterable
from datetime import datetime

from msgspec import Struct, field
from msgspec.structs import replace

from eventflow.core.asked import Asked, Writes
from eventflow.core.changes import StateWritten
from eventflow.core.plan import Plan, Rule, Trigger
from eventflow.core.retried import is_taken_over
from eventflow.core.world import Known, LiveExecution, World
from eventflow.model.condition import Condition
from eventflow.model.context import RuleContext
from eventflow.model.event import Event
from eventflow.model.keys import RESERVED


class Verdict(Struct, frozen=True):
    """What a user's condition said about one event.

    Attributes:
        task: The task whose rule it is; empty for a workflow rule.
        number: The rule's place among its task's, or its workflow's.
        writes: State it wrote: name -> JSON text, `None` for forgotten.
        ask_again_at: When it wants to be asked again; aware UTC.
        error: Why it has no answer: the traceback. Then it is not met, and wrote nothing (S13). Of
            one that is met: why what it asks for was not done (S45).
        of_turn: The turn in which it failed at first, when it was asked again; else 0.
    """

    execution_id: int | None
    workflow: tuple[str, str]
    task: str
    number: int
    met: bool
    writes: tuple[tuple[str, str | None], ...] = ()
    ask_again_at: datetime | None = None
    error: str = ""
    of_turn: int = 0


class Answer(Struct, frozen=True):
    """What came back from asking a condition."""

    met: bool
    error: str = ""


# Asks a user's condition, whatever that takes; never raises.
Ask = Callable[[Condition, Event, RuleContext, str], Answer]


class Judged(Struct):
    """All that an event has met, and what the conditions wrote on the way.

    Attributes:
        paused: Workflows with a rule that the key matches, and that was not asked (S17).
        triggers: The workflows that the event starts, and which of their rules it has met.
        of_turn: The turn in which these conditions failed, when they are asked again; else 0. Then
            each answer is recorded, also where a built-in has taken the place of what failed.
        refused: Verdicts of rules that are met, and why what they ask for is not done (S45).
    """

    triggers: dict[Known, list[int]] = field(default_factory=dict)
    paused: dict[Known, None] = field(default_factory=dict)
    rules: list[tuple[LiveExecution, list[Rule]]] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    writes: list[StateWritten] = field(default_factory=list)
    refused: dict[Verdict, str] = field(default_factory=dict)
    of_turn: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether the event has met nothing, and nobody was asked."""
        return not (self.triggers or self.paused or self.rules or self.verdicts or self.writes)

    def told(self) -> list[Verdict]:
        """The verdicts, as they are recorded."""
        if not self.refused:
            return self.verdicts
        return [
            replace(verdict, error=self.refused.get(verdict, verdict.error))
            for verdict in self.verdicts
        ]


def judge(world: World, event: Event, ask: Ask, *, level_rules: bool = True) -> Judged:
    """Ask every rule that the event's key matches.

    A fact about what a retry has taken over happened before: it is for tasks that never ran (S31).

    Args:
        level_rules: Whether rules on levels may answer: not for a fact about a run that is not the
            latest of its task (S22).
    """
    judged = Judged()
    taken_over = is_taken_over(event)
    if not taken_over:
        _judge_triggers(world, event, ask, judged)
    # Of many executions of one snapshot the same rules are asked.
    matched: dict[str, list[Rule]] = {}
    for live in _audience(world, event):
        if live.stopping or live.record.status != "RUNNING":
            continue
        plan = live.plan
        if plan.snapshot not in matched:
            matched[plan.snapshot] = _matched(plan, event.key)
        if not matched[plan.snapshot]:
            continue
        written: Writes = {}
        met = [
            rule
            for rule in matched[plan.snapshot]
            if (level_rules or not rule.condition.is_level)
            and (not taken_over or live.has_never_run(rule.task))
            and rule_met(live, rule, event, ask, written, judged)
        ]
        if met:
            judged.rules.append((live, met))
    return judged


def _matched(plan: Plan, key: str) -> list[Rule]:
    """The rules that a key fits, in the order in which they are asked."""
    found = plan.index.match(key)
    found.sort(key=lambda rule: (plan.tasks[rule.task].order, rule.number))
    return found


def any_is_wanted(world: World, events: Iterable[Event]) -> bool:
    """Whether a rule may want one of these events, by their keys alone."""
    seen: set[tuple[str, str]] = set()
    for event in events:
        place = (event.namespace, event.key)
        if place in seen:
            continue
        if event.workflow_execution_id is not None or event.key.startswith(RESERVED):
            return True
        for by_namespace in (world.triggers, world.listeners):
            index = by_namespace.get(event.namespace)
            if index is not None and index.match(event.key):
                return True
        seen.add(place)
    return False


def _judge_triggers(world: World, event: Event, ask: Ask, judged: Judged) -> None:
    index = world.triggers.get(event.namespace)
    if index is None:
        return
    found = index.match(event.key)
    if not found:
        return
    written: dict[str, Writes] = {}
    for known, trigger in sorted(found, key=lambda entry: (entry[0].plan.name, entry[1].number)):
        if known.paused:
            judged.paused[known] = None
            continue
        name = known.plan.name
        if trigger_met(known, trigger, event, ask, written.setdefault(name, {}), judged):
            judged.triggers.setdefault(known, []).append(trigger.number)


def _audience(world: World, event: Event) -> Iterable[LiveExecution]:
    """The executions whose task rules may see the event, in order of id (S14, S15)."""
    if event.workflow_execution_id is not None:
        live = world.executions.get(event.workflow_execution_id)
        return (live,) if live is not None else ()
    index = world.listeners.get(event.namespace)
    if index is None:
        return ()
    snapshots = set(index.match(event.key))
    if not snapshots:
        return ()
    found = [live for snapshot in snapshots for live in world.running.get(snapshot, {}).values()]
    return sorted(found, key=lambda live: live.id)


def rule_met(
    live: LiveExecution, rule: Rule, event: Event, ask: Ask, written: Writes, judged: Judged
) -> bool:
    """Whether one task rule is met by an event that its key matches; `judged` keeps the answer."""
    workflow = (live.plan.namespace, live.plan.name)
    if rule.plain:
        if judged.of_turn:
            judged.verdicts.append(
                Verdict(live.id, workflow, rule.task, rule.number, True, of_turn=judged.of_turn)
            )
        return True
    context = Asked(live.record, live, live.state, written, rule.owner)
    answer = _answer(rule.condition, rule.users, event, context, ask, live.plan.snapshot)
    _take_over(
        answer,
        context,
        written,
        judged,
        Verdict(live.id, workflow, rule.task, rule.number, answer.met, error=answer.error),
        recorded=rule.users,
    )
    return answer.met


def trigger_met(
    known: Known, trigger: Trigger, event: Event, ask: Ask, written: Writes, judged: Judged
) -> bool:
    """The same of one workflow rule."""
    workflow = (known.plan.namespace, known.plan.name)
    if trigger.plain:
        if judged.of_turn:
            verdict = Verdict(None, workflow, "", trigger.number, True, of_turn=judged.of_turn)
            judged.verdicts.append(verdict)
        return True
    context = Asked(None, None, known.state, written, trigger.owner)
    answer = _answer(trigger.condition, trigger.users, event, context, ask, known.plan.snapshot)
    _take_over(
        answer,
        context,
        written,
        judged,
        Verdict(None, workflow, "", trigger.number, answer.met, error=answer.error),
        recorded=trigger.users,
    )
    return answer.met


def _take_over(
    answer: Answer,
    context: "Asked",
    written: Writes,
    judged: Judged,
    verdict: Verdict,
    *,
    recorded: bool,
) -> None:
    """Keep what one condition wrote, unless it failed: the next one asked sees it."""
    writes = {} if answer.error else context.writes
    written.update(writes)
    for name, text in writes.items():
        judged.writes.append(StateWritten(verdict.execution_id, verdict.workflow, name, text))
    if recorded or judged.of_turn:
        told = replace(verdict, writes=tuple(writes.items()), of_turn=judged.of_turn)
        judged.verdicts.append(told)


def _answer(
    condition: Condition,
    users: bool,
    event: Event,
    context: "Asked",
    ask: Ask,
    snapshot: str,
) -> Answer:
    if users:
        # Its own copy: what one condition does to a value must not be what the next one sees.
        own = replace(event, value=copy.deepcopy(event.value))
        return ask(condition, own, context, snapshot)
    return Answer(bool(condition.is_met(event, context)))
