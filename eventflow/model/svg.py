"""A graph as one SVG document: readable text, no script, nothing loaded from elsewhere.

What a thing is, is told by its shape: a box is a task, a rounded one an event, a circle a gate, a
box with slanted ends a condition. Colour only helps, and follows light or dark.
"""

import itertools
import textwrap
import unicodedata
from dataclasses import dataclass
from xml.sax.saxutils import escape

from eventflow.model.graph import Edge, Graph, Kind, Node
from eventflow.model.layout import Box, Placed, place

_BIG, _SMALL = 14.0, 11.0
# The fonts below are as wide as 0.6 of their size; some a little more.
_ADVANCE = 0.61
_LINE = 1.35
_MARGIN = 24.0
_GAP = 22.0
_GATE = 17.0
_ASIDE = 9.0
_COLUMNS = 28
_ROWS = 4

_STYLE = """
text { font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #1b1f24 }
.big { font-size: 14px; font-weight: 600 } .small { font-size: 11px; fill: #57606a }
.middle { text-anchor: middle }
.paper { fill: #ffffff } .shape { stroke: #57606a; stroke-width: 1.3 }
.task { fill: #eef4fb; stroke: #2f6db5 } .event { fill: #fdf3e0; stroke: #a8741a }
.gate, .execution { fill: #f3f4f6 } .condition { fill: #f5eefb; stroke: #7d4bb0 }
.schedule { fill: #e9f6ee; stroke: #2d7d4f }
.edge { fill: none; stroke: #57606a; stroke-width: 1.3 } .data { stroke-dasharray: 5 4 }
.head { fill: #57606a } .label { fill: #ffffff; fill-opacity: 0.9 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .small { fill: #9da7b3 } .paper { fill: #0d1117 }
.label { fill: #0d1117 } .edge, .shape { stroke: #9da7b3 } .head { fill: #9da7b3 }
.task { fill: #12263d; stroke: #5b9be0 } .event { fill: #33270f; stroke: #d9a441 }
.gate, .execution { fill: #21262d } .condition { fill: #2a1f38; stroke: #b48ae0 }
.schedule { fill: #10291b; stroke: #57b380 }
}
"""


@dataclass(frozen=True, slots=True)
class _Shown:
    """A node with its text cut into lines, and the size that they need."""

    node: Node
    lines: tuple[str, ...]
    box: Box


def draw(graph: Graph) -> str:
    """The picture of a graph."""
    shown = {node.id: _shown(node) for node in graph.nodes}
    labels = {
        (edge.source, edge.target): max(map(_small, edge.labels), default=0.0)
        for edge in graph.edges
    }
    placed = place(
        {name: one.box for name, one in shown.items()},
        dict.fromkeys((edge.source, edge.target) for edge in graph.edges),
        gap=_GAP,
        label_widths=labels,
    )
    tops = [placed.centres[name][1] - one.box.height / 2 for name, one in shown.items()]
    bottoms = [placed.centres[name][1] + one.box.height / 2 for name, one in shown.items()]
    bends = [y for route in placed.routes.values() for _, y in route]
    title = f"workflow {graph.name} (namespace {graph.namespace})"
    caption = textwrap.wrap(title, 60)
    # Above the boxes is room for the edges from a task to itself.
    loops = max((len(edge.labels) for edge in graph.edges if edge.source == edge.target), default=0)
    head = len(caption) * _BIG * _LINE + 14 + (18 + loops * _SMALL * _LINE if loops else 0)
    top = min([*tops, *bends], default=0.0) - _MARGIN - head
    bottom = max([*bottoms, *bends], default=0.0) + _MARGIN
    widest = max(_width(line, _BIG) for line in caption)
    right = max(placed.columns[-1][1] if shown else 0.0, widest) + _MARGIN
    width, height = right + _MARGIN, bottom - top
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width:.0f}" '
        f'height="{height:.0f}" viewBox="{-_MARGIN:.1f} {top:.1f} {width:.1f} {height:.1f}">',
        f"<title>{_text(title)}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="paper" x="{-_MARGIN:.1f}" y="{top:.1f}" width="{width:.1f}" '
        f'height="{height:.1f}"/>',
    ]
    for number, line in enumerate(caption):
        y = top + _MARGIN + _BIG / 2 + number * _BIG * _LINE
        parts.append(f'<text class="big" x="0" y="{y:.1f}">{_text(line)}</text>')
    ends = {(edge.source, edge.target) for edge in graph.edges}
    drawn = [
        _edge(edge, shown, placed, aside=_ASIDE if (edge.target, edge.source) in ends else 0.0)
        for edge in graph.edges
    ]
    parts += [path for path, _ in drawn]
    parts += [_node(one, *placed.centres[name]) for name, one in shown.items()]
    parts += [label for _, label in drawn if label]
    return "\n".join([*parts, "</svg>", ""])


def _shown(node: Node) -> _Shown:
    if node.kind is Kind.GATE:
        return _Shown(node, (node.label,), Box(2 * _GATE, 2 * _GATE))
    lines = _cut(node.label)
    notes = [line for note in node.notes for line in _cut(note)]
    width = max([_width(line, _BIG) for line in lines] + [_small(note) for note in notes])
    height = len(lines) * _BIG * _LINE + len(notes) * _SMALL * _LINE
    slant = 28 if node.kind in (Kind.CONDITION, Kind.SCHEDULE) else 0
    return _Shown(node, tuple(lines), Box(width + 26 + slant, height + 16))


def _cut(text: str) -> list[str]:
    """A long name in lines, broken after its dots, dashes and underscores where that is enough."""
    lines = [""]
    for token in _tokens(text):
        if lines[-1] and len(lines[-1]) + len(token) > _COLUMNS:
            lines.append("")
        lines[-1] += token
    cut = [line[at : at + _COLUMNS] for line in lines for at in range(0, len(line), _COLUMNS)]
    if len(cut) > _ROWS:
        cut = [*cut[: _ROWS - 1], cut[_ROWS - 1][: _COLUMNS - 1] + "\N{HORIZONTAL ELLIPSIS}"]
    return cut or [""]


def _tokens(text: str) -> list[str]:
    tokens = [""]
    for character in text:
        tokens[-1] += character
        if character in "._- ":
            tokens.append("")
    return tokens


def _node(shown: _Shown, x: float, y: float) -> str:
    width, height = shown.box.width, shown.box.height
    left, top = x - width / 2, y - height / 2
    kind = shown.node.kind
    name = f'class="shape {kind.value}"'
    rectangle = f'x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}"'
    match kind:
        case Kind.GATE:
            shape = f'<circle {name} cx="{x:.1f}" cy="{y:.1f}" r="{_GATE:.1f}"/>'
        case Kind.EVENT:
            shape = f'<rect {name} {rectangle} rx="{min(height / 2, 20):.1f}"/>'
        case Kind.TASK:
            shape = f'<rect {name} {rectangle} rx="3"/>'
        case Kind.EXECUTION:
            shape = (
                f'<rect {name} {rectangle}/><path class="edge" d="M {left + 6:.1f} {top:.1f} '
                f'v {height:.1f} M {left + width - 6:.1f} {top:.1f} v {height:.1f}"/>'
            )
        case Kind.CONDITION:
            points = _hexagon(left, top, width, height)
            shape = f'<polygon {name} points="{points}"/>'
        case Kind.SCHEDULE:
            points = (
                f"{left + 12:.1f},{top:.1f} {left + width:.1f},{top:.1f} "
                f"{left + width - 12:.1f},{top + height:.1f} {left:.1f},{top + height:.1f}"
            )
            shape = f'<polygon {name} points="{points}"/>'
    full = f"<title>{_text(f'{kind.value} {shown.node.label}')}</title>"
    return f"<g>{full}{shape}{_words(shown, x, y)}</g>"


def _hexagon(left: float, top: float, width: float, height: float) -> str:
    right, middle, bottom = left + width, top + height / 2, top + height
    corners = [
        (left, middle),
        (left + 14, top),
        (right - 14, top),
        (right, middle),
        (right - 14, bottom),
        (left + 14, bottom),
    ]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)


def _words(shown: _Shown, x: float, y: float) -> str:
    small_name = shown.node.kind is Kind.GATE
    rows = [(line, _SMALL if small_name else _BIG) for line in shown.lines]
    rows += [(line, _SMALL) for note in shown.node.notes for line in _cut(note)]
    at = y - sum(size * _LINE for _, size in rows) / 2
    words = []
    for line, size in rows:
        at += size * _LINE
        style = "big" if size == _BIG else "small"
        words.append(
            f'<text class="{style} middle" x="{x:.1f}" y="{at - size * 0.35:.1f}">'
            f"{_text(line)}</text>"
        )
    return "".join(words)


def _edge(edge: Edge, shown: dict[str, _Shown], placed: Placed, *, aside: float) -> tuple[str, str]:
    """The line with its head, and its label, which is drawn over all lines.

    Args:
        aside: How far two edges between the same nodes, one each way, keep from the middle.
    """
    style = "edge data" if edge.data else "edge"
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


def _loop(edge: Edge, shown: _Shown, centre: tuple[float, float], style: str) -> tuple[str, str]:
    x, y = centre
    top = y - shown.box.height / 2
    line = f"M {x - 14:.1f} {top:.1f} c -8 -22 36 -22 28 -7"
    corners = f"{x + 14:.1f},{top:.1f} {x + 9.5:.1f},{top - 9:.1f} {x + 18.5:.1f},{top - 9:.1f}"
    path = f'<path class="{style}" d="{line}"/><polygon class="head" points="{corners}"/>'
    return path, _label(edge, x, top - 16 - len(edge.labels) * _SMALL * _LINE / 2)


def _label(edge: Edge, x: float, y: float) -> str:
    if not edge.labels:
        return ""
    width = max(map(_small, edge.labels)) + 6
    height = len(edge.labels) * _SMALL * _LINE
    parts = [
        f'<rect class="label" x="{x - width / 2:.1f}" y="{y - height / 2:.1f}" '
        f'width="{width:.1f}" height="{height:.1f}"/>'
    ]
    for number, label in enumerate(edge.labels, 1):
        at = y - height / 2 + number * _SMALL * _LINE - _SMALL * 0.35
        parts.append(f'<text class="small middle" x="{x:.1f}" y="{at:.1f}">{_text(label)}</text>')
    return f"<g>{''.join(parts)}</g>"


def _small(text: str) -> float:
    return _width(text, _SMALL)


def _width(text: str, size: float) -> float:
    cells = sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)
    return cells * size * _ADVANCE


def _text(text: str) -> str:
    """Text for XML; characters that XML does not have become question marks."""
    return escape("".join(one if _is_xml(one) else "?" for one in text))


def _is_xml(character: str) -> bool:
    code = ord(character)
    return (
        code in (9, 10, 13) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code > 0xFFFF
    )
