"""The fixed point against trying every future: can a task that never ran still get a run? (S29)

The oracle asks the conditions themselves, breadth first, over every sequence of what can still
come: events from outside, and the statuses of tasks that such an event gave their first run.
"""

from collections import deque
from dataclasses import dataclass
from typing import Any

import pytest
from core_bench import Bench, Idle
from hypothesis import given, settings
from hypothesis import strategies as st
from workflows_at_random import CONDITIONS, KEYS, STATUS_RULES, workflows

from eventflow import (
    AllOf,
    AnyOf,
    Condition,
    Event,
    EventCondition,
    Not,
    RuleContext,
    TaskAction,
    TaskStatus,
    TaskStatusCondition,
    Workflow,
    WorkflowExecution,
)
from eventflow.core.completion import ending_of, tasks_to_come
from eventflow.core.plan import Rule
from eventflow.core.world import LiveExecution
from eventflow.model.jsonvalue import encode, read
from eventflow.model.keys import matches, task_key
from eventflow.model.status import MOVES

MOST_FUTURES = 3_000
Told = tuple[tuple[str, TaskStatus], ...]
Kept = tuple[tuple[str, str], ...]


@dataclass
class OracleContext(RuleContext):
    """State in a dict, statuses as given; nothing of the core's."""

    record: WorkflowExecution
    told: dict[str, TaskStatus]
    kept: dict[str, str]
    owner: str

    @property
    def workflow_execution(self) -> WorkflowExecution:
        return self.record

    def get_state(self, descriptor: Any) -> Any:
        return descriptor.open(DictCell(self.kept, f"{self.owner}:{descriptor.name}"))

    def get_task_status(self, task_name: str) -> TaskStatus | None:
        return self.told.get(task_name)

    def within(self, place: int) -> RuleContext:
        return OracleContext(self.record, self.told, self.kept, f"{self.owner}.{place}")

    def forget(self, place: int) -> None:
        inside = f"{self.owner}.{place}"
        for name in list(self.kept):
            if name.startswith((f"{inside}:", f"{inside}.")):
                del self.kept[name]


@dataclass
class DictCell:
    kept: dict[str, str]
    name: str

    def read(self, default: Any) -> Any:
        return read(self.kept[self.name]) if self.name in self.kept else default

    def write(self, value: Any) -> None:
        self.kept[self.name] = encode(value)

    def delete(self) -> None:
        self.kept.pop(self.name, None)


def every_future(live: LiveExecution) -> tuple[set[str], bool]:
    """The tasks that some future gives their first run, and whether all futures were tried."""
    told = {name: standing.told[1] for name, standing in live.standings.items() if standing.told}
    never_run = [name for name in live.plan.tasks if name not in told]
    rules = [rule for name in never_run for rule in live.plan.tasks[name].starters]
    begin = (_sorted(told), _sorted(live.state), frozenset[str]())
    seen, waiting, found = {begin}, deque([begin]), set[str]()
    while waiting and len(seen) < MOST_FUTURES and len(found) < len(never_run):
        told_now, kept_now, running = waiting.popleft()
        for key, status, task in _next_events(live, dict(told_now), running):
            told = dict(told_now) | ({task: status} if task and status else {})
            kept = dict(kept_now)
            started = {rule.task for rule in rules if _is_met(live, rule, Event(key), told, kept)}
            found |= started
            after = (_sorted(told), _sorted(kept), running | started)
            if after not in seen:
                seen.add(after)
                waiting.append(after)
    return found, not waiting


def _next_events(
    live: LiveExecution, told: dict[str, TaskStatus], running: frozenset[str]
) -> list[tuple[str, TaskStatus | None, str]]:
    facts = [
        (task_key(live.plan.name, task, status), status, task)
        for task in sorted(running)
        for status in sorted(MOVES[told.get(task)])
    ]
    return [(key, None, "") for key in KEYS] + facts


def _is_met(
    live: LiveExecution,
    rule: Rule,
    event: Event,
    told: dict[str, TaskStatus],
    kept: dict[str, str],
) -> bool:
    wakes = rule.condition.wakes(live.plan.name)
    context = OracleContext(live.record, told, kept, rule.owner)
    return any(matches(pattern, event.key) for pattern in wakes) and bool(
        rule.condition.is_met(event, context)
    )


def _sorted(table: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(table.items()))


STARTERS = st.tuples(
    st.sampled_from([TaskAction.START, TaskAction.RESTART]), st.one_of(CONDITIONS, STATUS_RULES)
)
PLAIN = st.fixed_dictionaries({"autostart": st.booleans()})


@pytest.mark.rule("S29")
@settings(max_examples=300, deadline=None)
@given(
    workflows(rules=STARTERS, config=PLAIN),
    st.lists(st.sampled_from(["x", "y", "success", "failed"]), max_size=6),
)
def test_something_is_to_come_exactly_when_some_future_brings_it(
    workflow: Workflow, history: list[str]
) -> None:
    live = lived(workflow, history)
    if live is None:
        return

    coming = tasks_to_come(live)

    found, complete = every_future(live)
    assert found <= coming
    if complete:
        assert bool(coming) is bool(found)


def lived(workflow: Workflow, history: list[str]) -> LiveExecution | None:
    """An execution with a past, in which nothing is alive; `None` when it finds no rest."""
    bench = Bench()
    bench.register(workflow)
    live = bench.run(workflow)
    for step in history:
        if step in KEYS:
            bench.emit(step)
        elif bench.world.homes:
            bench.report(step, min(bench.world.homes))
    for _ in range(30):
        if not bench.world.homes:
            return live if not bench.facts and not live.alive else None
        bench.report("success", min(bench.world.homes))
    return None


def waiting_for(*conditions: Condition, a: str = "success") -> LiveExecution:
    """Task `a` has ended; task `b` never ran and has these START rules."""
    with Workflow("w") as workflow:
        Idle("a")
        b = Idle("b", autostart=False)
    for condition in conditions:
        b.action_on_condition(TaskAction.START, condition)
    bench = Bench()
    bench.register(workflow)
    live = bench.run(workflow)
    bench.report(a, 1)
    return live


X, Y = EventCondition("x"), EventCondition("y")
SUCCEEDED = TaskStatusCondition("a", TaskStatus.SUCCESS)
FAILED = TaskStatusCondition("a", TaskStatus.FAILED)


@pytest.mark.rule("S29")
@pytest.mark.parametrize(
    ("condition", "held"),
    [
        (X, True),
        (X & Y, True),
        (X & SUCCEEDED, True),
        (X & FAILED, False),
        (X & ~FAILED, True),
        (X & ~SUCCEEDED, False),
        (SUCCEEDED, False),
        (Not(FAILED), False),
        (AnyOf(FAILED, X), True),
        (AnyOf(FAILED, SUCCEEDED), False),
        (AllOf(AnyOf(FAILED, X), SUCCEEDED), True),
        (AllOf(AnyOf(X, Y), FAILED), False),
        (AnyOf(AllOf(X, FAILED), AllOf(Y, SUCCEEDED)), True),
        (EventCondition("eventflow.task.w.a.failed"), False),
        (EventCondition("eventflow.task.other.a.failed"), False),
        (EventCondition("eventflow.workflow.**"), False),
        (EventCondition("eventflow"), True),
        (EventCondition("**"), True),
        (EventCondition("*.any"), True),
        (X & EventCondition("eventflow.task.w.a.failed"), False),
        (X & Not(AllOf(FAILED, SUCCEEDED)), True),
        (X & Not(AnyOf(FAILED, SUCCEEDED)), False),
        (X & Not(Not(FAILED)), False),
    ],
)
def test_what_holds_an_execution_open(condition: Condition, held: bool) -> None:
    live = waiting_for(condition)

    assert (ending_of(live) is None) is held


@pytest.mark.rule("S29")
def test_a_latched_pulse_that_can_not_come_again_still_counts() -> None:
    live = waiting_for(EventCondition("eventflow.task.w.a.success") & X)

    assert tasks_to_come(live) == {"b"}


@pytest.mark.rule("S29")
def test_a_stop_rule_holds_nothing_open() -> None:
    with Workflow("w") as workflow:
        Idle("a")
        Idle("b", autostart=False).action_on_event_received(TaskAction.STOP, "x")
    bench = Bench()
    bench.register(workflow)
    live = bench.run(workflow)
    bench.report("success", 1)

    assert ending_of(live) is not None


@pytest.mark.rule("S29")
def test_an_open_task_keeps_those_behind_it_to_come() -> None:
    with Workflow("w") as workflow:
        Idle("a")
        b, c, d = Idle("b"), Idle("c"), Idle("d")
        b.action_on_event_received(TaskAction.START, "x")
        b >> c >> d
        Idle("e").action_on_task_status(TaskAction.START, {"a": "FAILED", "d": "SUCCESS"})
        Idle("f").action_on_task_status(TaskAction.START, {"a": "SUCCESS", "d": "SUCCESS"})
    bench = Bench()
    bench.register(workflow)
    live = bench.run(workflow)
    bench.report("success", 1)

    assert tasks_to_come(live) == {"b", "c", "d", "f"}
