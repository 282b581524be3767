"""What can be drawn: the pictures that everything with a graph has."""

from abc import ABC, abstractmethod

from eventflow.model.dot import to_dot
from eventflow.model.graph import Graph
from eventflow.model.graphjson import to_json
from eventflow.model.mermaid import to_mermaid
from eventflow.model.svg import to_svg

# A notebook keeps what it shows: an SVG of more makes a large file, and is not looked at.
MOST_IN_NOTEBOOK = 400


class Pictured(ABC):
    """Has a graph, and so its pictures."""

    @abstractmethod
    def to_graph(self) -> Graph:
        """Nodes and edges, to be drawn."""

    def to_mermaid(self) -> str:
        """As a Mermaid flowchart."""
        return to_mermaid(self.to_graph())

    def to_svg(self) -> str:
        """As one SVG document: no script, nothing from outside, light and dark."""
        return to_svg(self.to_graph())

    def to_dot(self) -> str:
        """In the language of Graphviz."""
        return to_dot(self.to_graph())

    def to_json(self) -> str:
        """As a JSON document; see `model.graphjson`."""
        return to_json(self.to_graph())

    def _repr_html_(self) -> str | None:
        """What a notebook shows; of a very large graph it shows the `repr`."""
        graph = self.to_graph()
        return to_svg(graph) if len(graph.nodes) <= MOST_IN_NOTEBOOK else None
