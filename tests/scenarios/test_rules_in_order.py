"""Which event a rule sees, in which order and by which version; and one rule that raises."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenario_tasks import Work

from eventflow import (
    Condition,
    Event,
    ListStateDescriptor,
    RuleContext,
    TaskAction,
    TaskStatus,
    Workflow,
)
from eventflow.errors import ConflictError
from eventflow.runtime.failing import Which, failed_verdicts
from eventflow.testing import VirtualScheduler

START, RESTART = TaskAction.START, TaskAction.RESTART
LONG_AGO = datetime(2020, 2, 29, tzinfo=UTC)
KEYS = ("orders.paid", "orders.sent")


class Heard(Condition):
    """Met by every event; remembers the values of those of each key, in the order of asking."""

    def __init__(self) -> None:
        super().__init__(["orders.*"])

    def is_met(self, event: Event, context: RuleContext) -> bool:
        context.get_state(ListStateDescriptor(f"of {event.key}", shared=True)).append(event.value)
        return True


def listening() -> Workflow:
    with Workflow("listening", completion="manual") as workflow:
        Work("hears").action_on_condition(RESTART, Heard())
    return workflow


def heard(scheduler: VirtualScheduler) -> dict[str, list[object]]:
    live = scheduler._loop.world.executions[1]
    return {
        name.removeprefix("shared:of "): eval(text)  # noqa: S307  a list of numbers, of our own
        for name, text in live.state.items()
    }


SENT = st.lists(
    st.tuples(
        st.sampled_from(KEYS),
        st.integers(-400 * 86_400, 86_400),  # seconds by its sender's clock, from now
        st.sampled_from(["decide", "wait", "crash"]),
    ),
    max_size=15,
)


@pytest.mark.rule("S1", "S8")
@pytest.mark.fault("F26")
@settings(deadline=None, max_examples=40)
@given(SENT)
def test_f26_a_rule_sees_events_in_stored_order_whatever_their_senders_clocks_say(
    sent: list[tuple[str, int, str]],
) -> None:
    scheduler = VirtualScheduler(listening())
    scheduler.run()
    wanted: dict[str, list[object]] = {}

    for number, (key, seconds, then) in enumerate(sent):
        time = scheduler.now + timedelta(seconds=seconds)
        scheduler.client.emit(key, number, time=time)
        wanted.setdefault(key, []).append(number)
        if then == "decide":
            scheduler.run_until_idle()
        elif then == "crash":
            scheduler.restart_scheduler()
    scheduler.run_until_idle()

    assert heard(scheduler) == wanted
    events = scheduler.events(*KEYS)
    assert [event.value for event in events] == list(range(len(sent)))
    turns = [event.turn for event in events]
    assert turns == sorted(turns)
    assert all(turns)
    assert scheduler.replay().equal


@pytest.mark.rule("S1", "S8", "S15", "S24")
@pytest.mark.fault("F26")
def test_f26_an_event_that_comes_years_late_is_decided_like_any_other() -> None:
    with Workflow("shop") as shop:
        Work("packs")
    shop.trigger_on_event("orders.paid")
    scheduler = VirtualScheduler(listening(), shop)
    scheduler.run("listening")
    scheduler.emit("orders.paid", 1)
    scheduler.advance(days=8)

    late = scheduler.emit("orders.paid", 2, time=LONG_AGO)

    assert heard(scheduler) == {"orders.paid": [1, 2]}
    assert len(scheduler.runs("hears")) == 3
    first, second = scheduler.executions("shop")
    assert (second.trigger_event.value, second.trigger_event.time) == (2, LONG_AGO)
    assert second.created_at == scheduler.now
    assert late.offset > first.trigger_event.offset
    assert {one.status for one in (first, second)} == {"SUCCESS"}


class Scale(Condition):
    """Weighs what comes; until it is mended it cannot."""

    mended = False

    def __init__(self) -> None:
        super().__init__(["orders.paid"])

    def is_met(self, event: Event, context: RuleContext) -> bool:
        if not Scale.mended:
            raise ZeroDivisionError("the scale is at nothing")
        return True


@pytest.fixture(autouse=True)
def broken_scale() -> None:
    Scale.mended = False


def neighbours(*, with_scale: bool) -> list[Workflow]:
    """Three workflows that hear the same event, and one rule among theirs that raises."""
    with Workflow("before") as before:
        Work("b")
    before.trigger_on_event("orders.paid")
    with Workflow("middle", completion="manual") as middle:
        weighs, packs, sends = Work("weighs", autostart=False), Work("packs"), Work("sends")
        packs.action_on_event_received(START, "orders.paid")
        sends.action_on_task_status(START, {packs: TaskStatus.SUCCESS})
        if with_scale:
            weighs.action_on_condition(START, Scale())
    middle.trigger_on_event("orders.paid")
    with Workflow("under") as under:
        Work("u")
    under.trigger_on_event("orders.paid")
    if with_scale:
        under.trigger_on_condition(Scale())
    return [before, middle, under]


def all_of(scheduler: VirtualScheduler) -> list[object]:
    """What came of everything, but for snapshots."""
    return [
        (one.workflow_name, one.status, run.task_name, run.sequence_number, run.status)
        for one in scheduler.executions()
        for run in scheduler.execution(one).tasks
    ]


@pytest.mark.unsteady
@pytest.mark.rule("S13")
@pytest.mark.fault("F39")
def test_f39_a_rule_that_raises_changes_nothing_for_its_neighbours() -> None:
    told = []
    for with_scale in (False, True):
        scheduler = VirtualScheduler(*neighbours(with_scale=with_scale))
        scheduler.run("middle")
        for number in range(5):
            scheduler.emit("orders.paid", number)
        told.append(all_of(scheduler))

    assert told[0] == told[1]
    assert len(told[0]) > 15


@pytest.mark.unsteady
@pytest.mark.rule("S13", "S9")
@pytest.mark.fault("F39")
def test_f39_a_rule_that_raises_is_listed_with_its_traceback_and_judged_again() -> None:
    scheduler = VirtualScheduler(*neighbours(with_scale=True))
    live = scheduler.run("middle")
    event = scheduler.emit("orders.paid", 1)

    of_workflow, of_task = failed_verdicts(scheduler.store, Which(), unanswered=True)

    assert (of_workflow.verdict.workflow, of_workflow.verdict.rule) == ("under", 1)
    assert (of_task.verdict.workflow_execution_id, of_task.verdict.task) == (live.id, "weighs")
    for one in (of_workflow, of_task):
        assert one.event.offset == event.offset
        assert one.verdict.error.startswith("Traceback (most recent call last):")
        assert "ZeroDivisionError: the scale is at nothing" in one.verdict.error
    # One outcome for each event and rule: no second verdict of either, and no decision.
    assert len(scheduler.store.verdicts()) == 2
    assert not [one for one in scheduler.decisions() if one.task == "weighs"]
    scheduler.restart_scheduler()
    assert scheduler.runs("weighs") == []

    Scale.mended = True
    scheduler.rejudge(event.offset)

    assert [number for number, _ in scheduler.runs("weighs")] == [1]
    assert len(scheduler.executions("under")) == 1  # an event starts one, and it had
    assert failed_verdicts(scheduler.store, Which(), unanswered=True) == []
    with pytest.raises(ConflictError):
        scheduler.rejudge(event.offset)


def version(number: int) -> Workflow:
    """Each version hears a key of its own besides the common one."""
    with Workflow("shop", completion="manual", description=f"version {number}") as workflow:
        Work("packs").action_on_event_received(RESTART, f"pack.{number}")
    workflow.trigger_on_event("orders.paid")
    workflow.trigger_on_event(f"only.{number}")
    return workflow


def register(scheduler: VirtualScheduler, workflow: Workflow) -> None:
    """The command goes into the log, behind what waits there; nothing is decided yet."""
    plan = scheduler._registry.take(workflow)
    scheduler.client.register(plan.namespace, plan.name, plan.snapshot)


@pytest.mark.rule("S8", "S41")
@pytest.mark.fault("F43")
@pytest.mark.parametrize("crash", [False, True])
def test_f43_events_that_wait_are_judged_by_the_version_in_force_when_they_are_taken(
    crash: bool,
) -> None:
    scheduler = VirtualScheduler(version(1))
    running = scheduler.run()
    emit = scheduler.client.emit
    for number in (1, 2):
        emit("orders.paid", number)
        emit("only.1", number)
        emit("only.2", number)
    emit("pack.1")
    register(scheduler, version(2))
    for number in (3, 4):
        emit("orders.paid", number)
        emit("only.1", number)
        emit("only.2", number)
    emit("pack.1")
    emit("pack.2")

    if crash:
        scheduler.restart_scheduler()
    scheduler.run_until_idle()

    snapshots = {record.snapshot for record in scheduler.executions()}
    (newest,) = [record.snapshot for record in scheduler.store.workflows()]
    oldest = running.snapshot
    assert snapshots == {oldest, newest}
    started = [
        (one.trigger_event.key, one.trigger_event.value, one.snapshot == newest)
        for one in scheduler.executions()
        if one.trigger_event is not None
    ]
    assert started == [
        ("orders.paid", 1, False),
        ("only.1", 1, False),
        ("orders.paid", 2, False),
        ("only.1", 2, False),
        ("orders.paid", 3, True),
        ("only.2", 3, True),
        ("orders.paid", 4, True),
        ("only.2", 4, True),
    ]
    explained_by_its_snapshot(scheduler)
    # What ran when the version changed keeps the rules that it began with.
    for one in scheduler.executions():
        key = "pack.2" if one.snapshot == newest else "pack.1"
        since = one.trigger_event.turn if one.trigger_event is not None else 0
        wanted = [event.turn for event in scheduler.events(key) if event.turn > since]
        acted = [done.turn for done in scheduler.decisions(one) if done.task == "packs"]
        assert acted == wanted
    assert scheduler.replay().equal


def explained_by_its_snapshot(scheduler: VirtualScheduler) -> None:
    """Every rule that acted is one of the snapshot of its execution, and listens to the event."""
    for one in scheduler.decisions():
        if one.workflow_execution_id is None or one.event_key.startswith("eventflow."):
            continue
        execution = scheduler.execution(one.workflow_execution_id)
        record = scheduler.store.snapshot(execution.snapshot)
        assert record is not None
        number = int(record.definition["description"][-1])
        assert one.event_key in ("orders.paid", f"only.{number}", f"pack.{number}")


@pytest.mark.rule("S8", "S41")
@pytest.mark.fault("F43")
def test_f43_a_version_that_goes_back_is_in_force_from_its_turn_on() -> None:
    scheduler = VirtualScheduler(version(1))
    for number in (2, 1, 2, 1):
        register(scheduler, version(number))
        for key in ("only.1", "only.2"):
            scheduler.client.emit(key)

    scheduler.run_until_idle()

    assert [one.trigger_event.key for one in scheduler.executions()] == [
        "only.2",
        "only.1",
        "only.2",
        "only.1",
    ]
