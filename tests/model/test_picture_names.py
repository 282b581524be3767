"""Mermaid, Graphviz, SVG and JSON are well formed, and say what they were given, for every name."""

import json

import pytest
from hypothesis import given, settings
from picture_kit import HOSTILE, RESERVED, graphs, meant, read_dot, read_mermaid, svg

from eventflow import BashOperator, Workflow
from eventflow.errors import DefinitionError
from eventflow.model.dot import to_dot
from eventflow.model.graph import Edge, Graph, Kind, Node, Progress
from eventflow.model.graphjson import document, to_json
from eventflow.model.mermaid import to_mermaid
from eventflow.model.plaintext import one_line
from eventflow.model.svg import to_svg


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_a_reader_of_mermaid_finds_the_very_nodes_labels_and_edges(graph: Graph) -> None:
    assert read_mermaid(to_mermaid(graph)) == meant(graph, empty=" ")


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_a_reader_of_dot_finds_the_very_nodes_labels_and_edges(graph: Graph) -> None:
    found, wanted = read_dot(to_dot(graph)), meant(graph)

    assert found.nodes == wanted.nodes
    # One empty label is no label.
    assert [(a, b, [line for line in some if line]) for a, b, some in found.edges] == [
        (a, b, [line for line in some if line]) for a, b, some in wanted.edges
    ]


@settings(max_examples=100, deadline=None)
@given(graphs())
def test_a_reader_of_svg_finds_the_labels_as_text_and_nothing_that_runs(graph: Graph) -> None:
    root = svg(to_svg(graph))

    assert root[0].text == one_line(graph.title)
    titles = [group[0].text for group in root if group.tag.endswith("}g") and len(group[0]) == 0]
    for node in graph.nodes:
        label = one_line(f"{node.kind.value} {node.label}")
        assert any((title or "").startswith(label) for title in titles)


@settings(max_examples=100, deadline=None)
@given(graphs())
def test_json_is_the_graph_with_its_ids(graph: Graph) -> None:
    told = json.loads(to_json(graph))

    assert told == document(graph)
    assert (told["format"], told["version"]) == ("eventflow.graph", 1)
    assert [(one["id"], one["kind"], one["label"]) for one in told["nodes"]] == [
        (node.id, node.kind.value, node.label) for node in graph.nodes
    ]
    assert [(one["source"], one["target"], one["kind"]) for one in told["edges"]] == [
        (edge.source, edge.target, edge.kind.value) for edge in graph.edges
    ]


@pytest.mark.parametrize("name", RESERVED)
def test_a_task_may_have_the_name_of_a_word_of_mermaid_or_graphviz(name: str) -> None:
    with Workflow(name) as workflow:
        first = BashOperator(name, bash_command="true")
        first >> BashOperator("after", bash_command="true")

    edges = [("n0", "n1", ["START on SUCCESS"])]
    for read in (read_mermaid(workflow.to_mermaid()), read_dot(workflow.to_dot())):
        assert [lines[0] for lines in read.nodes.values()] == [first.name, "after"]
        assert read.edges == edges
    assert f"task {first.name}, BashOperator, starts first." in (
        svg(workflow.to_svg())[1].text or ""
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_a_label_of_others_is_text_and_never_markup(text: str) -> None:
    graph = Graph(text, text, (Node(text, Kind.CONDITION, text, (text,)),), (), about=text)

    drawn = to_svg(graph)

    svg(drawn)
    for bad in ("<script", "<img", "</title></style>", "<!--", "]]>"):
        assert bad not in drawn
        assert bad not in to_mermaid(graph)
    read_mermaid(to_mermaid(graph))
    read_dot(to_dot(graph))


def test_mermaid_makes_no_formula_and_no_icon_of_a_name() -> None:
    graph = Graph("g", "n", (Node("a", Kind.TASK, "$$x$$$", ("fa:fa-bug fas:fa-x",)),), ())

    labels = read_mermaid(to_mermaid(graph), keep=True).nodes["n0"]

    assert not any("$$" in line or ":fa-" in line for line in labels)


def test_tasks_that_are_called_as_others_parts_stay_apart() -> None:
    names = ["a", "a_0", "a_1", "a_join", "n0", "n1", "task", "task-a"]
    with Workflow("apart") as workflow:
        tasks = [BashOperator(name, bash_command="true") for name in names]
        for task in tasks[1:]:
            tasks[0] >> task
    workflow.trigger_on_event("a")
    workflow.trigger_on_event("task.a")

    told = json.loads(workflow.to_json())

    ids = [node["id"] for node in told["nodes"]]
    assert len(set(ids)) == len(ids)
    assert ids[:8] == [f"task:{name}" for name in names]
    assert {"event:a", "event:task.a"} < set(ids)
    for read in (read_mermaid(workflow.to_mermaid()), read_dot(workflow.to_dot())):
        assert [lines[0] for lines in read.nodes.values()][:8] == names


def test_the_ids_of_json_stay_when_other_tasks_come_and_go() -> None:
    def ids(*before: str) -> dict[str, str]:
        with Workflow("grows") as workflow:
            for name in before:
                BashOperator(name, bash_command="true")
            a, b = (BashOperator(name, bash_command="true") for name in ("a", "b"))
            BashOperator("c", bash_command="true").start_after([a, b])
        workflow.trigger_on_event("go.now")
        return {node["label"]: node["id"] for node in json.loads(workflow.to_json())["nodes"]}

    assert ids().items() <= ids("x", "y").items()
    assert ids()["all"].startswith("gate:")


def test_a_graph_whose_ids_or_edges_do_not_fit_is_refused() -> None:
    one = Node("a", Kind.TASK, "a")

    with pytest.raises(DefinitionError, match="two nodes have one id"):
        Graph("g", "n", (one, one), ())
    with pytest.raises(DefinitionError, match="from 'a' to 'b' has an end that is no node"):
        Graph("g", "n", (one,), (Edge("a", "b"),))


def test_how_a_task_stands_that_is_not_there_is_refused() -> None:
    graph = Graph("few", "n", (Node("a", Kind.TASK, "train"), Node("b", Kind.EVENT, "b")), ())

    with pytest.raises(DefinitionError, match="no task 'trian'; did you mean 'train'"):
        graph.with_progress({"trian": Progress()})
    with pytest.raises(DefinitionError, match="no task 'b'"):
        graph.with_progress({"b": Progress()})
