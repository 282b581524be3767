"""The items of a mapped task that never start are closed by one statement: what it writes (S43)."""

import pytest
from story import Step, StillClock, Story, check_loaded

from eventflow import TaskAction, Workflow
from eventflow.runtime.replaying import replay
from eventflow.store.memory import MemoryStore
from eventflow.store.ports import Store

INIT_STOPPED = ["INIT", "STOPPED"]


def flow(**config: object) -> Workflow:
    with Workflow("w") as workflow:
        Step("map", max_active_items=1, **config).map([1, 2, 3, 4])
    return workflow


def histories(store: Store, first: int, count: int) -> list[list[str]]:
    return [
        [change.status.value for change in store.history(run_id)]
        for run_id in range(first, first + count)
    ]


@pytest.mark.rule("S43")
def test_items_that_never_start_end_stopped_with_a_step_of_their_own(
    both: list[Store], clock: StillClock
) -> None:
    story = Story(both, clock, flow(on_item_failure="stop"))
    story.run("w")
    story.expand(1, "map", [4])
    story.report_run("failed", 1, "map", 2, retryable=False)

    for store in both:
        assert histories(store, 3, 3) == [INIT_STOPPED] * 3
        item = store.task_execution(5)
        assert item is not None
        assert (item.status, item.reason, item.end_date) == (
            "STOPPED",
            "item 0 has failed",
            clock.time,
        )
        assert replay(store, story.plan).equal
    check_loaded(story)


@pytest.mark.rule("S4", "S43")
def test_items_that_are_created_and_closed_in_one_turn_were_created_first(
    both: list[Store], clock: StillClock
) -> None:
    workflow = flow()
    workflow.action_on_event_received("map", "eventflow.command.*", TaskAction.STOP)
    story = Story(both, clock, workflow)
    story.run("w")
    story.expand(1, "map", [4])

    for store in both:
        assert histories(store, 3, 3) == [INIT_STOPPED] * 3
        assert replay(store, story.plan).equal
    check_loaded(story)


@pytest.mark.rule("S9", "S43")
def test_a_replay_holds_the_steps_and_rows_of_closed_items_against_what_was_kept(
    both: list[Store], clock: StillClock
) -> None:
    story = Story(both, clock, flow(on_item_failure="stop"))
    story.run("w")
    story.expand(1, "map", [4])
    story.report_run("failed", 1, "map", 2, retryable=False)
    memory = both[1]
    assert isinstance(memory, MemoryStore)
    shelves = memory._shelves
    assert "STOPPED" in shelves.history[4].pop()
    shelves.runs[5] = shelves.runs[5]._replace(reason="of no reason")

    found = replay(memory, story.plan)

    # The steps of one turn are held against each other in their order.
    assert {one.what for one in found.differences} == {"task_history", "task_execution"}
    assert (found.differences[-1].then["id"], found.count) == (5, 4)
