"""The store that a command works on, opened beside whatever scheduler runs on it."""

from eventflow.errors import NotFoundError, StoreError
from eventflow.model.records import WorkflowExecution
from eventflow.model.sketch import sketch_of
from eventflow.model.suggest import nearest
from eventflow.model.workflow import Workflow
from eventflow.runtime.remote import RemoteClient
from eventflow.settings import read_settings
from eventflow.store.listed import WorkflowRecord
from eventflow.store.places import path_of
from eventflow.store.ports import Store

NO_SCHEDULER = "no scheduler runs on this store; it waits until one does, as 'eventflow serve'"


def open_client(store: str | None) -> RemoteClient:
    """A client of the store that the option, the environment or the settings file names.

    Raises:
        StoreError: If there is no such store: looking never makes one.
    """
    url = read_settings(store=store).store
    if path_of(url) is None:
        raise StoreError(
            f"store {url!r} is in memory and ends with the program that made it; name a file with "
            f"--store sqlite:///eventflow.db"
        )
    return RemoteClient(url)


def find_workflow(store: Store, name: str, namespace: str) -> WorkflowRecord:
    """A registered workflow.

    Raises:
        NotFoundError: If there is none of that name; suggests the nearest.
    """
    known = store.workflows()
    for record in known:
        if (record.namespace, record.name) == (namespace, name):
            return record
    names = [record.name for record in known if record.namespace == namespace]
    raise NotFoundError(
        f"no workflow {name!r} is registered in namespace {namespace!r} of {store.url}"
        f"{nearest(name, names)}"
    )


def check_workflow(store: Store, name: str | None, namespace: str | None) -> None:
    """That a name by which a list is narrowed is one that the store knows; `None` narrows nothing.

    Raises:
        NotFoundError: If no such workflow is registered, nor has executions; suggests the nearest.
    """
    if name is None or store.executions(workflow=name, namespace=namespace, limit=1):
        return
    known = [one.name for one in store.workflows() if namespace in (None, one.namespace)]
    if name not in known:
        where = f" in namespace {namespace!r}" if namespace is not None else ""
        raise NotFoundError(
            f"no workflow {name!r} is known{where} to {store.url}{nearest(name, known)}"
        )


def find_execution(store: Store, execution_id: int) -> WorkflowExecution:
    """An execution with its task executions.

    Raises:
        NotFoundError: If the store has none of that id.
    """
    found = store.execution(execution_id)
    if found is None:
        newest = store.executions(limit=1)
        # Ids are given once, in their order, and nothing but pruning takes one away.
        gone = "; it was pruned" if newest and 0 < execution_id < newest[0].id else ""
        raise NotFoundError(f"no workflow execution {execution_id} in {store.url}{gone}")
    return found


def find_task(store: Store, execution: WorkflowExecution, task: str) -> Workflow | None:
    """The workflow of an execution, if it is known; `task` is one of its tasks.

    Raises:
        NotFoundError: If the workflow has no such task; suggests the nearest.
    """
    workflow = sketch(store, execution.snapshot)
    ran = {run.task_name for run in execution.tasks}
    names = list(workflow.tasks) if workflow is not None else sorted(ran)
    if task not in names and task not in ran:
        raise NotFoundError(
            f"workflow {execution.workflow_name!r} has no task {task!r}{nearest(task, names)}"
        )
    return workflow


def sketch(store: Store, snapshot: str) -> Workflow | None:
    """The workflow of a snapshot, to look at; `None` when the store does not have it."""
    record = store.snapshot(snapshot)
    return sketch_of(record.definition) if record is not None else None


def registered(store: Store, record: WorkflowRecord) -> Workflow:
    """A registered workflow, to look at.

    Raises:
        NotFoundError: If the store does not have its definition.
    """
    found = sketch(store, record.snapshot)
    if found is None:
        raise NotFoundError(f"snapshot {record.snapshot[:12]} is not in {store.url}")
    return found
