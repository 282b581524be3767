"""What a store loads is the world that was committed (S10): held against the world itself."""

import pytest
from conftest import Opens
from shop import chain, nightly, shop
from story import Step, StillClock, Story, check_loaded, event, picture

from eventflow import Workflow
from eventflow.core.changes import Commanded
from eventflow.model.status import TaskAction, TaskStatus, WorkflowStatus
from eventflow.model.workflow import content_hash
from eventflow.store.database import Database
from eventflow.store.keeping import kept_in
from eventflow.store.ports import Loaded, Store


def orders(loaded: Loaded) -> list[tuple[str, TaskAction]]:
    return [(command.run.task, command.action) for command in loaded.commands]


def test_a_new_store_loads_an_empty_world(held: Store, clock: StillClock) -> None:
    check_loaded(Story([held], clock))


@pytest.mark.rule("S10")
def test_a_store_loads_the_world_that_was_committed(both: list[Store], clock: StillClock) -> None:
    story = Story(both, clock, shop(), nightly(), chain())
    check_loaded(story)
    story.run("shop", colour="red")
    story.emit("orders.paid", {"amount": 3}, id="o1", sender="till")
    story.run("shop")  # waits for `max_active`
    check_loaded(story)
    assert story.world.executions[3].record.status is WorkflowStatus.INIT

    story.end("failed", 1, "pick")
    check_loaded(story)
    story.due(seconds=6)
    story.end("success", 1, "pick", result='{"n": 1}')
    check_loaded(story)
    story.report("running", 1, "pack")
    story.emit("stock.changed")
    story.emit("recall")
    check_loaded(story)
    story.report("stopped", 1, "pack")
    story.end("success", 1, "pack", "ship", "bill")
    check_loaded(story)
    for value in (1, 2, "raise", 3):
        story.emit("orders.asked", value)
    story.due(minutes=5)
    check_loaded(story)
    story.command("pause", namespace="default", workflow="shop")
    story.command("stop", workflow_execution_id=1)
    story.due(hours=2)
    check_loaded(story)


@pytest.mark.rule("S10", "S43")
def test_items_are_loaded_in_the_order_in_which_they_were_opened(
    both: list[Store], clock: StillClock
) -> None:
    """In that order they are stopped: a world that was loaded must decide as the one before."""
    with Workflow("w") as workflow:
        Step("map", max_active_items=3).map([1, 2, 3, 4, 5])
    story = Story(both, clock, workflow)
    story.run("w")
    story.expand(1, "map", [5])
    story.report_run("success", 1, "map", 3)
    story.report_run("running", 1, "map", 2)
    for loaded in check_loaded(story):
        items = loaded.world.executions[1].items[1]
        assert (list(items.alive), items.next, items.first) == ([2, 4, 5], 4, 2)

    story.report_run("failed", 1, "map", 5, retryable=False)
    story.report_run("failed", 1, "map", 4, retryable=False)
    for loaded in check_loaded(story):
        items = loaded.world.executions[1].items[1]
        assert (list(items.alive), items.next, items.fault) == ([2, 6], 5, (2, "TaskError: "))


@pytest.mark.rule("S11")
def test_a_command_is_loaded_until_its_attempt_has_moved_on(held: Store, clock: StillClock) -> None:
    story = Story([held], clock, chain())
    story.run("chain")
    (loaded,) = check_loaded(story)
    assert orders(loaded) == [("first", TaskAction.START)]
    assert isinstance(loaded.commands[0], Commanded)
    assert loaded.commands[0].trigger is None

    story.report("running", 1, "first")
    assert orders(check_loaded(story)[0]) == []
    story.command("task", workflow_execution_id=1, task="first", action="STOP")
    assert orders(check_loaded(story)[0]) == [("first", TaskAction.STOP)]
    story.report("stopped", 1, "first")
    assert orders(check_loaded(story)[0]) == []


@pytest.mark.rule("S11", "S20")
def test_a_stop_of_what_is_not_begun_takes_its_start_back(held: Store, clock: StillClock) -> None:
    story = Story([held], clock, chain())
    story.run("chain")
    story.command("task", workflow_execution_id=1, task="first", action="STOP")

    assert orders(check_loaded(story)[0]) == [("first", TaskAction.STOP)]


def test_commands_come_in_the_order_in_which_they_were_given(
    both: list[Store], clock: StillClock
) -> None:
    story = Story(both, clock, shop(max_active=9))
    for _ in range(3):
        story.run("shop")
    story.report("running", 1, "count")
    story.command("task", workflow_execution_id=1, task="count", action="STOP")

    for loaded in check_loaded(story):
        tasks = [(command.execution_id, command.run.task) for command in loaded.commands]
        assert tasks == [
            (1, "pick"),
            (2, "pick"),
            (2, "count"),
            (3, "pick"),
            (3, "count"),
            (1, "count"),
        ]


@pytest.mark.spoils
@pytest.mark.rule("S12", "S22")
def test_rules_are_told_no_more_than_before_when_facts_wait_in_the_log(
    both: list[Store], clock: StillClock
) -> None:
    story = Story(both, clock, shop())
    story.run("shop")
    story.report("running", 1, "pick")
    standing = story.world.executions[1].standings["pick"]
    assert standing.latest is not None
    report = event(
        "eventflow.report.success",
        {"execution_id": 1, "task": "pick", "run_id": standing.latest.id, "attempt": 1},
        workflow_execution_id=1,
    )
    # The bound is reached before the fact of the success is decided: it is left in the log.
    story.batch(report, limit=1)

    for loaded in check_loaded(story):
        told = loaded.world.executions[1].standings["pick"]
        assert told.latest is not None
        assert told.latest.status is TaskStatus.SUCCESS
        assert told.told == (1, TaskStatus.RUNNING)
    story.batch()
    assert story.world.executions[1].standings["bill"].latest is not None
    check_loaded(story)


def test_an_execution_whose_facts_all_wait_has_been_told_nothing(
    both: list[Store], clock: StillClock
) -> None:
    story = Story(both, clock, chain())
    story.batch(
        event("eventflow.command.run", {"namespace": "default", "workflow": "chain", "params": {}}),
        limit=1,
    )

    for loaded in check_loaded(story):
        assert loaded.world.executions[1].standings["first"].told is None


@pytest.mark.rule("S20", "S22")
def test_a_dropped_successor_is_no_ones_latest(both: list[Store], clock: StillClock) -> None:
    story = Story(both, clock, shop())
    story.run("shop")
    story.emit("stock.changed")
    story.report("running", 1, "watch")
    story.emit("stock.changed")
    check_loaded(story)
    story.emit("stock.closed")

    for loaded, store in zip(check_loaded(story), story.stores, strict=True):
        standing = loaded.world.executions[1].standings["watch"]
        assert standing.latest is not None
        assert (standing.latest.sequence_number, standing.last_sequence) == (1, 2)
        assert store.task_status(1, "watch") is TaskStatus.STOPPING
    story.report("stopped", 1, "watch")
    for loaded in check_loaded(story):
        standing = loaded.world.executions[1].standings["watch"]
        assert standing.latest is not None
        assert (standing.latest.sequence_number, standing.last_sequence) == (1, 2)
        assert standing.latest.status is TaskStatus.STOPPED


def test_an_attempt_that_ran_out_of_time_is_known_to_have(
    both: list[Store], clock: StillClock
) -> None:
    story = Story(both, clock, shop())
    story.run("shop")
    story.report("running", 1, "pick")
    story.due(seconds=61)

    for loaded, store in zip(check_loaded(story), both, strict=True):
        latest = loaded.world.executions[1].standings["pick"].latest
        assert latest is not None
        assert (latest.timed_out, latest.status) == (True, TaskStatus.RUNNING)
        # Its status did not change, so its history has nothing new.
        assert [one.status.value for one in store.history(1)] == ["INIT", "QUEUED", "RUNNING"]


@pytest.mark.rule("S41")
def test_an_old_snapshot_goes_on_beside_the_newest(both: list[Store], clock: StillClock) -> None:
    story = Story(both, clock, shop())
    story.run("shop")
    story.register(shop(description="another"))
    story.run("shop")

    for loaded in check_loaded(story):
        plans = {live.id: live.plan.snapshot for live in loaded.world.executions.values()}
        assert len(set(plans.values())) == 2
        assert set(loaded.world.plans) == set(plans.values())
    assert [record.snapshot for record in both[0].workflows()] == [plans[2]]


@pytest.mark.rule("S41")
@pytest.mark.fault("F42")
def test_f42_an_execution_whose_code_is_gone_is_parked_and_nothing_is_lost(
    both: list[Store], clock: StillClock
) -> None:
    story = Story(both, clock, shop(), nightly(), chain())
    story.run("shop")
    story.run("chain")
    gone = story.plans.pop(content_hash(shop().definition()))
    nights = story.plans.pop(content_hash(nightly().definition()))

    for store in both:
        loaded = store.load(story.plan)
        assert loaded.parked == {1: f"snapshot {gone.snapshot[:12]} has no code here"}
        assert set(loaded.world.executions) == {2}
        assert set(loaded.world.workflows) == {("default", "chain")}
        assert {command.execution_id for command in loaded.commands} == {2}
        assert loaded.world.timers == {}
        assert len(store.timers()) == 3
        assert len(store.workflows()) == 3

    story.plans |= {gone.snapshot: gone, nights.snapshot: nights}
    check_loaded(story)


@pytest.mark.rule("S41")
@pytest.mark.fault("F42")
def test_f42_a_workflow_whose_newest_code_is_gone_parks_its_older_executions_too(
    held: Store, clock: StillClock
) -> None:
    story = Story([held], clock, shop())
    story.run("shop")
    newest = story.register(shop(description="another"))
    del story.plans[newest.snapshot]

    assert set(held.load(story.plan).parked) == {1}


@pytest.mark.rule("S9", "S10")
def test_a_loaded_world_decides_as_the_one_before_would_have(
    both: list[Store], clock: StillClock
) -> None:
    story = Story(both, clock, shop())
    story.run("shop")
    story.emit("recall")
    story.emit("stock.changed")
    story.report("running", 1, "pick")
    loaded = both[0].load(story.plan)
    twin = Story([], clock)
    twin.world, twin.cursor, twin.plans = loaded.world, story.cursor, story.plans

    for one in (story, twin):
        one.report("success", 1, "pick", result="1")

    assert picture(story.world) == picture(twin.world)


@pytest.mark.parametrize("runs", [3, 30])
def test_a_task_that_has_run_often_costs_no_more_rows_to_load(
    opens: Opens, url: str, clock: StillClock, runs: int
) -> None:
    store = opens()
    store.hold("test")
    story = Story([store], clock, shop())
    story.run("shop")
    for _ in range(runs):
        story.emit("stock.changed")
        story.end("success", 1, "watch", result="1")
    story.emit("stock.changed")
    check_loaded(story)

    database = Database(url, create=False)
    with database.session() as session:
        kept = [row for row in kept_in(session).runs if row.task == "watch"]
    database.close()
    assert [row.sequence_number for row in kept] == [runs, runs + 1]
