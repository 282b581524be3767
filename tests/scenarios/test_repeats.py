"""What an event is, what makes two of them one, and what is refused (S1-S4, S6)."""

from datetime import UTC, datetime
from typing import Any

import pytest
from scenario_tasks import Work

from eventflow import TaskAction, Workflow
from eventflow.errors import DefinitionError, DuplicateEventError, EventError, ReservedKeyError
from eventflow.testing import VirtualScheduler

START = TaskAction.START


def shop(namespace: str = "default") -> Workflow:
    """Each `orders.paid` starts an execution."""
    with Workflow("shop", namespace) as workflow:
        Work("pack")
    workflow.trigger_on_event("orders.paid")
    return workflow


def deep(levels: int) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.rule("S3")
def test_an_event_that_is_emitted_twice_is_one_event_and_starts_one_execution() -> None:
    scheduler = VirtualScheduler(shop())

    first = scheduler.emit("orders.paid", {"n": 7}, sender="till", id="7")
    again = scheduler.emit("orders.paid", {"n": 7}, sender="till", id="7")

    assert (again.offset, again.logged_at) == (first.offset, first.logged_at)
    assert len(scheduler.events("orders.paid")) == len(scheduler.executions()) == 1


@pytest.mark.rule("S3")
def test_a_repeat_is_known_to_the_scheduler_that_starts_again() -> None:
    scheduler = VirtualScheduler(shop())
    first = scheduler.emit("orders.paid", 7, id="7")
    scheduler.restart_scheduler()
    scheduler.advance(days=6)

    again = scheduler.emit("orders.paid", 7, id="7")

    assert again.offset == first.offset
    assert len(scheduler.executions()) == 1


@pytest.mark.rule("S3")
def test_the_same_id_of_another_sender_or_namespace_is_another_event() -> None:
    scheduler = VirtualScheduler(shop(), shop("elsewhere"))

    for fields in (
        {"sender": "till-1"},
        {"sender": "till-2"},
        {"sender": "till-1", "namespace": "elsewhere"},
    ):
        scheduler.emit("orders.paid", 7, id="7", **fields)

    assert [one.namespace for one in scheduler.executions()] == ["default", "default", "elsewhere"]


@pytest.mark.rule("S3")
def test_an_id_that_was_used_with_another_value_is_refused_and_nothing_is_written() -> None:
    scheduler = VirtualScheduler(shop())
    first = scheduler.emit("orders.paid", {"n": 7}, sender="till", id="7")
    newest = scheduler.store.last_offset()

    with pytest.raises(DuplicateEventError, match=f"'7' of sender 'till' .* {first.offset}"):
        scheduler.emit("orders.paid", {"n": 8}, sender="till", id="7")
    scheduler.emit("orders.paid", {"n": 7}, sender="till", id="7", time=scheduler.now)

    assert scheduler.store.last_offset() == newest
    assert [event.value for event in scheduler.events()] == [{"n": 7}]


@pytest.mark.rule("S3")
def test_events_without_an_id_are_each_their_own_and_get_one() -> None:
    scheduler = VirtualScheduler(shop())

    emitted = [scheduler.emit("orders.paid", 7) for _ in range(3)]

    assert len({event.id for event in emitted}) == len(scheduler.executions()) == 3
    # UUIDv7: version 7, and later ones sort behind earlier ones.
    assert {event.id[14] for event in emitted} == {"7"}


@pytest.mark.rule("S1")
def test_the_senders_clock_orders_nothing_and_the_log_has_its_own() -> None:
    with Workflow("w", completion="manual") as workflow:
        Work("a").action_on_event_received(START, "tick")
    scheduler = VirtualScheduler(workflow)
    scheduler.run()
    times = [datetime(year, 1, 1, tzinfo=UTC) for year in (2090, 1970, 2026)]

    emitted = [scheduler.emit("tick", n, time=time) for n, time in enumerate(times)]

    assert [event.time for event in emitted] == times
    assert [event.offset for event in emitted] == sorted({event.offset for event in emitted})
    assert {event.logged_at for event in emitted} == {scheduler.now}
    assert [event.value for event in scheduler.events()] == [0, 1, 2]
    assert [job.trigger_event.value for job in scheduler.started("a")] == [0, 1, 2]


@pytest.mark.rule("S2")
def test_what_emit_returned_is_decided_after_a_crash_that_came_before_its_turn() -> None:
    scheduler = VirtualScheduler(shop())

    event = scheduler.client.emit("orders.paid")
    assert event.offset == scheduler.store.last_offset()
    scheduler.restart_scheduler()

    assert len(scheduler.executions()) == 1


@pytest.mark.rule("S4", "S6")
@pytest.mark.parametrize(
    ("key", "value", "fields", "error"),
    [
        ("orders..paid", 1, {}, EventError),
        ("orders.", 1, {}, EventError),
        ("", 1, {}, EventError),
        ("orders.p\u00e4id", 1, {}, EventError),
        ("orders.*", 1, {}, EventError),
        (".".join(["k" * 128] * 4), 1, {}, EventError),
        ("eventflow.task.shop.pack.success", 1, {}, ReservedKeyError),
        ("orders.paid", float("nan"), {}, EventError),
        ("orders.paid", [float("-inf")], {}, EventError),
        ("orders.paid", "\ud800", {}, EventError),
        ("orders.paid", {1, 2}, {}, EventError),
        ("orders.paid", {1: 2}, {}, EventError),
        ("orders.paid", deep(65), {}, EventError),
        ("orders.paid", "x" * (256 * 1024 - 1), {}, EventError),
        ("orders.paid", 1, {"time": datetime(2026, 1, 1)}, EventError),
        ("orders.paid", 1, {"attributes": {"n": 1}}, EventError),
        ("orders.paid", 1, {"namespace": "a.b"}, EventError),
        ("orders.paid", 1, {"workflow_execution_id": -1}, EventError),
        ("orders.paid", 1, {"color": "red"}, EventError),
    ],
    ids=range(19),
)
def test_what_is_refused_has_written_nothing(
    key: str, value: Any, fields: dict[str, Any], error: type[Exception]
) -> None:
    scheduler = VirtualScheduler(shop())
    newest = scheduler.store.last_offset()

    with pytest.raises(error):
        scheduler.emit(key, value, **fields)

    assert scheduler.store.last_offset() == newest
    assert scheduler.executions() == []


@pytest.mark.rule("S6")
def test_what_is_just_within_the_limits_is_taken() -> None:
    scheduler = VirtualScheduler(shop())
    longest = ".".join(["k" * 127] * 4)

    taken = [
        scheduler.emit(longest + "k"),
        scheduler.emit("orders.paid", deep(64)),
        scheduler.emit("orders.paid", "x" * (256 * 1024 - 2)),
    ]

    assert [event.offset for event in scheduler.events()] == [event.offset for event in taken]


@pytest.mark.rule("S6")
@pytest.mark.parametrize("name", ["", "a.b", "a b", "\u00e4", "a" * 129, "*"])
def test_a_name_that_could_not_be_part_of_a_key_is_refused(name: str) -> None:
    with Workflow("w"), pytest.raises(DefinitionError):
        Work(name)
    with pytest.raises(DefinitionError):
        Workflow(name)
