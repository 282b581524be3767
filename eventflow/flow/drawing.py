"""The steps of a flow as nodes and edges: what its pictures are drawn from."""

from collections.abc import Iterable, Mapping

from eventflow.flow.steps import Edge, FlowStep
from eventflow.model.graph import Edge as DrawnEdge
from eventflow.model.graph import Graph, Kind, Link, Node, Progress


def graph_of(
    name: str,
    steps: Iterable[FlowStep],
    progress: Mapping[str, Progress] | None = None,
    about: str = "",
) -> Graph:
    """The graph of a flow.

    Args:
        progress: How steps stand in a run; `None` for a picture of no run.
        about: Which run it shows.
    """
    nodes, edges = [], []
    for step in steps:
        nodes.append(_node(step))
        for source in step.predecessors:
            edges.append(_edge(source, step))
    graph = Graph(name, "", tuple(nodes), tuple(edges), noun="flow")
    return graph if progress is None else graph.with_progress(progress, about)


def _node(step: FlowStep) -> Node:
    marks, notes = step.marks, []
    if step.over:
        notes.append(f"foreach over {step.over}")
    if marks.fan_out:
        notes.append("foreach")
    if marks.repetitions is not None:
        count = marks.repetitions
        notes.append(f"repeat {count}" if isinstance(count, int) else "repeat, known late")
    if marks.join is not None:
        notes.append("join" if marks.join.shape == "flat" else "join in rows")
    if marks.condition is not None:
        notes.append("optional")
    if marks.app is not None:
        notes.append(f"app {marks.app.app_id}")
    return Node(f"task:{step.id}", Kind.TASK, step.id, tuple(notes), mapped=step.levels > 0)


def _edge(source: FlowStep, target: FlowStep) -> DrawnEdge:
    edges = [edge for edge in target.edges if edge.source == source.id]
    each = target.over == source.id or (source.marks.fan_out and target.marks.join is None)
    labels = [label for edge in edges for label in _labels(edge)]
    if each and any(edge.data for edge in edges):
        labels.append("each item")
    elif target.marks.join is not None and any(edge.data for edge in edges):
        labels.append("join")
    return DrawnEdge(
        f"task:{source.id}",
        f"task:{target.id}",
        tuple(dict.fromkeys(labels)),
        Link.MAP if "each item" in labels else Link.RULE,
        optional=source.marks.condition is not None,
    )


def _labels(edge: Edge) -> Iterable[str]:
    if not edge.data:
        yield "after"
    if edge.keyword:
        yield edge.keyword
    if edge.skipped != "none":
        yield {"cascade": "skipped with it", "any": "if any ran"}[edge.skipped]
