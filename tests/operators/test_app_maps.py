"""AppOperator as a mapped task: one remote run for each item (S43)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from app_kit import FAST, HERE, Runner
from remote_platform import PATIENCE_S, Platform

from eventflow import AppOperator, AppRun, PythonOperator, Scheduler, TaskStatus, Workflow
from eventflow.errors import DefinitionError

RUNS = [
    AppRun(input=[1], options={"limit": 9}, name="night", instance_id="green"),
    AppRun(input=[2], options={"limit": None}, description="by hand"),
    {"plain": True},
]


@pytest.fixture
def offline(tmp_path: Path) -> Iterator[Scheduler]:
    with Scheduler(f"sqlite:///{tmp_path / 'offline.db'}") as scheduler:
        yield scheduler


def by_input(platform: Platform) -> list[dict[str, Any]]:
    """The bodies of the starts, in the order of the items."""
    order = [[1], [2], {"plain": True}]
    return sorted(
        (asked.body for asked in platform.of("start")), key=lambda body: order.index(body["input"])
    )


@pytest.mark.rule("S43")
@pytest.mark.parametrize("given", [True, False], ids=["given", "of an upstream"])
def test_an_item_is_the_input_of_its_run_and_may_say_what_differs(
    runner: Runner, platform: Platform, given: bool
) -> None:
    with Workflow("remote") as workflow:
        solve = AppOperator(
            "solve",
            "routing",
            options={"limit": 3, "fast": True},
            instance_id="blue",
            connection=HERE,
            polling=FAST,
        )
        if given:
            solve.map(RUNS)
        else:
            told = [one.to_json() if isinstance(one, AppRun) else one for one in RUNS]
            solve.map(PythonOperator("decide", lambda: told).output)
    handle = runner.scheduler.run(workflow)
    handle.wait(PATIENCE_S)

    assert handle.result("solve") == [{"cost": 42}] * 3
    first, second, third = by_input(platform)
    assert (first["options"], first["name"]) == ({"limit": "9", "fast": "True"}, "night")
    assert (second["options"], second["description"]) == ({"fast": "True"}, "by hand")
    assert third["options"] == {"limit": "3", "fast": "True"}
    assert third["name"] == "remote.solve (1_solve_1[2])"
    assert third["description"] == (
        "Started by eventflow for task solve, item 2, run 1, of execution 1 of workflow remote"
    )
    instances = sorted(asked.query["instance_id"][0] for asked in platform.of("start"))
    assert instances == ["blue", "blue", "green"]
    keys = {asked.headers["idempotency-key"] for asked in platform.of("start")}
    assert len(keys) == 3


@pytest.mark.rule("S43")
def test_an_input_that_is_given_may_take_the_output_that_goes_with_the_item(
    runner: Runner, platform: Platform
) -> None:
    with Workflow("remote") as workflow:
        solve = AppOperator("solve", "routing", input="all", connection=HERE, polling=FAST)
        solve.map([1, 2])
    runner.scheduler.run(workflow).wait(PATIENCE_S)

    assert [asked.body["input"] for asked in platform.of("start")] == ["all", "all"]


@pytest.mark.rule("S20", "S43")
def test_a_stop_of_the_map_cancels_every_remote_run(runner: Runner, platform: Platform) -> None:
    platform.hold.set()
    with Workflow("remote") as workflow:
        solve = AppOperator("solve", "routing", connection=HERE, polling=FAST, max_active_items=3)
        solve.map(range(5))
    handle = runner.scheduler.run(workflow)
    platform.wait_for("look", 6)
    started = {f"run-{n + 1}" for n in range(len(platform.wait_for("start", 3)))}

    handle.stop("enough")
    handle.wait(PATIENCE_S)

    (run,) = handle.tasks
    assert run.status is TaskStatus.STOPPED
    assert {asked.run for asked in platform.of("cancel")} == started
    assert len(started) == 3


def test_a_run_that_fails_there_fails_its_item_and_no_other(
    runner: Runner, platform: Platform
) -> None:
    with Workflow("remote") as workflow:
        fixed = [{"output": 1}, {"metadata": {"status_v2": "failed", "error": "no road"}}]
        AppOperator("solve", "routing", recorded=fixed).map([1, 2])
    handle = runner.scheduler.run(workflow)
    handle.wait(PATIENCE_S)

    (run,) = handle.tasks
    assert str(run.items) == "2/2 items, 1 failed"
    assert "no road" in run.reason
    assert platform.asked == []


def test_recorded_answers_are_given_item_by_item(offline: Scheduler) -> None:
    answers = [{"output": {"cost": n}} for n in range(3)]
    with Workflow("remote") as workflow:
        solve = AppOperator("solve", "routing", recorded=answers).map([{"n": n} for n in range(3)])
        one = AppOperator("one", "routing", recorded={"output": "same"}).map(solve.output)
        short = AppOperator("short", "routing", recorded=answers[:1]).map([0, 1])
    handle = offline.run(workflow)
    handle.wait(PATIENCE_S)

    assert handle.result(solve.name) == [{"cost": 0}, {"cost": 1}, {"cost": 2}]
    assert handle.result(one.name) == ["same"] * 3
    (failed,) = [run for run in handle.tasks if run.task_name == short.name]
    assert "1 answers are recorded, and none for short[1] #1" in failed.reason


def test_a_list_of_recorded_answers_is_for_a_map_and_each_is_an_answer() -> None:
    with Workflow("remote") as workflow:
        AppOperator("solve", "routing", recorded=[{"output": 1}])
    with pytest.raises(DefinitionError, match="is for a mapped task"):
        workflow.validate()
    waits = {"metadata": {"status": "queued"}}
    with (
        Workflow("other"),
        pytest.raises(DefinitionError, match=r"recorded\[1\] is queued, which is no end"),
    ):
        AppOperator("solve", "routing", recorded=[{"output": 1}, waits])
