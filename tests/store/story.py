"""Drives the real core over several stores at once: the same batches, committed to each.

A story is told in batches, as the loop makes them: outside events are appended first, then decided
with the facts that follow, then committed. All stores give the same offsets, so that one world
stands for all of them.
"""

import dataclasses
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from eventflow.core.decide import QUIET, SENDER, facts_of, take
from eventflow.core.decision import Decision
from eventflow.core.draft import Draft
from eventflow.core.judge import Answer
from eventflow.core.plan import Plan, plan_of
from eventflow.core.world import Items, Run, Timer, World
from eventflow.errors import LoadError
from eventflow.model.condition import Condition
from eventflow.model.context import RuleContext, TaskContext
from eventflow.model.event import Event
from eventflow.model.operator import Operator
from eventflow.model.workflow import Workflow, content_hash
from eventflow.runtime.retrying import picture_of
from eventflow.store.listed import SnapshotRecord
from eventflow.store.ports import Batch, Loaded, Store

START = datetime(2025, 3, 1, 12, 0, 0, 123_457, tzinfo=UTC)


class StillClock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return (self.time - START).total_seconds()


class Step(Operator):
    """A task that does nothing."""

    def start(self, context: TaskContext) -> Any:
        return None


def asked(condition: Condition, event: Event, context: RuleContext, snapshot: str) -> Answer:
    try:
        return Answer(bool(condition.is_met(event, context)))
    except Exception as error:
        return Answer(False, repr(error))


def event(key: str, value: Any = None, **fields: Any) -> Event:
    return Event(key, value, **{"time": START, **fields})


class Story:
    """One world and the stores that keep it."""

    def __init__(self, stores: Sequence[Store], clock: StillClock, *workflows: Workflow) -> None:
        self.stores = list(stores)
        self.clock = clock
        self.world = World()
        self.plans: dict[str, Plan] = {}
        self.cursor = 0
        self.decisions: list[Decision] = []
        for workflow in workflows:
            self.register(workflow)

    def plan(self, snapshot: str) -> Plan:
        if snapshot not in self.plans:
            raise LoadError(f"snapshot {snapshot[:12]} has no code here")
        return self.plans[snapshot]

    def register(self, workflow: Workflow) -> Plan:
        plan = plan_of(workflow, content_hash(workflow.definition()))
        self.plans[plan.snapshot] = plan
        for store in self.stores:
            store.keep_snapshot(
                SnapshotRecord(
                    hash=plan.snapshot,
                    namespace=plan.namespace,
                    workflow=plan.name,
                    folder="",
                    entry="",
                    definition=workflow.definition(),
                    created_at=self.clock.now(),
                )
            )
        self.world.learn(plan)
        self.command("register", snapshot=plan.snapshot)
        return plan

    def command(self, verb: str, **value: Any) -> list[Decision]:
        return self.batch(event(f"eventflow.command.{verb}", value, sender="test"))

    def run(self, workflow: str, **params: Any) -> list[Decision]:
        return self.command("run", namespace="default", workflow=workflow, params=params)

    def retry(self, execution_id: int, *, limit: int = 10_000) -> list[Decision]:
        """Every store has the same picture of what is retried (S31)."""
        pictures = [picture_of(store, execution_id) for store in self.stores]
        assert all(picture == pictures[0] for picture in pictures)
        return self.batch(event("eventflow.command.retry", pictures[0], sender="test"), limit=limit)

    def quiet(self, execution_id: int) -> list[Decision]:
        """Ask whether an execution has ended, as the loop does when nothing of it is alive."""
        value = {"workflow_execution_id": execution_id}
        asked = event(QUIET, value, sender=SENDER, workflow_execution_id=execution_id)
        return self._decide([(asked, None, None)], limit=10_000)

    def emit(self, key: str, value: Any = None, **fields: Any) -> list[Decision]:
        return self.batch(event(key, value, **fields))

    def report(self, kind: str, execution_id: int, task: str, **more: Any) -> list[Decision]:
        """An executor says something about the run of a task that it holds."""
        standing = self.world.executions[execution_id].standings[task]
        run = standing.leaving or standing.latest
        assert run is not None
        return self._report(kind, execution_id, run, **more)

    def _report(self, kind: str, execution_id: int, run: Run, **more: Any) -> list[Decision]:
        value = {
            "execution_id": execution_id,
            "task": run.task,
            "run_id": run.id,
            "attempt": run.attempt,
            **more,
        }
        result = value.pop("result", "null" if kind == "success" else None)
        report = event(
            f"eventflow.report.{kind}",
            value,
            sender=SENDER,
            time=self.clock.time,
            workflow_execution_id=execution_id,
        )
        return self._decide([(report, None, result)], limit=10_000)

    def expand(
        self,
        execution_id: int,
        task: str,
        levels: Sequence[Any],
        taken: Sequence[tuple[int, int, int]] = (),
    ) -> list[Decision]:
        """Say how many items the latest run of a mapped task has (S43)."""
        run = self.world.executions[execution_id].standings[task].latest
        assert run is not None
        return self.command(
            "expand",
            workflow_execution_id=execution_id,
            task=task,
            task_execution_id=run.id,
            attempt=run.attempt,
            levels=list(levels),
            taken=[list(triple) for triple in taken],
        )

    def report_run(
        self, kind: str, execution_id: int, task: str, run_id: int, **more: Any
    ) -> list[Decision]:
        """An executor says something about a run, or an item of one (S43)."""
        run = self.world.executions[execution_id].run(run_id, task)
        if run is None:
            raise KeyError(f"run {run_id} is not in the picture")
        return self._report(kind, execution_id, run, **more)

    def end(self, kind: str, execution_id: int, *tasks: str, **more: Any) -> None:
        """Tasks begin, and end in the next batch."""
        for task in tasks:
            self.report("running", execution_id, task)
            self.report(kind, execution_id, task, **more)

    def due(self, **passed: float) -> list[Decision]:
        """Time passes, and what is due goes off."""
        self.clock.time += timedelta(**passed)
        due = sorted(
            (timer for timer in self.world.timers.values() if timer.due_at <= self.clock.time),
            key=lambda timer: timer.due_at,
        )
        alarms: list[tuple[Event, Timer | None, str | None]] = [
            (event(f"eventflow.timer.{timer.kind}", timer.key, sender=SENDER), timer, None)
            for timer in due
        ]
        return self._decide(alarms, limit=10_000)

    def batch(self, *events: Event, limit: int = 10_000) -> list[Decision]:
        """Append outside events and decide all that is in the log; `limit` bounds the turns."""
        if events:
            for store in self.stores:
                appended = store.append(events)
                assert appended[-1].offset == store.last_offset()
        waiting = self.stores[0].undecided(1000)
        return self._decide([(one, None, None) for one in waiting], limit=limit)

    def _decide(
        self, inputs: Iterable[tuple[Event, Timer | None, str | None]], *, limit: int
    ) -> list[Decision]:
        draft = Draft(self.world)
        decisions: list[Decision] = []
        facts: deque[Event] = deque()
        read_to = self.cursor
        for one, timer, result in inputs:
            self._take(draft, one, timer, result, decisions, facts)
            read_to = max(read_to, one.offset)
            while facts and len(decisions) < limit:
                self._take(draft, facts.popleft(), None, None, decisions, facts)
        self.commit(decisions, left_over=list(facts), read_to=read_to)
        return decisions

    def commit(
        self, decisions: list[Decision], *, left_over: list[Event] | None = None, read_to: int
    ) -> None:
        batch = Batch(
            decisions=decisions,
            left_over=left_over or [],
            read_from=self.cursor,
            read_to=read_to,
            counters=self.world.counters,
            now=self.clock.time,
        )
        for store in self.stores:
            store.commit(batch)
        self.cursor = read_to
        self.decisions.extend(decisions)

    def _take(
        self,
        draft: Draft,
        one: Event,
        timer: Timer | None,
        result: str | None,
        decisions: list[Decision],
        facts: deque[Event],
    ) -> None:
        now = self.clock.time
        decision = take(draft, one, asked, now, timer=timer, result=result)
        decisions.append(decision)
        facts.extendleft(reversed(facts_of(self.world, decision.changes, now)))


def picture(world: World) -> dict[str, Any]:
    """All that deciding reads, as plain values: two worlds with one picture decide alike."""
    return {
        "counters": world.counters,
        "timers": world.timers,
        "homes": world.homes,
        "pools": {
            key: (pool.slots, set(pool.held), pool.line)
            for key, pool in world.pools.items()
            if pool.is_set or pool.line
        },
        "subs": world.subs,
        "workflows": {
            name: (known.plan.snapshot, known.paused, set(known.active), known.waiting, known.state)
            for name, known in world.workflows.items()
        },
        "running": {
            snapshot: set(running) for snapshot, running in world.running.items() if running
        },
        "executions": {
            live.id: {
                "plan": live.plan.snapshot,
                "record": dataclasses.replace(live.record, trigger_event=None),
                "trigger": _content(live.record.trigger_event),
                "standings": live.standings,
                "alive": live.alive,
                "met": {key: count for key, count in live.met.items() if count},
                "state": live.state,
                "retried": live.retried,
                "items": {run_id: described(items) for run_id, items in live.items.items()},
                "stopping": (live.stopping, live.failed_by_timeout),
            }
            for live in world.executions.values()
        },
    }


def described(items: Items) -> dict[str, Any]:
    """The items of a run, as values that can be compared (S43)."""
    return {name: getattr(items, name) for name in items.__struct_fields__}


def _content(one: Event | None) -> Event | None:
    return replace(one, offset=0, logged_at=None, turn=0) if one is not None else None


def check_loaded(story: Story) -> list[Loaded]:
    """Every store gives back the world, its cursor, and no command too few or too many."""
    found = [store.load(story.plan) for store in story.stores]
    for loaded in found:
        assert loaded.cursor == story.cursor
        assert loaded.parked == {}
        told, known = picture(loaded.world), picture(story.world)
        for part in known:
            assert told[part] == known[part], part
        for command in loaded.commands:
            assert command.run == story.world.executions[command.execution_id].run(
                command.run.id, command.run.task
            )
    assert all(loaded.commands == found[0].commands for loaded in found)
    return found
