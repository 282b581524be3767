"""Whatever happens, both stores load the world that it happened to, and answer alike."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shop import chain, shop
from story import Step, StillClock, Story, check_loaded, event

from eventflow import TaskAction, TaskExecution, Workflow
from eventflow.errors import ConflictError, NotFoundError
from eventflow.model.shape import Shape
from eventflow.model.status import ALIVE, TaskStatus
from eventflow.runtime.taken import taken_items
from eventflow.store.memory import MemoryStore
from eventflow.store.ports import Store
from eventflow.store.sqlite import SqliteStore

ACTS = st.one_of(
    st.tuples(
        st.sampled_from(["running", "success", "failed", "skipped", "stopped", "lost"]),
        st.integers(0, 20),
    ),
    st.tuples(st.just("all"), st.sampled_from(["running", "success", "success", "failed"])),
    st.tuples(st.just("expand"), st.sampled_from([[0], [1], [3], [4], [2, [1, 3]], [2, 2]])),
    st.tuples(st.just("run"), st.sampled_from(["shop", "chain", "depot", "fan", "fan"])),
    st.tuples(
        st.just("emit"),
        st.sampled_from(["orders.paid", "orders.asked", "stock.changed", "stock.closed", "recall"]),
    ),
    st.tuples(st.just("due"), st.sampled_from([1, 61, 400])),
    st.tuples(st.just("stop"), st.integers(1, 4)),
    st.tuples(
        st.just("pool"),
        st.tuples(st.sampled_from(["default", "stock"]), st.sampled_from([None, 0, 1, 2])),
    ),
    st.tuples(st.just("end"), st.integers(1, 4)),
    st.tuples(st.just("retry"), st.integers(1, 4)),
    st.tuples(st.just("cut"), st.integers(1, 6)),
)


def depot() -> Workflow:
    """Tasks that share slots."""
    with Workflow("depot") as workflow:
        for number, name in enumerate(("load", "unload", "sweep")):
            Step(name, pool="stock", priority=number % 2, retries=1)
    return workflow


def fan() -> Workflow:
    """Mapped tasks; one stops at its first failure, with few of its items at once."""
    with Workflow("fan") as workflow:
        Step("all", pool="stock").map([1, 2])
        few = Step("few", max_active_items=2, on_item_failure="stop").map([1, 2])
        few.action_on_event_received(TaskAction.RESTART, "stock.changed")
        few.action_on_event_received(TaskAction.STOP, "stock.closed")
    return workflow


def act(story: Story, kind: str, what: Any) -> None:
    match kind:
        case "run":
            story.run(what)
        case "emit":
            story.emit(what, {"n": story.cursor}, sender="till")
        case "due":
            story.due(seconds=what)
        case "stop":
            story.command("stop", workflow_execution_id=what)
        case "pool":
            name, slots = what
            story.command("pool", namespace="default", pool=name, slots=slots)
        case "end":
            end(story, what)
        case "retry":
            with suppress(ConflictError, NotFoundError):
                story.retry(what, limit=1 + what * 3)
        case "cut":
            story.batch(event("recall"), limit=what)
        case "expand":
            waiting = waiting_maps(story)
            if not waiting:
                story.run("fan")
            for place in waiting or waiting_maps(story):
                expand(story, *place, what)
        case "all":
            for place in alive_in(story):
                with suppress(KeyError):  # what was reported before has ended it, or its map
                    story.report_run(what, *place, result='"one"')
        case _:
            alive = alive_in(story)
            if alive:
                story.report_run(kind, *alive[what % len(alive)])


def alive_in(story: Story) -> list[tuple[int, str, int]]:
    """Execution, task and id of every run, and every item that began, that is alive."""
    return [
        (live.id, run.task, run.id)
        for live in story.world.executions.values()
        for run in live.every_run()
        if run.status in ALIVE
    ]


def waiting_maps(story: Story) -> list[tuple[int, str]]:
    return [
        (live.id, run.task)
        for live in story.world.executions.values()
        for run in live.every_run()
        if run.status is TaskStatus.QUEUED and not live.has_attempts(run)
    ]


def expand(story: Story, execution_id: int, task: str, levels: list[Any]) -> None:
    """Count items; every store takes over the same of them from what is retried (S31)."""
    live = story.world.executions[execution_id]
    run = live.standings[task].latest
    assert run is not None
    taken = [taken_items(store, live.record, run, Shape(levels)) for store in story.stores]
    assert taken[0] == taken[1]
    story.expand(execution_id, task, levels, taken[0])


def end(story: Story, execution_id: int) -> None:
    """Stop an execution, and all that runs in it."""
    story.command("stop", workflow_execution_id=execution_id)
    for number, task, run_id in alive_in(story):
        if number == execution_id:
            with suppress(KeyError):  # the end of its items has ended it
                story.report_run("stopped", execution_id, task, run_id)
    story.quiet(execution_id)


@pytest.mark.rule("S10")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ACTS, min_size=4, max_size=25))
def test_whatever_happened_both_stores_load_the_world(acts: list[tuple[str, Any]]) -> None:
    clock = StillClock()
    with TemporaryDirectory() as folder:
        sqlite = SqliteStore(f"sqlite:///{Path(folder)}/s.db", clock=clock)
        try:
            stores: list[Store] = [sqlite, MemoryStore(clock=clock)]
            for store in stores:
                store.hold("test")
            story = Story(stores, clock, shop(), chain(), depot(), fan())
            for kind, what in acts:
                act(story, kind, what)
                check_loaded(story)
            check_reads(story)
        finally:
            sqlite.close()


def check_reads(story: Story) -> None:
    """Every question that users ask has one answer, whichever store is asked."""
    one, other = story.stores

    def same(question: str, *arguments: Any, **named: Any) -> Any:
        answers = [getattr(store, question)(*arguments, **named) for store in (one, other)]
        assert plain(answers[0]) == plain(answers[1]), (question, arguments)
        return answers[0]

    for execution in same("executions", limit=100):
        for run in same("execution", execution.id).tasks:
            same("task_execution", run.id)
            same("history", run.id)
            same("failures", run.id)
            same("result", run.id)
            check_items(same, run)
            same("task_status", execution.id, run.task_name)
            same("latest_result", execution.id, run.task_name)
        same("decisions", execution.id)
        same("execution_status", execution.id)
        same("sub_executions", execution.id)
    for question in ("workflows", "pools", "timers", "decisions", "last_offset"):
        same(question)
    same("read", keys=["**", "eventflow.**"], limit=5000)
    for offset in range(1, one.last_offset() + 1):
        same("decisions", command_offset=offset)
        same("decided_offset", offset)
    for turn in range(1, story.world.counters.turn + 1):
        same("event_of_turn", turn)
        same("verdicts", of_turn=turn)
    for unanswered in (False, True):
        same("verdicts", failed=True, unanswered=unanswered)
    for timer in one.timers():
        same("last_fired", timer.key)


def check_items(same: Callable[..., Any], run: TaskExecution) -> None:
    """What is asked about the items of a mapped task, one by one and together (S43)."""
    shape = same("shape", run.id)
    if shape is not None:
        for number in range(shape.count):
            same("result", run.id, shape.index_of(number))
            same("result", run.id, shape.index_of(number)[:1])
    for item in same("items", run.id):
        same("task_execution", item.id)
        same("history", item.id)
        same("failures", item.id)
        same("result", item.id)
    same("items", run.id, statuses=[TaskStatus.SUCCESS, TaskStatus.STOPPED], after=0, limit=2)


def plain(answer: Any) -> Any:
    """Without the paths of logs, which a store in memory has none of."""
    if isinstance(answer, list):
        return [plain(one) for one in answer]
    if hasattr(answer, "tasks"):
        return replace(answer, tasks=tuple(plain(list(answer.tasks))))
    return replace(answer, log_path="") if hasattr(answer, "log_path") else answer
