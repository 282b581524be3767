"""What a step is handed: arguments out of the results before it, in the shape that it asked for."""

import itertools
from collections.abc import Mapping
from typing import Any

from eventflow.flow.axes import Plan, Taken
from eventflow.flow.signatures import has_default, takes_input, takes_nothing
from eventflow.flow.steps import FlowStep
from eventflow.flow.values import Values, flattened
from eventflow.flow.view import FlowView, Lookup
from eventflow.model.arguments import Output
from eventflow.model.context import TaskContext

NOT_GIVEN: Any = type("NotGiven", (), {"__repr__": lambda _: "<not given>"})()


class Handing:
    """Hands steps of one run their arguments.

    Args:
        flow_input: What start steps get; `NOT_GIVEN` when the flow was made without.
    """

    def __init__(self, plans: Mapping[str, Plan], values: Values, flow_input: Any) -> None:
        self._plans = plans
        self._values = values
        self._given = flow_input

    def arguments(self, step: FlowStep, context: TaskContext) -> tuple[list[Any], dict[str, Any]]:
        """The arguments of a step's function, without `self`; no more than it can take."""
        if takes_nothing(step):
            return [], {}
        if step.edges:
            return self._results(step, context)
        if not takes_input(step) or (self._given is NOT_GIVEN and has_default(step)):
            return [], {}
        return [self._input], {}

    def one_input(self, step: FlowStep, context: TaskContext) -> Any:
        """What a step with one input gets: the result of its predecessor, or the flow's input."""
        args, kwargs = self._results(step, context)
        values = [*args, *kwargs.values()]
        return values[0] if values else self._input

    def view(self, step: FlowStep, context: TaskContext) -> FlowView:
        """What the condition of a step, or of one item of it, may look at."""
        return self._view(step, context, self._plans[step.id].taken)

    def whole_view(self, step: FlowStep, context: TaskContext) -> FlowView:
        """The same for all items of it: whole results."""
        taken = {
            source: Taken(Output(source), len(self._plans[source].axes))
            for source in self._plans[step.id].taken
        }
        return self._view(step, context, taken)

    def _view(self, step: FlowStep, context: TaskContext, taken: Mapping[str, Taken]) -> FlowView:
        def find(source: str) -> Any:
            value = self._values.of(context, taken[source])
            many = taken[source].closed
            return flattened(value, len(many)) if many else value

        results = Lookup(tuple(taken), find)
        return FlowView(step, self._input, results, context)

    @property
    def _input(self) -> Any:
        return None if self._given is NOT_GIVEN else self._given

    def _results(self, step: FlowStep, context: TaskContext) -> tuple[list[Any], dict[str, Any]]:
        taken = self._plans[step.id].taken
        positional = [edge.source for edge in step.data if not edge.keyword]
        named = {edge.keyword: edge.source for edge in step.data if edge.keyword}
        join = step.marks.join
        if join is None:
            return (
                [self._values.of(context, taken[source]) for source in positional],
                {key: self._values.of(context, taken[source]) for key, source in named.items()},
            )
        shaped = self._rows if join.shape == "rows" else self._flat
        args = [shaped(step, positional, context)] if positional else []
        return args, {key: shaped(step, [source], context) for key, source in named.items()}

    def _flat(self, step: FlowStep, sources: list[str], context: TaskContext) -> list[Any]:
        found: list[Any] = []
        for source in sources:
            taken = self._plans[step.id].taken[source]
            value = self._values.of(context, taken)
            if taken.closed:
                found += flattened(value, len(taken.closed))
            elif taken.own_list:
                found += value or ()
            else:
                found.append(value)
        return found

    def _rows(self, step: FlowStep, sources: list[str], context: TaskContext) -> list[list[Any]]:
        taken = [self._plans[step.id].taken[source] for source in sources]
        columns = [flattened(self._values.of(context, one), len(one.closed)) for one in taken]
        needs = step.marks.needs
        if needs is None or needs.combine == "product":
            return [list(row) for row in itertools.product(*columns)]
        aligned = [bool(one.closed) for one in taken]
        length = next(iter(map(len, itertools.compress(columns, aligned))), 1)
        spread = (
            column if is_many else column * length
            for column, is_many in zip(columns, aligned, strict=True)
        )
        return [list(row) for row in zip(*spread, strict=True)]
