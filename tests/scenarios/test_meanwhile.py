"""What comes in the meantime: a loss, a late report, a pause, a changed schedule (S12-S33)."""

from datetime import UTC, datetime

import pytest
from scenario_tasks import Work

from eventflow import (
    Condition,
    Cron,
    Event,
    Every,
    RuleContext,
    TaskAction,
    TaskStatus,
    TaskStatusCondition,
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


def due(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 1, 1, hour, minute, tzinfo=UTC)


@pytest.mark.rule("S26", "S28")
@pytest.mark.parametrize("late", [TaskStatus.SUCCESS, FAILED, RUNNING])
def test_a_report_of_an_attempt_that_was_given_up_for_lost_does_not_touch_the_next(
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


@pytest.mark.rule("S22", "S29", "S30")
@pytest.mark.parametrize(
    ("ends", "handled", "status"),
    [
        (["SUCCESS"], 0, "SUCCESS"),
        (["FAILED"], 1, "FAILED"),
        (["SUCCESS", "FAILED"], 1, "FAILED"),
        (["FAILED", "SUCCESS"], 1, "SUCCESS"),
        (["FAILED", "FAILED"], 2, "FAILED"),
    ],
)
def test_a_handler_of_a_failure_runs_once_for_each_and_holds_nothing_open(
    ends: list[str], handled: int, status: str
) -> None:
    with Workflow("w") as workflow:
        a, handler = Work("a"), Work("handler")
        a.action_on_event_received(RESTART, "again")
        handler.action_on_task_status(START, {a: FAILED})
        Work("keeper").action_on_event_received(START, "finish")
    scheduler = VirtualScheduler(workflow)
    for end in ends:
        scheduler.outcome("a", TaskStatus(end))
    scheduler.run()
    for _ in ends[1:]:
        scheduler.emit("again")

    scheduler.emit("finish")

    assert len(scheduler.runs("handler")) == handled
    assert scheduler.status() == status


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


@pytest.mark.rule("S18", "S22")
def test_of_two_rules_on_one_fact_the_first_acts_whatever_kind_it_is() -> None:
    with Workflow("w", completion="manual") as workflow:
        a, b, c = Work("a"), Work("b"), Work("c")
        fact = "eventflow.task.w.a.success"
        b.action_on_event_received(START, fact)
        b.action_on_task_status(STOP, {a: TaskStatus.SUCCESS})
        c.action_on_task_status(START, {a: TaskStatus.SUCCESS})
        c.action_on_event_received(STOP, fact)
    scheduler = VirtualScheduler(workflow)
    execution = scheduler.run()

    assert scheduler.runs("b") == scheduler.runs("c") == [(1, OK)]
    done = [(one.task, one.rule, one.did) for one in scheduler.decisions(execution) if one.task]
    assert done == [
        ("b", 0, "started"),
        ("b", 1, "shadowed"),
        ("c", 0, "started"),
        ("c", 1, "shadowed"),
    ]


@pytest.mark.rule("S17", "S33")
@pytest.mark.parametrize("catchup", ["none", "latest", "all"])
def test_a_pause_between_two_due_times_skips_neither(catchup: str) -> None:
    with Workflow("w", schedule=Every(hours=1), catchup=catchup) as workflow:
        Work("a")
    scheduler = VirtualScheduler(workflow)
    scheduler.advance(hours=1, minutes=10)

    scheduler.pause(workflow)
    scheduler.advance(minutes=40)
    scheduler.resume(workflow)
    scheduler.advance(minutes=10)

    assert [one.scheduled_time for one in scheduler.executions()] == [due(1), due(2)]


@pytest.mark.rule("S17")
def test_a_pause_skips_the_due_times_of_downtime_too() -> None:
    with Workflow("w", schedule=Every(hours=1), catchup="all") as workflow:
        Work("a")
    scheduler = VirtualScheduler(workflow)
    scheduler.pause(workflow)

    scheduler.jump(hours=3, minutes=30)
    scheduler.resume(workflow)
    scheduler.advance(hours=1)

    assert [one.scheduled_time for one in scheduler.executions()] == [due(4)]


@pytest.mark.rule("S17", "S34")
def test_a_pause_of_the_workflow_leaves_the_periodic_tasks_of_what_runs_alone() -> None:
    with Workflow("w") as workflow:
        Work("a", periodic_expression=Every(10))
    scheduler = VirtualScheduler(workflow)
    scheduler.run()
    scheduler.pause(workflow)

    scheduler.advance(seconds=25)

    assert scheduler.runs("a") == [(number, OK) for number in (1, 2, 3)]


@pytest.mark.rule("S33")
def test_a_schedule_that_is_changed_while_it_is_due_starts_anew() -> None:
    def version(schedule: Cron | Every) -> Workflow:
        with Workflow("w", schedule=schedule, catchup="all") as workflow:
            Work("a")
        return workflow

    scheduler = VirtualScheduler(version(Cron("0 * * * *")))
    scheduler.clock.set(due(3, 30))  # nobody was there at 1, 2 and 3

    scheduler.register(version(Every(minutes=20)))
    scheduler.advance(minutes=45)

    assert [one.scheduled_time for one in scheduler.executions()] == [due(3, 50), due(4, 10)]


@pytest.mark.rule("S33")
def test_a_schedule_that_is_taken_away_while_it_is_due_fires_no_more() -> None:
    with Workflow("w", schedule=Every(60)) as before:
        Work("a")
    with Workflow("w") as after:
        Work("a")
    scheduler = VirtualScheduler(before)
    scheduler.advance(seconds=60)
    scheduler.clock.set(scheduler.now.replace(minute=30))

    scheduler.register(after)
    scheduler.advance(hours=1)

    assert [one.scheduled_time for one in scheduler.executions()] == [due(0, 1)]
    assert timers(scheduler) == []


@pytest.mark.rule("S33", "S44")
def test_due_times_that_are_made_up_for_wait_for_their_turn_too() -> None:
    with Workflow("w", schedule=Every(hours=1), catchup="all", max_active=2) as workflow:
        Work("a")
    scheduler = VirtualScheduler(workflow)
    for _ in range(5):
        scheduler.outcome("a", after=60)

    scheduler.jump(hours=5)
    assert [one.status for one in scheduler.executions()] == ["RUNNING"] * 2 + ["INIT"] * 3
    scheduler.advance(minutes=5)

    assert [one.status for one in scheduler.executions()] == ["SUCCESS"] * 5
    assert [one.scheduled_time for one in scheduler.executions()] == [due(n) for n in range(1, 6)]


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

    scheduler._loop.report(Report(key=key, kind=ReportKind.SUCCESS, result="1"))
    scheduler.clock.set(due(1))  # the loop comes to it an hour later
    scheduler.run_until_idle()

    assert scheduler.store.history(run.id)[-1].at == said_at


@pytest.mark.rule("S29", "S34")
def test_a_periodic_task_is_due_no_more_once_its_execution_is_being_stopped() -> None:
    with Workflow("w") as workflow:
        Work("a", periodic_expression=Every(10), overlap="restart")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", RUNNING)
    execution = scheduler.run()
    scheduler.client.stop(execution.id)
    scheduler._loop.step()  # its task has not stopped yet

    assert timers(scheduler) == []
    scheduler.advance(minutes=1)

    assert scheduler.runs("a") == [(1, ["INIT", "QUEUED", "RUNNING", "STOPPING", "STOPPED"])]
    assert scheduler.status() == "STOPPED"


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


class Sees(Condition):
    """Met while `a` has the status of which it is told; asked about every fact of it."""

    def __init__(self, status: TaskStatus) -> None:
        super().__init__(["eventflow.task.w.a.*"])
        self._status = status

    def is_met(self, event: Event, context: RuleContext) -> bool:
        return context.get_task_status("a") is self._status


@pytest.mark.rule("S8", "S22")
@pytest.mark.parametrize("status", ["INIT", "QUEUED", "RUNNING", "SUCCESS"])
def test_a_condition_reads_the_status_of_the_fact_that_it_is_asked_about(status: str) -> None:
    with Workflow("w", completion="manual") as workflow:
        Work("a")
        Work("b").action_on_condition(START, Sees(TaskStatus(status)))
    scheduler = VirtualScheduler(workflow)

    scheduler.run()

    (started,) = [record for record in scheduler.decisions() if record.task == "b"]
    fact = scheduler.store.event_of_turn(started.turn)
    assert fact is not None
    assert fact.key == f"eventflow.task.w.a.{status.lower()}"


@pytest.mark.rule("S22", "S36")
def test_a_level_is_not_asked_about_a_run_that_is_not_the_latest() -> None:
    with Workflow("w", completion="manual") as workflow:
        a, b = Work("a"), Work("b")
        a.action_on_event_received(RESTART, "again")
        b.action_on_condition(START, ~TaskStatusCondition(a, TaskStatus.RUNNING))
    scheduler = VirtualScheduler(workflow)
    for _ in range(2):
        scheduler.outcome("a", RUNNING)
    scheduler.run()
    scheduler.emit("again")

    asked = [
        scheduler.store.event_of_turn(record.turn)
        for record in scheduler.decisions()
        if record.task == "b"
    ]
    assert [event.value for event in asked if event is not None and "stopped" in event.key] == []
    assert {event.value["sequence_number"] for event in asked if event is not None} == {1, 2}


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
