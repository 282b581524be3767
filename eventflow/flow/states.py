"""The runs of this process by their token, which stands in the params of their execution."""

import contextvars
import copy
import threading
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from eventflow.errors import TaskError
from eventflow.flow.attempts import RunState
from eventflow.flow.axes import Plan
from eventflow.flow.graph import FlowGraph
from eventflow.flow.handing import NOT_GIVEN
from eventflow.flow.values import AsJson, ByReference
from eventflow.model.context import TaskContext

TOKEN, INPUT = "flow_run", "flow_input"
BY_REFERENCE = "memory-"
_STATES: dict[str, RunState] = {}
_ADOPTED_KEPT = 256


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

    An execution that no FlowRun of this process began is given one of its own: one that another
    program left in the store, or that an event or a task of another workflow has started. Its
    results are JSON, in the store.
    """

    def __init__(self, spec: Any, graph: FlowGraph) -> None:
        self._spec = spec
        self._graph = graph
        self.plans: Mapping[str, Plan] = {}
        # Nobody says when they end; what is dropped too early is only what steps set on `self`.
        self._adopted: OrderedDict[tuple[int, datetime | None], RunState] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, context: TaskContext) -> RunState:
        token = str(context.params.get(TOKEN, ""))
        found = _STATES.get(token)
        if found is None and token.startswith(BY_REFERENCE):
            raise TaskError(
                f"the results of execution {context.workflow_execution.id} were in a run of its "
                f"flow that has ended; run the flow anew"
            )
        return found if found is not None else self._adopted_by(context)

    def _adopted_by(self, context: TaskContext) -> RunState:
        execution = context.workflow_execution
        # Ids are of one store, and a workflow may be run on several.
        key = (execution.id, execution.created_at)
        with self._lock:
            if key not in self._adopted:
                own = self._spec.input if self._spec.has_input else NOT_GIVEN
                given = context.params.get(INPUT, own)
                self._adopted[key] = self.state(given, durable=True, fail_fast=False)
                if len(self._adopted) > _ADOPTED_KEPT:
                    self._adopted.popitem(last=False)
            self._adopted.move_to_end(key)
            return self._adopted[key]

    def state(self, flow_input: Any, *, durable: bool, fail_fast: bool) -> RunState:
        """The state of a new run."""
        return RunState(
            copy_of(self._spec),
            self._graph,
            self.plans,
            AsJson() if durable else ByReference(),
            flow_input=flow_input,
            fail_fast=fail_fast,
            variables=contextvars.copy_context(),
        )
