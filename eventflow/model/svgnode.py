"""One node of an SVG picture: its text cut into lines, the room that they need, and its shape.

What a thing is, is told by its shape: a box is a task, a stack of boxes a mapped one, a rounded one
an event, a circle a gate, a box with slanted ends a condition. How a task stands is told by a sign,
a word and the line around its box.
"""

import unicodedata
from dataclasses import dataclass

from eventflow.model.graph import BORDERS, Kind, Node
from eventflow.model.layout import Box
from eventflow.model.plaintext import one_line, xml

BIG, SMALL = 14.0, 11.0
LINE = 1.35
# The fonts of a picture are as wide as 0.6 of their size; some a little more.
_ADVANCE = 0.61
_GATE = 17.0
_COLUMNS = 28
_ROWS = 4
# How far each box of a stack looks out behind the one before it, and how many do.
_OUT, _BEHIND = 4.0, 2
_STACK = _OUT * _BEHIND


@dataclass(frozen=True, slots=True)
class Shown:
    """A node with its text cut into rows of style and line, and the size that they need."""

    node: Node
    rows: tuple[tuple[str, str], ...]
    box: Box


_SIZES = {"big": BIG, "small": SMALL, "status": SMALL}


def shown(node: Node) -> Shown:
    """A node and the room that it needs."""
    if node.kind is Kind.GATE:
        return Shown(node, (("small", one_line(node.label)),), Box(2 * _GATE, 2 * _GATE))
    rows = [("big", line) for line in _cut(one_line(node.label))]
    rows += [("small", line) for note in node.notes for line in _cut(one_line(note))]
    if node.progress is not None:
        rows += [("status", line) for line in node.progress.words]
    width = max(width_of(line, _SIZES[style]) for style, line in rows)
    height = sum(_SIZES[style] * LINE for style, _ in rows)
    slant = 28 if node.kind in (Kind.CONDITION, Kind.SCHEDULE) else 0
    stack = _STACK if node.mapped else 0.0
    return Shown(node, tuple(rows), Box(width + 26 + slant + stack, height + 16 + stack))


def node_svg(shown: Shown, x: float, y: float) -> str:
    """A node around its middle."""
    stack = _STACK if shown.node.mapped else 0.0
    width, height = shown.box.width - stack, shown.box.height - stack
    left, top = x - shown.box.width / 2, y - shown.box.height / 2 + stack
    words = _words(shown, left + width / 2, top + height / 2)
    title = [f"{shown.node.kind.value} {shown.node.label}", *shown.node.notes]
    if shown.node.progress is not None:
        title += shown.node.progress.words
    shape = _shape(shown.node, left, top, width, height)
    return f"<g><title>{xml(', '.join(title))}</title>{shape}{words}</g>"


def _shape(node: Node, left: float, top: float, width: float, height: float) -> str:
    name = f'class="shape {node.kind.value}"'
    rectangle = f'x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}"'
    match node.kind:
        case Kind.GATE:
            x, y = left + width / 2, top + height / 2
            return f'<circle {name} cx="{x:.1f}" cy="{y:.1f}" r="{_GATE:.1f}"/>'
        case Kind.EVENT:
            return f'<rect {name} {rectangle} rx="{min(height / 2, 20):.1f}"/>'
        case Kind.TASK:
            return _behind(node, left, top, width, height) + _task(node, left, top, width, height)
        case Kind.EXECUTION:
            return (
                f'<rect {name} {rectangle}/><path class="edge" d="M {left + 6:.1f} {top:.1f} '
                f'v {height:.1f} M {left + width - 6:.1f} {top:.1f} v {height:.1f}"/>'
            )
        case Kind.CONDITION:
            points = _hexagon(left, top, width, height)
        case Kind.SCHEDULE:
            points = (
                f"{left + 12:.1f},{top:.1f} {left + width:.1f},{top:.1f} "
                f"{left + width - 12:.1f},{top + height:.1f} {left:.1f},{top + height:.1f}"
            )
    return f'<polygon {name} points="{points}"/>'


def _task(node: Node, left: float, top: float, width: float, height: float) -> str:
    """A box, and in it the line that tells its status."""
    if node.progress is None:
        return _rectangle("shape task", left, top, width, height)
    status, border = node.progress.status, BORDERS[node.progress.status]
    style = f"shape task is-{status.value.lower() if status else 'waiting'}"
    line = f' style="stroke-width:{border.width:g}'
    line += f';stroke-dasharray:{border.dash} {min(border.dash, 5)}"' if border.dash else '"'
    box = _rectangle(style, left, top, width, height, line)
    if border.double:
        box += _rectangle("shape inner", left + 4, top + 4, width - 8, height - 8)
    return box


def _behind(node: Node, left: float, top: float, width: float, height: float) -> str:
    outs = [_OUT * number for number in range(_BEHIND, 0, -1)] if node.mapped else []
    return "".join(_rectangle("shape behind", left + out, top - out, width, height) for out in outs)


def _rectangle(
    style: str, left: float, top: float, width: float, height: float, more: str = ""
) -> str:
    return (
        f'<rect class="{style}" x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" '
        f'height="{height:.1f}" rx="3"{more}/>'
    )


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


def _words(shown: Shown, x: float, y: float) -> str:
    at = y - sum(_SIZES[style] * LINE for style, _ in shown.rows) / 2
    words = []
    for style, line in shown.rows:
        at += _SIZES[style] * LINE
        words.append(
            f'<text class="{style} middle" x="{x:.1f}" y="{at - _SIZES[style] * 0.35:.1f}">'
            f"{xml(line)}</text>"
        )
    return "".join(words)


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


def width_of(text: str, size: float = SMALL) -> float:
    """How wide a line of text is at most, in pixels."""
    cells = sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)
    return cells * size * _ADVANCE
