"""A state machine round `take`: whatever comes in, in any order, the promises hold (S9-S30)."""

from copy import copy
from typing import Any

import pytest
from core_bench import Bench, History, ask, compiled, items_of, picture, replay
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from workflows_at_random import workflows

from eventflow import Event, TaskAction, TaskStatus, Workflow
from eventflow.core.decide import COMMAND, take
from eventflow.core.draft import Draft
from eventflow.core.plan import Plan
from eventflow.core.pools import HOLDS_SLOT
from eventflow.core.retried import Retried
from eventflow.core.retrying import can_stand
from eventflow.core.world import LiveExecution, Timer
from eventflow.model.status import ALIVE, BUSY, MOVES

POOLS = ("default", "p", "q")
ENDED_STATUSES = ("SUCCESS", "SKIPPED", "STOPPED", "FAILED")
KINDS = ("running", "success", "failed", "skipped", "stopped", "lost", "refused")
LEVELS = st.sampled_from([[3], [1], [4], [0], [2, 2], [2, [1, 0]], [3, 2]])
TAKEN = st.sampled_from([[], [], [(0, 1000, 1)]])


class Core(RuleBasedStateMachine):
    """Commands, events, reports of every kind about any attempt, and timers, at random."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench()
        self.seen_timers: dict[Timer, None] = {}
        self.held = dict.fromkeys(POOLS, 0)
        self.counted: set[str] = set()

    @initialize(workflow=workflows(maps=True), levels=LEVELS)
    def begin(self, workflow: Workflow, levels: list[Any]) -> None:
        self.workflow = workflow
        self.most_active = workflow.max_active
        self.bench.after_each = self.check_the_world
        self.bench.register(workflow)
        self.bench.run(workflow)
        self.expand_all(levels)

    @rule(levels=LEVELS)
    def run_another(self, levels: list[Any]) -> None:
        self.bench.run(self.workflow)
        self.expand_all(levels)

    def expand_all(self, levels: list[Any]) -> None:
        for live, run in self.bench.waiting_maps():
            self.bench.expand(live, run, levels)

    @rule(description=st.sampled_from(["", "second", "third"]), most=st.integers(1, 3))
    def register_a_version(self, description: str, most: int) -> None:
        self.most_active = max(self.most_active, most)
        self.bench.register(another(self.workflow, description, most))

    @rule(data=st.data(), of=st.integers(50, 60))
    def retry(self, data: st.DataObject, of: int) -> None:
        """Of an execution of which the core knows the picture alone."""
        self.bench.command("retry", **data.draw(pictures(compiled(self.workflow), of)))

    @rule(key=st.sampled_from(["x", "y"]))
    def emit(self, key: str) -> None:
        self.bench.emit(key)

    @rule(data=st.data(), action=st.sampled_from(sorted(TaskAction)))
    @precondition(lambda self: self.bench.world.executions)
    def command(self, data: st.DataObject, action: TaskAction) -> None:
        live = data.draw(st.sampled_from(list(self.bench.world.executions.values())))
        task = data.draw(st.sampled_from(sorted(live.plan.tasks)))
        self.bench.task(live, task, action)

    @rule(data=st.data(), kind=st.sampled_from(KINDS), retryable=st.booleans())
    @precondition(lambda self: self.bench.world.homes)
    def report(self, data: st.DataObject, kind: str, retryable: bool) -> None:
        """About a run that is alive, in its attempt of now: what an executor says in good order."""
        run_id = data.draw(st.sampled_from(sorted(self.bench.world.homes)))
        execution_id, task = self.bench.world.homes[run_id]
        run = self.bench.world.executions[execution_id].run(run_id, task)
        assert run is not None
        result = '"done"' if kind == "success" else None
        self.bench.report(kind, run_id, run.attempt, result=result, retryable=retryable)

    @rule(kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=4))
    @precondition(lambda self: self.bench.world.homes)
    def report_all(self, kinds: list[str]) -> None:
        """About every run and item that is alive, the newest first."""
        for number, run_id in enumerate(sorted(self.bench.world.homes, reverse=True)):
            execution_id, task = self.bench.world.homes.get(run_id, (0, ""))
            live = self.bench.world.executions.get(execution_id)
            run = live.run(run_id, task) if live is not None else None
            if run is not None:
                self.bench.report(kinds[number % len(kinds)], run_id, run.attempt, result="1")

    @rule(data=st.data(), kind=st.sampled_from(KINDS), attempt=st.integers(1, 3))
    @precondition(lambda self: self.bench.histories)
    def report_late(self, data: st.DataObject, kind: str, attempt: int) -> None:
        """About any run that ever was, in any attempt: late, repeated, or out of the blue."""
        run_id = data.draw(st.sampled_from(sorted(self.bench.histories)))
        run = self.bench.histories[run_id]
        result = '"late"' if kind == "success" else None
        place = {"execution_id": run.execution_id, "task": run.task}
        self.bench.report(kind, run_id, attempt, result=result, **place)

    @rule(data=st.data(), levels=LEVELS, taken=TAKEN)
    @precondition(lambda self: self.bench.waiting_maps())
    def expand(
        self, data: st.DataObject, levels: list[Any], taken: list[tuple[int, int, int]]
    ) -> None:
        """The items of a mapped task are counted; said again, it is too late."""
        live, run = data.draw(st.sampled_from(self.bench.waiting_maps()))
        for _ in range(2):
            self.bench.expand(live, run, levels, taken if levels != [0] else [])

    @rule(data=st.data())
    @precondition(lambda self: self.seen_timers)
    def go_off(self, data: st.DataObject) -> None:
        """A timer goes off: one that is set, or one that was moved or cleared since."""
        self.bench.alarm(data.draw(st.sampled_from(list(self.seen_timers))))

    @rule(name=st.sampled_from(POOLS), slots=st.sampled_from([None, 0, 1, 1, 2]))
    def set_pool(self, name: str, slots: int | None) -> None:
        self.bench.command("pool", namespace="default", pool=name, slots=slots)

    @rule(seconds=st.sampled_from([1, 700]))
    def wait(self, seconds: int) -> None:
        self.bench.wait(seconds=seconds)

    @rule(data=st.data())
    @precondition(lambda self: self.bench.world.executions)
    def look_whether_quiet(self, data: st.DataObject) -> None:
        live = data.draw(st.sampled_from(list(self.bench.world.executions.values())))
        if not self.bench.facts:
            self.bench.quiet(live)

    @rule(data=st.data())
    @precondition(lambda self: self.bench.world.executions)
    def stop_execution(self, data: st.DataObject) -> None:
        live = data.draw(st.sampled_from(list(self.bench.world.executions.values())))
        self.bench.command("stop", workflow_execution_id=live.id)

    @rule(data=st.data())
    @precondition(lambda self: self.bench.histories)
    def take_one_back(self, data: st.DataObject) -> None:
        """A batch whose commit failed leaves no trace."""
        run_id = data.draw(st.sampled_from(sorted(self.bench.histories)))
        live_id, task = self.bench.world.homes.get(run_id, (0, ""))
        event = data.draw(
            st.sampled_from(
                [
                    Event("x"),
                    Event(
                        "eventflow.report.failed",
                        {"execution_id": live_id, "task": task, "run_id": run_id, "attempt": 1},
                        workflow_execution_id=live_id or None,
                    ),
                    Event(COMMAND + "stop", {"workflow_execution_id": live_id}),
                    Event(COMMAND + "run", {"namespace": "default", "workflow": "w"}),
                    Event(COMMAND + "pool", {"namespace": "default", "pool": "p", "slots": 2}),
                    Event(COMMAND + "pool", {"namespace": "default", "pool": "q", "slots": 1}),
                    Event(COMMAND + "retry", data.draw(pictures(compiled(self.workflow), 9))),
                ]
            )
        )
        other = compiled(another(self.workflow, "which is not kept"))
        maps = self.bench.waiting_maps()
        self.bench.world.learn(other)
        before = picture(self.bench.world)
        draft = Draft(self.bench.world)

        take(draft, event, ask, self.bench.now)
        for live, run in maps:
            expand = Event(COMMAND + "expand", items_of(live, run, [3], [(0, 1000, 1)]))
            take(draft, expand, ask, self.bench.now)
        register = Event(COMMAND + "register", {"snapshot": other.snapshot})
        take(draft, register, ask, self.bench.now)
        take(draft, Event("y"), ask, self.bench.now)
        draft.rollback()

        assert picture(self.bench.world) == before

    def check_the_world(self) -> None:
        """After every single turn."""
        for timer in self.bench.world.timers.values():
            self.seen_timers[timer] = None
        bench = self.bench
        alive = {
            run_id: run for run_id, run in bench.histories.items() if run.statuses[-1] in ALIVE
        }
        # An item that was not opened is in no picture yet (S43).
        items = {run_id: alive.pop(run_id) for run_id in list(alive) if alive[run_id].parent}
        opened = {run_id: run for run_id, run in items.items() if run.statuses[-1] != "INIT"}
        assert set(bench.world.homes) == {*alive, *opened}
        for live in bench.world.executions.values():
            mine = {key: run for key, run in alive.items() if run.execution_id == live.id}
            assert live.alive == len(mine)
            assert_one_is_busy(list(mine.values()))
            assert_counters_are_a_recount(live)
            for name in live.retried:
                assert live.standing(name).latest is None
            self.check_the_items(live, items)
            for task, standing in live.standings.items():
                there = {run.id: run.status for run in (standing.latest, standing.leaving) if run}
                expected = {key: run.statuses[-1] for key, run in mine.items() if run.task == task}
                assert expected.items() <= there.items()
        waiting = {run_id for pool in bench.world.pools.values() for _, run_id in pool.line}
        busy_orders = {
            (key, bench.world.executions[run.execution_id].run(key, run.task).attempt)
            for key, run in {**alive, **opened}.items()
            if run.statuses[-1] is TaskStatus.QUEUED and key not in waiting
        }
        starts = {(key, n) for key, n, action in bench.outbox if action is TaskAction.START}
        assert starts == busy_orders
        stops = {key for key, _, action in bench.outbox if action is TaskAction.STOP}
        leaving = (TaskStatus.STOPPING, TaskStatus.RESTARTING)
        held = {key: run for key, run in alive.items() if not self.is_map(run)} | opened
        assert {key for key, run in held.items() if run.statuses[-1] in leaving} <= stops
        assert stops <= set(held)
        self.check_the_pools()

    def is_map(self, run: History) -> bool:
        return self.bench.world.executions[run.execution_id].plan.tasks[run.task].mapped is not None

    def check_the_items(self, live: LiveExecution, alive: dict[int, History]) -> None:
        """A map is counted as long as one of its items is alive; as many begin as may (S43)."""
        counted: dict[int, list[int]] = {}
        for item_id, run in alive.items():
            if run.execution_id == live.id:
                counted.setdefault(run.parent, []).append(item_id)
        assert set(live.items) == set(counted)
        for run_id, items in live.items.items():
            opened = [item for item in counted[run_id] if alive[item].statuses[-1] != "INIT"]
            assert sorted(items.alive) == opened
            waiting = [item for item in counted[run_id] if item not in items.alive]
            assert items.next == (waiting[0] - items.first if waiting else items.count)
            most = live.plan.tasks[alive[counted[run_id][0]].task].settings.max_active_items
            assert len(opened) == most if waiting else len(opened) <= most

    def check_the_pools(self) -> None:
        """Who holds a slot is with an executor, and nobody waits while a slot is free (S44)."""
        world = self.bench.world
        asks: dict[str, set[int]] = {name: set() for name in POOLS}
        for live in world.executions.values():
            for run in live.every_run():
                if run.status in HOLDS_SLOT and live.has_attempts(run):
                    asks[live.plan.tasks[run.task].settings.pool].add(run.id)
        for name in POOLS:
            pool = world.pools.get(("default", name))
            if pool is None:
                assert name == "default" or not asks[name]
                continue
            line = {run_id for _, run_id in pool.line}
            assert set(pool.held) | line == asks[name]
            assert not line & set(pool.held)
            assert pool.line == sorted(pool.line)
            before, self.held[name] = self.held[name], len(pool.held)
            if pool.slots is None:
                assert not pool.line
            else:
                assert not pool.line or len(pool.held) >= pool.slots
                lowered_from = before if name in self.counted else len(asks[name])
                assert len(pool.held) <= max(pool.slots, lowered_from)
            self.counted.add(name)

    @invariant()
    def every_history_is_a_path_in_the_table(self) -> None:
        for run in self.bench.histories.values():
            # What was taken over has ended where it comes to be: no move of the table (S31).
            begin = run.statuses[:1] if run.taken_over else [None]
            path = run.statuses[1:] if run.taken_over else run.statuses
            for before, after in zip([*begin, *path], path, strict=False):
                assert after in MOVES[before], run.statuses

    @invariant()
    def sequence_numbers_count_from_one_without_a_gap(self) -> None:
        numbers: dict[tuple[int, str], list[int]] = {}
        for run in (one for one in self.bench.histories.values() if not one.parent):
            numbers.setdefault((run.execution_id, run.task), []).append(run.sequence_number)
        for given in numbers.values():
            assert given == list(range(1, len(given) + 1))

    @invariant()
    def turns_count_from_one_without_a_gap(self) -> None:
        turns = [decision.turn for decision in self.bench.decisions]
        assert turns == list(range(1, len(turns) + 1))

    @invariant()
    def once_all_facts_are_decided_the_rules_know_the_latest_status(self) -> None:
        if self.bench.facts:
            return
        for live in self.bench.world.executions.values():
            for standing in live.standings.values():
                latest = standing.latest
                assert latest is not None
                assert standing.told == (latest.sequence_number, latest.status)

    @invariant()
    def what_can_run_again_has(self) -> None:
        if self.bench.facts:
            return
        for live in self.bench.world.executions.values():
            if live.record.status != "RUNNING" or live.stopping or live.alive:
                continue
            assert not any(can_stand(live, retried) for retried in live.retried.values())

    @invariant()
    def never_more_executions_run_than_may(self) -> None:
        """One that was lowered counts for those that begin from then on."""
        for known in self.bench.world.workflows.values():
            assert len(known.active) <= self.most_active
            assert not known.waiting or len(known.active) >= known.plan.workflow.max_active

    @invariant()
    def nothing_that_is_due_belongs_to_nobody(self) -> None:
        world = self.bench.world
        for timer in world.timers.values():
            assert not timer.execution_id or timer.execution_id in world.executions
            assert not timer.run_id or timer.run_id in world.homes

    def teardown(self) -> None:
        """The same events in the same order, once more: the same decisions (S9)."""
        if self.bench.decisions:
            assert replay(self.bench) == self.bench.decisions


@st.composite
def pictures(draw: st.DrawFn, plan: Plan, of: int) -> dict[str, Any]:
    """What some execution of a plan may have come to: each task as if by itself."""
    tasks = []
    for task in plan.tasks.values():
        status = draw(st.sampled_from([None, *ENDED_STATUSES]))
        if status is None:
            continue
        again = status == "FAILED" or (status == "STOPPED" and draw(st.booleans()))
        numbers = [rule.number for rule in task.rules]
        key = draw(st.sampled_from(["x", "y", "eventflow.task.w.a.success", "autostart"]))
        tasks.append(
            Retried(
                task=task.name,
                run_id=1000 + task.order,
                execution_id=of,
                status=TaskStatus(status),
                again=again,
                trigger_turn=draw(st.integers(0, 5)),
                started_by=key,
                rule=draw(st.sampled_from([None, *numbers])),
            ).to_json()
        )
    return {
        "retry_of": of,
        "namespace": plan.namespace,
        "workflow": plan.name,
        "snapshot": plan.snapshot,
        "params": {},
        "execution_type": "MANUAL",
        "scheduled_time": None,
        "trigger": None,
        "tasks": tasks,
    }


def another(workflow: Workflow, description: str, max_active: int | None = None) -> Workflow:
    """The same tasks and rules under another description: a new snapshot (S41)."""
    version = copy(workflow)
    version.description = description
    version.max_active = max_active or workflow.max_active
    return version


def assert_one_is_busy(alive: list[Any]) -> None:
    """S19, S21: at most one run with an executor, and at most one behind it."""
    for task in {run.task for run in alive}:
        statuses = [run.statuses[-1] for run in alive if run.task == task]
        assert sum(status in BUSY for status in statuses) <= 1
        assert len(statuses) <= 2
        assert statuses in (statuses[:1], [statuses[0], TaskStatus.INIT])


def assert_counters_are_a_recount(live: Any) -> None:
    for task in live.plan.tasks.values():
        for one in task.rules:
            if one.wanted is None:
                continue
            standings = {name: live.standing(name).told for name in one.wanted}
            count = sum(
                told is not None and told[1] in one.wanted[name] for name, told in standings.items()
            )
            assert live.met.get((one.task, one.number), 0) == count


TestCore = Core.TestCase
TestCore.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestCore.pytestmark = [pytest.mark.rule("S9", "S10", "S19", "S20", "S21", "S26")]
