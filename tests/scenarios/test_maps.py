"""Mapped tasks: where their items come from, and what is joined of them (S43)."""

from typing import Any

import pytest
from map_kit import (
    BAD,
    FAILED,
    OK,
    RUNNING,
    START,
    SUCCESS,
    Takes,
    dids,
    elements,
    handed,
    items,
    mapped_over,
    over,
    paths,
    result,
    run_of,
    stand,
)
from scenario_tasks import Work

from eventflow import Workflow
from eventflow.model.arguments import Output
from eventflow.model.mapped import Along, Each, Given, Mapped
from eventflow.testing import VirtualScheduler

pytestmark = pytest.mark.rule("S43")


def nests(value: list[list[int]]) -> VirtualScheduler:
    """`a` has an item for each list, and `b` one for each element of what these return."""
    with Workflow("w") as workflow:
        a = Work("a").map(range(len(value)))
        b = Work("b").map(a.output, nested=True)
        Takes("c", b.output)
    scheduler = VirtualScheduler(workflow)
    for one in value:
        scheduler.outcome("a", result=one)
    for number in range(sum(map(len, value))):
        scheduler.outcome("b", result=f"b{number}")
    return scheduler


def test_given_items_each_run_once_and_their_results_come_back_in_item_order() -> None:
    scheduler = over(3)
    for number, after in enumerate((3, 1, 2)):
        scheduler.outcome("b", after=after, result=f"r{number}")

    scheduler.run()
    scheduler.advance(seconds=3)

    assert scheduler.runs("b") == [(1, OK)]
    assert paths(scheduler) == [OK, OK, OK]
    run = run_of(scheduler)
    assert [item.id for item in items(scheduler)] == [run.id + 1, run.id + 2, run.id + 3]
    records = [job.task_execution for job in scheduler.started("b")]
    assert [(one.parent, one.item) for one in records] == [(run.id, number) for number in range(3)]
    assert scheduler._loop.world.counters.run_id == run.id + 3
    assert [item.index for item in items(scheduler)] == [(0,), (1,), (2,)]
    assert (elements(scheduler), result(scheduler)) == ([0, 1, 2], ["r0", "r1", "r2"])
    assert scheduler.status() == "SUCCESS"


def test_the_list_that_a_task_returned_gives_an_item_for_each_element() -> None:
    scheduler = mapped_over([{"x": 1}, None, "three"])

    assert elements(scheduler) == [{"x": 1}, None, "three"]
    assert run_of(scheduler).items.by_status == {SUCCESS: 3}
    assert scheduler.status() == "SUCCESS"


def test_items_and_their_count_are_committed_before_the_first_starts() -> None:
    with Workflow("w") as workflow:
        Work("b", max_active_items=1).map(range(5))
    scheduler = VirtualScheduler(workflow)
    seen = []
    submit = scheduler._worker.submit

    def look(job: Any) -> None:
        seen.append((run_of(scheduler).items.total, len(items(scheduler))))
        submit(job)

    scheduler._worker.submit = look
    scheduler.run()

    assert seen == [(5, 5)] * 5


@pytest.mark.parametrize("value", [[], "given"])
def test_a_map_over_no_items_passes_through_all_statuses_at_once(value: Any) -> None:
    if value == "given":
        scheduler = over(0)
        scheduler.run()
    else:
        scheduler = mapped_over(value)

    assert scheduler.runs("b") == [(1, OK)]
    assert (result(scheduler), items(scheduler), scheduler.started("b")) == ([], [], [])
    assert run_of(scheduler).items.total == 0
    assert scheduler.status() == "SUCCESS"


def test_a_join_over_no_items_runs_at_once() -> None:
    scheduler = nests([[], []])

    scheduler.run()

    assert scheduler.runs("c") == [(1, OK)]
    assert result(scheduler, "b") == [[], []]


def test_a_map_over_a_map_takes_item_for_item() -> None:
    with Workflow("w") as workflow:
        a = Work("a").map(["x", "y", "z"])
        b = Work("b").map(a.output)
        Work("c").map(b.output)
    scheduler = VirtualScheduler(workflow)
    for number in range(3):
        scheduler.outcome("a", result=[number] * number)

    scheduler.run()

    for task in "abc":
        assert handed(scheduler, task) == [(0,), (1,), (2,)]
        assert paths(scheduler, task) == [OK, OK, OK]
    inputs = {tuple(job.inputs.items()) for job in scheduler.started("b")}
    assert inputs == {(("a", run_of(scheduler, "a").id),)}
    assert scheduler.status() == "SUCCESS"


def test_a_nested_map_has_an_item_for_each_element_of_each_result() -> None:
    scheduler = nests([[1, 2], [], [3]])

    scheduler.run()

    assert handed(scheduler) == [(0, 0), (0, 1), (2, 0)]
    assert elements(scheduler) == [1, 2, 3]
    assert result(scheduler) == [["b0", "b1"], [], ["b2"]]
    assert scheduler.store.result(run_of(scheduler).id, (0,)) == '["b0","b1"]'
    assert scheduler.store.result(run_of(scheduler).id, (2, 0)) == '"b2"'


@pytest.mark.parametrize(
    ("value", "levels"), [([[1], [2]], [2, 1]), ([[1], []], [2, [1, 0]]), ([[], []], [2, 0])]
)
def test_what_is_counted_is_a_number_where_it_is_the_same_everywhere(
    value: list[list[int]], levels: list[Any]
) -> None:
    scheduler = nests(value)
    scheduler.run()

    assert scheduler.events("eventflow.command.expand")[-1].value["levels"] == levels


def test_three_maps_nest_and_each_item_knows_where_it_came_from() -> None:
    with Workflow("w") as workflow:
        a = Work("a").map([0, 1])
        b = Work("b").map(a.output, nested=True)
        c = Work("c").map(b.output, nested=True)
        d = Work("d").map(c.output)
    assert len(d.mapped.axes) == 3
    scheduler = VirtualScheduler(workflow)
    for value in ([1], [2, 3]):
        scheduler.outcome("a", result=value)
    for value in ([7], [], [8, 9]):
        scheduler.outcome("b", result=value)

    scheduler.run()

    assert handed(scheduler, "b") == [(0, 0), (1, 0), (1, 1)]
    assert handed(scheduler, "c") == [(0, 0, 0), (1, 1, 0), (1, 1, 1)]
    assert handed(scheduler, "d") == handed(scheduler, "c")
    assert elements(scheduler, "c") == [7, 8, 9]
    assert result(scheduler, "d") == [[[None]], [[], [None, None]]]


def test_a_join_of_one_level_has_an_item_for_each_item_above() -> None:
    with Workflow("w") as workflow:
        a = Work("a").map([0, 1, 2])
        b = Work("b").map(a.output, nested=True)
        per_a = Mapped((Along((Output("b"),)),))
        c = Takes("c", Output("b", (0,))).map(per_a)
        Takes("d", c.output)
    scheduler = VirtualScheduler(workflow)
    for value in ([1], [], [2, 3]):
        scheduler.outcome("a", result=value)

    scheduler.run()

    assert b.takes == ("a",)
    assert handed(scheduler, "c") == [(0,), (1,), (2,)]
    assert [len(job.elements) for job in scheduler.started("c")] == [0, 0, 0]
    whole = run_of(scheduler, "b").id
    assert [scheduler.store.result(whole, (place,)) for place in range(3)] == [
        "[null]",
        "[]",
        "[null,null]",
    ]
    assert scheduler.runs("d") == [(1, OK)]


def test_axes_of_ones_own_make_a_product() -> None:
    with Workflow("w") as workflow:
        Work("a")
        Work("b").map(Mapped((Given(("x", "y")), Each(Output("a")))))
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", result=[1, 2, 3])
    scheduler.run()

    told = [list(job.elements.values()) for job in scheduler.started("b")]
    assert told == [[f'"{letter}"', f"{number}"] for letter in "xy" for number in (1, 2, 3)]
    assert handed(scheduler) == [(row, place) for row in range(2) for place in range(3)]
    assert result(scheduler) == [[None] * 3] * 2


def test_a_list_may_depend_on_the_axis_before() -> None:
    with Workflow("w") as workflow:
        Work("a").map([0, 1])
        Work("b").map(Mapped((Given((5, 6)), Each(Output("a", (0,))))))
    scheduler = VirtualScheduler(workflow)
    for value in ([1], [2, 3]):
        scheduler.outcome("a", result=value)

    scheduler.run()

    assert handed(scheduler) == [(0, 0), (1, 0), (1, 1)]


def test_rules_see_the_task_and_none_of_its_items() -> None:
    scheduler = over(3)
    scheduler.outcome("b")
    scheduler.outcome("b", FAILED)

    scheduler.run()

    facts = scheduler.events("eventflow.task.w.b.*")
    assert [event.key.rpartition(".")[2] for event in facts] == [
        "init",
        "queued",
        "running",
        "failed",
    ]
    assert {event.value["task_execution_id"] for event in facts} == {run_of(scheduler).id}
    assert paths(scheduler) == [OK, BAD, OK]


@pytest.mark.rule("S22")
def test_a_task_after_a_map_starts_once_when_all_of_it_has_ended() -> None:
    with Workflow("w") as workflow:
        Work("b").map(range(3)) >> Work("c")
    scheduler = VirtualScheduler(workflow)
    for after in (1, 5, 2):
        scheduler.outcome("b", after=after)
    scheduler.run()

    scheduler.advance(seconds=4)
    assert scheduler.runs("c") == []
    scheduler.advance(seconds=1)

    assert scheduler.runs("c") == [(1, OK)]


@pytest.mark.rule("S42")
def test_what_was_decided_says_that_the_items_came_to_be() -> None:
    scheduler = over(2)
    scheduler.run()

    assert dids(scheduler) == ["expanded"]
    (expanded,) = [record for record in scheduler.decisions() if record.did == "expanded"]
    assert (expanded.action, expanded.event_key) == ("expand", "eventflow.command.expand")
    assert expanded.task_execution_id == run_of(scheduler).id
    began = scheduler.store.history(run_of(scheduler).id)[2]
    assert (began.status, began.reason) == ("RUNNING", "2 items")
    assert {item.started_by for item in items(scheduler)} == {"map"}
    assert {item.parent for item in items(scheduler)} == {run_of(scheduler).id}


@pytest.mark.rule("S22")
def test_a_map_whose_rule_starts_it_again_has_new_items_each_time() -> None:
    with Workflow("w", completion="manual") as workflow:
        a = Work("a")
        b = Work("b").map(a.output)
        a.action_on_event_received(START, "more")
        b.action_on_task_status(START, {a: SUCCESS})
    scheduler = VirtualScheduler(workflow)
    for value in ([1, 2], [3]):
        scheduler.outcome("a", result=value)
    for number in range(3):
        scheduler.outcome("b", result=number)
    scheduler.run()

    scheduler.emit("more")
    scheduler.emit("more")

    assert scheduler.runs("b") == [(1, OK), (2, OK)]
    assert [result(scheduler, "b", None, number) for number in (0, 1)] == [[0, 1], [2]]
    numbers = [item.sequence_number for item in items(scheduler)]
    assert numbers == [2]


@pytest.mark.rule("S34")
def test_a_periodic_map_runs_all_of_its_items_at_each_due_time() -> None:
    with Workflow("w") as workflow:
        Work("b", periodic_expression="@hourly").map([1, 2])
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("b", after=30)
    scheduler.run()

    scheduler.advance(hours=2)

    assert scheduler.runs("b") == [(number, OK) for number in (1, 2, 3)]
    assert len(scheduler.started("b")) == 6


@pytest.mark.rule("S34")
def test_a_periodic_map_that_overlaps_is_restarted_with_all_of_its_items() -> None:
    with Workflow("w") as workflow:
        Work("b", periodic_expression="@hourly", overlap="restart").map([1, 2])
    scheduler = VirtualScheduler(workflow)
    for _ in range(2):
        scheduler.outcome("b", RUNNING)
    scheduler.run()

    scheduler.advance(hours=1)

    assert scheduler.runs("b") == [(1, [*OK[:3], "RESTARTING", "STOPPED"]), (2, OK)]
    assert stand(scheduler, "b", None, 0) == ["STOPPED", "STOPPED"]
