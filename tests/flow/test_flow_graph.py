"""FlowGraph, FlowStep and FlowNode: what can be asked of a flow and of its runs."""

import json
import threading
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from eventflow import TaskStatus
from eventflow.errors import FlowDefinitionError, NotFoundError
from eventflow.flow import (
    FlowSpec,
    FlowStep,
    StepKind,
    app,
    foreach,
    join,
    needs,
    optional,
    repeat,
    step,
)

SOON_S = 20


class Shop(FlowSpec):
    @foreach
    @step
    def orders(self, day: str) -> list[int]:
        """The orders of a day.

        As numbers.
        """
        return [1, 2]

    @repeat(2)
    @needs([orders])
    @step(retries=1)
    def price(self, order: int) -> int:
        return order

    @join
    @needs([price])
    @step
    def total(self, prices: list[list[int]]) -> int:
        return sum(map(sum, prices))

    @app("mailer", recorded={"output": "sent"})
    @optional(lambda flow: flow.results["total"] > 100)
    @needs([total], after=[orders])
    @step
    def mail(self) -> None: ...

    @step
    def clean_up(self) -> None: ...


def ids(steps: tuple[FlowStep, ...]) -> list[str]:
    return [one.id for one in steps]


def test_a_graph_has_the_steps_in_order_of_definition_and_who_begins() -> None:
    graph = Shop().graph

    assert ids(graph.steps) == ["orders", "price", "total", "mail", "clean_up"]
    assert ids(graph.start_steps) == ["orders", "clean_up"]
    assert graph.successors == {
        "orders": ("price", "mail"),
        "price": ("total",),
        "total": ("mail",),
        "mail": (),
        "clean_up": (),
    }
    assert graph.predecessors["mail"] == ("total", "orders")
    assert Shop.flow_graph.get_step(Shop.price) is graph.get_step("price")
    with pytest.raises(FlowDefinitionError, match=r"no step 'prize'.*'price'"):
        graph.get_step("prize")


def test_a_step_tells_what_it_is() -> None:
    price, mail = (Shop().graph.get_step(name) for name in ("price", "mail"))

    assert price.kinds == {StepKind.REPEAT}
    assert price.repetitions == 2
    assert price.function is Shop.price
    assert ids(price.predecessors) == ["orders"]
    assert ids(price.successors) == ["total"]
    assert mail.kinds == {StepKind.APP, StepKind.OPTIONAL}
    assert mail.app_id == "mailer"
    assert Shop().graph.get_step("orders").kinds == {StepKind.FOREACH}
    assert Shop().graph.get_step("total").kinds == {StepKind.JOIN}
    assert Shop().graph.get_step("orders").docstring == "The orders of a day.\n\nAs numbers."
    assert price.docstring == ""


def test_the_docstring_of_a_step_is_that_of_its_task() -> None:
    task: Any = Shop().to_workflow().tasks["orders"]

    assert task.docs == "The orders of a day.\n\nAs numbers."


def test_nodes_have_status_times_attempt_lineage_and_results() -> None:
    before = datetime.now(UTC)
    run = Shop(input="monday").run()

    assert [node.id for node in run.nodes()] == [
        "orders",
        "price[0,0]",
        "price[0,1]",
        "price[1,0]",
        "price[1,1]",
        "total",
        "mail",
        "clean_up",
    ]
    node = run.node("price", 1, 0)
    assert (node.step.id, node.index, node.result, node.attempt) == ("price", (1, 0), 2, 1)
    assert node.predecessors == ("orders",)
    assert node.begin is not None
    assert node.end is not None
    assert before <= node.begin <= node.end <= datetime.now(UTC)
    assert node.run_id not in (0, run.node("price").run_id)
    assert run.node("price").result == [[1, 1], [2, 2]]
    assert run.node("price").predecessors == ("orders",)
    assert run.node("mail").skipped
    assert [one.id for one in run.nodes(Shop.price)] == [one.id for one in run.nodes()][1:5]
    with pytest.raises(NotFoundError, match=r"price\[2,0\]"):
        run.node("price", 2, 0)
    with pytest.raises(NotFoundError, match=r"price\[1\]"):
        run.node("price", 1)


def test_ids_of_items_and_of_steps_cannot_meet() -> None:
    class Names(FlowSpec):
        @repeat(2)
        @step
        def a(self) -> int:
            return 1

        @step
        def a_0(self) -> int:
            return 1

        @step
        def a_join(self) -> int:
            return 1

        @step(name="a-count")
        def count(self) -> int:
            return 1

        @repeat(lambda: 1)
        @step(name="b")
        def late(self) -> int:
            return 1

        @step(name="b-count")
        def taken(self) -> int:
            return 7

    run = Names().run()

    found = [node.id for node in run.nodes()]
    assert found == ["a[0]", "a[1]", "a_0", "a_join", "a-count", "b[0]", "b-count"]
    assert run.get_result("b-count") == 7


def test_nodes_are_seen_while_they_wait_and_run() -> None:
    begun, release = threading.Event(), threading.Event()

    class Watched(FlowSpec):
        @step
        def first(self) -> int:
            return 1

        @repeat(3)
        @needs([first])
        @step
        def work(self, x: int) -> int:
            begun.set()
            release.wait(SOON_S)
            return x

        @needs([work])
        @step
        def behind(self, xs: list[int]) -> int:
            return 1

    run = Watched(threads=1).start()
    assert begun.wait(SOON_S)
    deadline = time.monotonic() + SOON_S
    # What an attempt reports is decided a few milliseconds later.
    while run.node("work", 0).status is not TaskStatus.RUNNING and time.monotonic() < deadline:
        threading.Event().wait(0.001)
    statuses = {node.id: node.status for node in run.nodes()}
    waiting = run.node("work", 2)
    release.set()
    run.wait(SOON_S)

    assert statuses == {
        "first": TaskStatus.SUCCESS,
        "work[0]": TaskStatus.RUNNING,
        "work[1]": TaskStatus.QUEUED,
        "work[2]": TaskStatus.QUEUED,
        "behind": None,
    }
    assert waiting.begin is None
    assert run.node("behind").succeeded


def test_a_flow_has_pictures_and_a_run_has_them_with_its_statuses() -> None:
    graph = Shop().graph
    run = Shop(input="monday").run()

    for pictured in (graph, run):
        assert pictured.to_mermaid().startswith("flowchart LR\n")
        assert pictured.to_svg().startswith("<svg ")
        assert pictured.to_dot().startswith("digraph ")
        assert "price" in (pictured._repr_html_() or "")
    told = json.loads(run.to_json())
    nodes = {node["label"]: node for node in told["nodes"]}
    assert list(nodes) == ids(graph.steps)
    assert (nodes["price"]["mapped"], nodes["price"]["notes"]) == (True, ["repeat 2"])
    assert nodes["price"]["items"] == {"total": 4, "by_status": {"SUCCESS": 4}}
    assert nodes["mail"]["notes"] == ["optional", "app mailer"]
    assert nodes["mail"]["status"] == "SKIPPED"
    kinds = {(edge["source"], edge["target"]): edge["kind"] for edge in told["edges"]}
    assert kinds["task:orders", "task:price"] == "map"
    assert kinds["task:price", "task:total"] == "rule"
    assert {node["status"] for node in json.loads(graph.to_json())["nodes"]} == {None}


@pytest.mark.parametrize("name", ["end", "graph", "subgraph", "style", "click", "href", "a0"])
def test_a_picture_is_valid_for_every_name(name: str) -> None:
    class Named(FlowSpec):
        @repeat(2)
        @step(name=name)
        def one(self) -> int:
            return 1

        @needs([one])
        @step
        def two(self, xs: list[int]) -> int:
            return 1

    boxes = [line for line in Named().graph.to_mermaid().splitlines() if name in line]

    # The name is in quotes only: as an id it might be a word of Mermaid's own.
    assert boxes
    assert all(f"{name}" not in line.split('"')[0] for line in boxes)
