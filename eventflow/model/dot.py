"""A graph in the language of Graphviz, valid whatever its names are."""

from eventflow.model.graph import BORDERS, Edge, Graph, Kind, Link, Node
from eventflow.model.plaintext import one_line

_SHAPES = {
    Kind.TASK: "shape=box",
    Kind.EVENT: "shape=box style=rounded",
    Kind.GATE: "shape=circle",
    Kind.CONDITION: "shape=hexagon",
    Kind.SCHEDULE: "shape=parallelogram",
    Kind.EXECUTION: "shape=trapezium",
}
_LINES = {Link.RULE: "", Link.OUTPUT: " style=dashed", Link.MAP: " style=bold"}


def to_dot(graph: Graph) -> str:
    """The graph for `dot -Tsvg`, UTF-8: boxes are tasks, rounded ones events from outside."""
    ids = {node.id: f"n{number}" for number, node in enumerate(graph.nodes)}
    lines = [
        f"digraph {_quoted((graph.name,))} {{",
        '  graph [rankdir=LR charset="UTF-8" fontname="monospace"]',
        f"  graph [label={_quoted((graph.title,))} labelloc=t labeljust=l]",
        '  node [fontname="monospace" fontsize=12]',
        '  edge [fontname="monospace" fontsize=10]',
    ]
    lines += [f"  {ids[node.id]} [{_node(node)}]" for node in graph.nodes]
    lines += [_edge(edge, ids) for edge in graph.edges]
    return "\n".join([*lines, "}", ""])


def _node(node: Node) -> str:
    words = node.progress.words if node.progress is not None else ()
    label = f"label={_quoted((node.label, *node.notes, *words))}"
    # The lid of the box takes some of its room.
    shape = 'shape=box3d margin="0.2,0.15"' if node.mapped else _SHAPES[node.kind]
    if node.progress is None:
        return f"{label} {shape}"
    border = BORDERS[node.progress.status]
    # It knows dots and dashes, and no length of them.
    dash = "" if not border.dash else " style=dotted" if border.dash < 4 else " style=dashed"
    double = " peripheries=2" if border.double else ""
    return f"{label} {shape} penwidth={border.width:g}{dash}{double}"


def _edge(edge: Edge, ids: dict[str, str]) -> str:
    label = f"label={_quoted(edge.labels)}" if edge.labels else ""
    return f"  {ids[edge.source]} -> {ids[edge.target]} [{label}{_LINES[edge.kind]}]"


def _quoted(lines: tuple[str, ...]) -> str:
    r"""Lines as one quoted string. Besides `"` and `\` Graphviz reads `&...;` as a character."""
    escaped = (
        one_line(line).replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
        for line in lines
    )
    return '"' + "\\n".join(escaped) + '"'
