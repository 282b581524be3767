"""Scheduler: the real thing, on real files, with threads."""

import asyncio
import os
import queue
import sys
import threading
from pathlib import Path
from typing import Any

import programs
import pytest

from eventflow import (
    Condition,
    Event,
    EventCondition,
    PythonOperator,
    RuleContext,
    Scheduler,
    TaskAction,
    Workflow,
    aemit,
    current_context,
    emit,
    signals,
)
from eventflow.errors import (
    ConflictError,
    EventflowError,
    MissingOutputError,
    NotFoundError,
    StoreBusyError,
    StoreError,
    WaitTimeoutError,
)
from eventflow.runtime.remote import RemoteClient

SOON_S = 20


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'store.db'}"


def double(number: int) -> int:
    return 2 * number


def chain() -> Workflow:
    with Workflow("chain") as workflow:
        one = PythonOperator("one", double, op_args=[21])
        PythonOperator("two", double, op_args=[one.output])
    return workflow


@pytest.mark.rule("S37", "S38")
def test_a_result_goes_from_task_to_task_and_to_the_caller(tmp_path: Path) -> None:
    with Scheduler(url(tmp_path)) as scheduler:
        handle = scheduler.run(chain())

        ended = handle.wait(SOON_S)

        assert ended.status == handle.status == "SUCCESS"
        assert [task.task_name for task in handle.tasks] == ["one", "two"]
        assert (handle.result("one"), handle.result("two")) == (42, 84)
        with pytest.raises(MissingOutputError, match="three"):
            handle.result("three")


@pytest.mark.rule("S3")
def test_the_same_idempotency_key_asks_for_the_same_execution(tmp_path: Path) -> None:
    with Scheduler(url(tmp_path)) as scheduler:
        workflow = chain()
        first = scheduler.run(workflow, idempotency_key="today")
        second = scheduler.run(workflow, idempotency_key="today")
        third = scheduler.run(workflow, idempotency_key="tomorrow")

        assert first.id == second.id != third.id


def test_waiting_ends_with_its_time_and_the_execution_goes_on(tmp_path: Path) -> None:
    go = threading.Event()
    with Workflow("slow") as workflow:
        PythonOperator("wait", lambda: go.wait(SOON_S))
    with Scheduler(url(tmp_path)) as scheduler:
        handle = scheduler.run(workflow)
        with pytest.raises(WaitTimeoutError, match="goes on"):
            handle.wait(0.05)
        go.set()
        assert handle.wait(SOON_S).status == "SUCCESS"


@pytest.mark.rule("S20", "S29")
def test_a_stopped_execution_asks_its_endless_task_to_end(tmp_path: Path) -> None:
    began = threading.Event()

    def serve() -> None:
        began.set()
        while not current_context().wait(SOON_S):
            continue

    with Workflow("service") as workflow:
        PythonOperator("serve", serve)
    with Scheduler(url(tmp_path)) as scheduler:
        handle = scheduler.run(workflow)
        assert began.wait(SOON_S)

        handle.stop("enough")

        ended = handle.wait(SOON_S)
        assert (ended.status, ended.reason) == ("STOPPED", "enough")
        assert [task.status for task in ended.tasks] == ["STOPPED"]
        with pytest.raises(ConflictError, match="ended"):
            handle.stop()


def test_a_command_about_something_unknown_says_so(tmp_path: Path) -> None:
    with Scheduler(url(tmp_path)) as scheduler:
        with pytest.raises(NotFoundError, match="'nothing'"):
            scheduler.run("nothing")
        with pytest.raises(NotFoundError, match="99"):
            scheduler.stop_workflow(99)
        with Workflow("w", completion="manual") as workflow:
            PythonOperator("t", double, op_args=[1])
        handle = scheduler.run(workflow)
        with pytest.raises(ConflictError, match="no such task"):
            scheduler.start_task(handle.id, "u")

        handle.stop()


@pytest.mark.rule("S10")
def test_a_second_scheduler_on_a_file_is_refused_with_the_holder_named(tmp_path: Path) -> None:
    with Scheduler(url(tmp_path), program="the first"):
        second = Scheduler(url(tmp_path))
        with pytest.raises(StoreBusyError, match=rf"the first.*{os.getpid()}|{os.getpid()}"):
            second.start()
        second.stop()


@pytest.mark.rule("S14")
def test_emit_goes_through_the_task_then_the_scheduler_then_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EVENTFLOW_STORE", raising=False)
    with pytest.raises(StoreError, match="EVENTFLOW_STORE"):
        emit("nowhere")
    with Workflow("w") as workflow:
        PythonOperator("t", lambda: [emit("mine").offset, emit("all", broadcast=True).offset])
    with Scheduler(url(tmp_path)) as scheduler:
        here = emit("here", {"n": 1})
        there = asyncio.run(aemit("there"))
        handle = scheduler.run(workflow)
        handle.wait(SOON_S)
        mine, everyone = handle.result("t")
        scopes = {
            event.offset: event.workflow_execution_id
            for event in scheduler.store.read(keys=["**"], limit=100)
        }
        assert scopes == {here.offset: None, there.offset: None, mine: handle.id, everyone: None}
    monkeypatch.setenv("EVENTFLOW_STORE", url(tmp_path))
    assert emit("later").offset > everyone


@pytest.mark.rule("S5", "S12")
def test_an_event_from_another_process_wakes_the_loop(tmp_path: Path) -> None:
    got: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with Workflow("w", completion="manual") as workflow:
        task = PythonOperator("t", lambda: got.put(current_context().trigger_event))
        task.action_on_event_received(TaskAction.START, "from.outside")
    with Scheduler(url(tmp_path)) as scheduler:
        handle = scheduler.run(workflow)
        assert handle.id
        code = "import eventflow; print(eventflow.emit('from.outside', {'n': 7}).offset)"
        emitted = programs.run(
            [sys.executable, "-c", code],
            env={**os.environ, "EVENTFLOW_STORE": url(tmp_path)},
            check=True,
        )
        # The safety net looks every 30 s only: what comes sooner was rung for.
        event = got.get(timeout=SOON_S)
        assert event.value == {"n": 7}
        assert event.offset == int(emitted.stdout)
        handle.stop()


@pytest.mark.rule("S8")
def test_another_process_sees_what_a_command_came_to(tmp_path: Path) -> None:
    with Workflow("w", completion="manual") as workflow:
        PythonOperator("t", double, op_args=[1])
    with Scheduler(url(tmp_path)) as scheduler, RemoteClient(url(tmp_path)) as remote:
        scheduler.register(workflow)
        record = remote.client.outcome(remote.client.run("default", "w"), SOON_S)
        assert record is not None
        assert record.did == "started"
        with pytest.raises(ConflictError, match="'v'"):
            remote.client.outcome(remote.client.run("default", "v"), SOON_S)


@pytest.mark.rule("S41", "S10")
def test_executions_of_a_program_go_on_when_it_defines_the_same_workflow_again(
    tmp_path: Path,
) -> None:
    def waits() -> Workflow:
        with Workflow("w") as workflow:
            PythonOperator("a", double, op_args=[1])
            b = PythonOperator("b", double, op_args=[2])
            b.action_on_event_received(TaskAction.START, "go")
        return workflow

    with Scheduler(url(tmp_path)) as scheduler:
        handle = scheduler.run(waits())
        execution_id = handle.id
        scheduler.client.until(lambda: _ended(scheduler, execution_id, "a"), SOON_S)
    with Scheduler(url(tmp_path)) as scheduler:
        assert list(scheduler.parked) == [execution_id]
        assert scheduler.store.parked() == scheduler.parked
        scheduler.register(waits())
        assert scheduler.parked == scheduler.store.parked() == {}

        scheduler.emit("go")

        ended = scheduler.execution(execution_id).wait(SOON_S)
        assert ended.status == "SUCCESS"
        assert [task.task_name for task in ended.tasks] == ["a", "b"]


def _ended(scheduler: Scheduler, execution_id: int, task: str) -> bool | None:
    return True if scheduler.store.task_status(execution_id, task) == "SUCCESS" else None


@pytest.mark.rule("S28")
def test_what_a_stopped_scheduler_interrupts_runs_again_and_does_not_count(
    tmp_path: Path,
) -> None:
    runs: queue.SimpleQueue[int] = queue.SimpleQueue()

    def work() -> int:
        attempt = current_context().task_execution.attempt
        runs.put(attempt)
        if attempt < 3:
            current_context().wait(SOON_S)
        return attempt

    def workflow() -> Workflow:
        with Workflow("w") as made:
            PythonOperator("t", work, max_lost=0)
        return made

    with Scheduler(url(tmp_path)) as scheduler:
        execution_id = scheduler.run(workflow()).id
        assert runs.get(timeout=SOON_S) == 1
    with Scheduler(url(tmp_path)) as scheduler:
        scheduler.register(workflow())
        assert runs.get(timeout=SOON_S) == 2
    with Scheduler(url(tmp_path)) as scheduler:
        scheduler.register(workflow())
        handle = scheduler.execution(execution_id)

        assert handle.wait(SOON_S).status == "SUCCESS"
        assert handle.result("t") == 3


def test_a_scheduler_of_its_own_only_leaves_the_tasks_of_others_in_the_outbox(
    tmp_path: Path,
) -> None:
    ran: queue.SimpleQueue[str] = queue.SimpleQueue()

    def named(name: str) -> Workflow:
        with Workflow(name) as workflow:
            task = PythonOperator("t", ran.put, op_args=[name])
            task.action_on_event_received(TaskAction.START, "go")
        return workflow

    with Scheduler(url(tmp_path)) as scheduler:
        ids = [scheduler.run(named(name)).id for name in ("mine", "other")]
    with Scheduler(url(tmp_path), own_only=True) as scheduler:
        scheduler.register(named("mine"))
        scheduler.emit("go")
        assert scheduler.execution(ids[0]).wait(SOON_S).status == "SUCCESS"
        assert ran.get(timeout=SOON_S) == "mine"
        assert ran.empty()


@pytest.mark.rule("S13")
def test_a_condition_that_hangs_is_a_failed_verdict_and_the_loop_goes_on(tmp_path: Path) -> None:
    release = threading.Event()

    class Hangs(Condition):
        def is_met(self, event: Event, context: RuleContext) -> bool:
            release.wait(SOON_S)
            return True

    with Workflow("w", completion="manual") as workflow:
        stuck = PythonOperator("stuck", double, op_args=[1])
        stuck.action_on_condition(TaskAction.START, Hangs(["go"]))
        fine = PythonOperator("fine", double, op_args=[1])
        fine.action_on_condition(TaskAction.START, EventCondition("go"))
    with Scheduler(url(tmp_path), condition_timeout=0.05) as scheduler:
        handle = scheduler.run(workflow)
        assert handle.id
        for _ in range(4):
            scheduler.emit("go")
        scheduler.client.until(lambda: _ended(scheduler, handle.id, "fine"), SOON_S)
        release.set()
        assert {task.task_name for task in handle.tasks} == {"fine"}
        handle.stop()


def test_receivers_hear_what_was_committed_and_one_that_raises_harms_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()

    def raises(sender: object, **arguments: Any) -> None:
        raise ValueError("a bad receiver")

    def hears(sender: object, *, event: Event, status: str) -> None:
        heard.put(f"{event.value.get('task', 'workflow')} {status}")

    with Scheduler(url(tmp_path)) as scheduler:
        scheduler.on(signals.task_status_changed, raises)
        scheduler.on(signals.task_status_changed, hears)
        scheduler.on(signals.workflow_status_changed, hears)
        scheduler.run(chain()).wait(SOON_S)

        told = [heard.get(timeout=SOON_S) for _ in range(10)]

    assert told[0] == "workflow RUNNING"
    assert told[-1] == "workflow SUCCESS"
    assert told.count("one SUCCESS") == told.count("two SUCCESS") == 1
    assert "signal.receiver_failed" in caplog.text


def test_a_scheduler_that_is_not_on_registers_nothing(tmp_path: Path) -> None:
    scheduler = Scheduler(url(tmp_path))
    with pytest.raises(EventflowError, match="start the scheduler first"):
        scheduler.register(chain())
    scheduler.stop()


def test_starting_and_stopping_leaves_no_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    for _ in range(3):
        with Scheduler(url(tmp_path)) as scheduler:
            scheduler.run(chain()).wait(SOON_S)
    left = {thread for thread in set(threading.enumerate()) - before if thread.is_alive()}
    for thread in left:
        thread.join(SOON_S)
    assert not {thread.name for thread in left if thread.is_alive()}
