"""A graph as JSON: for programs that draw or compare it. The format has a version.

A document has `format` (`eventflow.graph`), `version`, `name`, `namespace`, `about`, `nodes` and
`edges`. A node has `id`, `kind` (`task`, `event`, `gate`, `condition`, `schedule`, `execution`),
`label`, `notes`, `mapped`, `status` (a task status, or null before the first run and where the
graph is of no execution) and `items` (`total`, and `by_status` with a count for each status that
some are in, or null). An edge has `source` and `target`, which are ids of nodes, `kind` (`rule`,
`output`, `map`), `labels` and `optional`.
Ids tell what a node stands for, as `task:train`, and do not change while that is in the workflow.
A version keeps every field and its meaning; it may get more fields.
"""

import json
from typing import Any

from eventflow.model.graph import Edge, Graph, Node
from eventflow.model.records import ItemCounts

VERSION = 1


def document(graph: Graph) -> dict[str, Any]:
    """The graph as a JSON value."""
    return {
        "format": "eventflow.graph",
        "version": VERSION,
        "name": graph.name,
        "namespace": graph.namespace,
        "about": graph.about,
        "nodes": [_node(node) for node in graph.nodes],
        "edges": [_edge(edge) for edge in graph.edges],
    }


def to_json(graph: Graph) -> str:
    """The document as text: two spaces deep, ASCII."""
    return json.dumps(document(graph), indent=2) + "\n"


def _node(node: Node) -> dict[str, Any]:
    status = node.progress.status if node.progress is not None else None
    items = node.progress.items if node.progress is not None else None
    return {
        "id": node.id,
        "kind": node.kind.value,
        "label": node.label,
        "notes": list(node.notes),
        "mapped": node.mapped,
        "status": status.value if status is not None else None,
        "items": _items(items) if items is not None else None,
    }


def _items(items: ItemCounts) -> dict[str, Any]:
    by_status = {status.value: count for status, count in items.by_status.items()}
    return {"total": items.total, "by_status": by_status}


def _edge(edge: Edge) -> dict[str, Any]:
    return {
        "source": edge.source,
        "target": edge.target,
        "kind": edge.kind.value,
        "labels": list(edge.labels),
        "optional": edge.optional,
    }
