"""Nodes and edges: what every picture is drawn from. Knows no workflow and no picture.

A graph may carry how each task stands in an execution. Every status has a sign and a border of its
own beside its word, so that pictures tell it in black and white too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from eventflow.errors import DefinitionError
from eventflow.model.records import ItemCounts
from eventflow.model.status import TaskStatus
from eventflow.model.suggest import nearest


class Kind(StrEnum):
    """What a node stands for; each has its own shape."""

    TASK = "task"
    EVENT = "event"
    GATE = "gate"
    CONDITION = "condition"
    SCHEDULE = "schedule"
    EXECUTION = "execution"


class Link(StrEnum):
    """What an edge stands for; each has its own line. `OUTPUT` starts nothing."""

    RULE = "rule"
    OUTPUT = "output"
    MAP = "map"


@dataclass(frozen=True, slots=True)
class Progress:
    """How a task stands in an execution.

    Attributes:
        status: Of its newest run; `None` before it has one.
        items: Of a mapped task, once they are counted.
    """

    status: TaskStatus | None = None
    items: ItemCounts | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """Lines for a picture: sign and status, then the items."""
        sign, word = SIGNS[self.status], self.status.value if self.status else "has not run"
        return (f"{sign} {word}", *([str(self.items)] if self.items is not None else []))


@dataclass(frozen=True, slots=True)
class Border:
    """The line around a box. `dash` is the length of dashes in pixels, 0 for an unbroken line."""

    width: float
    dash: int = 0
    double: bool = False


SIGNS: dict[TaskStatus | None, str] = {
    None: "\N{WHITE CIRCLE}",
    TaskStatus.INIT: "\N{DOTTED CIRCLE}",
    TaskStatus.QUEUED: "\N{IDENTICAL TO}",
    TaskStatus.RUNNING: "\N{BLACK RIGHT-POINTING POINTER}",
    TaskStatus.SUCCESS: "\N{CHECK MARK}",
    TaskStatus.FAILED: "\N{BALLOT X}",
    TaskStatus.STOPPING: "\N{WHITE SQUARE}",
    TaskStatus.STOPPED: "\N{BLACK SQUARE}",
    TaskStatus.RESTARTING: "\N{ANTICLOCKWISE OPEN CIRCLE ARROW}",
    TaskStatus.RETRYING: "\N{CLOCKWISE OPEN CIRCLE ARROW}",
    TaskStatus.SKIPPED: "\N{RIGHT-POINTING DOUBLE ANGLE QUOTATION MARK}",
}
_THIN, _THICK = 1.3, 3.0
BORDERS: dict[TaskStatus | None, Border] = {
    None: Border(_THIN, dash=2),
    TaskStatus.INIT: Border(_THIN, dash=4),
    TaskStatus.QUEUED: Border(_THIN, dash=7),
    TaskStatus.RUNNING: Border(_THICK),
    TaskStatus.SUCCESS: Border(_THIN),
    TaskStatus.FAILED: Border(_THICK, double=True),
    TaskStatus.STOPPING: Border(_THICK, dash=12),
    TaskStatus.STOPPED: Border(_THIN, double=True),
    TaskStatus.RESTARTING: Border(_THICK, dash=4),
    TaskStatus.RETRYING: Border(_THICK, dash=7),
    TaskStatus.SKIPPED: Border(_THIN, dash=12),
}


@dataclass(frozen=True, slots=True)
class Node:
    """One thing in the picture.

    Attributes:
        id: Unique in its graph, and the same each time the graph is made. Never shown: Mermaid and
            Graphviz are given numbers, since a name such as `end` is a word of theirs.
        notes: Short lines under the label.
        mapped: A task with a run of its code for each of many items (S43): drawn as a stack.
        progress: How the task stands; `None` where the picture is of no execution.
    """

    id: str
    kind: Kind
    label: str
    notes: tuple[str, ...] = ()
    mapped: bool = False
    progress: Progress | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """What leads to what. `optional`: what it carries may be missing, as of a skipped task."""

    source: str
    target: str
    labels: tuple[str, ...] = ()
    kind: Link = Link.RULE
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes in the order in which they are read, and edges, at most one from one node to another.

    Attributes:
        namespace: May be empty where there is none.
        about: What the title says beside the name, such as which execution it shows.
        noun: What it is the graph of, for the title.

    Raises:
        DefinitionError: If two nodes have one id, or an edge has an end that is no node.
    """

    name: str
    namespace: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    about: str = ""
    noun: str = "workflow"

    def __post_init__(self) -> None:
        ids = {node.id for node in self.nodes}
        if len(ids) < len(self.nodes):
            raise DefinitionError(f"graph {self.name!r}: two nodes have one id")
        for edge in self.edges:
            if not {edge.source, edge.target} <= ids:
                raise DefinitionError(
                    f"graph {self.name!r}: the edge from {edge.source!r} to {edge.target!r} has an "
                    f"end that is no node"
                )

    @property
    def title(self) -> str:
        namespace = f" (namespace {self.namespace})" if self.namespace else ""
        about = f", {self.about}" if self.about else ""
        return f"{self.noun} {self.name}{namespace}{about}"

    def with_progress(self, progress: Mapping[str, Progress], about: str = "") -> "Graph":
        """The same with how its tasks stand, by their labels; a task left out has not run.

        Raises:
            DefinitionError: If there is no such task.
        """
        tasks = {node.label: node for node in self.nodes if node.kind is Kind.TASK}
        for name in progress:
            if name not in tasks:
                raise DefinitionError(
                    f"graph {self.name!r} has no task {name!r}{nearest(name, tasks)}"
                )
        nodes = tuple(
            replace(node, progress=progress.get(node.label, Progress()))
            if node.kind is Kind.TASK
            else node
            for node in self.nodes
        )
        return replace(self, nodes=nodes, about=about)
