"""What both stores say of mapped tasks and their items is the same, and is what happened (S43)."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from story import Step, StillClock, Story, check_loaded

from eventflow import TaskExecution, TaskStatus, Workflow, WorkflowExecution
from eventflow.model.shape import Shape
from eventflow.store.memory import MemoryStore
from eventflow.store.ports import Store
from eventflow.store.sqlite import SqliteStore

pytestmark = pytest.mark.rule("S43")
SHAPES: list[list[Any]] = [[0], [3], [2, 2], [2, [1, 2]], [3, [2, 0, 1]], [2, 0], [2, [0, 1], [3]]]
KINDS = ["running", "success", "failed", "skipped", "lost", "stopped"]


def mapped() -> Workflow:
    with Workflow("w", completion="manual") as workflow:
        Step("b", retries=1, max_active_items=2).map(range(3))
    return workflow


class Told:
    """One mapped run of which a test says how many items it has, and what becomes of them."""

    def __init__(self, stores: list[Store], clock: StillClock, levels: list[Any]) -> None:
        self.story = Story(stores, clock, mapped())
        self.story.run("w")
        self.run_id = self.run().id
        self.story.command(
            "expand",
            workflow_execution_id=1,
            task="b",
            task_execution_id=self.run_id,
            attempt=1,
            levels=levels,
            taken=[],
        )

    def run(self) -> Any:
        return self.story.stores[0].execution(1).tasks[0]

    def report(self, kind: str, which: int) -> None:
        items = self.story.world.executions[1].items.get(self.run_id)
        alive = sorted(items.alive.values(), key=lambda run: run.id) if items is not None else []
        if alive:
            run = alive[which % len(alive)]
            text = f'{{"r":{run.item}}}' if kind == "success" else None
            about = {"run_id": run.id, "attempt": run.attempt}
            self.story.report(kind, 1, "b", **about, result=text)


def plain(answer: Any) -> Any:
    """Without the paths of logs, which the memory store has none of."""
    match answer:
        case list():
            return [plain(one) for one in answer]
        case TaskExecution():
            return replace(answer, log_path="")
        case WorkflowExecution():
            return replace(answer, tasks=tuple(map(plain, answer.tasks)))
        case _:
            return answer


def check_reads(told: Told, shape: Shape) -> None:
    def same(question: str, *arguments: Any, **named: Any) -> Any:
        one, other = (
            plain(getattr(store, question)(*arguments, **named)) for store in told.story.stores
        )
        assert one == other, (question, arguments, named)
        return one

    run = same("task_execution", told.run_id)
    assert (run.items.total, sum(run.items.by_status.values())) == (shape.count, shape.count)
    assert same("shape", told.run_id) == shape
    items = same("items", told.run_id)
    assert [(item.item, item.index) for item in items] == [
        (number, shape.index_of(number)) for number in range(shape.count)
    ]
    for item in items:
        assert same("task_execution", item.id) == item
        assert same("shape", item.id) is None
        assert same("items", item.id) == []
        assert same("result", item.id) == same("result", told.run_id, item.index)
        assert same("result", item.id, (0,)) is None
        same("failures", item.id)
        assert same("history", item.id)[-1].status == item.status
        for level in range(shape.depth):
            same("result", told.run_id, item.index[:level])
    for after in (-1, 0, 2, 50):
        for limit in (1, 2, 100):
            for statuses in ([], [TaskStatus.SUCCESS], [TaskStatus.INIT, TaskStatus.FAILED]):
                found = same("items", told.run_id, statuses=statuses, after=after, limit=limit)
                wanted = [
                    one
                    for one in items
                    if (one.item or 0) > after and (not statuses or one.status in statuses)
                ]
                assert found == wanted[:limit]
    same("pools")
    assert same("result", 10_000) is None
    assert same("shape", 10_000) is None
    assert same("items", 10_000) == []
    latest = same("latest_result", 1, "b")
    assert latest == (same("result", told.run_id) if run.status == "SUCCESS" else None)
    assert len(same("execution", 1).tasks) == 1


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(SHAPES),
    st.lists(st.tuples(st.sampled_from([*KINDS, "stop"]), st.integers(0, 3)), max_size=12),
)
def test_both_stores_say_the_same_of_items(levels: list[Any], acts: list[tuple[str, int]]) -> None:
    clock = StillClock()
    with TemporaryDirectory() as folder:
        sqlite = SqliteStore(f"sqlite:///{Path(folder)}/s.db", clock=clock)
        try:
            stores: list[Store] = [sqlite, MemoryStore(clock=clock)]
            for store in stores:
                store.hold("test")
            told = Told(stores, clock, levels)
            for kind, which in acts:
                if kind == "stop":
                    told.story.command("task", workflow_execution_id=1, task="b", action="STOP")
                else:
                    told.report(kind, which)
                check_loaded(told.story)
            check_reads(told, Shape(levels))
        finally:
            sqlite.close()


def test_results_of_many_maps_are_read_however_often_they_change_places(
    both: list[Store], clock: StillClock
) -> None:
    """Shapes are kept for a few maps only, and for the right ones."""
    story = Story(both, clock, mapped())
    runs = []
    for number in range(1, 13):
        story.run("w")
        run = both[0].execution(number).tasks[0]
        story.command(
            "expand",
            workflow_execution_id=number,
            task="b",
            task_execution_id=run.id,
            attempt=1,
            levels=[1, number],
            taken=[],
        )
        runs.append(run.id)

    for _ in range(2):
        for number, run_id in enumerate(runs, 1):
            for store in both:
                assert store.result(run_id) == f"[[{','.join(['null'] * number)}]]"
                assert store.shape(run_id) == Shape([1, number])
