"""Mapped tasks in pictures: a node for each item, what it came from, what is too many (S43)."""

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from platform_here import SOON_S, LocalPlatform

from eventflow import PythonOperator, Scheduler, TaskAction, Workflow
from eventflow.reporters import UplinkClient, UplinkConfig, items
from eventflow.reporters.picture import Definition, Picture, picture_of
from eventflow.reporters.wire import Report, request_of
from eventflow.testing import VirtualScheduler

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
pytestmark = pytest.mark.rule("S43")


def pictured(workflow: Workflow, store: str = "sqlite://") -> Picture:
    """The picture of an execution that has run to its end."""
    with Scheduler(store) as scheduler:
        ended = scheduler.run(workflow).wait(SOON_S)
        return picture_of(scheduler.store, ended, Definition(workflow))


def body(picture: Picture, wire: str = "flow") -> Any:
    config = UplinkConfig(url="https://platform.example", wire=wire)  # type: ignore[arg-type]
    sent = request_of(Report(picture=picture, id="x", number=1, at=AT), config, "").body
    assert sent is not None
    return json.loads(sent)


def nodes(picture: Picture) -> dict[str, list[str]]:
    """Node -> the nodes before it; their ids are all different."""
    told = body(picture)["pipeline_graph"]["nodes"]
    found = {node["id"]: node["predecessor_ids"] for node in told}
    assert len(found) == len(told)
    return found


def squares(count: int = 3) -> Workflow:
    with Workflow("squares") as workflow:
        numbers = PythonOperator("numbers", lambda: list(range(count)))
        square = PythonOperator("square", lambda number: number * number).map(numbers.output)
        half = PythonOperator("half", lambda number: number / 2).map(square.output)
        PythonOperator("total", sum, [half.output])
    return workflow


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_every_item_is_a_node_that_comes_from_the_item_whose_result_it_takes(
    kind: str, tmp_path: Path
) -> None:
    store = "sqlite://" if kind == "memory" else f"sqlite:///{tmp_path / 'store.db'}"

    assert nodes(pictured(squares(), store)) == {
        "numbers_0": [],
        "square_0": ["numbers_0"],
        "square_1": ["numbers_0"],
        "square_2": ["numbers_0"],
        "half_0": ["square_0"],
        "half_1": ["square_1"],
        "half_2": ["square_2"],
        "total_0": ["half_0", "half_1", "half_2"],
    }


def test_an_item_of_a_nested_map_comes_from_its_part_and_a_join_of_one_level_from_its_group() -> (
    None
):
    with Workflow("nested") as workflow:
        words = PythonOperator("words", lambda: ["ab", "c"])
        letters = PythonOperator("letters", list).map(words.output)
        big = PythonOperator("big", lambda letter: letter.upper()).map(letters.output, nested=True)
        PythonOperator("size", lambda _, group: len(group), [big.output]).map(words.output)

    picture = pictured(workflow)
    items_of = {run.task: run.items for run in picture.runs}

    assert [(item.key, item.predecessors) for item in items_of["big"]] == [
        ("1_big_1[0,0]", ("1_letters_1[0]",)),
        ("1_big_1[0,1]", ("1_letters_1[0]",)),
        ("1_big_1[1,0]", ("1_letters_1[1]",)),
    ]
    assert nodes(picture)["size_0"] == ["words_0", "big_0", "big_1", "big_2"]


def test_our_own_format_tells_the_index_the_attempt_and_the_error_of_each_item() -> None:
    with Workflow("flaky", namespace="shop") as workflow:
        PythonOperator("divide", lambda number: 1 // number, retries=1, retry_delay=0).map([1, 0])

    told = body(pictured(workflow), "cloudevents")["data"]
    (run,) = told["runs"]

    assert told["tasks"][0]["mapped"]
    assert run["status"] == "FAILED"
    assert run["item_counts"] == {"FAILED": 1, "SUCCESS": 1}
    assert [(item["key"], item["index"], item["attempt"]) for item in run["items"]] == [
        ("1_divide_1[0]", [0], 1),
        ("1_divide_1[1]", [1], 2),
    ]
    assert [item["status"] for item in run["items"]] == ["SUCCESS", "FAILED"]
    assert run["items"][1]["error"]["type"] == "ZeroDivisionError"


def test_of_too_many_items_their_counts_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "MAX_ITEMS", 3)
    picture = pictured(squares(4))

    assert nodes(picture) == {
        "numbers_0": [],
        "square_0": ["numbers_0"],
        "half_0": ["square_0"],
        "total_0": ["half_0"],
    }
    assert [run.counts for run in picture.runs if run.task == "half"] == [(("SUCCESS", 4),)]
    steps = body(picture)["pipeline_graph"]["steps"]
    assert [step.get("docs") for step in steps][:3] == [None, "4/4 items", "4/4 items"]


def test_of_many_maps_the_newest_are_told_item_by_item(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "MAX_ITEMS_IN_ALL", 4)

    picture = pictured(squares())

    assert {run.task: len(run.items) for run in picture.runs} == {
        "numbers": 0,
        "square": 0,
        "half": 3,
        "total": 0,
    }
    assert nodes(picture)["half_1"] == ["square_0"]


def test_items_that_each_take_a_whole_map_do_not_make_a_post_large(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("eventflow.reporters.flowformat.MAX_LINKS", 7)
    with Workflow("crossed") as workflow:
        left = PythonOperator("left", int).map([1, 2, 3])
        PythonOperator("right", lambda _, all_left: len(all_left), [left.output]).map([4, 5, 6])

    picture = pictured(workflow)

    everything = ["left_0", "left_1", "left_2"]
    assert {run.task: run.items for run in picture.runs}["right"][0].predecessors == ("1_left_1",)
    assert [nodes(picture)[f"right_{number}"] for number in range(3)] == [
        everything,
        everything,
        [],
    ]


def test_a_map_over_nothing_is_one_node() -> None:
    assert nodes(pictured(squares(0))) == {
        "numbers_0": [],
        "square_0": ["numbers_0"],
        "half_0": ["square_0"],
        "total_0": ["half_0"],
    }


def test_the_items_of_a_second_run_are_other_nodes() -> None:
    with Workflow("again", completion="manual") as workflow:
        each = PythonOperator("each", int).map([1, 2])
        each.action_on_event_received(TaskAction.START, "go")
    scheduler = VirtualScheduler(workflow)

    scheduler.run()
    scheduler.emit("go")
    scheduler.emit("go")
    picture = picture_of(scheduler.store, scheduler.execution(), Definition(workflow))

    assert [*nodes(picture)] == ["each_0", "each_1", "each_1000", "each_1001"]


def test_the_platform_sees_items_end_while_their_map_goes_on(platform: LocalPlatform) -> None:
    opened = [threading.Event(), threading.Event()]
    with Workflow("watched") as workflow:
        PythonOperator("each", lambda number: opened[number].wait(SOON_S)).map([0, 1])

    def stand(*statuses: str) -> Callable[[Any], bool]:
        return lambda told: (
            [item["status"] for run in told["runs"] for item in run.get("items", ())] == [*statuses]
        )

    with Scheduler("sqlite://") as scheduler:
        UplinkClient(UplinkConfig(url=platform.url, interval=0.05)).attach(scheduler)
        handle = scheduler.run(workflow)
        platform.until_told(stand("RUNNING", "RUNNING"))
        opened[1].set()
        platform.until_told(stand("RUNNING", "SUCCESS"))
        opened[0].set()
        handle.wait(SOON_S)

    assert platform.posts[-1].told["runs"][0]["item_counts"] == {"SUCCESS": 2}
