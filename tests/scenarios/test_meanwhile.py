"""What comes in the meantime: a loss, a late report, a stop, the next execution (S12-S29)."""

from datetime import UTC, datetime, timedelta

import pytest
from scenario_tasks import Work

from eventflow import (
    TaskAction,
    TaskStatus,
    Workflow,
)
from eventflow.executors.port import Report, ReportKind
from eventflow.runtime import loop as loop_module
from eventflow.testing import VirtualScheduler

START, STOP, RESTART = TaskAction.START, TaskAction.STOP, TaskAction.RESTART
FAILED, RUNNING = TaskStatus.FAILED, TaskStatus.RUNNING
OK = ["INIT", "QUEUED", "RUNNING", "SUCCESS"]


def service(**config: object) -> VirtualScheduler:
    """One task that runs, and is stopped and restarted by events."""
    with Workflow("w", completion="manual") as workflow:
        a = Work("a", **config)
        a.action_on_event_received(STOP, "stop")
        a.action_on_event_received(RESTART, "restart")
    scheduler = VirtualScheduler(workflow)
    for _ in range(5):
        scheduler.outcome("a", RUNNING)
    scheduler.run()
    return scheduler


def timers(scheduler: VirtualScheduler) -> list[str]:
    return [timer.kind for timer in scheduler.store.timers()]


@pytest.mark.rule("S26", "S28")
@pytest.mark.fault("F23")
@pytest.mark.parametrize("late", [TaskStatus.SUCCESS, FAILED, RUNNING])
def test_f23_a_report_of_an_attempt_that_was_given_up_for_lost_does_not_touch_the_next(
    late: TaskStatus,
) -> None:
    scheduler = service()
    scheduler.lose("a")

    scheduler.report("a", late, attempt=1)

    again = ["QUEUED", "RUNNING"]
    assert scheduler.runs("a") == [(1, ["INIT", *again, "RETRYING", *again])]
    assert [record.did for record in scheduler.decisions() if "late" in record.did] == [
        f"ignored: late report {late.value.lower()}"
    ]


@pytest.mark.rule("S20", "S28")
def test_a_task_that_is_lost_while_it_stops_is_stopped() -> None:
    scheduler = service()
    scheduler.client.emit("stop")

    scheduler.lose("a")  # decided behind the stop

    assert scheduler.runs("a") == [(1, ["INIT", "QUEUED", "RUNNING", "STOPPING", "STOPPED"])]


@pytest.mark.rule("S21", "S28")
def test_a_task_that_is_lost_while_it_restarts_makes_way_for_its_successor() -> None:
    scheduler = service(on_lost="fail")
    scheduler.client.emit("restart")

    scheduler.lose("a")

    assert scheduler.runs("a") == [
        (1, ["INIT", "QUEUED", "RUNNING", "RESTARTING", "STOPPED"]),
        (2, ["INIT", "QUEUED", "RUNNING"]),
    ]


@pytest.mark.rule("S20", "S28")
def test_a_lost_attempt_of_an_execution_that_is_being_stopped_is_not_made_up_for() -> None:
    scheduler = service()
    scheduler.client.stop(scheduler.execution().id)

    scheduler.lose("a")

    assert scheduler.runs("a") == [(1, ["INIT", "QUEUED", "RUNNING", "STOPPING", "STOPPED"])]
    assert scheduler.status() == "STOPPED"


@pytest.mark.rule("S12", "S29")
@pytest.mark.parametrize("limit", [1, 2, 3, 5, 8])
def test_facts_that_wait_in_the_log_when_the_last_task_ends_are_decided_before_the_end(
    monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(loop_module, "TURN_LIMIT", limit)
    with Workflow("w") as workflow:
        a, b, c = Work("a"), Work("b"), Work("c")
        a >> b
        c.action_on_event_received(START, "eventflow.task.w.b.success")
    scheduler = VirtualScheduler(workflow)

    scheduler.run()

    assert scheduler.runs("b") == scheduler.runs("c") == [(1, OK)]
    assert scheduler.status() == "SUCCESS"
    facts = scheduler.events("eventflow.workflow.w.*", "eventflow.task.w.**")
    assert max(facts, key=lambda event: event.turn).key == "eventflow.workflow.w.success"


@pytest.mark.rule("S20", "S27")
def test_nothing_is_due_for_a_run_that_was_stopped_or_waits() -> None:
    stopped = service(timeout=60)
    assert timers(stopped) == ["timeout"]
    stopped.emit("stop")
    with Workflow("v", completion="manual") as workflow:
        b = Work("b", timeout=60, retries=1, retry_delay=600)
        b.action_on_event_received(STOP, "stop")
    waiting = VirtualScheduler(workflow)
    waiting.outcome("b", FAILED, after=30)
    waiting.run()

    waiting.advance(seconds=30)
    assert timers(waiting) == ["retry"]
    waiting.emit("stop")

    assert timers(waiting) == timers(stopped) == []
    for scheduler in (stopped, waiting):
        scheduler.advance(hours=1)
        assert scheduler.events("eventflow.timer.**") == []


@pytest.mark.rule("S20", "S27")
def test_the_time_of_an_attempt_that_is_being_stopped_does_not_run_on() -> None:
    scheduler = service(timeout=60)
    (before,) = scheduler.store.timers()
    scheduler.client.emit("stop")
    scheduler._loop.step()  # STOPPING; its worker has not heard of it yet

    assert scheduler.runs("a") == [(1, ["INIT", "QUEUED", "RUNNING", "STOPPING"])]
    assert before.kind == "timeout"
    assert timers(scheduler) == []


@pytest.mark.rule("S27", "S37")
def test_a_run_began_and_ended_when_its_worker_said_so_however_long_the_loop_was_busy() -> None:
    scheduler = service()
    (run,) = scheduler.execution().tasks
    key = scheduler.started("a")[0].key
    scheduler.advance(seconds=5)
    said_at = scheduler.now

    scheduler._loop.inbox.put(Report(key=key, kind=ReportKind.SUCCESS, result="1"))
    scheduler.clock.set(datetime(2026, 1, 1, 1, tzinfo=UTC))  # the loop comes to it an hour later
    scheduler.run_until_idle()

    assert scheduler.store.history(run.id)[-1].at == said_at


@pytest.mark.rule("S29")
def test_an_execution_that_has_ended_has_no_deadline_any_more() -> None:
    with Workflow("w", timeout=60) as workflow:
        Work("a")
    scheduler = VirtualScheduler(workflow)

    scheduler.run()

    assert (scheduler.status(), timers(scheduler)) == ("SUCCESS", [])


@pytest.mark.rule("S14", "S16", "S44")
def test_an_execution_that_waits_for_its_turn_does_not_even_see_what_is_meant_for_it() -> None:
    with Workflow("w", max_active=1, completion="manual") as workflow:
        Work("a").action_on_event_received(START, "go")
    scheduler = VirtualScheduler(workflow)
    first, second = scheduler.run(), scheduler.run()

    scheduler.emit("go", workflow_execution_id=second.id)
    scheduler.stop_workflow(first)

    assert scheduler.status(second) == "RUNNING"
    assert scheduler.runs("a") == []


@pytest.mark.rule("S15")
def test_an_event_of_another_namespace_is_seen_by_what_runs_there_and_by_nobody_here() -> None:
    def listening(namespace: str) -> Workflow:
        with Workflow("w", namespace, completion="manual") as workflow:
            Work("a").action_on_event_received(START, "go")
        return workflow

    here, there = listening("default"), listening("there")
    scheduler = VirtualScheduler(here, there)
    executions = [scheduler.run(here), scheduler.run(there)]

    scheduler.emit("go", namespace="there")

    assert [scheduler.runs("a", one) for one in executions] == [[], [(1, OK)]]


@pytest.mark.rule("S29")
@pytest.mark.parametrize("action", [START, RESTART])
def test_a_command_for_a_task_of_an_execution_that_is_being_stopped_is_refused(
    action: TaskAction,
) -> None:
    scheduler = service()
    execution = scheduler.execution()
    scheduler.client.stop(execution.id)
    scheduler.client.task(execution.id, "a", action)

    scheduler.run_until_idle()

    assert [number for number, _ in scheduler.runs("a")] == [1]
    assert [record.did for record in scheduler.decisions() if "refused" in record.did] == [
        "refused: the execution is not running"
    ]
    assert scheduler.status() == "STOPPED"


@pytest.mark.rule("S22", "S28", "S30")
def test_a_task_that_is_lost_for_good_wakes_those_who_handle_failures() -> None:
    with Workflow("w") as workflow:
        a, handler = Work("a", on_lost="fail"), Work("handler")
        handler.action_on_task_status(START, {a: FAILED})
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", RUNNING)
    scheduler.run()

    scheduler.lose("a")

    assert scheduler.runs("handler") == [(1, OK)]
    assert scheduler.status() == "FAILED"


@pytest.mark.rule("S19", "S20")
def test_a_task_that_has_not_stopped_yet_is_not_started_beside_itself() -> None:
    scheduler = service()
    execution = scheduler.execution()
    scheduler.client.emit("stop")
    scheduler._loop.step()  # STOPPING; its worker has not heard of it yet
    assert scheduler.runs("a") == [(1, ["INIT", "QUEUED", "RUNNING", "STOPPING"])]

    scheduler.client.task(execution.id, "a", START)
    scheduler._loop.step()

    assert [number for number, _ in scheduler.runs("a")] == [1]
    assert scheduler.decisions()[-1].did == "ignored: alive"


@pytest.mark.rule("S27")
def test_an_attempt_whose_time_is_up_stays_running_until_it_is_dead() -> None:
    scheduler = service(timeout=60, retries=1)
    scheduler.clock.set(scheduler.now + timedelta(seconds=60))
    scheduler._loop.step()  # told to stop; its worker has not heard of it yet

    assert scheduler.runs("a") == [(1, ["INIT", "QUEUED", "RUNNING"])]
    scheduler.run_until_idle()

    again = ["QUEUED", "RUNNING"]
    assert scheduler.runs("a") == [(1, ["INIT", *again, "RETRYING", *again])]


@pytest.mark.rule("S16")
def test_an_execution_sees_nothing_of_before_its_start_also_after_a_restart() -> None:
    with Workflow("w") as workflow:
        Work("a").action_on_event_received(START, "go")
    scheduler = VirtualScheduler(workflow)
    scheduler.emit("go")
    scheduler.client.emit("go")  # in the log, and decided before the command behind it

    scheduler.run()
    for _ in range(2):
        scheduler.restart_scheduler()
        scheduler.advance(minutes=5)

    assert scheduler.runs("a") == []
    assert scheduler.status() == "RUNNING"


@pytest.mark.rule("S20", "S21")
@pytest.mark.parametrize("action", [STOP, RESTART])
def test_no_worker_is_told_to_stop_a_run_that_has_ended(action: TaskAction) -> None:
    with Workflow("w", completion="manual") as workflow:
        Work("a")
    scheduler = VirtualScheduler(workflow)
    execution = scheduler.run()
    assert scheduler.runs("a") == [(1, OK)]

    scheduler.client.task(execution.id, "a", action)
    scheduler.run_until_idle()

    assert scheduler.events("eventflow.report.stopped") == []
    assert scheduler.runs("a") == [(1, OK), (2, OK)][: 1 if action is STOP else 2]


@pytest.mark.rule("S18", "S29")
def test_a_start_whose_edge_has_passed_is_nothing_to_wait_for() -> None:
    with Workflow("w") as workflow:
        a, b = Work("a"), Work("b")
        b.action_on_task_status(STOP, {a: TaskStatus.SUCCESS})
        b.action_on_task_status(START, {a: TaskStatus.SUCCESS})  # shadowed, and it stands
    scheduler = VirtualScheduler(workflow)

    execution = scheduler.run()

    done = [(one.rule, one.did) for one in scheduler.decisions(execution) if one.task == "b"]
    assert done == [(0, "ignored: not alive"), (1, "shadowed")]
    assert (scheduler.status(), scheduler.runs("b")) == ("SUCCESS", [])


def waiting_for_its_retry() -> VirtualScheduler:
    """Task `b` waits for its retry; `halt` ends it at once, and with it all that is alive."""
    with Workflow("w") as workflow:
        Work("a").action_on_event_received(START, "again")
        Work("b", retries=1, retry_delay=600).action_on_event_received(STOP, "halt")
    workflow.trigger_on_event("begin")
    scheduler = VirtualScheduler(workflow)
    for _ in range(3):
        scheduler.outcome("b", FAILED)
    return scheduler


@pytest.mark.rule("S14", "S29")
def test_a_scoped_event_that_is_further_on_in_the_log_is_decided_before_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop_module, "READ_LIMIT", 1)
    scheduler = waiting_for_its_retry()
    execution = scheduler.run()
    scheduler.emit("again")
    scheduler.client.emit("halt")
    scheduler.client.emit("again", workflow_execution_id=execution.id)

    scheduler.run_until_idle()

    assert scheduler.runs("a") == [(1, OK), (2, OK)]
    assert scheduler.status() == "SUCCESS"


@pytest.mark.rule("S10", "S29")
@pytest.mark.parametrize("limit", [1, 2, 4, 6, 8])
def test_what_fell_quiet_in_the_batch_before_a_crash_ends_after_it(
    monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    scheduler = waiting_for_its_retry()
    for _ in range(3):
        scheduler.emit("begin")
    scheduler.emit("again")
    monkeypatch.setattr(loop_module, "TURN_LIMIT", limit)
    scheduler.client.emit("halt")

    while scheduler._loop.step():
        scheduler._loop = scheduler._new_loop()

    assert [one.status for one in scheduler.executions()] == ["SUCCESS"] * 3


@pytest.mark.rule("S20")
def test_no_rule_of_any_kind_sees_the_end_of_a_successor_that_was_dropped() -> None:
    with Workflow("w", completion="manual") as workflow:
        a = Work("a")
        a.action_on_event_received(RESTART, "restart")
        a.action_on_event_received(STOP, "stop")
        Work("b").action_on_event_received(START, "eventflow.task.w.a.stopped")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", RUNNING)
    scheduler.run()

    scheduler.client.emit("restart")
    scheduler.emit("stop")

    assert [statuses[-1] for _, statuses in scheduler.runs("a")] == ["STOPPED", "STOPPED"]
    (fact,) = scheduler.events("eventflow.task.w.a.stopped")
    assert fact.value["sequence_number"] == 1
    assert scheduler.runs("b") == [(1, OK)]
