"""Tasks that run a workflow: their order becomes a command, and no executor sees it (S40).

Results are read here and never by the core: the command holds all that deciding needs.
"""

from collections.abc import Callable
from typing import Any

from eventflow.core.subs import is_leaving, stop_reason
from eventflow.core.world import LiveExecution, Run, World
from eventflow.errors import EventError, MissingOutputError
from eventflow.executors.attempt import refusal
from eventflow.executors.port import Report
from eventflow.model.arguments import Output, Place, fill
from eventflow.model.jsonvalue import read
from eventflow.model.records import ParentLink, WorkflowExecution
from eventflow.model.status import TaskStatus
from eventflow.operators.workflow import WorkflowOperator
from eventflow.runtime.client import Client
from eventflow.runtime.dispatch import Order


class SubStarter:
    """Asks for the sub-execution of a START order.

    Args:
        report: Takes the refusal of a run whose params are not to be had.
    """

    def __init__(self, client: Client, report: Callable[[Report], None]) -> None:
        self._client = client
        self._report = report

    def __call__(self, order: Order) -> None:
        run, record, plan = order.run, order.record, order.plan
        if run is None or record is None or plan is None:
            raise ValueError(f"order {order.key} has no run to start a sub-execution for")
        parent = ParentLink(
            workflow_execution_id=record.id,
            task_name=run.task,
            task_execution_id=run.id,
            attempt=run.attempt,
        )
        try:
            params = self._params(plan.workflow.tasks[run.task], run)
            target = plan.tasks[run.task].runs_workflow or (plan.namespace, plan.name)
            self._client.subrun(*target, params, parent, plan.namespace)
        except (EventError, MissingOutputError) as error:
            self._report(refusal(order.key, error, f"params of task {run.task!r}: {error}"))

    def _params(self, operator: object, run: Run) -> dict[str, Any]:
        if not isinstance(operator, WorkflowOperator):
            return {}
        inputs = run.inputs or {}

        def value_of(place: Place) -> Any:
            if not isinstance(place, Output):
                raise MissingOutputError(f"{place} stands for nothing here")
            return self._result(inputs, place)

        params = fill(operator.params, value_of)
        if not isinstance(params, dict):
            raise EventError(f"they are an object of names and values, got {params!r:.200}")
        return params

    def _result(self, inputs: dict[str, int], output: Output) -> Any:
        run_id = inputs.get(output.task_name)
        text = self._client.store.result(run_id) if run_id is not None else None
        if text is None and not output.optional:
            raise MissingOutputError(
                f"the result of {output.task_name!r} is not in the store any more"
            )
        return read(text) if text is not None else None


def join(world: World, client: Client) -> None:
    """Say in the log what runs and their sub-executions missed of each other.

    While the code of one of the two cannot be loaded it is parked, and the other goes on (S41).
    """
    for live in list(world.executions.values()):
        _stop_if_unwanted(world, client, live)
        for standing in list(live.standings.values()):
            for run in standing.runs:
                if _began(run) and live.runs_workflow(run.task):
                    _tell_end(world, client, live, run)


def _began(run: Run) -> bool:
    return run.status in (TaskStatus.RUNNING, TaskStatus.STOPPING, TaskStatus.RESTARTING)


def _stop_if_unwanted(world: World, client: Client, live: LiveExecution) -> None:
    parent = live.record.parent
    if parent is None or live.stopping:
        return
    above = world.executions.get(parent.workflow_execution_id)
    run = above.run(parent.task_execution_id, parent.task_name) if above is not None else None
    if above is not None and run is not None and is_leaving(run):
        client.stop(live.id, stop_reason(above.id, run, ""))


def _tell_end(world: World, client: Client, live: LiveExecution, run: Run) -> None:
    if run.id in world.subs:
        return
    ended = [sub for sub in client.store.sub_executions(live.id) if _is_of(sub, run) and sub.ended]
    for sub in ended:
        client.subended(sub)


def _is_of(sub: WorkflowExecution, run: Run) -> bool:
    parent = sub.parent
    return parent is not None and (parent.task_execution_id, parent.attempt) == (
        run.id,
        run.attempt,
    )
