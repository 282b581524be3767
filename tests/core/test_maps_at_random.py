"""Mapped tasks under random actions: what must hold after every one of them (S43)."""

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventflow import Operator, TaskAction, TaskContext, TaskExecution, TaskStatus, Workflow
from eventflow.core.portrait import portrait
from eventflow.errors import ConflictError, NotFoundError
from eventflow.model.status import ALIVE
from eventflow.testing import VirtualScheduler

SLOTS = 2


class Idle(Operator):
    """Its endings are drawn."""

    def __init__(self, name: str, *takes: Any, **config: Any) -> None:
        self._takes = list(takes)
        super().__init__(name, **config)

    @property
    def arguments(self) -> Any:
        return self._takes

    def start(self, context: TaskContext) -> Any:
        raise AssertionError("no code runs in virtual time")


CONFIGS = st.fixed_dictionaries(
    {
        "retries": st.integers(0, 1),
        "retry_delay": st.sampled_from([0, 5]),
        "timeout": st.sampled_from([None, 8]),
        "max_lost": st.integers(0, 1),
        "on_lost": st.sampled_from(["retry", "fail"]),
        "max_active_items": st.sampled_from([1, 2, 1000]),
        "on_item_failure": st.sampled_from(["finish", "stop"]),
        "pool": st.sampled_from(["default", "gpu"]),
    }
)
LISTS = st.lists(st.integers(0, 9), max_size=4)
ENDINGS = st.lists(
    st.tuples(
        st.sampled_from(["SUCCESS", "SUCCESS", "SUCCESS", "FAILED", "SKIPPED", "RUNNING"]),
        st.sampled_from([0, 1, 3]),
        LISTS,
    ),
    max_size=12,
)
TASKS = ("a", "b", "c", "d")
ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("advance",) * 4,
                *("stop", "restart", "start", "lose", "reload", "end", "slots"),
                *("stop all", "retry"),
            ]
        ),
        st.sampled_from(TASKS),
        st.integers(0, 10),
    ),
    max_size=14,
)


def workflow_of(first: dict[str, Any], second: dict[str, Any], *, nested: bool) -> Workflow:
    """A list, a map over it, a map over that map, and a join; all but one may run again."""
    with Workflow("w") as workflow:
        a = Idle("a")
        b = Idle("b", **first).map(a.output)
        c = Idle("c", **second).map(b.output, nested=nested)
        d = Idle("d", c.output)
    d.action_on_task_status(TaskAction.START, {c: TaskStatus.SUCCESS})
    b.action_on_event_received(TaskAction.STOP, "eventflow.command.pool")
    return workflow


class Watcher:
    """A scheduler, and what must hold whenever nothing moves."""

    def __init__(self, workflow: Workflow) -> None:
        self.scheduler = VirtualScheduler(workflow)
        self.scheduler.set_pool("gpu", SLOTS)
        self.slots = SLOTS
        self.workflow = workflow

    def do(self, what: str, task: str, number: int) -> None:
        scheduler = self.scheduler
        execution = scheduler.executions()[-1].id
        try:
            match what:
                case "advance":
                    scheduler.advance(seconds=number)
                case "stop":
                    scheduler.stop_task(execution, task)
                case "restart":
                    scheduler.restart_task(execution, task)
                case "start":
                    scheduler.start_task(execution, task)
                case "lose":
                    scheduler.lose(task)
                case "reload":
                    scheduler.restart_scheduler()
                case "end":
                    scheduler.report(task, TaskStatus.SUCCESS)
                case "slots":
                    self.slots = max(self.slots, number % 3)
                    scheduler.set_pool("gpu", number % 3)
                case "stop all":
                    scheduler.stop_workflow(execution)
                case "retry":
                    scheduler.retry(execution)
        except (ConflictError, NotFoundError):
            return

    def check(self) -> None:
        scheduler = self.scheduler
        world = scheduler._loop.world
        loaded = scheduler.store.load(scheduler._registry.plan).world
        assert portrait(loaded) == portrait(world)
        busy = Counter(job.key.task_execution_id for job in scheduler._worker._running.values())
        assert set(busy.values()) <= {1}
        for execution in scheduler.executions():
            for run in scheduler.execution(execution.id).tasks:
                self.check_run(run)
                if execution.ended:
                    assert run.ended

    def check_run(self, run: TaskExecution) -> None:
        if run.items is None:
            return
        store = self.scheduler.store
        items = store.items(run.id, limit=1000)
        assert [item.item for item in items] == list(range(run.items.total))
        alive = [item for item in items if item.status in ALIVE - {TaskStatus.INIT}]
        limit = self.workflow.tasks[run.task_name].settings.max_active_items
        assert len(alive) <= limit
        if run.ended:
            assert all(item.ended for item in items)
        elif run.status is TaskStatus.RUNNING:
            assert alive, "nothing would ever move it"
        if run.status is TaskStatus.SUCCESS:
            assert not any(item.status in (TaskStatus.FAILED, TaskStatus.STOPPED) for item in items)
        if run.status is TaskStatus.FAILED:
            assert any(item.status is TaskStatus.FAILED for item in items)
        opened = [item.item or 0 for item in items if item.status is not TaskStatus.INIT]
        waiting = [item.item or 0 for item in items if item.status is TaskStatus.INIT]
        taken = [item.item or 0 for item in items if item.taken_from is not None]
        if waiting:
            assert all(number < waiting[0] or number in taken for number in opened)
        for item in items:
            history = [change.status.value for change in store.history(item.id)]
            assert history[-1] == item.status
            assert item.taken_from is not None or history[0] == "INIT"
        text = store.result(run.id)
        assert text is not None
        told = [json.loads(store.result(item.id) or "null") for item in items]
        assert flat(json.loads(text), items) == told


def flat(nested: list[Any], items: list[TaskExecution]) -> list[Any]:
    """The results of items by their indexes, out of the nested list."""
    found = []
    for item in items:
        value: Any = nested
        for place in item.index:
            value = value[place]
        found.append(value)
    return found


@pytest.mark.rule("S43", "S20", "S21", "S26", "S28", "S31", "S44", "S10")
@settings(max_examples=60, deadline=None)
@given(CONFIGS, CONFIGS, st.booleans(), LISTS, ENDINGS, ENDINGS, ACTIONS)
def test_whatever_is_done_to_maps_every_item_is_counted_and_a_new_scheduler_reads_the_same(
    first: dict[str, Any],
    second: dict[str, Any],
    nested: bool,
    given_items: list[int],
    of_b: list[Any],
    of_c: list[Any],
    actions: list[tuple[str, str, int]],
) -> None:
    watcher = Watcher(workflow_of(first, second, nested=nested))
    scheduler = watcher.scheduler
    for _ in range(3):
        scheduler.outcome("a", TaskStatus.SUCCESS, after=1, result=given_items)
    for task, endings in (("b", of_b), ("c", of_c)):
        for status, after, result in endings:
            scheduler.outcome(task, TaskStatus(status), after=after, result=result)
    for _ in range(40):
        scheduler.outcome("b", TaskStatus.SUCCESS, after=1, result=[1])
    scheduler.run()

    for action in actions:
        watcher.do(*action)
        watcher.check()

    replayed = scheduler.replay()
    assert replayed.equal, replayed
