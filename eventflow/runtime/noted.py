"""Beside the status of a run: its slot, its sub-execution, its items (S40, S43, S44)."""

from eventflow.core.telling import pool_in_words
from eventflow.model.records import PoolRecord, TaskExecution, WorkflowExecution
from eventflow.model.status import TaskStatus
from eventflow.model.workflow import Workflow
from eventflow.runtime.itemfacts import runs_again_at, waiting_items, window_in_words
from eventflow.runtime.items import with_items
from eventflow.store.ports import Store


class RunNotes:
    """Notes on the runs of one execution: what they share is read once, and when it is asked for.

    Args:
        workflow: As its snapshot defines it; `None` when the store does not have that.
    """

    def __init__(
        self, store: Store, execution: WorkflowExecution, workflow: Workflow | None
    ) -> None:
        self._store = store
        self._execution = execution
        self._workflow = workflow
        self._subs: list[WorkflowExecution] | None = None
        self._pools: dict[tuple[str, str], PoolRecord] | None = None

    def of_run(self, run: TaskExecution) -> tuple[str, ...]:
        """How the pool stands for whose slot a run waits, or an item of it; and what it runs."""
        queued = waiting_items(self._store, run, TaskStatus.QUEUED)
        waits = next((item for item in queued if item.reason), run)
        return (*self._slot(waits), *self._sub(run))

    def of_item(self, run: TaskExecution, item: TaskExecution) -> tuple[str, ...]:
        """Of which run it is an item, and what it waits for."""
        holder = with_items(self._store, run)
        count = holder.items.total if holder.items is not None else 0
        notes = [f"it is one of the {count} items of {run.label}, which is {run.status.value}"]
        if item.status is TaskStatus.INIT and self._workflow is not None:
            settings = self._workflow.tasks[run.task_name].settings
            notes.append(f"it waits for {window_in_words(settings)}")
        if item.status is TaskStatus.RETRYING:
            due = runs_again_at(self._store, [item])
            notes += [f"it runs again at {due.isoformat(timespec='seconds')}"] if due else []
        origin = item if item.taken_from is None else self._store.task_execution(item.taken_from)
        if origin is not None and origin.workflow_execution_id != self._execution.id:
            where = origin.workflow_execution_id
            notes.append(f"it was taken over from execution {where}: nothing ran here")
        return (*notes, *self._slot(item))

    def _slot(self, run: TaskExecution) -> tuple[str, ...]:
        """How the pool stands for whose slot a run waits (S44)."""
        if run.status is not TaskStatus.QUEUED or not run.reason:
            return ()
        key = (self._execution.namespace, run.pool)
        if self._pools is None:
            self._pools = {(pool.namespace, pool.name): pool for pool in self._store.pools()}
        return (pool_in_words(self._pools[key]),) if key in self._pools else ()

    def _sub(self, run: TaskExecution) -> tuple[str, ...]:
        """What a run of a task that runs a workflow has run, or waits for (S40)."""
        if self._workflow is None or self._workflow.tasks[run.task_name].runs_workflow is None:
            return ()
        if self._subs is None:
            self._subs = self._store.sub_executions(self._execution.id)
        return tuple(
            f"attempt {sub.parent.attempt} runs execution {sub.id} of {sub.workflow_name}, which "
            f"is {sub.status.value}{self._why(sub)}"
            for sub in self._subs
            if sub.parent is not None and sub.parent.task_execution_id == run.id
        )

    def _why(self, sub: WorkflowExecution) -> str:
        parked = self._store.parked().get(sub.id)
        why = f"parked: {parked}" if parked is not None else sub.reason
        return f" ({why})" if why else ""
