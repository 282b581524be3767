"""Where the nodes of a graph go: layers from left to right, few crossings. Pure geometry.

The four steps of Sugiyama: turn back edges round, give each node a layer, order each layer by the
middle of its neighbours, then place. An edge over several layers goes by a bend in each between.
"""

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

SWEEPS = 12


@dataclass(frozen=True, slots=True)
class Box:
    """The size of a node."""

    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Placed:
    """Where everything is.

    Attributes:
        centres: Node -> the middle of its box.
        routes: Edge (source, target) -> the points that it passes, from source to target, without
            its ends.
        columns: Layer -> left and right side of its boxes.
    """

    centres: dict[str, tuple[float, float]]
    routes: dict[tuple[str, str], list[tuple[float, float]]]
    columns: list[tuple[float, float]]


@dataclass(slots=True)
class _Layers:
    """Nodes and bends, layer by layer. A bend is a node without a size."""

    of: dict[str, int]
    rows: list[list[str]]
    links: list[tuple[str, str]] = field(default_factory=list)
    bends: dict[tuple[str, str], list[str]] = field(default_factory=dict)


def place(
    boxes: Mapping[str, Box],
    edges: Iterable[tuple[str, str]],
    *,
    gap: float,
    label_widths: Mapping[tuple[str, str], float],
) -> Placed:
    """Lay a graph out.

    Args:
        boxes: Node -> size; the order is kept where nothing speaks against it.
        edges: Pairs of nodes; each pair once.
        gap: Free space between two boxes of a column.
        label_widths: Edge -> width of its label; columns keep that much apart.
    """
    pairs = [(a, b) for a, b in edges if a != b]
    forward = _without_cycles(list(boxes), pairs)
    layers = _layered(list(boxes), forward)
    _order(layers)
    columns = _columns(layers, boxes, label_widths, forward)
    heights = {name: _height(name, boxes) for row in layers.rows for name in row}
    ys = _rows(layers, heights, gap)
    middles = [(left + right) / 2 for left, right in columns]
    centres = {name: (middles[layers.of[name]], ys[name]) for name in boxes}
    routes = {
        pair: [
            (x, ys[bend]) for bend in layers.bends.get(turned, ()) for x in columns[layers.of[bend]]
        ][:: 1 if turned == pair else -1]
        for pair, turned in zip(pairs, forward, strict=True)
    }
    return Placed(centres, routes, columns)


def _height(name: str, boxes: Mapping[str, Box]) -> float:
    return boxes[name].height if name in boxes else 12.0


def _without_cycles(
    names: Sequence[str], pairs: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """The edges, those turned round that lead back to a node on the way to them.

    The walk begins where nothing leads to, so that what turns is what a reader calls "back".
    """
    following = _following(names, pairs)
    targets = {target for _, target in pairs}
    roots = [name for name in names if name not in targets] + list(names)
    done: set[str] = set()
    back: set[tuple[str, str]] = set()
    for root in roots:
        if root in done:
            continue
        way: dict[str, int] = {root: 0}
        stack = [root]
        while stack:
            name = stack[-1]
            if way[name] < len(following[name]):
                target = following[name][way[name]]
                way[name] += 1
                if target in way:
                    back.add((name, target))
                elif target not in done:
                    way[target] = 0
                    stack.append(target)
            else:
                done.add(stack.pop())
                del way[name]
    return [(b, a) if (a, b) in back else (a, b) for a, b in pairs]


def _layered(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> _Layers:
    layer = dict.fromkeys(names, 0)
    following = _following(names, edges)
    for name in _sorted(names, following):
        for target in following[name]:
            layer[target] = max(layer[target], layer[name] + 1)
    # A node that nothing leads to stands right before the first that it leads to.
    targets = {target for _, target in edges}
    for name in names:
        after = [layer[target] for target in following[name]]
        if after and name not in targets:
            layer[name] = min(after) - 1
    found = _Layers(layer, [[] for _ in range(max(layer.values(), default=0) + 1)])
    for name in names:
        found.rows[layer[name]].append(name)
    for number, (source, target) in enumerate(dict.fromkeys(edges)):
        way = [source]
        for step in range(layer[source] + 1, layer[target]):
            bend = f"bend {number} {step}"
            found.of[bend] = step
            found.rows[step].append(bend)
            way.append(bend)
        found.bends[source, target] = way[1:]
        found.links += zip(way, [*way[1:], target], strict=True)
    return found


def _following(names: Sequence[str], edges: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    following: dict[str, list[str]] = {name: [] for name in names}
    for source, target in edges:
        following[source].append(target)
    return following


def _sorted(names: Sequence[str], following: Mapping[str, Sequence[str]]) -> list[str]:
    """Each name after all that lead to it."""
    waits = dict.fromkeys(names, 0)
    for targets in following.values():
        for target in targets:
            waits[target] += 1
    ready = [name for name in names if not waits[name]]
    for name in ready:
        for target in following[name]:
            waits[target] -= 1
            if not waits[target]:
                ready.append(target)
    return ready


def _order(layers: _Layers) -> None:
    """Order each layer by the middle of its neighbours, to and fro; keep the best."""
    before: dict[str, list[str]] = {}
    after: dict[str, list[str]] = {}
    for source, target in layers.links:
        after.setdefault(source, []).append(target)
        before.setdefault(target, []).append(source)
    best, fewest = [list(row) for row in layers.rows], _crossings(layers)
    places = {name: float(at) for row in layers.rows for at, name in enumerate(row)}
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for row in layers.rows if down else reversed(layers.rows):
            neighbours = before if down else after
            middles = {
                name: _mean([places[other] for other in neighbours.get(name, ())], places[name])
                for name in row
            }
            row.sort(key=middles.__getitem__)
            places.update((name, float(at)) for at, name in enumerate(row))
        crossings = _crossings(layers)
        if crossings < fewest:
            best, fewest = [list(row) for row in layers.rows], crossings
    layers.rows[:] = best


def _crossings(layers: _Layers) -> int:
    places = {name: at for row in layers.rows for at, name in enumerate(row)}
    by_layer: dict[int, list[tuple[int, int]]] = {}
    for source, target in layers.links:
        by_layer.setdefault(layers.of[source], []).append((places[source], places[target]))
    return sum(map(_inversions, by_layer.values()))


def _inversions(links: list[tuple[int, int]]) -> int:
    """How many pairs of links cross: those whose ends are in opposite orders."""
    seen: list[int] = []
    count = 0
    for _, end in sorted(links):
        count += len(seen) - bisect_right(seen, end)
        insort(seen, end)
    return count


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _columns(
    layers: _Layers,
    boxes: Mapping[str, Box],
    label_widths: Mapping[tuple[str, str], float],
    forward: Sequence[tuple[str, str]],
) -> list[tuple[float, float]]:
    """Left and right side of each column; between two is room for the widest label there."""
    widths = [
        max((boxes[name].width for name in row if name in boxes), default=0) for row in layers.rows
    ]
    room = [56.0] * len(widths)
    for source, target in forward:
        # The label stands before its edge's last column; see `model.svg`.
        label = max(label_widths.get((source, target), 0), label_widths.get((target, source), 0))
        last = layers.of[target] - 1
        room[last] = max(room[last], label + 44)
    columns = []
    left = 0.0
    for width, space in zip(widths, room, strict=True):
        columns.append((left, left + width))
        left += width + space
    return columns


def _rows(layers: _Layers, heights: Mapping[str, float], gap: float) -> dict[str, float]:
    """The middle of each node from above: near its neighbours, in order, never overlapping."""
    neighbours: dict[str, list[str]] = {}
    for source, target in layers.links:
        neighbours.setdefault(source, []).append(target)
        neighbours.setdefault(target, []).append(source)
    ys = {name: 0.0 for row in layers.rows for name in row}
    for row in layers.rows:
        ys.update(_spread(row, dict.fromkeys(row, 0.0), heights, gap))
    for sweep in range(SWEEPS):
        for row in layers.rows if sweep % 2 == 0 else reversed(layers.rows):
            wanted = {
                name: _mean([ys[other] for other in neighbours.get(name, ())], ys[name])
                for name in row
            }
            ys.update(_spread(row, wanted, heights, gap))
    return ys


def _spread(
    row: Sequence[str], wanted: Mapping[str, float], heights: Mapping[str, float], gap: float
) -> dict[str, float]:
    """As near to the wanted places as order and distance allow: least squares, by pooling."""
    offsets, offset = {}, 0.0
    for number, name in enumerate(row):
        if number:
            offset += (heights[row[number - 1]] + heights[name]) / 2 + gap
        offsets[name] = offset
    pools: list[tuple[float, list[str]]] = []
    for name in row:
        pools.append((wanted[name] - offsets[name], [name]))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (mean, members), (last, more) = pools[-2], pools[-1]
            count = len(members) + len(more)
            pooled = (mean * len(members) + last * len(more)) / count
            pools[-2:] = [(pooled, members + more)]
    return {name: mean + offsets[name] for mean, members in pools for name in members}
