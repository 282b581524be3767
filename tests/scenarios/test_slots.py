"""A slot is held from the hand-over to the end of the attempt, and by nobody else (S44)."""

from collections.abc import Callable

import pytest
from scenario_tasks import Work

from eventflow import TaskAction, TaskStatus, Workflow
from eventflow.testing import VirtualScheduler

FAILED, RUNNING = TaskStatus.FAILED, TaskStatus.RUNNING
START, STOP, RESTART = TaskAction.START, TaskAction.STOP, TaskAction.RESTART
DONE = ["INIT", "QUEUED", "RUNNING", "SUCCESS"]


def rivals(**config: object) -> VirtualScheduler:
    """Two tasks and one slot: `first` has it, and `second` waits."""
    with Workflow("w") as workflow:
        Work("first", pool="gpu", **config)
        Work("second", pool="gpu")
    scheduler = VirtualScheduler(workflow)
    scheduler.set_pool("gpu", 1)
    return scheduler


def stand(scheduler: VirtualScheduler) -> tuple[int, int]:
    """How many hold a slot of the pool, and how many wait."""
    (pool,) = [pool for pool in scheduler.pools() if pool.name == "gpu"]
    return pool.held, pool.waiting


ENDS: dict[str, Callable[[VirtualScheduler], object]] = {
    "success": lambda scheduler: scheduler.report("first", TaskStatus.SUCCESS),
    "failure": lambda scheduler: scheduler.report("first", FAILED),
    "stop": lambda scheduler: scheduler.stop_task(1, "first"),
    "loss": lambda scheduler: scheduler.lose("first"),
    "timeout": lambda scheduler: scheduler.advance(seconds=300),
}


@pytest.mark.rule("S44")
@pytest.mark.parametrize("how", sorted(ENDS))
def test_every_end_of_an_attempt_frees_its_slot(how: str) -> None:
    scheduler = rivals(timeout=300, on_lost="fail")
    scheduler.outcome("first", RUNNING)
    scheduler.run()
    assert stand(scheduler) == (1, 1)

    ENDS[how](scheduler)

    assert scheduler.runs("second") == [(1, DONE)]
    assert stand(scheduler) == (0, 0)


@pytest.mark.rule("S44", "S27")
def test_an_attempt_that_timed_out_holds_its_slot_until_it_is_dead() -> None:
    scheduler = rivals(timeout=60)
    scheduler.outcome("first", RUNNING)
    cancelled = []
    scheduler._worker.cancel = cancelled.append  # the child does not hear the stop
    scheduler.run()

    scheduler.advance(seconds=90)
    assert (len(cancelled), stand(scheduler)) == (1, (1, 1))
    scheduler.report("first", FAILED)

    assert scheduler.runs("first") == [(1, ["INIT", "QUEUED", "RUNNING", "FAILED"])]
    assert scheduler.runs("second") == [(1, DONE)]


@pytest.mark.rule("S44", "S20")
@pytest.mark.parametrize("action", [STOP, RESTART])
def test_an_attempt_that_is_being_stopped_holds_its_slot_until_it_is_dead(
    action: TaskAction,
) -> None:
    scheduler = rivals()
    scheduler.outcome("first", RUNNING)
    scheduler._worker.cancel = lambda key: None
    scheduler.run()

    scheduler._act(1, "first", action)
    assert stand(scheduler) == (1, 1)
    scheduler.report("first", FAILED)

    assert [job.task_execution.task_name for job in scheduler._worker.jobs][:2] == [
        "first",
        "second",
    ]
    assert scheduler.runs("second") == [(1, DONE)]


@pytest.mark.rule("S44", "S27")
def test_while_it_is_retrying_another_goes_in_between() -> None:
    scheduler = rivals(retries=1, retry_delay=30)
    scheduler.outcome("first", FAILED)
    scheduler.outcome("second", after=45)
    scheduler.run()

    assert stand(scheduler) == (1, 0)
    scheduler.advance(seconds=30)
    again = ["INIT", "QUEUED", "RUNNING", "RETRYING", "QUEUED"]
    assert scheduler.runs("first") == [(1, again)]
    assert stand(scheduler) == (1, 1)
    scheduler.advance(seconds=15)

    assert scheduler.runs("second") == [(1, DONE)]
    assert scheduler.runs("first") == [(1, [*again, "RUNNING", "SUCCESS"])]


@pytest.mark.rule("S44", "S28")
def test_an_attempt_that_is_made_up_for_at_once_keeps_its_age_and_so_its_turn() -> None:
    scheduler = rivals()
    scheduler.outcome("first", RUNNING)
    scheduler.outcome("first", after=60)
    scheduler.run()

    scheduler.lose("first")

    assert [job.task_execution.task_name for job in scheduler._worker.jobs] == ["first", "first"]
    scheduler.advance(seconds=60)
    assert scheduler.runs("second") == [(1, DONE)]


@pytest.mark.rule("S44")
def test_what_is_handed_over_and_has_not_begun_holds_its_slot_and_waits_for_none() -> None:
    scheduler = rivals()
    scheduler.outcome("first", after=60)
    scheduler.run()
    taken = []
    scheduler._worker.submit = taken.append  # an executor that is slow to begin

    scheduler.advance(seconds=60)

    second = scheduler.execution().tasks[1]
    assert ([job.key.task_execution_id for job in taken], stand(scheduler)) == ([second.id], (1, 0))
    assert (second.status, second.reason) == ("QUEUED", "")
    scheduler.report("second", TaskStatus.SUCCESS)
    assert scheduler.runs("second") == [(1, DONE)]


@pytest.mark.rule("S44", "S20")
@pytest.mark.parametrize("action", [STOP, RESTART])
def test_what_is_handed_over_and_has_not_begun_is_stopped_as_one_that_runs(
    action: TaskAction,
) -> None:
    scheduler = rivals()
    scheduler.outcome("first", after=60)
    scheduler.run()
    scheduler._worker.submit = lambda job: None
    scheduler._worker.cancel = lambda key: None
    scheduler.advance(seconds=60)

    scheduler._act(1, "second", action)
    assert stand(scheduler) == (1, 0)
    scheduler.report("second", FAILED)

    leaving = "STOPPING" if action is STOP else "RESTARTING"
    assert scheduler.runs("second")[0] == (1, ["INIT", "QUEUED", leaving, "STOPPED"])
    assert scheduler.runs("second")[1:] == ([] if action is STOP else [(2, ["INIT", "QUEUED"])])


@pytest.mark.rule("S44", "S20")
def test_a_stop_ends_what_waits_at_once_and_it_never_runs() -> None:
    scheduler = rivals()
    scheduler.outcome("first", after=60)
    scheduler.run()

    assert scheduler.stop_task(1, "second") == "stopped"

    assert scheduler.runs("second") == [(1, ["INIT", "QUEUED", "STOPPED"])]
    assert stand(scheduler) == (1, 0)
    scheduler.advance(minutes=2)
    assert scheduler.started("second") == []
    assert scheduler.status() == "SUCCESS"


@pytest.mark.rule("S44", "S21")
def test_a_restart_ends_what_waits_at_once_and_queues_a_new_run() -> None:
    scheduler = rivals()
    scheduler.outcome("first", after=60)
    scheduler.run()

    assert scheduler.restart_task(1, "second") == "restarted"

    stopped = (1, ["INIT", "QUEUED", "STOPPED"])
    assert scheduler.runs("second") == [stopped, (2, ["INIT", "QUEUED"])]
    assert stand(scheduler) == (1, 1)
    scheduler.advance(seconds=60)
    assert scheduler.runs("second") == [stopped, (2, DONE)]


@pytest.mark.rule("S44", "S29")
def test_stopping_an_execution_ends_what_waits_in_it_and_gives_its_slot_to_another() -> None:
    with Workflow("w") as workflow:
        for name in ("a", "b", "c"):
            Work(name, pool="gpu")
    scheduler = VirtualScheduler(workflow)
    scheduler.set_pool("gpu", 1)
    scheduler.outcome("a", RUNNING)
    first, second = scheduler.run(), scheduler.run()

    scheduler.stop_workflow(first)

    assert scheduler.runs("a", first) == [(1, ["INIT", "QUEUED", "RUNNING", "STOPPING", "STOPPED"])]
    for task in ("b", "c"):
        assert scheduler.runs(task, first) == [(1, ["INIT", "QUEUED", "STOPPED"])]
    assert (scheduler.status(first), scheduler.status(second)) == ("STOPPED", "SUCCESS")
    assert stand(scheduler) == (0, 0)


@pytest.mark.rule("S44", "S26")
def test_a_report_about_an_attempt_that_no_executor_has_moves_nothing() -> None:
    scheduler = rivals()
    scheduler.outcome("first", after=60)
    scheduler.run()

    for status in (RUNNING, TaskStatus.SUCCESS, FAILED):
        scheduler.report("second", status)

    assert scheduler.runs("second") == [(1, ["INIT", "QUEUED"])]
    assert stand(scheduler) == (1, 1)


@pytest.mark.rule("S44", "S10")
def test_a_scheduler_that_starts_again_knows_who_holds_a_slot_and_who_waits() -> None:
    with Workflow("w") as workflow:
        for name in ("a", "b", "c"):
            Work(name, pool="gpu", priority=1 if name == "c" else 0)
        keeper = Work("keeper", pool="gpu")
        keeper.action_on_event_received(START, "never")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", after=60)
    scheduler.outcome("b", after=60)
    scheduler.run()
    scheduler.restart_scheduler()
    scheduler.set_pool("gpu", 2)
    scheduler.restart_scheduler()

    assert [job.task_execution.task_name for job in scheduler._worker.jobs] == ["c", "a", "b"]
    assert stand(scheduler) == (2, 0)
    scheduler.restart_scheduler()
    scheduler.advance(seconds=60)

    assert [scheduler.runs(task) for task in ("a", "b", "c")] == [[(1, DONE)]] * 3
    assert stand(scheduler) == (0, 0)
