"""Replay finds what is not as it was: a row that was changed, a core that decides otherwise."""

import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from telling import HERE, Recorder, tell

from eventflow import (
    Condition,
    CounterStateDescriptor,
    Event,
    PythonOperator,
    RuleContext,
    Scheduler,
    TaskAction,
    TaskStatus,
    Workflow,
)
from eventflow.core.decision import Deciding
from eventflow.core.plan import Plan, plan_of
from eventflow.errors import NotFoundError, StoreError
from eventflow.model.workflow import content_hash
from eventflow.runtime.differences import MOST_SHOWN, Replayed
from eventflow.runtime.guard import Guard
from eventflow.runtime.registry import plans_of
from eventflow.runtime.replaying import replay, replay_recording
from eventflow.store.doomed import BEING_PRUNED
from eventflow.store.recording_file import read_recording, write_recording
from eventflow.store.sqlite_recording import recording_at
from eventflow.testing import VirtualScheduler

FLOWS = """
from eventflow import Condition, CounterStateDescriptor, Every, PythonOperator, TaskAction, Workflow

def work():
    return 42

class Second(Condition):
    def is_met(self, event, context):
        return context.get_state(CounterStateDescriptor("n")).add() % 2 == 0

with Workflow("flow", schedule=Every(hours=9)) as flow:
    first = PythonOperator("first", work)
    second = PythonOperator("second", work)
    third = PythonOperator("third", work)
    first >> second
    third.action_on_condition(TaskAction.START, Second(["go"]))
flow.trigger_on_event("begin")
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that a real scheduler has written: one execution has ended, one goes on."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "flows.py").write_text(FLOWS)
    with Scheduler(f"sqlite:///{folder}/store.db") as scheduler:
        scheduler.register_file(folder / "flows.py")
        execution = scheduler.run("flow")
        for _ in range(2):
            scheduler.emit("go", workflow_execution_id=execution.id)
        execution.wait(20)
        assert scheduler.run("flow").id == 2
    return folder


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Path:
    """A copy of it, to be tampered with."""
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy" / "store.db"


def replayed(path: Path, **given: Any) -> Replayed:
    with recording_at(f"sqlite:///{path}") as recording:
        return replay_recording(recording, plans_of(recording.snapshots()), **given)


def change(path: Path, statement: str) -> None:
    """Do to the file what no scheduler does."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute(statement).rowcount == 1
        connection.commit()


def told(found: Replayed) -> list[str]:
    return [one.what for one in found.differences]


@pytest.mark.rule("S9")
def test_what_a_scheduler_has_written_replays_equal(store: Path) -> None:
    found = replayed(store, ask=Guard(5).ask)

    assert found.equal, found
    assert (found.events > 20, found.decisions > 4, found.asked) == (True, True, 2)


@pytest.mark.spoils
@pytest.mark.parametrize(
    ("statement", "where"),
    [
        (
            "UPDATE decision SET did = 'x' WHERE task = 'second' AND workflow_execution_id = 1",
            "decision",
        ),
        ("DELETE FROM decision WHERE did = 'registered'", "decision"),
        ("UPDATE decision SET turn = 9999 WHERE did = 'registered'", "decision"),
        (
            "UPDATE task_history SET at = at + 1 WHERE task_execution_id = 1 AND status = 'QUEUED'",
            "task_history",
        ),
        (
            "DELETE FROM task_history WHERE task_execution_id = 1 AND status = 'INIT'",
            "task_history",
        ),
        ("UPDATE task_execution SET reason = 'x' WHERE id = 1", "task_execution"),
        ("UPDATE task_execution SET failures = 1 WHERE id = 1", "task_execution"),
        (
            "UPDATE workflow_execution SET ended_at = ended_at + 1 WHERE id = 1",
            "workflow_execution",
        ),
        ("UPDATE timer SET due_at = due_at + 1 WHERE kind = 'schedule'", "timer"),
        ("UPDATE workflow SET paused = 1", "workflow"),
        ("UPDATE state SET value = '7'", "state"),
        ("DELETE FROM state", "state"),
        ("DELETE FROM result WHERE task_execution_id = 1", "result"),
        ("UPDATE cursor SET task_execution_id = 100", "cursor"),
        ("UPDATE verdict SET writes = '{}' WHERE met = 1", "state"),
        ("INSERT INTO schedule_firing VALUES (1, 'schedule:x', 1, NULL, '')", "schedule_firing"),
        ("INSERT INTO attempt_failure VALUES (1, 1, 1, '', '', '', '')", "attempt_failure"),
        ("INSERT INTO outbox VALUES (1, 1, 'STOP', 1, 1)", "outbox"),
    ],
)
def test_a_row_that_was_changed_is_found(store: Path, statement: str, where: str) -> None:
    change(store, statement)

    found = replayed(store)

    assert not found.equal
    assert any(where in what for what in told(found)), found


def test_a_verdict_that_was_changed_changes_what_is_decided(store: Path) -> None:
    change(store, "UPDATE verdict SET met = 1 WHERE met = 0")

    found = replayed(store)

    assert "decision" in told(found)
    assert "task_history" in told(found)


def test_a_difference_says_where_it_is_and_what_it_was(store: Path) -> None:
    change(store, "UPDATE decision SET did = 'ignored: alive' WHERE did = 'registered'")

    (difference,) = replayed(store).differences

    assert (difference.turn, difference.event) == (1, "eventflow.command.register")
    assert difference.then["did"] == "ignored: alive"
    assert difference.now["did"] == "registered"


def test_a_fact_that_no_decision_made_is_found(store: Path) -> None:
    change(
        store,
        "UPDATE event SET value = replace(value, '\"attempt\":1', '\"attempt\":2')"
        " WHERE key = 'eventflow.task.flow.first.init' AND workflow_execution_id = 1",
    )

    assert "fact" in told(replayed(store))


def test_a_core_that_draws_ids_in_another_way_is_found(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = Deciding.new_run_id
    monkeypatch.setattr(Deciding, "new_run_id", lambda deciding: drawn(deciding) + 1)

    found = replayed(store)

    assert found.count > MOST_SHOWN > 0
    assert len(found.differences) == MOST_SHOWN


def test_a_core_that_fails_ends_the_replay_and_is_told(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(deciding: Deciding) -> int:
        raise ZeroDivisionError("in the core")

    monkeypatch.setattr(Deciding, "new_run_id", fail)

    (difference,) = replayed(store).differences

    assert difference.now == "ZeroDivisionError('in the core')"


@pytest.mark.spoils
def test_a_log_that_does_not_begin_at_its_first_turn_is_refused(store: Path) -> None:
    change(store, "DELETE FROM event WHERE turn = 1")

    with pytest.raises(StoreError, match="turn 2 where turn 1 should be"):
        replayed(store)


@pytest.mark.spoils
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM workflow_execution WHERE id = 1",
        f"UPDATE workflow_execution SET reason = '{BEING_PRUNED}' WHERE id = 1",  # noqa: S608  ours
    ],
)
def test_executions_that_were_pruned_before_their_log_are_no_difference(
    store: Path, statement: str
) -> None:
    change(store, statement)

    with pytest.raises(StoreError, match="1 of 2 executions were pruned"):
        replayed(store)


@pytest.mark.rule("S9")
def test_a_replay_writes_nothing_to_the_store(store: Path) -> None:
    before = store.read_bytes()

    replayed(store, ask=Guard(5).ask)

    assert store.read_bytes() == before


@pytest.mark.rule("S9")
def test_a_store_replays_equal_while_its_scheduler_goes_on(tmp_path: Path) -> None:
    (tmp_path / "flows.py").write_text(FLOWS)
    with Scheduler(f"sqlite:///{tmp_path}/store.db") as scheduler:
        scheduler.register_file(tmp_path / "flows.py")
        done = threading.Event()
        running = threading.Thread(target=_keep_busy, args=(scheduler, done))
        running.start()
        try:
            found = [replayed(tmp_path / "store.db") for _ in range(5)]
        finally:
            done.set()
            running.join()

    assert [one.differences for one in found] == [[]] * 5
    assert found[-1].events > found[0].events


def _keep_busy(scheduler: Scheduler, done: threading.Event) -> None:
    while not done.is_set():
        scheduler.emit("begin")
        scheduler.run("flow")


def test_workflows_of_a_program_that_has_ended_are_named(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    flows = []
    for name in ("one", "two"):
        with Workflow(name) as workflow:
            PythonOperator("task", print)
        flows.append(workflow)
    with Scheduler(url) as scheduler:
        scheduler.register(*flows)
        scheduler.run(flows[0]).wait(20)

    with pytest.raises(NotFoundError, match=r"'(one|two)' .*'(one|two)' ") as refused:
        replayed(tmp_path / "store.db")
    assert "replayed" in str(refused.value)

    def known(snapshot: str) -> Plan:
        return {plan.snapshot: plan for plan in map(_plan, flows)}[snapshot]

    with recording_at(url) as recording:
        assert replay_recording(recording, known).equal


class Counting(Condition):
    """Its answer depends on what only this process has."""

    asked = 0

    def is_met(self, event: Event, context: RuleContext) -> bool:
        type(self).asked += 1
        if event.value == "kept":
            context.get_state(CounterStateDescriptor("n")).add(type(self).asked)
        return event.value == "met" and type(self).asked == 1


class Steady(Condition):
    """Its answer depends on the event alone."""

    def is_met(self, event: Event, context: RuleContext) -> bool:
        return event.value == "met"


@pytest.mark.rule("S9", "S13")
@pytest.mark.parametrize("value", ["met", "kept"])
def test_asking_again_names_the_condition_that_answers_otherwise(value: str) -> None:
    Counting.asked = 0
    with Workflow("w", completion="manual") as workflow:
        for name, condition in (("steady", Steady), ("a", Counting)):
            task = PythonOperator(name, print)
            task.action_on_event_received(TaskAction.STOP, "no")
            task.action_on_condition(TaskAction.START, condition(["x"]))
    scheduler = VirtualScheduler(workflow)
    scheduler.run()
    scheduler.emit("x", value)
    scheduler.emit("x", value)

    assert scheduler.replay().equal
    found = scheduler.replay(ask=True)

    assert (found.count, found.asked, found.equal) == (0, 4, False)
    (one,) = found.unsteady
    assert (one.workflow, one.task, one.rule, one.event) == ("w", "a", 1, "x")
    assert one.workflow_execution_id == 1
    assert one.then["met"] is (value == "met")
    assert one.now["met"] is False


def test_a_condition_that_hangs_when_it_is_asked_again_is_named_and_the_replay_goes_on() -> None:
    released = threading.Event()
    hangs = threading.Event()

    class Waiting(Condition):
        def is_met(self, event: Event, context: RuleContext) -> bool:
            if hangs.is_set():
                released.wait(20)
            return True

    with Workflow("w") as workflow:
        PythonOperator("a", print).action_on_condition(TaskAction.START, Waiting(["x"]))
    scheduler = VirtualScheduler(workflow)
    scheduler.run()
    scheduler.emit("x")
    hangs.set()
    guard = Guard(0.1)

    found = replay(scheduler.store, scheduler._registry.plan, ask=guard.ask)
    released.set()
    guard.close()

    assert found.count == 0
    assert [one.task for one in found.unsteady] == ["a"]
    assert "took longer" in found.unsteady[0].now["error"]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Recorder:
    folder = tmp_path_factory.mktemp("story")
    shutil.copytree(HERE / "flows", folder / "flows")
    scheduler = Recorder(folder / "snapshots")
    tell(scheduler, folder / "flows")
    return scheduler


def test_a_memory_store_and_its_recording_say_the_same(story: Recorder, tmp_path: Path) -> None:
    path = tmp_path / "recording"
    with story.store.recording() as recording:
        assert write_recording(recording, path, made_by="test") == []
    here = story.replay()
    recorded = read_recording(path, tmp_path / "code")
    there = replay_recording(recorded, plans_of(recorded.snapshots()))

    assert here.equal
    assert here == there
    assert recorded.load(story._registry.plan) is None


def test_a_change_in_the_shelves_of_a_memory_store_is_found(story: Recorder) -> None:
    shelves = story.store._shelves
    row = shelves.runs[1]
    shelves.runs[1] = row._replace(attempt=row.attempt + 1)
    try:
        assert "task_execution" in told(story.replay())
    finally:
        shelves.runs[1] = row


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda text: "", "cut off"),
        (lambda text: "{}\n", "is no recording"),
        (lambda text: text.replace('recording":1', 'recording":99', 1), "has version 99"),
        (lambda text: text[: len(text) // 2].rpartition("\n")[0] + "\n", "cut off"),
        (lambda text: text[: len(text) // 2].rpartition("\n")[0] + "\nnever", "no JSON object"),
        (lambda text: _without_line(text, '{"decision"'), "its last line says"),
        (lambda text: text.replace('"stateful.py"', '"../stateful.py"'), "outside of its folder"),
    ],
)
def test_a_file_that_is_no_whole_recording_is_refused(
    spoil: Callable[[str], str], why: str, tmp_path: Path
) -> None:
    path = tmp_path / "recording"
    path.write_text(spoil(next(HERE.glob("*.jsonl")).read_text()))

    with pytest.raises(StoreError, match=why):
        read_recording(path, tmp_path / "code")


def _without_line(text: str, begin: str) -> str:
    lines = text.splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith(begin))
    return "\n".join([*lines[:place], *lines[place + 1 :]]) + "\n"


def _plan(workflow: Workflow) -> Plan:
    return plan_of(workflow, content_hash({"definition": workflow.definition(), "code": ""}))


@pytest.mark.rule("S9", "S41")
def test_a_snapshot_whose_code_was_not_at_hand_again_is_refused_by_a_replay_too() -> None:
    first, second = (Workflow("w", max_active=count) for count in (1, 2))
    for workflow in (first, second):
        with workflow:
            PythonOperator("a", print)
    scheduler = VirtualScheduler(first, second)
    plan = scheduler._registry.take(first)
    # As in the next process, which has only the second.
    del scheduler._registry._plans[plan.snapshot], scheduler._loop.world.plans[plan.snapshot]

    command = scheduler.client.register("default", "w", plan.snapshot)
    scheduler.run_until_idle()

    (outcome,) = scheduler.store.decisions(command_offset=command.offset)
    assert outcome.did.startswith("refused: the code of snapshot")
    scheduler._registry.take(first)
    assert scheduler.replay().equal


@pytest.mark.rule("S9", "S31")
def test_a_retry_whose_code_was_not_at_hand_is_refused_by_a_replay_too() -> None:
    first, second = (Workflow("w", max_active=count) for count in (1, 2))
    for workflow in (first, second):
        with workflow:
            PythonOperator("a", print)
    scheduler = VirtualScheduler(first)
    scheduler.outcome("a", TaskStatus.FAILED)
    scheduler.run()
    scheduler.run_until_idle()
    plan = scheduler._registry.take(first)
    newer = scheduler._registry.take(second)
    scheduler.client.register("default", "w", newer.snapshot)
    scheduler.run_until_idle()
    # As in the next process, which has only the second.
    del scheduler._registry._plans[plan.snapshot], scheduler._loop.world.plans[plan.snapshot]

    command = scheduler.client.retry(1)
    scheduler.run_until_idle()

    (outcome,) = scheduler.store.decisions(command_offset=command.offset)
    assert outcome.did.startswith("refused: the code of execution 1")
    scheduler._registry.take(first)
    assert scheduler.replay().equal
