"""The loop: order within a batch, its bound, and a commit that fails (S10, S12)."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from eventflow import (
    Event,
    Every,
    Operator,
    Scheduler,
    TaskAction,
    TaskContext,
    TaskStatus,
    Workflow,
    WorkflowOperator,
)
from eventflow.errors import StoreError
from eventflow.executors.port import AttemptKey, Report, ReportKind
from eventflow.model.records import AttemptFailure
from eventflow.runtime import loop as loop_module
from eventflow.store.memory import MemoryStore
from eventflow.store.ports import Batch
from eventflow.store.rows import FiringRow
from eventflow.testing import VirtualScheduler
from eventflow.testing.clock import START


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


@pytest.mark.rule("S10")
def test_a_report_waits_while_the_log_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with Workflow("w") as workflow:
        Work("a")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", after=10)
    scheduler.run()

    def refuse(limit: int) -> list[Event]:
        raise StoreError("the disk reports an error")

    with monkeypatch.context() as fault:
        fault.setattr(scheduler.store, "undecided", refuse)
        with pytest.raises(StoreError, match="reports an error"):
            scheduler.report("a", TaskStatus.SUCCESS)
    scheduler.run_until_idle()

    assert scheduler.runs("a") == [(1, ["INIT", "QUEUED", "RUNNING", "SUCCESS"])]


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
def test_what_one_batch_leaves_in_the_log_is_decided_without_another_ring(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(loop_module, "READ_LIMIT", 2)
    with Scheduler(f"sqlite:///{tmp_path}/store.db") as scheduler:
        last = scheduler.client.append_many([Event("much")] * 9)[-1].offset

        # Well before the safety net, which looks every 30 s.
        assert scheduler.client.until(lambda: scheduler.store.decided_offset(last) or None, 20)


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


def _nonsense(key: str = "eventflow.command.task") -> Event:
    """A row of the log that no program of ours writes: a part of its value is missing."""
    return Event(key, {"nonsense": 1}, sender="eventflow", id=key, time=START)


@pytest.mark.rule("S10", "S13")
def test_what_cannot_be_decided_is_set_aside_and_everything_beside_it_is_decided(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Workflow("w") as workflow:
        Work("a").action_on_event_received(TaskAction.START, "before")
        Work("b").action_on_event_received(TaskAction.START, "behind")
    scheduler = VirtualScheduler(workflow)
    scheduler.run()
    before = Event("before", sender="me", id="1", time=START)
    behind = Event("behind", sender="me", id="2", time=START)
    register = _nonsense("eventflow.command.register")
    scheduler.store.append([before, _nonsense(), register, behind])

    scheduler.run_until_idle()

    assert scheduler.runs("a") == [(1, ["INIT", "QUEUED", "RUNNING", "SUCCESS"])]
    assert scheduler.runs("b") == [(1, ["INIT", "QUEUED", "RUNNING", "SUCCESS"])]
    assert scheduler.status() == "SUCCESS"
    aside, other = [one for one in scheduler.decisions() if one.did.startswith("refused: ")]
    assert "cannot be decided: KeyError: 'workflow_execution_id'" in aside.did
    assert "cannot be decided: KeyError: 'snapshot'" in other.did
    assert aside.event_key == "eventflow.command.task"
    assert not scheduler.store.undecided(10)
    assert "event.set_aside" in caplog.text
    turns = [event.turn for event in scheduler.store.read(keys=["**", "eventflow.**"], limit=1000)]
    assert sorted(turns) == list(range(1, len(turns) + 1))
    assert scheduler.replay().equal


@pytest.mark.rule("S10")
def test_a_due_time_that_cannot_be_written_holds_up_nothing_else() -> None:
    with Workflow("hourly", schedule=Every(hours=1)) as hourly:
        Work("a")
    with Workflow("other") as other:
        Work("b", autostart=False).action_on_event_received(TaskAction.START, "go")
        Work("c", autostart=False).action_on_event_received(TaskAction.START, "never")
    scheduler = VirtualScheduler(hourly, other)
    running = scheduler.run(other)
    due = scheduler.now + timedelta(hours=1)
    row = FiringRow("schedule:default/hourly", due, None, "")
    scheduler.store._shelves.firings[row.schedule, row.due_at] = row

    scheduler.advance(minutes=90)
    scheduler.emit("go")

    assert scheduler.runs("a") == []
    assert scheduler.status(running) == "RUNNING"
    assert scheduler.runs("b", running) == [(1, ["INIT", "QUEUED", "RUNNING", "SUCCESS"])]
    (aside,) = [one for one in scheduler.decisions() if one.did.startswith("refused: ")]
    assert "fired twice" in aside.did
    scheduler.advance(hours=2)
    assert len(scheduler.executions(hourly)) == 2, "the schedule goes on behind it"


@pytest.mark.rule("S10", "S26")
def test_a_report_that_cannot_be_decided_is_set_aside_and_the_next_ones_are_decided() -> None:
    with Workflow("w") as workflow:
        Work("a", retries=1, retry_delay=1, retry_jitter=0.5)
        Work("b")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus.RUNNING)
    scheduler.outcome("b", TaskStatus.RUNNING)
    scheduler.run()
    failure = AttemptFailure(attempt=1, type_name="ValueError", message="no")
    bad = Report(
        key=AttemptKey(1, 1),
        kind=ReportKind.FAILED,
        failure=failure,
        chance="soon",  # type: ignore[arg-type]  what an executor must not send
    )

    scheduler._loop.inbox.put(bad)
    scheduler.report("b", TaskStatus.SUCCESS)

    assert scheduler.runs("a") == [(1, ["INIT", "QUEUED", "RUNNING"])]
    assert scheduler.runs("b") == [(1, ["INIT", "QUEUED", "RUNNING", "SUCCESS"])]
    assert scheduler.replay().equal


@pytest.mark.rule("S8", "S12", "S22")
@pytest.mark.parametrize("dies", [False, True])
def test_facts_that_wait_in_the_log_are_not_overtaken_by_later_ones(
    monkeypatch: pytest.MonkeyPatch, dies: bool
) -> None:
    with Workflow("w", completion="manual") as workflow:
        a, b = Work("a", autostart=False), Work("b")
        a.action_on_event_received(TaskAction.RESTART, "restart")
        a.action_on_event_received(TaskAction.STOP, "stop")
        b.action_on_task_status(TaskAction.START, {a: TaskStatus.STOPPING})
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus.RUNNING)
    scheduler.run()
    scheduler.emit("restart")
    # Both are in the log before the first is decided; its facts then come behind the second.
    for key in ("restart", "stop"):
        scheduler.client.emit(key)
    with monkeypatch.context() as limits:
        limits.setattr(loop_module, "READ_LIMIT", 1)
        limits.setattr(loop_module, "TURN_LIMIT", 1)
        scheduler._loop.step()
    if dies:
        scheduler._loop = scheduler._new_loop()
    scheduler._loop.step()

    (live,) = scheduler._loop.world.executions.values()
    told = live.standing("a").told
    assert told == (1, TaskStatus.STOPPING)
    facts = scheduler.events("eventflow.task.w.a.*")
    order = [fact.key.rpartition(".")[2] for fact in sorted(facts, key=lambda fact: fact.turn)]
    assert order == ["init", "queued", "running", "restarting", "init", "stopping"]
    assert scheduler.replay().equal
    scheduler.run_until_idle()
    assert [number for number, _ in scheduler.runs("b")] == [1]


@pytest.mark.rule("S12", "S22", "S40")
def test_the_end_of_a_sub_execution_does_not_overtake_facts_that_wait_in_the_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Workflow("child", completion="manual") as child:
        Work("c", autostart=False)
    with Workflow("w", completion="manual") as workflow:
        sub = WorkflowOperator("sub", child)
        sub.action_on_event_received(TaskAction.STOP, "stop")
    scheduler = VirtualScheduler(workflow)
    scheduler.run()
    # Both are in the log before the first is decided; its facts then come behind the second.
    for key in ("stop", "noise"):
        scheduler.client.emit(key)
    with monkeypatch.context() as limits:
        limits.setattr(loop_module, "READ_LIMIT", 1)
        limits.setattr(loop_module, "TURN_LIMIT", 1)
        scheduler._loop.step()
        limits.setattr(loop_module, "TURN_LIMIT", 100)
        scheduler._loop.step()
    scheduler.run_until_idle()

    facts = scheduler.events("eventflow.task.w.sub.*")
    order = [fact.key.rpartition(".")[2] for fact in sorted(facts, key=lambda fact: fact.turn)]
    assert order == ["init", "queued", "running", "stopping", "stopped"]
    assert scheduler.replay().equal


@pytest.mark.rule("S12", "S20", "S22")
def test_rules_know_of_a_restart_by_its_fact_alone_when_a_stop_has_dropped_the_successor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Workflow("w", completion="manual") as workflow:
        a = Work("a", autostart=False)
        a.action_on_event_received(TaskAction.RESTART, "restart")
        a.action_on_event_received(TaskAction.STOP, "stop")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus.RUNNING)
    scheduler.run()
    scheduler.emit("restart")
    # Both are in the log before the first is decided; its facts come behind the second.
    for key in ("restart", "stop"):
        scheduler.client.emit(key)
    with monkeypatch.context() as limits:
        limits.setattr(loop_module, "READ_LIMIT", 1)
        limits.setattr(loop_module, "TURN_LIMIT", 1)
        scheduler._loop.step()
        scheduler._loop.step()

    told = [
        live.standing("a").told
        for loop in (scheduler._loop, scheduler._new_loop())
        for live in loop.world.executions.values()
    ]
    assert told == [(1, TaskStatus.RUNNING), (1, TaskStatus.RUNNING)]


@pytest.mark.rule("S12", "S20", "S22")
def test_a_dropped_successor_is_passed_over_also_when_its_fact_waits_behind_another_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Workflow("w", completion="manual") as workflow:
        a = Work("a", autostart=False)
        a.action_on_event_received(TaskAction.RESTART, "restart")
        a.action_on_event_received(TaskAction.STOP, "stop")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus.RUNNING)
    scheduler.run()
    scheduler.emit("restart")
    for key in ("restart", "stop", "restart"):
        scheduler.client.emit(key)
    with monkeypatch.context() as limits:
        limits.setattr(loop_module, "READ_LIMIT", 1)
        limits.setattr(loop_module, "TURN_LIMIT", 1)
        for _ in range(5):
            scheduler._loop.step()

    decided = [event.key for event in scheduler.events("**", "eventflow.**") if event.turn]
    assert decided[-1] == "eventflow.task.w.a.init"
    (live,) = scheduler._loop.world.executions.values()
    standing = live.standing("a")
    assert (standing.last_sequence, standing.told) == (3, (1, TaskStatus.RESTARTING))
    assert scheduler.replay().equal
