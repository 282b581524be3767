"""Pictures of workflows: text, Mermaid and SVG are well formed whatever the names are."""

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventflow import (
    AllOf,
    AnyOf,
    BashOperator,
    Condition,
    Cron,
    Event,
    EventCondition,
    Not,
    RuleContext,
    TaskAction,
    TaskStatus,
    TaskStatusCondition,
    Workflow,
)
from eventflow.model.layout import Box, place
from eventflow.model.picture import outside_events, to_text
from eventflow.model.sketch import sketch_of

# Names that mean something to Mermaid or Markdown, and any other legal ones.
WORDS = ["end", "graph", "subgraph", "class", "click", "style", "x--", "-", "__init__", "o-o", "1"]
NAMES = st.sampled_from(WORDS) | st.from_regex(r"[A-Za-z0-9_-]{1,40}", fullmatch=True)
KEYS = st.lists(NAMES | st.just("*"), min_size=1, max_size=4).map(".".join)

LABEL = r'"(?:[A-Za-z0-9 _.,()+/:-]|<br/>|#\d+;)*"'
SHAPES = [r"\[L\]", r"\(\[L\]\)", r"\(\(L\)\)", r"\{\{L\}\}", r"\[/L/\]", r"\[/L\\\]"]
NODE = re.compile("n[0-9]+(?:" + "|".join(shape.replace("L", LABEL) for shape in SHAPES) + ")")
EDGE = re.compile(rf"(n[0-9]+) (?:-->|-\.->)(?:\|{LABEL}\|)? (n[0-9]+)")


class Better(Condition):
    """A condition of a user's."""

    def is_met(self, event: Event, context: RuleContext) -> bool:
        return True


@st.composite
def workflows(draw: st.DrawFn) -> Workflow:
    names = draw(st.lists(NAMES, min_size=1, max_size=6, unique=True))
    with Workflow(draw(NAMES), description=draw(st.text(max_size=20))) as workflow:
        for name in names:
            BashOperator(name, bash_command="true", autostart=draw(st.booleans()))
    levels = st.sampled_from(names).map(lambda name: TaskStatusCondition(name, "SUCCESS"))
    events = KEYS.map(EventCondition) | KEYS.map(lambda key: Better([key]))
    leaves = levels | events
    trees = st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, min_size=1, max_size=3).map(lambda some: AllOf(*some))
            | st.lists(inner, min_size=1, max_size=3).map(lambda some: AnyOf(*some))
        ),
        max_leaves=5,
    )
    for _ in range(draw(st.integers(0, 8))):
        condition = draw(trees | levels.map(Not))
        workflow.action_on_condition(
            draw(st.sampled_from(names)), draw(st.sampled_from(TaskAction)), condition
        )
    for condition in draw(st.lists(events, max_size=2)):
        workflow.trigger_on_condition(condition)
    return workflow


@settings(max_examples=60, deadline=None)
@given(workflows())
def test_mermaid_is_nodes_and_then_edges_between_them(workflow: Workflow) -> None:
    first, *lines = workflow.to_mermaid().splitlines()

    assert first == "flowchart LR"
    nodes = {
        line.split("[")[0].split("(")[0].split("{")[0].strip()
        for line in lines
        if NODE.fullmatch(line.strip())
    }
    edges = [found for line in lines if (found := EDGE.fullmatch(line.strip()))]
    assert len(nodes) + len(edges) == len(lines)
    assert {end for found in edges for end in found.groups()} <= nodes


@settings(max_examples=60, deadline=None)
@given(workflows())
def test_svg_is_well_formed_and_loads_and_runs_nothing(workflow: Workflow) -> None:
    drawn = workflow.to_svg()

    root = ElementTree.fromstring(drawn)  # noqa: S314  drawn by us
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert tags <= {
        "svg",
        "title",
        "desc",
        "style",
        "rect",
        "circle",
        "polygon",
        "path",
        "text",
        "g",
    }
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not {name for name in attributes if name.startswith("on") or "href" in name}
    assert "url(" not in drawn
    assert "@import" not in drawn
    boxes = [one for one in root.iter() if one.get("class") == "shape task"]
    assert len(boxes) == len(workflow.tasks)


@settings(max_examples=40, deadline=None)
@given(workflows())
def test_a_sketch_of_a_definition_looks_as_the_workflow_does(workflow: Workflow) -> None:
    sketch = sketch_of(workflow.definition())

    assert to_text(sketch) == to_text(workflow)
    assert sketch.to_mermaid() == workflow.to_mermaid()
    assert sketch.to_svg() == workflow.to_svg()
    assert sketch.to_dot() == workflow.to_dot()
    assert sketch.to_json() == workflow.to_json()


GRAPHS = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=20, unique=True)


@given(GRAPHS)
def test_no_two_boxes_overlap_and_every_edge_has_a_way(pairs: list[tuple[int, int]]) -> None:
    boxes = {str(number): Box(60.0 + number, 20.0 + 5 * number) for number in range(9)}
    edges = [(str(a), str(b)) for a, b in pairs]

    placed = place(boxes, edges, gap=10.0, label_widths={})

    by_column: dict[float, list[tuple[float, float]]] = {}
    for name, (x, y) in placed.centres.items():
        half = boxes[name].height / 2
        by_column.setdefault(x, []).append((y - half, y + half))
    for spans in by_column.values():
        for (_, bottom), (top, _) in pairwise(sorted(spans)):
            assert top >= bottom + 10.0 - 1e-6
    assert set(placed.routes) == {(a, b) for a, b in edges if a != b}


@pytest.fixture
def service() -> Workflow:
    schedule = Cron("0 2 * * *", tz="Europe/Berlin")
    with Workflow("service", namespace="ml", schedule=schedule, timeout=60) as workflow:
        train = BashOperator("train", bash_command="true", retries=2)
        check = BashOperator("check", bash_command="true")
        serve = BashOperator("serve", bash_command="true", autostart=False)
        train.action_on_event_received(TaskAction.START, "data.*")
        check.start_after(train)
        serve.action_on_task_status(
            TaskAction.RESTART, {check: TaskStatus.SUCCESS, train: TaskStatus.SUCCESS}
        )
        serve.action_on_condition(TaskAction.STOP, Better(["serving.drain"]))
    workflow.trigger_on_event("data.first")
    return workflow


def test_text_says_what_starts_restarts_and_stops_each_task(service: Workflow) -> None:
    assert to_text(service).splitlines() == [
        "workflow service  (namespace ml)",
        "  starts    when someone runs it",
        "  starts    at 0 2 * * * (Europe/Berlin), catch-up latest",
        "  starts    on event data.first",
        "  ends      when nothing can happen in it any more, or FAILED after 60 s",
        "",
        "train  (BashOperator, retries=2)",
        "  starts    on event data.*",
        "",
        "check  (BashOperator)",
        "  starts    when train is SUCCESS",
        "",
        "serve  (BashOperator)",
        "  restarts  when check is SUCCESS and train is SUCCESS",
        "  stops     on condition Better on serving.drain",
        "",
        "events from outside",
        "  data.first     new execution",
        "  data.*         START train",
        "  serving.drain  STOP serve",
    ]


def test_mermaid_tells_a_join_from_two_ways_by_a_gate(service: Workflow) -> None:
    lines = [line.strip() for line in service.to_mermaid().splitlines()]

    assert 'n0["train<br/>BashOperator"]' in lines
    assert 'n3(["data.#42;"])' in lines
    assert 'n3 -->|"START"| n0' in lines
    assert 'n0 -->|"START on SUCCESS"| n1' in lines
    gate = next(line.split("((")[0] for line in lines if '(("all"))' in line)
    assert f'n0 -->|"SUCCESS"| {gate}' in lines
    assert f'n1 -->|"SUCCESS"| {gate}' in lines
    assert f'{gate} -->|"RESTART"| n2' in lines


def test_outside_events_leave_out_the_schedulers_own() -> None:
    with Workflow("follower") as workflow:
        BashOperator("a", bash_command="true")
    workflow.trigger_on_event("eventflow.workflow.leader.success")
    workflow.trigger_on_event("leader.says")

    assert outside_events(workflow) == {"leader.says": ["new execution"]}
