"""What is known of one run of a flow: statuses, results, lineage and failures, out of its store."""

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

from eventflow.errors import NotFoundError
from eventflow.flow.attempts import RunState
from eventflow.flow.axes import Plan
from eventflow.flow.nodes import FlowNode, Index, StepFailure, node_id
from eventflow.flow.steps import FlowStep
from eventflow.model.graph import Progress
from eventflow.model.records import AttemptFailure, TaskExecution
from eventflow.model.shape import Shape
from eventflow.model.status import TaskStatus
from eventflow.store.ports import Store

_PAGE = 1000


class Looking:
    """Reads one execution of a flow.

    Args:
        counters: Step -> the hidden task that counts its repetitions.
    """

    def __init__(
        self,
        store: Callable[[], Store],
        execution_id: int,
        state: RunState,
        counters: dict[str, str],
    ) -> None:
        self._store = store
        self._id = execution_id
        self._state = state
        self._counted = {task: step for step, task in counters.items()}

    def result(self, step: FlowStep) -> Any:
        """What a step returned; of one with items the list of it, nested as they are."""
        store = self._store()
        found = self._run(store, step)
        return self._result(store, step, found) if found is not None else None

    def node(self, step: FlowStep, index: Index) -> FlowNode:
        """A step as a whole, or one item of it.

        Raises:
            NotFoundError: If there is no such item.
        """
        store = self._store()
        found = self._run(store, step)
        if not index:
            return self._node(store, step, found)
        shape = store.shape(found.id) if found is not None else None
        number = _number(shape, index) if shape is not None else None
        if found is None or number is None:
            raise NotFoundError(f"there is no {node_id(step.id, index)} in this run")
        (item,) = store.items(found.id, after=number - 1, limit=1)
        return self._node(store, step, item)

    def nodes(self, steps: tuple[FlowStep, ...]) -> Iterator[FlowNode]:
        """Every item of steps that have some, and the other steps as wholes, in order."""
        store = self._store()
        latest = self._latest(store)
        for step in steps:
            found = latest.get(step.id)
            if not self._plan(step).axes:
                yield self._node(store, step, found)
            elif found is not None:
                for item in _items(store, found):
                    yield self._node(store, step, item)

    def failures(self) -> list[StepFailure]:
        """Every failure of the run, in order of time."""
        store = self._store()
        failed: list[TaskExecution] = []
        for run in self._latest(store).values():
            if run.status is TaskStatus.FAILED:
                failed += list(_items(store, run, TaskStatus.FAILED)) or [run]
        failed.sort(key=lambda run: (run.end_date is None, run.end_date or 0))
        return [self._failure(store, run) for run in failed]

    def progress(self) -> dict[str, Progress]:
        """Step -> how it stands; steps that were not reached are left out."""
        return {
            name: Progress(run.status, run.items)
            for name, run in self._latest(self._store()).items()
            if name not in self._counted
        }

    def _failure(self, store: Store, run: TaskExecution) -> StepFailure:
        step = self._counted.get(run.task_name, run.task_name)
        error = _last_failure(store, run)
        told = error or AttemptFailure(attempt=run.attempt, type_name="Failed", message=run.reason)
        return StepFailure(step, run.index, told, self._raised(step, run.index, error))

    def _node(self, store: Store, step: FlowStep, run: TaskExecution | None) -> FlowNode:
        if run is None:
            return FlowNode(step=step)
        error = _last_failure(store, run) if run.status is TaskStatus.FAILED else None
        return FlowNode(
            step=step,
            index=run.index,
            status=run.status,
            reason=run.reason,
            error=error,
            exception=self._raised(step.id, run.index, error),
            run_id=run.id,
            attempt=run.attempt,
            begin=run.begin_date,
            end=run.end_date,
            _result=lambda: self._result_of(step, run),
            _lineage=lambda: self._lineage(step, run.index),
        )

    def _raised(
        self, step: str, index: Index, error: AttemptFailure | None
    ) -> BaseException | None:
        found = self._state.raised.get((step, index))
        return found if error is not None and type(found).__name__ == error.type_name else None

    def _result_of(self, step: FlowStep, run: TaskExecution) -> Any:
        store = self._store()
        return self._result(store, step, run)

    def _result(self, store: Store, step: FlowStep, run: TaskExecution) -> Any:
        depth = len(self._plan(step).axes) - len(run.index)
        if depth == 0:
            if run.status is not TaskStatus.SUCCESS:
                return None
            text = store.result(run.id)
            nested = json.loads(text) if text is not None else None
            return self._state.values.restored(step.id, run.index, nested, 0)
        text = store.result(run.id) if run.status is TaskStatus.SUCCESS else None
        if text is not None:
            return self._state.values.restored(step.id, (), json.loads(text), depth)
        shape = store.shape(run.id)
        if shape is None:
            return None
        # Some items have failed, or run still: what there is stands at its place.
        found = [self._result(store, step, item) for item in _items(store, run)]
        return shape.nest(found)

    def _latest(self, store: Store) -> dict[str, TaskExecution]:
        """Task -> its newest run."""
        execution = store.execution(self._id)
        return {run.task_name: run for run in execution.tasks} if execution is not None else {}

    def _run(self, store: Store, step: FlowStep) -> TaskExecution | None:
        return self._latest(store).get(step.id)

    def _plan(self, step: FlowStep) -> Plan:
        return self._state.plans[step.id]

    def _lineage(self, step: FlowStep, index: Index) -> tuple[str, ...]:
        if len(index) != len(self._plan(step).axes):
            return tuple(dict.fromkeys(edge.source for edge in step.edges))
        store = self._store()
        return tuple(self._came_from(store, step, index))

    def _came_from(self, store: Store, step: FlowStep, index: Index) -> Iterator[str]:
        for source, taken in self._plan(step).taken.items():
            below = tuple(index[axis] for axis in taken.output.at)
            upstream = self._state.graph[source]
            if taken.element is not None and taken.open:
                yield node_id(source, (*below, index[taken.element]))
            elif not taken.open:
                yield node_id(source, below)
            else:
                run = self._run(store, upstream)
                shape = store.shape(run.id) if run is not None else None
                for number in shape.range_of(below) if shape is not None else ():
                    yield node_id(source, shape.index_of(number) if shape is not None else ())


def _items(store: Store, run: TaskExecution, *statuses: TaskStatus) -> Iterator[TaskExecution]:
    after = -1
    for _ in itertools.count():
        page = store.items(run.id, statuses=statuses, after=after, limit=_PAGE)
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1].item if page[-1].item is not None else after


def _number(shape: Shape, index: Index) -> int | None:
    """The number of an item; `None` where there is no such one."""
    if len(index) != shape.depth:
        return None
    try:
        return shape.range_of(index).start
    except IndexError:
        return None


def _last_failure(store: Store, run: TaskExecution) -> AttemptFailure | None:
    found = store.failures(run.id)
    return found[-1] if found else None
