"""The graph of an execution: that of its workflow, with how each task stands."""

from eventflow.errors import NotFoundError
from eventflow.model.graph import Graph, Progress
from eventflow.model.records import WorkflowExecution
from eventflow.model.sketch import sketch_of
from eventflow.model.workflow import Workflow
from eventflow.runtime.retrying import latest_runs
from eventflow.store.ports import Store


def graph_of_execution(store: Store, execution: WorkflowExecution) -> Graph:
    """The graph of the workflow that an execution runs, with its newest statuses.

    Raises:
        NotFoundError: If the store does not have its definition.
    """
    graph = workflow_of(store, execution).to_graph()
    return graph.with_progress(progress_of(execution), about_execution(execution))


def workflow_of(store: Store, execution: WorkflowExecution) -> Workflow:
    """The workflow that an execution runs, to look at.

    Raises:
        NotFoundError: If the store does not have its definition.
    """
    record = store.snapshot(execution.snapshot)
    if record is None:
        raise NotFoundError(
            f"snapshot {execution.snapshot[:12]} of execution {execution.id} is not in {store.url}"
        )
    return sketch_of(record.definition)


def progress_of(execution: WorkflowExecution) -> dict[str, Progress]:
    """Task -> how its newest run stands; tasks that have not run are left out."""
    runs = latest_runs(execution)
    return {name: Progress(run.status, run.items) for name, run in runs.items()}


def about_execution(execution: WorkflowExecution) -> str:
    """Which execution a picture shows: `execution 12 RUNNING`."""
    return f"execution {execution.id} {execution.status.value}"
