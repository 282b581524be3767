"""What can be drawn: the pictures that everything with a graph has."""

from abc import abstractmethod
from collections.abc import Mapping

from eventflow.errors import DefinitionError
from eventflow.model.dot import to_dot
from eventflow.model.graph import Graph, Kind, Progress
from eventflow.model.graphjson import to_json
from eventflow.model.mermaid import to_mermaid
from eventflow.model.status import TaskStatus
from eventflow.model.suggest import nearest
from eventflow.model.svg import to_svg

Stands = Mapping[str, Progress | TaskStatus | str]
# An SVG of more is neither quick to make nor to look at.
MOST_IN_NOTEBOOK = 400


class Pictured:
    """Has a graph, and so its pictures.

    Each takes how its tasks stand, as `{"train": "RUNNING"}`; a task left out has not run. Without
    it the picture is of no execution. A task or status that is not there is a DefinitionError.
    """

    @abstractmethod
    def to_graph(self) -> Graph:
        """Nodes and edges, to be drawn."""

    def to_mermaid(self, progress: Stands | None = None) -> str:
        """As a Mermaid flowchart."""
        return to_mermaid(self._graph(progress))

    def to_svg(self, progress: Stands | None = None) -> str:
        """As one SVG document: no script, nothing from outside, light and dark."""
        return to_svg(self._graph(progress))

    def to_dot(self, progress: Stands | None = None) -> str:
        """In the language of Graphviz."""
        return to_dot(self._graph(progress))

    def to_json(self, progress: Stands | None = None) -> str:
        """As a JSON document; see `model.graphjson`."""
        return to_json(self._graph(progress))

    def _repr_html_(self) -> str | None:
        """What a notebook shows; of a very large graph it shows the `repr`."""
        graph = self.to_graph()
        return to_svg(graph) if len(graph.nodes) <= MOST_IN_NOTEBOOK else None

    def _graph(self, progress: Stands | None) -> Graph:
        graph = self.to_graph()
        if progress is None:
            return graph
        tasks = [node.label for node in graph.nodes if node.kind is Kind.TASK]
        for name in progress:
            if name not in tasks:
                raise DefinitionError(f"{self!r} has no task {name!r}{nearest(name, tasks)}")
        return graph.with_progress({name: _read(stands) for name, stands in progress.items()})


def _read(stands: Progress | TaskStatus | str) -> Progress:
    if isinstance(stands, Progress):
        return stands
    try:
        return Progress(TaskStatus(stands))
    except ValueError:
        raise DefinitionError(
            f"{stands!r} is no status of a task; they are {', '.join(TaskStatus)}"
        ) from None
