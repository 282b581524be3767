"""A wall clock that is set forward or back: nobody times out by it, and nothing fires twice."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from eventflow import BashOperator, Cron, Every, TaskStatus, Workflow
from eventflow.core.changes import TimerCleared, TimerSet
from eventflow.core.world import Timer
from eventflow.runtime.timers import Alarm, Timers
from eventflow.testing import VirtualScheduler
from eventflow.testing.clock import START, VirtualClock

JUMPS = [timedelta(hours=1), timedelta(hours=-1), timedelta(days=1), timedelta(days=-1)]
MINUTE = timedelta(minutes=1)


@pytest.mark.rule("S27", "S30")
@pytest.mark.fault("F27")
@pytest.mark.parametrize("jump", JUMPS, ids=str)
def test_f27_a_time_out_a_deadline_and_a_retry_take_the_seconds_that_they_are_given(
    jump: timedelta,
) -> None:
    with Workflow("w", timeout=900) as workflow:
        BashOperator("slow", bash_command="true", timeout=600)
        BashOperator("again", bash_command="true", retries=1, retry_delay=300, retry_jitter=0)
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("slow", TaskStatus.RUNNING)
    scheduler.outcome("slow", TaskStatus.RUNNING)
    scheduler.outcome("again", TaskStatus.FAILED)
    scheduler.outcome("again", TaskStatus.RUNNING)
    scheduler.run()

    def statuses() -> list[str]:
        return [run.status.value for run in scheduler.execution().tasks]

    scheduler.advance(seconds=200)
    scheduler.clock.set_wall(jump)
    scheduler.advance(seconds=99)
    assert statuses() == ["RUNNING", "RETRYING"]
    scheduler.advance(seconds=2)
    assert statuses() == ["RUNNING", "RUNNING"]
    scheduler.clock.set_wall(-jump)
    scheduler.advance(seconds=298)
    assert statuses() == ["RUNNING", "RUNNING"]
    scheduler.advance(seconds=2)
    assert statuses() == ["FAILED", "RUNNING"]
    scheduler.clock.set_wall(jump)
    scheduler.advance(seconds=298)
    assert scheduler.execution().status == "RUNNING"
    scheduler.advance(seconds=2)
    assert scheduler.execution().status == "FAILED"


@pytest.mark.rule("S33")
@pytest.mark.fault("F27")
@pytest.mark.parametrize("jump", JUMPS, ids=str)
@pytest.mark.parametrize("catchup", ["none", "latest", "all"])
@pytest.mark.parametrize("schedule", [Cron("* * * * *"), Every(minutes=1)], ids=["cron", "every"])
def test_f27_no_due_time_fires_twice_and_each_is_accounted_for(
    schedule: Cron | Every, catchup: str, jump: timedelta
) -> None:
    with Workflow("w", schedule=schedule, catchup=catchup, max_active=10_000) as workflow:
        BashOperator("t", bash_command="true")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("t", TaskStatus.SUCCESS)

    def pass_some_time() -> datetime:
        scheduler.advance(minutes=7)
        return scheduler.now

    latest = pass_some_time()
    for by in (jump, -jump, jump / 3):
        scheduler.clock.set_wall(by)
        latest = max(latest, pass_some_time())

    rows = scheduler.store._shelves.firings.values()
    fired = [row.due_at for row in rows if row.since is None]
    skipped = [(row.due_at - row.since) // MINUTE for row in rows if row.since is not None]
    started = [one.scheduled_time for one in scheduler.store.executions(limit=10_000)]
    assert sorted(started) == sorted(set(fired))
    assert len(fired) + sum(skipped) == (latest - START) // MINUTE


@pytest.mark.fault("F27")
def test_f27_a_slow_correction_of_the_clock_moves_nothing_until_it_is_a_second() -> None:
    clock = VirtualClock()
    timers = Timers([_timer("timeout", 600), _timer("schedule", 600)], clock)

    clock.set_wall(timedelta(seconds=0.9))
    assert timers.due(clock.now(), 10) == []
    assert timers.next_due() == START + timedelta(seconds=600)

    clock.set_wall(timedelta(seconds=0.9))
    clock.advance(timedelta(seconds=599))
    assert [timer.kind for timer in timers.due(clock.now(), 10)] == ["schedule"]
    clock.advance(timedelta(seconds=1))
    assert [timer.kind for timer in timers.due(clock.now(), 10)] == ["schedule", "timeout"]


@pytest.mark.fault("F27")
def test_f27_what_is_set_after_a_jump_is_due_when_it_says() -> None:
    clock = VirtualClock()
    timers = Timers([_timer("timeout", 600)], clock)
    clock.set_wall(timedelta(hours=1))
    timers.due(clock.now(), 10)

    timers.take_over([TimerSet(_timer("timeout", 3_700))])
    assert timers.next_due() == START + timedelta(seconds=3_700)

    clock.set_wall(timedelta(hours=1))
    timers.due(clock.now(), 10)
    timers.take_over([TimerCleared("timeout:1")])
    assert timers.next_due() is None


def _timer(kind: str, seconds: float) -> Timer:
    due_at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    return Timer(kind, due_at, run_id=1)


@pytest.mark.fault("F27")
def test_f27_the_loop_is_woken_by_elapsed_time_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventflow.runtime.timers.SAFETY_NET_S", 0.01)
    rings = threading.Semaphore(0)
    alarm = Alarm(rings.release)
    alarm.start()
    try:
        alarm.set(datetime.now(UTC) + timedelta(days=1))
        assert all(rings.acquire(timeout=20) for _ in range(3))
    finally:
        alarm.stop()


class HaltingClock(VirtualClock):
    """The process is halted between the reading of the one clock and of the other."""

    halt_s = 0.0

    def monotonic(self) -> float:
        found = super().monotonic()
        self.advance(timedelta(seconds=self.halt_s))
        return found


@pytest.mark.fault("F27")
def test_f27_a_process_that_is_halted_while_it_reads_the_clocks_takes_it_for_no_jump() -> None:
    clock = HaltingClock()
    timers = Timers([_timer("timeout", 600)], clock)
    clock.halt_s = 30

    for _ in range(3):
        timers.due(clock.now(), 10)

    assert timers.next_due() == START + timedelta(seconds=600)
