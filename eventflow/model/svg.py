"""A graph as one SVG document: readable text, no script, nothing loaded from elsewhere.

Shapes, signs and words tell everything; colour only helps, and follows light or dark. Every rule of
its style sheet is about its own content only, since a page may hold the document as it is.
"""

import itertools
import textwrap

from eventflow.model.graph import Edge, Graph, Kind, Node
from eventflow.model.layout import Placed, place
from eventflow.model.plaintext import one_line, xml
from eventflow.model.svgnode import BIG, LINE, SMALL, Shown, node_svg, shown, width_of

_MARGIN = 24.0
_GAP = 22.0
_ASIDE = 9.0
NAME = "eventflow-graph"

LIGHT = {
    "text": "fill: #1b1f24",
    ".small": "fill: #57606a",
    ".paper": "fill: #ffffff",
    ".shape": "stroke: #57606a",
    ".task, .behind": "fill: #eef4fb; stroke: #2f6db5",
    ".event": "fill: #fdf3e0; stroke: #9a6a17",
    ".gate, .execution": "fill: #f3f4f6",
    ".condition": "fill: #f5eefb; stroke: #7d4bb0",
    ".schedule": "fill: #e9f6ee; stroke: #2d7d4f",
    ".edge": "stroke: #57606a",
    ".head": "fill: #57606a",
    ".label": "fill: #ffffff",
    ".is-success": "stroke: #1a7f37",
    ".is-failed": "stroke: #b3261e",
}
DARK = {
    "text": "fill: #e6edf3",
    ".small": "fill: #9da7b3",
    ".paper": "fill: #0d1117",
    ".shape": "stroke: #9da7b3",
    ".task, .behind": "fill: #12263d; stroke: #5b9be0",
    ".event": "fill: #33270f; stroke: #d9a441",
    ".gate, .execution": "fill: #21262d",
    ".condition": "fill: #2a1f38; stroke: #b48ae0",
    ".schedule": "fill: #10291b; stroke: #57b380",
    ".edge": "stroke: #9da7b3",
    ".head": "fill: #9da7b3",
    ".label": "fill: #0d1117",
    ".is-success": "stroke: #3fb950",
    ".is-failed": "stroke: #ff7b72",
}
_LOOK = {
    "text": 'font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace',
    ".big": "font-size: 14px; font-weight: 600",
    ".small": "font-size: 11px",
    ".status": "font-size: 11px; font-weight: 700",
    ".middle": "text-anchor: middle",
    ".shape, .edge": "stroke-width: 1.3",
    ".edge, .inner": "fill: none",
    ".output": "stroke-dasharray: 5 4",
    ".map": "stroke-width: 3",
    ".optional": "stroke-dasharray: 2 3",
    ".label": "fill-opacity: 0.9",
}


def to_svg(graph: Graph) -> str:
    """The picture of a graph: no script, nothing from outside, light and dark."""
    nodes = {node.id: shown(node) for node in graph.nodes}
    labels = {
        (edge.source, edge.target): max(map(width_of, map(one_line, edge.labels)), default=0.0)
        for edge in graph.edges
    }
    placed = place(
        {name: one.box for name, one in nodes.items()},
        dict.fromkeys((edge.source, edge.target) for edge in graph.edges),
        gap=_GAP,
        label_widths=labels,
    )
    ends = {(edge.source, edge.target) for edge in graph.edges}
    drawn = [
        _edge(edge, nodes, placed, aside=_ASIDE if (edge.target, edge.source) in ends else 0.0)
        for edge in graph.edges
    ]
    parts = _frame(graph, nodes, placed)
    parts += [path for path, _ in drawn]
    parts += [node_svg(one, *placed.centres[name]) for name, one in nodes.items()]
    parts += [label for _, label in drawn if label]
    return "\n".join([*parts, "</svg>", ""])


def _frame(graph: Graph, nodes: dict[str, Shown], placed: Placed) -> list[str]:
    """The opening of the document: its size, words for those who do not see it, style and title."""
    tops = [placed.centres[name][1] - one.box.height / 2 for name, one in nodes.items()]
    bottoms = [placed.centres[name][1] + one.box.height / 2 for name, one in nodes.items()]
    bends = [y for route in placed.routes.values() for _, y in route]
    caption = textwrap.wrap(one_line(graph.title), 60)
    # Above the boxes is room for the edges from a task to itself.
    loops = max((len(edge.labels) for edge in graph.edges if edge.source == edge.target), default=0)
    head = len(caption) * BIG * LINE + 14 + (18 + loops * SMALL * LINE if loops else 0)
    top = min([*tops, *bends], default=0.0) - _MARGIN - head
    bottom = max([*bottoms, *bends], default=0.0) + _MARGIN
    widest = max(width_of(line, BIG) for line in caption)
    right = max(placed.columns[-1][1] if nodes else 0.0, widest) + _MARGIN
    width, height = right + _MARGIN, bottom - top
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{NAME}" role="img" width="{width:.0f}" '
        f'height="{height:.0f}" viewBox="{-_MARGIN:.1f} {top:.1f} {width:.1f} {height:.1f}">',
        f"<title>{xml(graph.title)}</title>",
        f"<desc>{xml(described(graph))}</desc>",
        f"<style>{_style()}</style>",
        f'<rect class="paper" x="{-_MARGIN:.1f}" y="{top:.1f}" width="{width:.1f}" '
        f'height="{height:.1f}"/>',
    ]
    for number, line in enumerate(caption):
        y = top + _MARGIN + BIG / 2 + number * BIG * LINE
        parts.append(f'<text class="big" x="0" y="{y:.1f}">{xml(line)}</text>')
    return parts


def described(graph: Graph) -> str:
    """The picture in words: every node with what leads to it."""
    names = {node.id: _named(node) for node in graph.nodes}
    leading: dict[str, list[str]] = {}
    for edge in graph.edges:
        labels = f" ({', '.join(edge.labels)})" if edge.labels else ""
        leading.setdefault(edge.target, []).append(f"{names[edge.source]}{labels}")
    sentences = []
    for node in graph.nodes:
        told = [names[node.id], *node.notes]
        if node.progress is not None:
            # The sign is for those who see it.
            first, *more = node.progress.words
            told += [first.partition(" ")[2], *more]
        after = f"; after {', '.join(leading[node.id])}" if node.id in leading else ""
        sentences.append(f"{', '.join(told)}{after}.")
    return " ".join(sentences)


def _named(node: Node) -> str:
    return node.label if node.kind is Kind.EXECUTION else f"{node.kind.value} {node.label}"


def _style() -> str:
    dark = "\n".join(_rules(DARK))
    return "\n".join(
        [
            "",
            *_rules(_LOOK),
            *_rules(LIGHT),
            f"@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n",
        ]
    )


def _rules(sheet: dict[str, str]) -> list[str]:
    return [
        f"{', '.join(f'.{NAME} {one}' for one in names.split(', '))} {{ {look} }}"
        for names, look in sheet.items()
    ]


def _edge(edge: Edge, shown: dict[str, Shown], placed: Placed, *, aside: float) -> tuple[str, str]:
    """The line with its head, and its label, which is drawn over all lines.

    Args:
        aside: How far two edges between the same nodes, one each way, keep from the middle.
    """
    style = f"edge {edge.kind.value} optional" if edge.optional else f"edge {edge.kind.value}"
    if edge.source == edge.target:
        return _loop(edge, shown[edge.source], placed.centres[edge.source], style)
    (x0, y0), (x1, y1) = placed.centres[edge.source], placed.centres[edge.target]
    forward = 1 if x0 < x1 else -1
    shift = -forward * aside
    begin = (x0 + forward * shown[edge.source].box.width / 2, y0 + shift)
    end = (x1 - forward * shown[edge.target].box.width / 2, y1 + shift)
    route = [(x, y + shift) for x, y in placed.routes[edge.source, edge.target]]
    points = [begin, *route, (end[0] - forward * 8, end[1])]
    line = f"M {begin[0]:.1f} {begin[1]:.1f}"
    for (ax, ay), (bx, by) in itertools.pairwise(points):
        middle = (ax + bx) / 2
        line += f" C {middle:.1f} {ay:.1f} {middle:.1f} {by:.1f} {bx:.1f} {by:.1f}"
    path = f'<path class="{style}" d="{line}"/>{_head(end, forward)}'
    # Before the column of whichever end is further right: there the layout has left room.
    ax, ay, bx, by = (*points[-2], *points[-1]) if forward > 0 else (*points[1], *points[0])
    return path, _label(edge, (ax + bx) / 2, (ay + by) / 2)


def _head(end: tuple[float, float], forward: int) -> str:
    x, y = end
    back = x - forward * 9
    corners = f"{x:.1f},{y:.1f} {back:.1f},{y - 4.5:.1f} {back:.1f},{y + 4.5:.1f}"
    return f'<polygon class="head" points="{corners}"/>'


def _loop(edge: Edge, shown: Shown, centre: tuple[float, float], style: str) -> tuple[str, str]:
    x, y = centre
    top = y - shown.box.height / 2
    line = f"M {x - 14:.1f} {top:.1f} c -8 -22 36 -22 28 -7"
    corners = f"{x + 14:.1f},{top:.1f} {x + 9.5:.1f},{top - 9:.1f} {x + 18.5:.1f},{top - 9:.1f}"
    path = f'<path class="{style}" d="{line}"/><polygon class="head" points="{corners}"/>'
    return path, _label(edge, x, top - 16 - len(edge.labels) * SMALL * LINE / 2)


def _label(edge: Edge, x: float, y: float) -> str:
    if not edge.labels:
        return ""
    width = max(map(width_of, map(one_line, edge.labels))) + 6
    height = len(edge.labels) * SMALL * LINE
    parts = [
        f'<rect class="label" x="{x - width / 2:.1f}" y="{y - height / 2:.1f}" '
        f'width="{width:.1f}" height="{height:.1f}"/>'
    ]
    for number, label in enumerate(edge.labels, 1):
        at = y - height / 2 + number * SMALL * LINE - SMALL * 0.35
        parts.append(f'<text class="small middle" x="{x:.1f}" y="{at:.1f}">{xml(label)}</text>')
    return f"<g>{''.join(parts)}</g>"
