"""The loop: order within a batch, its bound, and a commit that fails (S10, S12)."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from eventflow import Operator, TaskAction, TaskContext, TaskStatus, Workflow
from eventflow.errors import StoreError
from eventflow.runtime import loop as loop_module
from eventflow.store.memory import MemoryStore
from eventflow.store.ports import Batch
from eventflow.testing import VirtualScheduler


class Work(Operator):
    """Runs nothing: its endings are given by the test."""

    def start(self, context: TaskContext) -> Any:
        raise AssertionError("no code runs in virtual time")


@pytest.fixture
def failing_commits() -> Iterator[Callable[[VirtualScheduler, int], None]]:
    """Makes the next commits of a scheduler's store fail as a full disk would: nothing is kept."""
    kept: list[tuple[MemoryStore, Any]] = []

    def fail(scheduler: VirtualScheduler, times: int) -> None:
        store = scheduler.store
        kept.append((store, store.commit))
        left = times

        def commit(batch: Batch) -> None:
            nonlocal left
            if left:
                left -= 1
                raise StoreError("disk full")
            kept[-1][1](batch)

        store.commit = commit  # type: ignore[method-assign]  a fault put into a real store

    yield fail
    for store, commit in kept:
        store.commit = commit  # type: ignore[method-assign]  taken out again


@pytest.mark.rule("S10")
def test_a_batch_that_could_not_be_written_comes_again_whole(
    failing_commits: Callable[[VirtualScheduler, int], None],
) -> None:
    with Workflow("w") as workflow:
        a, b = Work("a"), Work("b")
        a >> b
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", after=10)
    scheduler.run()
    failing_commits(scheduler, 1)

    with pytest.raises(StoreError, match="disk full"):
        scheduler.advance(seconds=10)
    scheduler.run_until_idle()

    whole = ["INIT", "QUEUED", "RUNNING", "SUCCESS"]
    assert scheduler.runs("a") == scheduler.runs("b") == [(1, whole)]
    assert scheduler.status() == "SUCCESS"


@pytest.mark.rule("S8")
def test_every_event_that_was_decided_has_a_turn_and_turns_have_no_gap() -> None:
    with Workflow("w") as workflow:
        Work("a").action_on_event_received(TaskAction.START, "go")
    scheduler = VirtualScheduler(workflow)
    scheduler.run()
    scheduler.emit("go")

    events = scheduler.events("**", "eventflow.**")

    assert sorted(event.turn for event in events) == list(range(1, len(events) + 1))


@pytest.mark.rule("S12")
def test_facts_beyond_the_bound_of_a_batch_are_decided_in_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop_module, "TURN_LIMIT", 7)
    with Workflow("w") as workflow:
        tasks = [Work(f"t{number}") for number in range(30)]
        Work("join").start_after(tasks)
    scheduler = VirtualScheduler(workflow)

    scheduler.run()

    assert scheduler.runs("join") == [(1, ["INIT", "QUEUED", "RUNNING", "SUCCESS"])]
    assert scheduler.status() == "SUCCESS"


@pytest.mark.rule("S12")
def test_a_report_is_decided_after_everything_that_was_in_the_log_when_it_came(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop_module, "READ_LIMIT", 2)
    with Workflow("w") as workflow:
        a, b = Work("a"), Work("b", autostart=False)
        b.action_on_event_received(TaskAction.RESTART, "more")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", after=10)
    execution = scheduler.run()
    assert a.name in workflow.tasks
    for _ in range(9):
        scheduler.client.emit("other", workflow_execution_id=execution.id)
    scheduler.client.emit("more", workflow_execution_id=execution.id)

    scheduler.report("a", TaskStatus.SUCCESS)

    (more,) = scheduler.events("more")
    ended, *_ = scheduler.events("eventflow.report.success")
    assert (ended.value["task"], more.turn < ended.turn) == ("a", True)
    assert scheduler.runs("b") == [(1, ["INIT", "QUEUED", "RUNNING", "SUCCESS"])]
