"""STOP and RESTART of mapped tasks: all items, one task (S43)."""

import pytest
from map_kit import (
    ENDED,
    FAILED,
    OK,
    RESTART,
    RUNNING,
    START,
    STOP,
    SUCCESS,
    dids,
    held_back,
    items,
    let_end,
    over,
    paths,
    run_of,
    running,
    stand,
    tell,
)
from scenario_tasks import Work

from eventflow import TaskAction, Workflow
from eventflow.executors.port import AttemptKey
from eventflow.testing import VirtualScheduler

pytestmark = pytest.mark.rule("S43", "S20", "S21")
RESTARTED = [*OK[:3], "RESTARTING", "STOPPED"]
UNOPENED = ["INIT", "STOPPED"]


def uncounted(action: TaskAction | None = None) -> VirtualScheduler:
    """A map that is QUEUED and of which nobody has counted the items."""
    scheduler = over(2)
    count = scheduler._unheld
    held = []
    scheduler._unheld = held.append
    scheduler.run()
    assert scheduler.runs("b") == [(1, OK[:2])]
    scheduler._unheld = count
    if action is not None:
        scheduler._act(1, "b", action)
    # What was on its way then comes now.
    for order in held:
        count(order)
    scheduler.run_until_idle()
    return scheduler


def test_a_stop_before_the_items_are_counted_ends_it_at_once() -> None:
    scheduler = uncounted(STOP)

    assert scheduler.runs("b") == [(1, ["INIT", "QUEUED", "STOPPED"])]
    assert (items(scheduler), scheduler.started("b")) == ([], [])
    assert dids(scheduler) == ["stopped", "ignored: the run does not wait for its items"]
    assert scheduler.status() == "SUCCESS"


def test_a_restart_before_the_items_are_counted_queues_a_new_run_at_once() -> None:
    scheduler = uncounted(RESTART)

    assert scheduler.runs("b") == [(1, ["INIT", "QUEUED", "STOPPED"]), (2, OK)]
    assert sorted(dids(scheduler)) == [
        "expanded",
        "ignored: the run does not wait for its items",
        "restarted",
    ]
    assert len(scheduler.started("b")) == 2


@pytest.mark.parametrize("is_running", [True, False])
def test_items_that_are_counted_twice_come_to_be_once(is_running: bool) -> None:
    with Workflow("w", completion="manual") as workflow:
        Work("b").map(range(2))
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("b", RUNNING if is_running else SUCCESS)
    scheduler.run()
    run = run_of(scheduler)
    command = scheduler.events("eventflow.command.expand")[0]
    scheduler.store.append([type(command)(command.key, command.value, sender="eventflow", id="x")])
    scheduler.run_until_idle()

    assert dids(scheduler) == ["expanded", "ignored: the run does not wait for its items"]
    assert run_of(scheduler) == run


@pytest.mark.rule("S11")
def test_executors_hear_of_items_and_never_of_the_task_itself() -> None:
    scheduler = over(2)
    told: list[AttemptKey] = []
    scheduler._worker.confirm = told.append
    cancel = scheduler._worker.cancel
    scheduler._worker.cancel = lambda key: (told.append(key), cancel(key))
    scheduler.outcome("b", SUCCESS)
    scheduler.outcome("b", RUNNING)
    scheduler.run()
    scheduler.stop_task(1, "b")

    assert {key.task_execution_id for key in told} == {item.id for item in items(scheduler)}
    assert not scheduler.store._shelves.outbox


def test_a_stop_stops_all_items_in_every_status() -> None:
    scheduler = running()

    assert scheduler.stop_task(1, "b") == "stopped"

    retrying = ["INIT", "QUEUED", "RUNNING", "RETRYING", "STOPPED"]
    assert paths(scheduler) == [OK, retrying, ENDED, UNOPENED, UNOPENED]
    assert scheduler.runs("b") == [(1, ENDED)]
    assert {item.reason for item in items(scheduler)[1:]} == {"stopped with task b"}
    assert run_of(scheduler).reason == "stopped by command"
    assert [item.ended for item in items(scheduler)] == [True] * 5
    assert all(item.end_date is not None for item in items(scheduler))
    scheduler.advance(minutes=5)
    assert len(scheduler.started("b")) == 3
    assert scheduler.store.timers() == []
    assert scheduler.status() == "SUCCESS"


def test_the_task_is_stopping_until_the_last_item_is_dead() -> None:
    scheduler = over(3)
    for _ in range(3):
        scheduler.outcome("b", RUNNING)
    asked: list[AttemptKey] = []
    scheduler._worker.cancel = asked.append
    scheduler.run()

    scheduler.stop_task(1, "b")
    scheduler.stop_task(1, "b")
    assert scheduler.runs("b") == [(1, ENDED[:4])]
    first, second, third = items(scheduler)
    assert [key.task_execution_id for key in asked] == [first.id, second.id, third.id]
    tell(scheduler, second, SUCCESS)
    tell(scheduler, first, FAILED)
    assert stand(scheduler) == ["STOPPED", "STOPPED", "STOPPING"]
    assert scheduler.runs("b") == [(1, ENDED[:4])]
    tell(scheduler, third, FAILED)

    assert paths(scheduler) == [ENDED] * 3
    assert scheduler.runs("b") == [(1, ENDED)]


def test_a_restart_stops_all_items_and_its_successor_has_new_ones() -> None:
    scheduler = running()

    assert scheduler.restart_task(1, "b") == "restarted"

    assert scheduler.runs("b") == [(1, RESTARTED), (2, OK)]
    assert stand(scheduler, "b", None, 0) == ["SUCCESS", *["STOPPED"] * 4]
    assert paths(scheduler) == [OK] * 5
    assert not {item.id for item in items(scheduler)} & {
        item.id for item in items(scheduler, "b", None, 0)
    }


def test_a_successor_waits_until_the_last_item_is_dead() -> None:
    scheduler = held_back()
    scheduler.restart_task(1, "b")
    tell(scheduler, items(scheduler, "b", None, 0)[0], SUCCESS)

    assert scheduler.runs("b") == [(1, RESTARTED[:4]), (2, ["INIT"])]
    tell(scheduler, items(scheduler, "b", None, 0)[1], SUCCESS)

    assert scheduler.runs("b") == [(1, RESTARTED), (2, OK)]
    assert [job.task_execution.sequence_number for job in scheduler.started("b")] == [1, 1, 2, 2]


def test_a_second_restart_while_one_is_pending_changes_nothing() -> None:
    scheduler = held_back()
    scheduler.restart_task(1, "b")

    assert scheduler.restart_task(1, "b") == "ignored: restart pending"
    let_end(scheduler)

    assert scheduler.runs("b") == [(1, RESTARTED), (2, OK)]


def test_restarted_twice_it_runs_three_times() -> None:
    scheduler = over(2)
    for _ in range(4):
        scheduler.outcome("b", RUNNING)
    scheduler.run()

    scheduler.restart_task(1, "b")
    scheduler.restart_task(1, "b")

    assert scheduler.runs("b") == [(1, RESTARTED), (2, RESTARTED), (3, OK)]


def test_a_stop_while_it_restarts_drops_the_successor() -> None:
    scheduler = held_back()
    scheduler.restart_task(1, "b")
    scheduler.stop_task(1, "b")
    let_end(scheduler)

    assert scheduler.runs("b") == [
        (1, ["INIT", "QUEUED", "RUNNING", "RESTARTING", "STOPPING", "STOPPED"]),
        (2, UNOPENED),
    ]
    assert len(scheduler.started("b")) == 2
    assert scheduler.status() == "SUCCESS"


def test_a_restart_while_it_stops_lets_it_stop_and_starts_it_again() -> None:
    scheduler = held_back()
    scheduler.stop_task(1, "b")
    assert scheduler.restart_task(1, "b") == "restarted"
    let_end(scheduler)

    assert scheduler.runs("b") == [(1, ENDED), (2, OK)]


def test_a_start_while_items_are_alive_is_ignored() -> None:
    scheduler = held_back()

    assert scheduler.start_task(1, "b") == "ignored: alive"
    scheduler.stop_task(1, "b")
    assert scheduler.start_task(1, "b") == "ignored: alive"


@pytest.mark.parametrize("action", [STOP, RESTART])
def test_items_that_all_wait_for_a_slot_end_at_once(action: TaskAction) -> None:
    scheduler = over(3, pool="gpu", max_active_items=2)
    scheduler.run()
    assert stand(scheduler) == ["QUEUED", "QUEUED", "INIT"]

    scheduler._act(1, "b", action)

    assert paths(scheduler, "b", None, 0) == [["INIT", "QUEUED", "STOPPED"]] * 2 + [UNOPENED]
    if action is STOP:
        assert scheduler.runs("b") == [(1, ENDED)]
        assert scheduler.pools() == []
    else:
        assert scheduler.runs("b") == [(1, RESTARTED), (2, OK[:3])]
        assert [(pool.held, pool.waiting) for pool in scheduler.pools()] == [(0, 2)]
    assert scheduler.started("b") == []


def test_items_that_were_handed_over_and_have_not_begun_are_stopped_there() -> None:
    scheduler = over(2)
    scheduler._worker.submit = lambda job: None
    scheduler._worker.cancel = lambda key: None
    scheduler.run()

    scheduler.stop_task(1, "b")
    assert stand(scheduler) == ["STOPPING", "STOPPING"]
    let_end(scheduler)

    assert paths(scheduler) == [["INIT", "QUEUED", "STOPPING", "STOPPED"]] * 2
    assert scheduler.runs("b") == [(1, ENDED)]


def test_a_rule_may_stop_a_map_in_the_very_step_in_which_its_items_come_to_be() -> None:
    with Workflow("w") as workflow:
        b = Work("b", max_active_items=1).map(range(3))
        b.action_on_event_received(STOP, "eventflow.command.expand")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("b", RUNNING)
    scheduler.run()

    assert paths(scheduler) == [["INIT", "QUEUED", "STOPPING", "STOPPED"], UNOPENED, UNOPENED]
    assert scheduler.runs("b") == [(1, ENDED)]


@pytest.mark.rule("S28")
def test_an_item_that_is_lost_while_it_stops_ends_stopped() -> None:
    scheduler = held_back()
    scheduler.stop_task(1, "b")
    for job in list(scheduler._worker._running.values()):
        scheduler._worker.lose(job)
    scheduler.run_until_idle()

    assert paths(scheduler) == [ENDED, ENDED]
    assert scheduler.runs("b") == [(1, ENDED)]


def test_a_map_that_a_rule_stops_and_another_starts_has_a_run_for_each_start() -> None:
    with Workflow("w", completion="manual") as workflow:
        b = Work("b", autostart=False).map(range(2))
        b.action_on_event_received(START, "go")
        b.action_on_event_received(STOP, "halt")
    scheduler = VirtualScheduler(workflow)
    for _ in range(2):
        scheduler.outcome("b", RUNNING)
    scheduler.run()

    for key in ("go", "halt", "halt", "go", "go"):
        scheduler.emit(key)

    assert scheduler.runs("b") == [(1, ENDED), (2, OK), (3, OK)]
    told = [did for did in dids(scheduler) if did != "expanded"]
    assert told == ["started", "stopped", "ignored: not alive", "started", "started"]
