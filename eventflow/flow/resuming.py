"""What an earlier program left unfinished of a flow in its store, and taking it up again."""

import contextlib
import logging
from typing import Any

from eventflow.errors import ConflictError
from eventflow.flow.attempts import RunState
from eventflow.flow.states import TOKEN, Finder, enter, is_known, leave
from eventflow.model.jsonvalue import encode, read
from eventflow.model.records import WorkflowExecution
from eventflow.model.status import WorkflowStatus
from eventflow.model.workflow import Workflow
from eventflow.runtime.scheduler import Scheduler

log = logging.getLogger("eventflow")
_UNFINISHED = (WorkflowStatus.INIT, WorkflowStatus.RUNNING)


def take_up(
    scheduler: Scheduler, workflow: Workflow, params: dict[str, Any], state: RunState
) -> WorkflowExecution | None:
    """Let the newest unfinished execution of the same definition and params go on as this run.

    Returns:
        The execution; `None` when there is none.
    """
    wanted = read(encode(params))
    for execution in _left(scheduler, workflow):
        token = token_of(execution)
        if {key: value for key, value in execution.params.items() if key != TOKEN} != wanted:
            continue
        if not enter(token, state):
            continue
        # Registering is what lets it go on: a run that began before it was known would get another.
        scheduler.register(workflow)
        if execution.id not in scheduler.parked:
            return execution
        leave(token)
        log.warning(
            "flow.left_behind id=%s: it was begun with other steps, and waits for them; "
            "end it by 'eventflow execution stop %s'",
            execution.id,
            execution.id,
        )
    return None


def stop_left(scheduler: Scheduler, workflow: Workflow, finder: Finder) -> None:
    """Stop every unfinished execution of the same definition; no step of one begins again."""
    for execution in _left(scheduler, workflow):
        token = token_of(execution)
        refusing = finder.state(None, durable=True, fail_fast=True)
        refusing.refuse()
        if not enter(token, refusing):
            continue
        scheduler.register(workflow)
        if execution.id not in scheduler.parked:
            with contextlib.suppress(ConflictError):
                scheduler.stop_workflow(execution, "the flow was started anew")
            scheduler.execution(execution.id).wait()
        leave(token)


def _left(scheduler: Scheduler, workflow: Workflow) -> list[WorkflowExecution]:
    found = scheduler.executions(
        workflow.name, namespace=workflow.namespace, statuses=_UNFINISHED, limit=1000
    )
    # Without a token it was started by something else than a run of the flow.
    return [one for one in found if TOKEN in one.params and not is_known(token_of(one))]


def token_of(execution: WorkflowExecution) -> str:
    """By what the run of an execution is known."""
    return str(execution.params[TOKEN])
