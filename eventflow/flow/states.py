"""The runs of this process by their token, which stands in the params of their execution."""

import contextvars
import copy
from collections.abc import Mapping
from typing import Any

from eventflow.flow.attempts import NOT_GIVEN, RunState
from eventflow.flow.axes import Plan
from eventflow.flow.graph import FlowGraph
from eventflow.flow.values import AsJson, ByReference
from eventflow.model.context import TaskContext

TOKEN, INPUT = "flow_run", "flow_input"
_STATES: dict[str, RunState] = {}


def enter(token: str, state: RunState) -> bool:
    """Know a run by its token; whether no other one was known by it."""
    return _STATES.setdefault(token, state) is state


def is_known(token: str) -> bool:
    """Whether a run of this process has the token."""
    return token in _STATES


def leave(token: str) -> None:
    """Forget a run that has ended."""
    _STATES.pop(token, None)


def copy_of(spec: Any) -> Any:
    """A flow for one run: what its steps set on `self` stays there."""
    return copy.copy(spec)


class Finder:
    """Finds the run of an attempt.

    An execution that another program began, and that goes on here because its store was opened, is
    given a run of its own: it has the results in the store, and the flow as it is here.
    """

    def __init__(self, spec: Any, graph: FlowGraph) -> None:
        self._spec = spec
        self._graph = graph
        self.plans: Mapping[str, Plan] = {}

    def __call__(self, context: TaskContext) -> RunState:
        token = str(context.params.get(TOKEN, context.workflow_execution.id))
        found = _STATES.get(token)
        if found is None:
            given = context.params.get(INPUT, NOT_GIVEN)
            found = _STATES.setdefault(token, self.state(given, durable=True, fail_fast=False))
        return found

    def state(self, flow_input: Any, *, durable: bool, fail_fast: bool) -> RunState:
        """The state of a new run."""
        return RunState(
            copy_of(self._spec),
            self._graph,
            self.plans,
            AsJson() if durable else ByReference(),
            flow_input=flow_input,
            fail_fast=fail_fast,
            context=contextvars.copy_context(),
        )
