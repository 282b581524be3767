"""Schedules of workflows and periodic tasks, in virtual time (S32-S34)."""

from datetime import UTC, datetime

import pytest
from scenario_tasks import Work

from eventflow import Cron, Every, TaskStatus, Workflow
from eventflow.testing import VirtualScheduler

OK = ["INIT", "QUEUED", "RUNNING", "SUCCESS"]


def due(hour: int, minute: int = 0, day: int = 1) -> datetime:
    return datetime(2026, 1, day, hour, minute, tzinfo=UTC)


@pytest.mark.rule("S33")
def test_a_schedule_starts_one_execution_at_each_due_time() -> None:
    with Workflow("w", schedule=Cron("0 */6 * * *")) as workflow:
        Work("a")
    scheduler = VirtualScheduler(workflow)

    scheduler.advance(days=1)

    executions = scheduler.executions()
    assert [one.execution_type for one in executions] == ["PERIODIC"] * 4
    assert [one.scheduled_time for one in executions] == [
        due(6),
        due(12),
        due(18),
        due(0, day=2),
    ]


@pytest.mark.rule("S33")
@pytest.mark.parametrize(
    ("catchup", "fired"),
    [
        ("latest", [due(18)]),
        ("all", [due(6), due(12), due(18)]),
        ("none", []),
    ],
)
def test_after_downtime_catchup_says_what_is_made_up_for(
    catchup: str, fired: list[datetime]
) -> None:
    with Workflow("w", schedule=Cron("0 */6 * * *"), catchup=catchup) as workflow:
        Work("a")
    scheduler = VirtualScheduler(workflow)

    scheduler.jump(hours=20)

    assert [one.scheduled_time for one in scheduler.executions()] == fired


@pytest.mark.rule("S33")
def test_a_due_time_that_was_fired_is_not_fired_by_a_scheduler_that_starts_again() -> None:
    with Workflow("w", schedule=Every(minutes=10)) as workflow:
        Work("a")
    scheduler = VirtualScheduler(workflow)
    scheduler.advance(minutes=25)

    scheduler.restart_scheduler()
    scheduler.advance(minutes=10)

    assert [one.scheduled_time for one in scheduler.executions()] == [
        due(0, 10),
        due(0, 20),
        due(0, 30),
    ]


@pytest.mark.rule("S33")
def test_a_changed_schedule_starts_anew_and_an_unchanged_one_goes_on() -> None:
    def version(seconds: float, description: str) -> Workflow:
        with Workflow("w", schedule=Every(seconds), description=description) as workflow:
            Work("a")
        return workflow

    scheduler = VirtualScheduler(version(600, "first"))
    scheduler.advance(minutes=5)
    scheduler.register(version(600, "same schedule"))
    scheduler.advance(minutes=5)
    assert [one.scheduled_time for one in scheduler.executions()] == [due(0, 10)]

    scheduler.register(version(900, "another"))
    scheduler.advance(minutes=15)

    assert [one.scheduled_time for one in scheduler.executions()] == [due(0, 10), due(0, 25)]


@pytest.mark.rule("S17", "S33")
def test_due_times_during_a_pause_are_skipped() -> None:
    with Workflow("w", schedule=Every(hours=1), catchup="all") as workflow:
        Work("a")
    scheduler = VirtualScheduler(workflow)
    scheduler.advance(hours=1)
    scheduler.pause(workflow)
    scheduler.advance(hours=2, minutes=30)
    scheduler.resume(workflow)

    scheduler.advance(hours=1)

    assert [one.scheduled_time for one in scheduler.executions()] == [due(1), due(4)]


@pytest.mark.rule("S34")
def test_a_periodic_task_starts_with_its_execution_and_again_at_each_due_time() -> None:
    with Workflow("w") as workflow:
        tick = Work("tick", periodic_expression=Every(seconds=10))
        after = Work("after")
        tick >> after
    scheduler = VirtualScheduler(workflow)
    execution = scheduler.run()

    scheduler.advance(seconds=25)

    assert scheduler.runs("tick") == [(number, OK) for number in (1, 2, 3)]
    assert scheduler.runs("after") == [(number, OK) for number in (1, 2, 3)]
    assert scheduler.status() == "RUNNING"
    scheduler.stop_workflow(execution)
    scheduler.advance(minutes=1)
    assert len(scheduler.runs("tick")) == 3
    assert scheduler.status() == "STOPPED"


@pytest.mark.rule("S34")
@pytest.mark.parametrize(("overlap", "numbers"), [("skip", [1, 2]), ("restart", [1, 2, 3])])
def test_overlap_says_what_happens_when_the_last_one_is_still_alive(
    overlap: str, numbers: list[int]
) -> None:
    with Workflow("w") as workflow:
        Work("tick", periodic_expression=Every(seconds=10), overlap=overlap)
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("tick", TaskStatus.SUCCESS, after=15)
    scheduler.run()

    scheduler.advance(seconds=20)

    assert [number for number, _ in scheduler.runs("tick")] == numbers


@pytest.mark.rule("S32", "S33")
def test_a_year_of_a_daily_schedule_passes_in_a_moment() -> None:
    with Workflow("w", schedule=Cron("0 2 * * *", tz="Europe/Berlin")) as workflow:
        Work("a")
    scheduler = VirtualScheduler(workflow)

    scheduler.advance(days=365)

    assert len(scheduler.executions()) == 365


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
    assert scheduler.store.timers() == []


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


@pytest.mark.rule("S29", "S34")
def test_a_periodic_task_is_due_no_more_once_its_execution_is_being_stopped() -> None:
    with Workflow("w") as workflow:
        Work("a", periodic_expression=Every(10), overlap="restart")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus.RUNNING)
    execution = scheduler.run()
    scheduler.client.stop(execution.id)
    scheduler._loop.step()  # its task has not stopped yet

    assert scheduler.store.timers() == []
    scheduler.advance(minutes=1)

    assert scheduler.runs("a") == [(1, ["INIT", "QUEUED", "RUNNING", "STOPPING", "STOPPED"])]
    assert scheduler.status() == "STOPPED"


@pytest.mark.rule("S17")
def test_a_paused_workflow_may_still_be_run_by_hand() -> None:
    with Workflow("w", schedule=Every(hours=1)) as workflow:
        Work("a")
    workflow.trigger_on_event("go")
    scheduler = VirtualScheduler(workflow)
    scheduler.pause(workflow)

    scheduler.emit("go")
    scheduler.advance(hours=3)
    scheduler.run()

    assert [one.execution_type for one in scheduler.executions()] == ["MANUAL"]
    assert scheduler.status() == "SUCCESS"
