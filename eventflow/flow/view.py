"""FlowView: what the function of an `optional` or a `repeat` may look at."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from eventflow.flow.steps import FlowStep
from eventflow.model.context import TaskContext
from eventflow.model.event import Event
from eventflow.model.status import TaskStatus


class Lookup(Mapping[str, Any]):
    """Step id -> something about it, found when it is asked for."""

    def __init__(self, names: tuple[str, ...], find: Callable[[str], Any]) -> None:
        self._names = names
        self._find = find

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(f"{name!r}; there are {', '.join(self._names) or 'none'}")
        return self._find(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class FlowView:
    """A flow as the step that is about to run sees it; to look at, not to change.

    Attributes:
        step: The step that is to run.
        input: The flow's input.
        results: Predecessor -> its result, as the step would get it; `None` of a skipped one.
        statuses: Predecessor -> status, also of those that it merely comes after.
        context: The context of the attempt.
    """

    def __init__(
        self,
        step: FlowStep,
        flow_input: Any,
        results: Mapping[str, Any],
        context: TaskContext,
    ) -> None:
        names = tuple(dict.fromkeys(edge.source for edge in step.edges))
        self.step = step
        self.input = flow_input
        self.results = results
        self.statuses: Mapping[str, TaskStatus | None] = Lookup(names, context.get_task_status)
        self.context = context

    @property
    def params(self) -> dict[str, Any]:
        """What the flow was started with, by name."""
        return self.context.params

    @property
    def trigger_event(self) -> Event | None:
        """The event that started the flow; `None` when a program did."""
        execution = self.context.workflow_execution
        return execution.trigger_event if execution is not None else None

    @property
    def index(self) -> tuple[int, ...]:
        """Which item it is, one number for each foreach and repeat around it."""
        return self.context.index
