"""What a store keeps of a retry: the picture that waits, what was taken over, and by reference."""

from shop import chain, shop
from story import Step, StillClock, Story, check_loaded

from eventflow.model.event import Event
from eventflow.model.status import TaskAction, TaskStatus, WorkflowStatus
from eventflow.model.workflow import Workflow
from eventflow.store.ports import Store


def fork(*, max_active: int = 4) -> Workflow:
    """Two tasks, two after the first of them, and one after both, whatever came of the second."""
    with Workflow("fork", max_active=max_active) as workflow:
        left, right = Step("left"), Step("right")
        left >> [Step("one"), Step("three")]
        Step("two").action_on_task_status(
            TaskAction.START,
            {left: TaskStatus.SUCCESS, right: {TaskStatus.SUCCESS, TaskStatus.FAILED}},
        )
    return workflow


def ended_fork(story: Story) -> int:
    """An execution in which `right` and `two` failed."""
    story.run("fork")
    number = max(story.world.executions)
    story.end("success", number, "left", result='{"rows":3}')
    story.end("failed", number, "right")
    story.end("success", number, "one", result="1")
    story.end("failed", number, "two")
    story.end("success", number, "three", result="3")
    story.quiet(number)
    assert number not in story.world.executions
    return number


def test_a_store_loads_a_retry_at_every_step(both: list[Store], clock: StillClock) -> None:
    story = Story(both, clock, fork())
    old = ended_fork(story)

    story.retry(old)
    check_loaded(story)
    live = story.world.executions[2]
    assert set(live.retried) == {"two"}
    story.report("running", 2, "right")
    check_loaded(story)
    story.report("failed", 2, "right")
    check_loaded(story)
    assert live.retried == {}
    story.end("success", 2, "two", result="2")
    check_loaded(story)
    story.quiet(2)
    check_loaded(story)

    for store in both:
        found = store.execution(2)
        assert found is not None
        assert (found.status, found.retry_of) == (WorkflowStatus.FAILED, old)
        assert {run.task_name: run.taken_from for run in found.tasks} == {
            "left": 1,
            "one": 3,
            "three": 4,
            "right": None,
            "two": None,
        }


def test_a_retry_that_waits_for_its_turn_is_loaded_with_its_picture(
    both: list[Store], clock: StillClock
) -> None:
    story = Story(both, clock, fork(max_active=1))
    old = ended_fork(story)
    story.run("fork")

    story.retry(old)
    check_loaded(story)
    waits = story.world.executions[3]
    assert (waits.record.status, set(waits.retried)) == (
        WorkflowStatus.INIT,
        {"left", "right", "one", "two", "three"},
    )
    story.command("stop", workflow_execution_id=2)
    for task in ("left", "right"):
        story.report("stopped", 2, task)
    story.quiet(2)

    check_loaded(story)
    assert story.world.executions[3].record.status is WorkflowStatus.RUNNING
    assert set(story.world.executions[3].retried) == {"two"}


def test_facts_of_what_is_taken_over_may_be_left_for_the_next_batch(
    both: list[Store], clock: StillClock
) -> None:
    """What rules were told is worked out from the history: of these, they know all at once."""
    story = Story(both, clock, fork())
    old = ended_fork(story)

    for limit in range(1, 8):
        story.retry(old, limit=limit)
        check_loaded(story)
        story.batch()
        check_loaded(story)


def test_a_result_is_kept_once_and_read_through_every_retry(held: Store, clock: StillClock) -> None:
    story = Story([held], clock, fork())
    old = ended_fork(story)
    story.retry(old)
    story.end("failed", 2, "right")
    story.end("failed", 2, "two")
    story.quiet(2)
    story.retry(2)
    story.end("success", 3, "right", result="null")

    found = held.execution(3)

    assert found is not None
    left = next(run for run in found.tasks if run.task_name == "left")
    assert (left.taken_from, left.reason) == (1, "taken over from execution 1")
    assert held.result(left.id) == held.result(1) == '{"rows":3}'
    assert held.latest_result(3, "left") == '{"rows":3}'
    assert held.task_status(3, "left") is TaskStatus.SUCCESS
    assert held.task_execution(left.id) == left
    (step,) = held.history(left.id)
    assert (step.status, step.reason) == (TaskStatus.SUCCESS, "taken over from execution 1")


def test_workflow_data_is_copied_with_the_retry_and_deterministic_values_are_not(
    held: Store, clock: StillClock
) -> None:
    story = Story([held], clock, fork())
    old = ended_fork(story)
    held.write_data(old, "a", "1")
    held.write_data(old, "b", '"two"')
    held.draw(1, "uuid/1", '"drawn"')

    story.retry(old)
    held.write_data(2, "a", "9")
    held.write_data(2, "b", None)

    assert [held.read_data(old, key) for key in "ab"] == ["1", '"two"']
    assert [held.read_data(2, key) for key in "ab"] == ["9", None]
    story.command("stop", workflow_execution_id=2)
    story.report("stopped", 2, "right")
    story.quiet(2)
    story.retry(2)
    assert [held.read_data(3, key) for key in "ab"] == ["9", None]
    assert held.drawn(6, "uuid/1") is None


def test_the_event_that_started_the_old_execution_is_that_of_its_retry(
    both: list[Store], clock: StillClock
) -> None:
    story = Story(both, clock, shop(), chain())
    story.emit("orders.paid", {"amount": 3}, id="o1", sender="till", attributes={"lane": "4"})
    story.command("stop", workflow_execution_id=1)
    for task in ("pick", "count"):
        story.report("stopped", 1, task)
    story.quiet(1)

    story.retry(1)
    check_loaded(story)

    events: list[Event | None] = []
    for store in both:
        records = [store.execution(number) for number in (1, 2)]
        events += [record.trigger_event for record in records if record is not None]
    assert len(events) == 4
    assert all(event == events[0] for event in events)
    kept = story.world.executions[2].record.trigger_event
    assert kept == events[0]
