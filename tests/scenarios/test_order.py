"""The order of deciding: turns without a gap, facts in the order of what happened (S8-S12)."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenario_tasks import Work

from eventflow import EventCondition, Every, TaskAction, TaskStatus, Workflow
from eventflow import TaskStatusCondition as Status
from eventflow.errors import NotFoundError
from eventflow.testing import VirtualScheduler

START, STOP, RESTART = TaskAction.START, TaskAction.STOP, TaskAction.RESTART
EVERYTHING = ("**", "eventflow.**")


def busy_workflow() -> Workflow:
    """Rules of every kind, over few keys."""
    with Workflow("w", max_active=2) as workflow:
        a, b, c = Work("a", retries=1, retry_delay=5), Work("b", timeout=20), Work("c")
        d = Work("d", autostart=False, periodic_expression=Every(30), overlap="restart")
        [a, b] >> c
        b.action_on_event_received(RESTART, "x")
        b.action_on_event_received(STOP, "y")
        c.action_on_task_status(STOP, {b: TaskStatus.RESTARTING})
        d.action_on_condition(START, EventCondition("x") & EventCondition("y"))
        d.action_on_condition(STOP, EventCondition("x") & ~Status(a, TaskStatus.RUNNING))
    workflow.trigger_on_condition(EventCondition("y") & EventCondition("z"))
    return workflow


def told(scheduler: VirtualScheduler) -> list[object]:
    """All that a user can ask about what happened."""
    return [
        [(event.offset, event.turn, event.key, event.value) for event in all_events(scheduler)],
        [(one.id, one.status, one.reason) for one in scheduler.executions()],
        [scheduler.runs(task, one) for one in scheduler.executions() for task in "abcd"],
        [(record.task, record.rule, record.did) for record in scheduler.decisions()],
    ]


def all_events(scheduler: VirtualScheduler) -> list[object]:
    return list(scheduler.events(*EVERYTHING))


@pytest.mark.rule("S8")
def test_turns_count_every_decided_event_without_a_gap() -> None:
    scheduler = VirtualScheduler(busy_workflow())
    for key in ("x", "y", "z", "x", "nobody.listens"):
        scheduler.run()
        scheduler.emit(key)
        scheduler.advance(seconds=25)

    events = all_events(scheduler)

    assert sorted(event.turn for event in events) == list(range(1, len(events) + 1))
    assert [event.offset for event in events] == list(range(1, len(events) + 1))
    assert len(events) > 100


@pytest.mark.rule("S8", "S12")
def test_outside_events_are_decided_in_the_order_of_the_log_each_with_what_follows() -> None:
    with Workflow("w", completion="manual") as workflow:
        a, b = Work("a"), Work("b")
        a.action_on_event_received(START, "x")
        a >> b
    scheduler = VirtualScheduler(workflow)
    scheduler.run()

    for key in ("x", "y", "z"):
        scheduler.client.emit(key)
    scheduler.run_until_idle()

    turns = {event.key: event.turn for event in scheduler.events("*", "eventflow.task.w.a.*")}
    queued = turns["eventflow.task.w.a.queued"]
    assert turns["x"] < queued < turns["y"] < turns["z"]
    # The worker's report came when y and z were in the log already.
    assert turns["z"] < turns["eventflow.task.w.a.running"]


@pytest.mark.rule("S8", "S22")
def test_the_facts_of_one_run_are_decided_in_the_order_in_which_they_happened() -> None:
    with Workflow("w", completion="manual") as workflow:
        a = Work("a")
        a.action_on_task_status(STOP, {a: TaskStatus.INIT})
    scheduler = VirtualScheduler(workflow)

    scheduler.run()

    facts = sorted(scheduler.events("eventflow.task.w.a.*"), key=lambda event: event.turn)
    assert scheduler.runs("a") == [(1, [event.value["status"] for event in facts])]


STEPS = st.lists(
    st.sampled_from(["run", "x", "y", "z", "5 s", "30 s", "lose b", "stop b", "stop newest"]),
    max_size=12,
)
ENDINGS = st.lists(
    st.tuples(
        st.sampled_from("abcd"),
        st.sampled_from([TaskStatus.SUCCESS, TaskStatus.FAILED, TaskStatus.RUNNING]),
        st.sampled_from([0, 3, 10]),
    ),
    max_size=8,
)


def play(
    steps: list[str], endings: list[tuple[str, TaskStatus, int]], dies_after: set[int]
) -> list[object]:
    scheduler = VirtualScheduler(busy_workflow())
    for task, status, after in endings:
        scheduler.outcome(task, status, after=after)
    for number, step in enumerate(steps):
        take(scheduler, step)
        if number in dies_after:
            scheduler.restart_scheduler()
    return told(scheduler)


def take(scheduler: VirtualScheduler, step: str) -> None:
    running = [one for one in scheduler.executions() if not one.ended]
    match step:
        case "run":
            scheduler.run()
        case "5 s" | "30 s":
            scheduler.advance(seconds=int(step.split()[0]))
        case "lose b":
            with suppress(NotFoundError):
                scheduler.lose("b")
        case "stop b" if running and running[0].status == "RUNNING":
            scheduler.stop_task(running[0], "b")
        case "stop newest" if running:
            scheduler.stop_workflow(running[-1])
        case "x" | "y" | "z":
            scheduler.emit(step)


@pytest.mark.rule("S9", "S10")
@settings(max_examples=60, deadline=None)
@given(STEPS, ENDINGS, st.sets(st.integers(0, 11)))
def test_a_scheduler_that_dies_between_batches_decides_as_one_that_lives(
    steps: list[str], endings: list[tuple[str, TaskStatus, int]], dies_after: set[int]
) -> None:
    assert play(steps, endings, dies_after) == play(steps, endings, set())
