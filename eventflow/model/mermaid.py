"""A graph as a Mermaid flowchart, valid whatever its names are."""

import re

from eventflow.model.graph import BORDERS, Border, Edge, Graph, Kind, Link, Node
from eventflow.model.plaintext import one_line
from eventflow.model.status import TaskStatus

_SHAPES = {
    Kind.TASK: ("[", "]"),
    Kind.EVENT: ("([", "])"),
    Kind.GATE: ("((", "))"),
    Kind.CONDITION: ("{{", "}}"),
    Kind.SCHEDULE: ("[/", "/]"),
    Kind.EXECUTION: ("[/", "\\]"),
}
# Two lines at each side, which old versions of Mermaid have too; it is the nearest to a stack.
_MAPPED = ("[[", "]]")
_ARROWS = {Link.RULE: "-->", Link.OUTPUT: "-.->", Link.MAP: "==>"}
# Mermaid reads labels as Markdown: an underscore inside a word is one, at its edge it is emphasis,
# and "1." begins a list. A colon may begin a link.
_SPECIAL = re.compile(
    r"[^A-Za-z0-9 _.,()+/-]|(?<![A-Za-z0-9])[_-]|[_-](?![A-Za-z0-9])|[.)](?= |$)|^\+"
)
# It makes formulas of "$$x$$" and icons of "fa:fa-bug", however they are written: what takes no
# room keeps their letters apart.
_APART = re.compile(r"(?<=\$)(?=\$)|(?<=:)(?=fa)")
_NO_ROOM = "\N{WORD JOINER}"


def to_mermaid(graph: Graph) -> str:
    """The graph as a Mermaid flowchart: boxes are tasks, rounded ones events from outside."""
    ids = {node.id: f"n{number}" for number, node in enumerate(graph.nodes)}
    lines = ["flowchart LR"]
    lines += [f"    {_node(node, ids[node.id])}" for node in graph.nodes]
    lines += [f"    {_edge(edge, ids)}" for edge in graph.edges]
    return "\n".join([*lines, *_borders(graph, ids), ""])


def _node(node: Node, name: str) -> str:
    left, right = _MAPPED if node.mapped else _SHAPES[node.kind]
    words = node.progress.words if node.progress is not None else ()
    return f"{name}{left}{_label((node.label, *node.notes, *words))}{right}"


def _edge(edge: Edge, ids: dict[str, str]) -> str:
    shown = f"|{_label(edge.labels)}|" if edge.labels else ""
    return f"{ids[edge.source]} {_ARROWS[edge.kind]}{shown} {ids[edge.target]}"


def _label(lines: tuple[str, ...]) -> str:
    return f'"{"<br/>".join(map(_escaped, lines))}"'


def _escaped(text: str) -> str:
    """Text for a quoted label: whatever means something to Mermaid goes by its number."""
    line = _APART.sub(_NO_ROOM, one_line(text))
    return _SPECIAL.sub(lambda found: f"#{ord(found[0])};", line) or "#32;"


def _borders(graph: Graph, ids: dict[str, str]) -> list[str]:
    having: dict[TaskStatus | None, list[str]] = {}
    for node in graph.nodes:
        if node.progress is not None:
            having.setdefault(node.progress.status, []).append(ids[node.id])
    lines = []
    for status, names in having.items():
        # A capital first: none of Mermaid's own words has one.
        style = f"Is{status.value.title() if status else 'Waiting'}"
        lines.append(f"    classDef {style} {_css(BORDERS[status])}")
        lines.append(f"    class {','.join(names)} {style}")
    return lines


def _css(border: Border) -> str:
    # It has no double lines: a thicker one stands for it.
    css = f"stroke-width:{border.width + 2 * border.double:g}px"
    return f"{css},stroke-dasharray:{border.dash}" if border.dash else css
