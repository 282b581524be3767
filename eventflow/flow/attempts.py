"""What happens in one attempt of a step: whether it runs at all, with what, and what is kept."""

import asyncio
import contextvars
import inspect
import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from eventflow.errors import ResultError, TaskError, TaskSkipped
from eventflow.flow.axes import Plan, Taken
from eventflow.flow.graph import FlowGraph
from eventflow.flow.signatures import (
    call_with_view,
    has_default,
    takes_input,
    takes_nothing,
    takes_self,
)
from eventflow.flow.steps import FlowStep
from eventflow.flow.values import Index, Values, flattened
from eventflow.flow.view import FlowView, Lookup
from eventflow.model.arguments import Output
from eventflow.model.context import TaskContext, inside
from eventflow.model.status import TaskStatus

NOT_GIVEN: Any = type("NotGiven", (), {"__repr__": lambda _: "<not given>"})()
_PATIENCE_S = 60.0
_DATA = "flow.skipped/"


class RunState:
    """All that one run of a flow has in this process.

    Attributes:
        flow: What steps get as `self`: a copy that is this run's own.
        flow_input: What start steps get; `NOT_GIVEN` when the flow was made without.
        raised: What attempts have raised, by step and item; the last one of each.
        context: The context variables of who started the run.
    """

    def __init__(
        self,
        flow: Any,
        graph: FlowGraph,
        plans: Mapping[str, Plan],
        values: Values,
        *,
        flow_input: Any,
        fail_fast: bool,
        context: contextvars.Context,
    ) -> None:
        self.flow = flow
        self.graph = graph
        self.plans = plans
        self.values = values
        self.flow_input = flow_input
        self.raised: dict[tuple[str, Index], BaseException] = {}
        self.context = context
        self._fail_fast = fail_fast
        self._failing = False
        self._skipped: set[tuple[str, Index]] = set()

    def attempt(self, name: str, context: TaskContext, work: Callable[[], Any]) -> Any:
        """Do the `work` of one attempt of a step, unless it is to be skipped.

        Returns:
            What the engine is to keep as the result.
        """
        if self._failing:
            # The flow is being stopped; what was on its way already does not begin.
            if context.wait(_PATIENCE_S):
                return None
            raise TaskError(f"step {name!r} does not begin: another step has failed")
        try:
            return self.context.copy().run(self._in_context, name, context, work)
        except TaskSkipped:
            raise
        except BaseException as error:
            self._note(name, context, error)
            raise

    def refuse(self) -> None:
        """Let no attempt begin from now on."""
        self._failing = True

    def call(self, name: str, context: TaskContext) -> Any:
        """Call a step's function with what its predecessors give."""
        step = self.graph[name]
        own = (self._self_of(step),) if takes_self(step) else ()
        args, kwargs = self._arguments(step, context)
        result = step.call(*own, *args, **kwargs)
        return _run(result)

    def input_of(self, name: str, context: TaskContext) -> Any:
        """What a step with one input gets: the result of its predecessor, or the flow's input."""
        step = self.graph[name]
        args, kwargs = self._given(step, context)
        values = [*args, *kwargs.values()]
        return values[0] if values else self._plain_input()

    def count(self, name: str, context: TaskContext) -> list[int]:
        """The repetitions of a step, as their numbers."""

        def ask() -> list[int]:
            with inside(context):
                step = self.graph[name]
                taken = {
                    source: Taken(Output(source), len(self.plans[source].axes))
                    for source in self.plans[name].taken
                }
                results = Lookup(tuple(taken), lambda one: self.values.of(context, taken[one]))
                view = FlowView(step, self._plain_input(), results, context)
                repetitions: Any = step.repetitions
                return _counted(name, _run(call_with_view(repetitions, view)))

        try:
            return self.context.copy().run(ask)
        except BaseException as error:
            self._note(name, context, error)
            raise

    def view(self, name: str, context: TaskContext) -> FlowView:
        """What a condition of a step may look at."""
        step = self.graph[name]
        taken = self.plans[name].taken
        results = Lookup(tuple(taken), lambda source: self.values.of(context, taken[source]))
        return FlowView(step, self._plain_input(), results, context)

    def _in_context(self, name: str, context: TaskContext, work: Callable[[], Any]) -> Any:
        with inside(context):
            step = self.graph[name]
            self._check_skips(step, context)
            try:
                result = work()
            except SystemExit as error:
                raise TaskError(
                    f"step {name!r} left with sys.exit({error.code!r}), which ends no flow; return "
                    f"from the step, or raise"
                ) from error
            if context.should_stop():
                return None  # abandoned: a later attempt may have kept its result already
            counted = step.marks.fan_out or any(
                follower.over == name for follower in step.successors
            )
            if counted and step.marks.repetitions is None:
                result = _elements(name, result)
            self.raised.pop((name, context.index), None)
            return self.values.keep(name, context.index, result, counted=_is_list(step, counted))

    def _note(self, name: str, context: TaskContext, error: BaseException) -> None:
        self.raised[name, context.index] = error
        marks = self.graph[name].marks
        last = not marks.settings.get("retries") and not marks.settings.get("allow_failure")
        if self._fail_fast and last and not context.should_stop():
            self._failing = True

    def _check_skips(self, step: FlowStep, context: TaskContext) -> None:
        """Raise TaskSkipped where the step is not to run."""
        asked = [edge for edge in step.edges if edge.skipped != "none"]
        skipped = {edge.source for edge in asked if self._was_skipped(step, edge.source, context)}
        for edge in asked:
            if edge.skipped == "cascade" and edge.source in skipped:
                self._skip(step, context, f"{edge.source} was skipped")
        either = [edge.source for edge in asked if edge.skipped == "any"]
        if either and all(source in skipped for source in either):
            self._skip(step, context, f"{', '.join(either)} were skipped")
        condition = step.marks.condition
        if condition is not None:
            met = call_with_view(condition, self.view(step.id, context))
            if not _run(met):
                told = getattr(condition, "__name__", type(condition).__name__)
                self._skip(step, context, f"its condition {told} does not hold")

    def _skip(self, step: FlowStep, context: TaskContext, reason: str) -> None:
        if context.index:
            # The engine's list has `null` for it, as for an item that returned `None`.
            self._skipped.add((step.id, context.index))
            if not self.in_memory:
                context.data.set(_skip_key(step.id, context.index), reason)
        raise TaskSkipped(reason)

    @property
    def in_memory(self) -> bool:
        """Whether nothing of the run outlives this process."""
        return self.values.in_memory

    def _was_skipped(self, step: FlowStep, source: str, context: TaskContext) -> bool:
        taken = self.plans[step.id].taken.get(source)
        if taken is not None and taken.output.at and not taken.open:
            index = tuple(context.index[axis] for axis in taken.output.at)
            if (source, index) in self._skipped:
                return True
            return not self.in_memory and context.data.get(_skip_key(source, index)) is not None
        return context.get_task_status(source) is TaskStatus.SKIPPED

    def _arguments(self, step: FlowStep, context: TaskContext) -> tuple[list[Any], dict[str, Any]]:
        if takes_nothing(step):
            return [], {}
        if step.edges:
            return self._given(step, context)
        if not takes_input(step):
            return [], {}
        if self.flow_input is NOT_GIVEN and has_default(step):
            return [], {}
        return [self._plain_input()], {}

    def _given(self, step: FlowStep, context: TaskContext) -> tuple[list[Any], dict[str, Any]]:
        """The results of the predecessors, as arguments."""
        taken = self.plans[step.id].taken
        positional = [edge.source for edge in step.data if not edge.keyword]
        named = {edge.keyword: edge.source for edge in step.data if edge.keyword}
        if step.marks.join is None:
            return (
                [self.values.of(context, taken[source]) for source in positional],
                {key: self.values.of(context, taken[source]) for key, source in named.items()},
            )
        shaped = self._rows if step.marks.join.shape == "rows" else self._flat
        args = [shaped(step, positional, context)] if positional else []
        return args, {key: shaped(step, [source], context) for key, source in named.items()}

    def _flat(self, step: FlowStep, sources: list[str], context: TaskContext) -> list[Any]:
        found: list[Any] = []
        for source in sources:
            taken = self.plans[step.id].taken[source]
            value = self.values.of(context, taken)
            if taken.closed:
                found += flattened(value, len(taken.closed))
            elif taken.own_list:
                found += value or ()
            else:
                found.append(value)
        return found

    def _rows(self, step: FlowStep, sources: list[str], context: TaskContext) -> list[list[Any]]:
        taken = {source: self.plans[step.id].taken[source] for source in sources}
        columns = [
            flattened(self.values.of(context, one), len(one.closed)) for one in taken.values()
        ]
        needs = step.marks.needs
        if needs is None or needs.combine == "product":
            return [list(row) for row in itertools.product(*columns)]
        aligned = [bool(one.closed) for one in taken.values()]
        length = next(iter(map(len, itertools.compress(columns, aligned))), 1)
        spread = (
            column if is_many else column * length
            for column, is_many in zip(columns, aligned, strict=True)
        )
        return [list(row) for row in zip(*spread, strict=True)]

    def _plain_input(self) -> Any:
        return None if self.flow_input is NOT_GIVEN else self.flow_input

    def _self_of(self, step: FlowStep) -> Any:
        return type(self.flow) if isinstance(step.function, classmethod) else self.flow


def _is_list(step: FlowStep, counted: bool) -> bool:
    return counted and step.marks.repetitions is None


def _skip_key(step: str, index: Index) -> str:
    return f"{_DATA}{step}/{','.join(map(str, index))}"


def _run(result: Any) -> Any:
    """The result of a coroutine, all that an async generator yields, or the value as it is."""
    if inspect.iscoroutine(result):
        return asyncio.run(result)
    if inspect.isasyncgen(result):

        async def collect() -> list[Any]:
            return [element async for element in result]

        return asyncio.run(collect())
    return result


def _counted(step: str, count: Any) -> list[int]:
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise ResultError(
            f"step {step!r} is to be repeated {count!r:.200} times; a count is a whole number from "
            f"0"
        )
    return list(range(count))


def _elements(step: str, result: Any) -> list[Any]:
    if isinstance(result, str | bytes | Mapping) or not isinstance(result, Iterable):
        raise ResultError(
            f"step {step!r} is to be fanned out and returned {result!r:.200}; return a list or "
            f"another iterable of the items"
        )
    return list(result)
