"""What happens in one attempt of a step: whether it runs at all, with what, and what is kept."""

import contextvars
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from eventflow.errors import ResultError, TaskError, TaskSkipped
from eventflow.flow.awaiting import Awaiting
from eventflow.flow.axes import Plan
from eventflow.flow.graph import FlowGraph
from eventflow.flow.handing import Handing
from eventflow.flow.signatures import call_with_view, takes_self
from eventflow.flow.steps import FlowStep
from eventflow.flow.values import Index, Values
from eventflow.model.context import TaskContext, inside
from eventflow.model.status import TaskStatus

_PATIENCE_S = 60.0
_DATA = "flow.skipped/"


class RunState:
    """All that one run of a flow has in this process.

    Attributes:
        flow: What steps get as `self`: a copy that is this run's own.
        raised: What attempts have raised, by step and item; the last one of each.
        variables: The context variables of who started the run.
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
        variables: contextvars.Context,
    ) -> None:
        self.flow = flow
        self.graph = graph
        self.plans = plans
        self.values = values
        self.raised: dict[tuple[str, Index], BaseException] = {}
        self.variables = variables
        self._handing = Handing(plans, values, flow_input)
        self._awaiting = Awaiting()
        self._fail_fast = fail_fast
        self._failing = False
        self._skipped: set[tuple[str, Index]] = set()

    def attempt(self, name: str, context: TaskContext, work: Callable[[], Any]) -> Any:
        """Do the `work` of one attempt of a step, unless it is to be skipped.

        Returns:
            What the engine is to keep as the result.
        """
        return self._guarded(name, context, lambda: self._work(self.graph[name], context, work))

    def call(self, name: str, context: TaskContext) -> Any:
        """Call a step's function with what its predecessors give."""
        step = self.graph[name]
        own = (self._self_of(step),) if takes_self(step) else ()
        args, kwargs = self._handing.arguments(step, context)
        return self._awaiting.value_of(step.call(*own, *args, **kwargs), context)

    def input_of(self, name: str, context: TaskContext) -> Any:
        """What a step with one input gets."""
        return self._handing.one_input(self.graph[name], context)

    def count(self, name: str, context: TaskContext) -> list[int]:
        """The repetitions of a step, as their numbers."""
        view = self._handing.whole_view(self.graph[name], context)

        def ask() -> list[int]:
            repetitions: Any = self.graph[name].repetitions
            count = call_with_view(repetitions, view)
            return _counted(name, self._awaiting.value_of(count, context))

        found: list[int] = self._guarded(name, context, ask)
        return found

    def stop(self, context: TaskContext) -> None:
        """Have an attempt end that awaits something; any other has to look by itself."""
        self._awaiting.stop(context)

    def refuse(self) -> None:
        """Let no attempt begin from now on."""
        self._failing = True

    def _guarded(self, name: str, context: TaskContext, work: Callable[[], Any]) -> Any:
        """Do `work` with the context variables of who started the run; note what it raises."""
        if self._failing:
            # The flow is being stopped; what was on its way already does not begin.
            if context.wait(_PATIENCE_S):
                return None
            raise TaskError(f"step {name!r} does not begin: another step has failed")

        def do() -> Any:
            with inside(context):
                return work()

        try:
            return self.variables.copy().run(do)
        except TaskSkipped:
            raise
        except SystemExit as left:
            error = TaskError(
                f"step {name!r} left with sys.exit({left.code!r}), which ends no flow; return from "
                f"the step, or raise"
            )
            self._note(name, context, error)
            raise error from left
        except BaseException as error:
            self._note(name, context, error)
            raise

    def _work(self, step: FlowStep, context: TaskContext, work: Callable[[], Any]) -> Any:
        self._check_skips(step, context)
        result = work()
        if context.should_stop():
            return None  # abandoned: a later attempt may have kept its result already
        counted = step.marks.repetitions is None and (
            step.marks.fan_out or any(after.over == step.id for after in step.successors)
        )
        elements = _elements(step.id, result) if counted else None
        if elements is not None and (step.marks.fan_out or isinstance(result, Iterator)):
            result = elements
        self.raised.pop((step.id, context.index), None)
        return self.values.keep(step.id, context.index, result, elements)

    def _note(self, name: str, context: TaskContext, error: BaseException) -> None:
        self.raised[name, context.index] = error
        said = self.graph[name].marks.settings
        # One that may come right yet, or is not to stop others, is for the engine to tell.
        goes_on = said.get("retries") or said.get("allow_failure")
        finish = context.index and said.get("on_item_failure") == "finish"
        if self._fail_fast and not (goes_on or finish or context.should_stop()):
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
            met = call_with_view(condition, self._handing.view(step, context))
            if not self._awaiting.value_of(met, context):
                told = getattr(condition, "__name__", type(condition).__name__)
                self._skip(step, context, f"its condition {told} does not hold")

    def _skip(self, step: FlowStep, context: TaskContext, reason: str) -> None:
        if context.index:
            # The engine's list has `null` for it, as for an item that returned `None`.
            self._skipped.add((step.id, context.index))
            if not self.values.in_memory:
                context.data.set(_skip_key(step.id, context.index), reason)
        raise TaskSkipped(reason)

    def _was_skipped(self, step: FlowStep, source: str, context: TaskContext) -> bool:
        taken = self.plans[step.id].taken.get(source)
        if taken is not None and taken.output.at and not taken.open:
            index = tuple(context.index[axis] for axis in taken.output.at)
            if (source, index) in self._skipped:
                return True
            return (
                not self.values.in_memory and context.data.get(_skip_key(source, index)) is not None
            )
        return context.get_task_status(source) is TaskStatus.SKIPPED

    def _self_of(self, step: FlowStep) -> Any:
        return type(self.flow) if isinstance(step.function, classmethod) else self.flow


def _skip_key(step: str, index: Index) -> str:
    return f"{_DATA}{step}/{','.join(map(str, index))}"


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
