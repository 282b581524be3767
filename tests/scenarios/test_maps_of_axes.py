"""Maps over axes of one's own: each looks at the axes before it as it says (S43)."""

import pytest
from map_kit import OK, RUNNING, START, Takes, handed, items, result
from scenario_tasks import Work

from eventflow import Workflow
from eventflow.model.arguments import Output
from eventflow.model.mapped import Along, Axis, Each, Given, Mapped
from eventflow.testing import VirtualScheduler

pytestmark = pytest.mark.rule("S43")


def mapped(*axes: Axis, values: tuple[object, ...] = ()) -> VirtualScheduler:
    """`a` has three items that return the values; `z` lists of them, and `b` these axes."""
    with Workflow("w") as workflow:
        a = Work("a").map(range(3))
        Work("z").map(a.output, nested=True)
        Work("b").map(Mapped(axes))
    scheduler = VirtualScheduler(workflow)
    for value in values:
        scheduler.outcome("a", result=value)
    scheduler.run()
    return scheduler


def told(scheduler: VirtualScheduler) -> list[list[str]]:
    """What every item was about, axis by axis, as JSON."""
    return [list(job.elements.values()) for job in scheduler.started("b")]


def test_a_list_before_the_last_axis_gives_its_elements_in_their_turn() -> None:
    with Workflow("w") as workflow:
        a = Work("a")
        Work("b").map(Mapped((Each(a.output), Given(("x", "y")))))
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", result=[1, 2, 3])
    scheduler.run()

    assert told(scheduler) == [
        [number, letter] for number in ("1", "2", "3") for letter in ('"x"', '"y"')
    ]


def test_an_axis_may_look_at_any_axis_before_it_and_not_at_the_nearest_only() -> None:
    lists = ([10], [20, 21], [])
    scheduler = mapped(
        Given(("p", "q")), Along((Output("a"),)), Each(Output("a", (1,))), values=lists
    )

    wanted = [
        (letter, place, number)
        for letter in range(2)
        for place, one in enumerate(lists)
        for number in range(len(one))
    ]
    assert handed(scheduler) == wanted
    assert told(scheduler) == [
        [f'"{"pq"[letter]}"', str(lists[place][number])] for letter, place, number in wanted
    ]


def test_an_axis_along_another_may_look_at_any_axis_before_it() -> None:
    lists = ([10], [20, 21], [])
    scheduler = mapped(
        Given(("p", "q")), Along((Output("a"),)), Along((Output("z", (1,)),)), values=lists
    )

    assert [index[1:] for index in handed(scheduler)] == [(0, 0), (1, 0), (1, 1)] * 2


def test_more_lists_than_are_kept_at_once_are_read_again() -> None:
    count = 20
    with Workflow("w") as workflow:
        a = Work("a").map(range(count))
        Work("b", max_active_items=3).map(a.output, nested=True)
    scheduler = VirtualScheduler(workflow)
    for number in range(count):
        scheduler.outcome("a", result=[number, -number])
    scheduler.run()

    assert told(scheduler) == [[str(one)] for number in range(count) for one in (number, -number)]
    assert len(items(scheduler)) == 2 * count


@pytest.mark.rule("S38")
def test_along_a_task_that_never_ran_and_need_not_there_are_no_items() -> None:
    with Workflow("w") as workflow:
        Work("a", autostart=False).map(range(3))
        x = Work("x")
        b = Work("b").map(Mapped((Along((Output("a", (), True),)),)))
    b.action_on_task_status(START, {x: "SUCCESS"})
    scheduler = VirtualScheduler(workflow)
    scheduler.run()

    assert (scheduler.runs("b"), result(scheduler)) == ([(1, OK)], [])
    assert scheduler.started("b") == []


def test_items_of_items_take_what_their_own_arguments_pick() -> None:
    with Workflow("w") as workflow:
        a = Work("a").map(range(2))
        b = Work("b").map(a.output, nested=True)
        picks = Takes("c", Output("a", (0,)), Output("b", (0, 1)), Output("b", (0,)), a.output)
        picks.map(Mapped((Along((Output("b"),)), Along((Output("b", (0,)),)))))
    scheduler = VirtualScheduler(workflow)
    for value in ([1], [2, 3]):
        scheduler.outcome("a", result=value)
    scheduler.outcome("c", RUNNING)
    scheduler.run()

    assert b.takes == ("a",)
    assert handed(scheduler, "c") == [(0, 0), (1, 0), (1, 1)]
    assert [sorted(job.inputs) for job in scheduler.started("c")] == [["a", "b"]] * 3
