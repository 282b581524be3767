"""From a flow's graph to a Workflow: operators, axes and rules, which the engine runs as any."""

import contextvars
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from eventflow.errors import DefinitionError, FlowDefinitionError
from eventflow.flow.axes import Axis, Opened, Plan, Source, plans_of
from eventflow.flow.graph import FlowGraph
from eventflow.flow.operators import (
    AppStepOperator,
    CountOperator,
    FindRun,
    StepOperator,
    place_of_value,
)
from eventflow.flow.steps import FlowStep
from eventflow.model.arguments import Output, Place
from eventflow.model.mapped import Along, Each, Given, Mapped
from eventflow.model.mapped import Axis as MappedAxis
from eventflow.model.operator import Operator
from eventflow.model.status import TaskAction, TaskStatus
from eventflow.model.workflow import Workflow

_MANY = 10_000
_OVER = (TaskStatus.SUCCESS, TaskStatus.SKIPPED)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A flow as the engine takes it.

    Attributes:
        counters: Step -> the hidden task that counts its repetitions.
    """

    workflow: Workflow
    plans: Mapping[str, Plan]
    counters: Mapping[str, str]


class _Settings(NamedTuple):
    """What is set for all steps, for those with items, and for the workflow."""

    for_all: Mapping[str, Any]
    for_many: Mapping[str, Any]
    of_workflow: Mapping[str, Any]


def compile_flow(
    graph: FlowGraph,
    find_run: FindRun,
    *,
    name: str,
    for_all: Mapping[str, Any] | None = None,
    for_many: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Compiled:
    """Make the workflow of a flow.

    Args:
        find_run: Gives the run that an attempt belongs to.
        for_all: Settings of steps that do not say otherwise.
        for_many: The same, of steps that have items.
        settings: Of the workflow.

    Raises:
        FlowDefinitionError: If it cannot work as written.
    """
    try:
        # In a context of its own: a flow may be made where a workflow is open.
        compiled: Compiled = contextvars.Context().run(
            _compile,
            graph,
            find_run,
            name,
            _Settings(for_all or {}, for_many or {}, settings or {}),
        )
    except FlowDefinitionError:
        raise
    except DefinitionError as error:
        raise FlowDefinitionError(f"flow {name!r}: {error}") from error
    return compiled


def _compile(
    graph: FlowGraph,
    find_run: FindRun,
    name: str,
    given: "_Settings",
) -> Compiled:
    plans = plans_of(graph)
    counters: dict[str, str] = {}
    with Workflow(name, **{"max_active": _MANY, **given.of_workflow}) as workflow:
        for step in graph:
            plan = plans[step.id]
            places = [place_of_value(plan.taken[edge.source]) for edge in step.data]
            counter: Operator | None = None
            if callable(step.repetitions):
                counter = CountOperator(_free(graph, step), step, _whole(plan), find_run)
                counters[step.id] = counter.name
            for_many = given.for_many if plan.axes else {}
            settings = {**given.for_all, **for_many, **step.marks.settings}
            made = AppStepOperator if step.marks.app is not None else StepOperator
            operator = made(step, places, find_run, **settings)
            if plan.axes:
                operator.map(Mapped(_axes(step, plan, counter)))
    for step in graph:
        _start_rule(workflow, step, counters.get(step.id, ""))
    workflow.validate()
    return Compiled(workflow, plans, counters)


def _start_rule(workflow: Workflow, step: FlowStep, counter: str) -> None:
    before: dict[str, Any] = {edge.source: _OVER for edge in step.edges}
    if counter and before:
        workflow.action_on_task_status(counter, TaskAction.START, dict(before))
    if counter:
        before[counter] = TaskStatus.SUCCESS
    if before:
        workflow.action_on_task_status(step.id, TaskAction.START, before)


def _whole(plan: Plan) -> list[Place]:
    """The whole results of the predecessors: the count is one for all items."""
    return [Output(name, (), optional=True) for name in plan.taken]


def _axes(step: FlowStep, plan: Plan, counter: Operator | None) -> tuple[MappedAxis, ...]:
    return tuple(
        _axis(step, axis, source, counter)
        for axis, source in zip(plan.axes, plan.sources, strict=True)
    )


def _axis(step: FlowStep, axis: Axis, source: Source, counter: Operator | None) -> MappedAxis:
    if source.along:
        return Along(tuple(source.along))
    if source.each is not None:
        return Each(source.each.or_none)
    if axis.opened is Opened.REPEAT and counter is not None:
        return Each(counter.output)
    repetitions = step.repetitions
    return Given(tuple(range(repetitions if isinstance(repetitions, int) else 0)))


def _free(graph: FlowGraph, step: FlowStep) -> str:
    """A name for the task that counts, which no step has."""
    name = f"{step.id}-count"
    while any(other.id == name for other in graph):
        name += "-"
    return name
