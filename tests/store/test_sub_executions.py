"""The link between a run and its sub-execution, in both stores and back from them (S40)."""

from dataclasses import asdict
from pathlib import Path

import invariants
import pytest
from story import Step, StillClock, Story, asked, check_loaded, event
from test_parity import check_reads

from eventflow.core.decide import QUIET, take
from eventflow.core.decision import Decision
from eventflow.core.draft import Draft
from eventflow.model.records import ParentLink
from eventflow.model.status import TaskAction
from eventflow.model.workflow import Workflow
from eventflow.operators.workflow import WorkflowOperator
from eventflow.store.ports import Store

pytestmark = pytest.mark.rule("S40", "S10")


@pytest.fixture
def story(both: list[Store], clock: StillClock) -> Story:
    with Workflow("child", max_active=1) as child:
        Step("work")
    with Workflow("parent") as parent:
        WorkflowOperator("sub", child, retries=1, timeout=600)
    return Story(both, clock, child, parent)


def subrun(story: Story, execution_id: int, attempt: int = 1) -> list[Decision]:
    run = story.world.executions[execution_id].standings["sub"].latest
    assert run is not None
    parent = ParentLink(
        workflow_execution_id=execution_id,
        task_name="sub",
        task_execution_id=run.id,
        attempt=attempt,
    )
    return story.command(
        "subrun",
        namespace="default",
        workflow="child",
        params={"day": 1},
        parent=asdict(parent),
    )


def quiet(story: Story, execution_id: int) -> None:
    told = event(QUIET, {"workflow_execution_id": execution_id}, sender="eventflow")
    story._decide([(told, None, None)], limit=10_000)


def statuses(story: Story) -> list[tuple[int, str]]:
    """Each sub-execution of the first execution: its attempt and status."""
    found = []
    for sub in story.stores[0].sub_executions(1):
        assert sub.parent is not None
        found.append((sub.parent.attempt, sub.status.value))
    return found


def test_the_link_is_kept_and_loaded_through_the_whole_life(story: Story) -> None:
    story.run("parent")
    (loaded, _) = check_loaded(story)
    assert [(one.run.task, one.action) for one in loaded.commands] == [("sub", TaskAction.START)]
    subrun(story, 1)
    (loaded, _) = check_loaded(story)
    assert loaded.world.subs == {1: 2}
    assert [one.run.task for one in loaded.commands] == ["work"]

    story.end("failed", 2, "work")
    check_loaded(story)
    quiet(story, 2)
    (loaded, _) = check_loaded(story)
    assert loaded.world.subs == {}
    assert statuses(story) == [(1, "FAILED")]
    subrun(story, 1, attempt=2)
    check_loaded(story)
    story.end("success", 3, "work")
    quiet(story, 3)

    check_loaded(story)
    check_reads(story)
    assert statuses(story) == [(1, "FAILED"), (2, "SUCCESS")]
    (run,) = story.stores[0].execution(1).tasks  # type: ignore[union-attr]
    assert run.status == "SUCCESS"
    assert story.stores[0].result(run.id) == '{"workflow_execution_id":3,"workflow":"child"}'


def test_one_that_waits_for_its_turn_is_loaded_and_stopped_with_its_run(story: Story) -> None:
    story.run("parent")
    story.run("parent")
    subrun(story, 1)
    subrun(story, 2)
    (loaded, _) = check_loaded(story)
    assert loaded.world.subs == {1: 3, 2: 4}
    assert story.world.executions[4].record.status == "INIT"

    story.command("stop", workflow_execution_id=2)

    check_loaded(story)
    check_reads(story)
    assert 4 not in story.world.executions
    assert [run.status for run in story.stores[0].execution(2).tasks] == ["STOPPED"]  # type: ignore[union-attr]


def test_one_that_is_stopped_with_its_run_is_loaded_as_that(story: Story) -> None:
    story.run("parent")
    subrun(story, 1)
    story.report("running", 2, "work")

    story.due(seconds=601)

    (loaded, _) = check_loaded(story)
    assert loaded.world.executions[2].stopping
    run = loaded.world.executions[1].standings["sub"].latest
    assert run is not None
    assert (run.status, run.timed_out) == ("RUNNING", True)
    # Nothing of the task itself is an executor's to stop.
    assert [(one.run.task, one.action) for one in loaded.commands] == [("work", TaskAction.STOP)]


def test_a_stop_orders_nothing_of_an_executor_but_what_it_holds(
    story: Story, tmp_path: Path
) -> None:
    story.run("parent")
    story.command("task", workflow_execution_id=1, task="sub", action="STOP")
    (loaded, _) = check_loaded(story)
    assert loaded.commands == []
    assert invariants.broken(tmp_path / "store.db") == []

    story.command("task", workflow_execution_id=1, task="sub", action="START")
    subrun(story, 1)
    story.command("task", workflow_execution_id=1, task="sub", action="STOP")

    (loaded, _) = check_loaded(story)
    assert [(one.run.task, one.action) for one in loaded.commands] == [("work", TaskAction.STOP)]
    assert invariants.broken(tmp_path / "store.db") == []


def test_the_end_of_one_whose_fact_is_left_over_moves_the_run_later(story: Story) -> None:
    story.run("parent")
    subrun(story, 1)
    story.end("success", 2, "work")
    told = event(QUIET, {"workflow_execution_id": 2}, sender="eventflow")

    story._decide([(told, None, None)], limit=1)

    (loaded, _) = check_loaded(story)
    assert loaded.world.subs == {}
    run = loaded.world.executions[1].standings["sub"].latest
    assert run is not None
    assert run.status == "RUNNING"
    story.batch()
    check_loaded(story)
    assert story.world.executions[1].standings["sub"].latest.status == "SUCCESS"  # type: ignore[union-attr]


def test_a_batch_that_is_taken_back_takes_the_link_back(story: Story) -> None:
    story.run("parent")
    subrun(story, 1)
    story.end("success", 2, "work")
    draft = Draft(story.world)
    told = event(QUIET, {"workflow_execution_id": 2}, sender="eventflow")

    decision = take(draft, told, asked, story.clock.time)
    assert (decision.outcomes, story.world.subs) == ((), {})
    draft.rollback()

    assert story.world.subs == {1: 2}
    check_loaded(story)
