"""Whatever happens, both stores load the world that it happened to, and answer alike."""

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

from eventflow import Workflow
from eventflow.errors import ConflictError, NotFoundError
from eventflow.model.status import ALIVE
from eventflow.store.memory import MemoryStore
from eventflow.store.ports import Store
from eventflow.store.sqlite import SqliteStore

ACTS = st.one_of(
    st.tuples(
        st.sampled_from(["running", "success", "failed", "skipped", "stopped", "lost"]),
        st.integers(0, 20),
    ),
    st.tuples(st.just("run"), st.sampled_from(["shop", "chain", "depot"])),
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
        case _:
            alive = [
                (live.id, task)
                for live in story.world.executions.values()
                for task, standing in live.standings.items()
                if standing.latest is not None and standing.latest.status in ALIVE
            ]
            if alive:
                story.report(kind, *alive[what % len(alive)])


def end(story: Story, execution_id: int) -> None:
    """Stop an execution, and all that runs in it."""
    story.command("stop", workflow_execution_id=execution_id)
    live = story.world.executions.get(execution_id)
    for task, standing in list(live.standings.items()) if live is not None else ():
        if standing.latest is not None and standing.latest.status in ALIVE:
            story.report("stopped", execution_id, task)
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
            story = Story(stores, clock, shop(), chain(), depot())
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


def plain(answer: Any) -> Any:
    """Without the paths of logs, which a store in memory has none of."""
    if isinstance(answer, list):
        return [plain(one) for one in answer]
    if hasattr(answer, "tasks"):
        return replace(answer, tasks=tuple(plain(list(answer.tasks))))
    return replace(answer, log_path="") if hasattr(answer, "log_path") else answer
