"""Answers why: follows causes back through the store, and asks no user's code (S42).

What is read of an execution is in `runtime.gathered`; what it means is in `core.explain`.
"""

from dataclasses import replace

from eventflow.core.explain import Subject, before, link_of
from eventflow.core.explanation import ExecutionExplained, Explained, Link, TaskExplained
from eventflow.errors import NotFoundError
from eventflow.model.itemname import split_item
from eventflow.model.records import TaskExecution, TaskExecutionKey
from eventflow.model.suggest import nearest
from eventflow.runtime.gathered import Facts
from eventflow.runtime.itemfacts import explain_items, origins_of
from eventflow.runtime.items import item_at
from eventflow.runtime.unstarted import explain_workflow
from eventflow.store.ports import Store

# A loop of rules that start each other has no end; nobody reads further back.
MAX_LINKS = 50


def explain(
    store: Store,
    key: int | str | TaskExecutionKey,
    task: str | None = None,
    *,
    namespace: str = "default",
) -> Explained:
    """Explain an execution with all its tasks, one task of it, or what starts a workflow.

    Args:
        key: Id of a workflow execution, the key of a run, or the name of a workflow.
        task: Its newest run is explained, or why there is none. `work[17]`, also in a key, is an
            item of it (S43); and so is the id of a task execution.
        namespace: Of the workflow that is named.

    Raises:
        NotFoundError: If there is no such workflow, execution, task or run.
    """
    if isinstance(key, str):
        return explain_workflow(store, namespace, key)
    told = _Explaining(store)
    if isinstance(key, TaskExecutionKey):
        return told.task(*key)
    if task is None:
        return told.execution(key)
    return told.task(key, task)


class _Explaining:
    """One explanation in the making: what was read of an execution is read once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._facts: dict[int, Facts] = {}
        # What would be named and is not there any more, in words.
        self._gone: dict[str, None] = {}

    def execution(self, execution_id: int) -> ExecutionExplained:
        facts = self._of(execution_id)
        chain, cut = self._chain(Subject(workflow_execution_id=execution_id))
        gone = tuple(self._gone)
        return ExecutionExplained(
            execution=facts.execution,
            chain=chain,
            cut=cut,
            notes=(*facts.notes(), *gone),
            tasks=tuple(self._task(facts, name, at_most=1) for name in facts.task_names()),
        )

    def task(
        self, execution_id: int, task: str, sequence_number: int | None = None
    ) -> TaskExplained:
        facts = self._of(execution_id)
        names = facts.task_names()
        task, index = split_item(task)
        named = self._store.task_execution(int(task)) if _is_id(task, names) else None
        if named is not None and named.workflow_execution_id == execution_id:
            task, index, sequence_number = named.task_name, named.index, named.sequence_number
        if task not in names:
            name = facts.execution.workflow_name
            raise NotFoundError(f"workflow {name!r} has no task {task!r}{nearest(task, names)}")
        run = facts.run(task, sequence_number)
        if run is None and sequence_number is not None:
            raise NotFoundError(
                f"task {task!r} of workflow execution {execution_id} has no run {sequence_number}"
            )
        if index and run is not None:
            return self._item(facts, run, item_at(self._store, run, index))
        told = self._task(facts, task, run)
        return replace(told, notes=(*facts.notes(), *told.notes)) if run is None else told

    def _item(self, facts: Facts, run: TaskExecution, item: TaskExecution) -> TaskExplained:
        """One item of a run: why the run was started is why the item was."""
        chain, cut = self._chain(Subject(task_execution_id=run.id))
        mapped, _ = facts.map_of(run.task_name)
        return TaskExplained(
            workflow_execution_id=facts.execution.id,
            workflow=facts.execution.workflow_name,
            task=run.task_name,
            run=item,
            chain=chain,
            cut=cut,
            failures=tuple(
                f"attempt {one.attempt}: {one.type_name}: {one.message}"
                for one in self._store.failures(item.id)
            ),
            notes=facts.notes_on.of_item(run, item),
            origins=tuple(origins_of(self._store, item, run, mapped)) if mapped is not None else (),
        )

    def _task(
        self,
        facts: Facts,
        task: str,
        run: TaskExecution | None = None,
        *,
        at_most: int = MAX_LINKS,
    ) -> TaskExplained:
        """One task without what its whole execution waits for; its newest run if none is given."""
        run = run or facts.run(task, None)
        chain: tuple[Link, ...] = ()
        cut = False
        self._gone.clear()
        if run is not None:
            chain, cut = self._chain(Subject(task_execution_id=run.id), at_most)
        failures = self._store.failures(run.id) if run is not None else []
        return TaskExplained(
            workflow_execution_id=facts.execution.id,
            workflow=facts.execution.workflow_name,
            task=task,
            run=run,
            chain=chain,
            cut=cut,
            stopped_by=self._stopped_by(facts, run) if run is not None else None,
            failures=tuple(f"{one.type_name}: {one.message}" for one in failures),
            rules=facts.rules(task),
            notes=facts.task_notes(task)
            if run is None
            else (*facts.notes_on.of_run(run), *self._gone),
            refused=facts.refused(task),
            items=explain_items(self._store, run, *facts.map_of(task)) if run is not None else None,
        )

    def _chain(self, subject: Subject, at_most: int = MAX_LINKS) -> tuple[tuple[Link, ...], bool]:
        """The links from an effect back to the first cause, and whether more were left out."""
        links: list[Link] = []
        seen: set[tuple[int, str, int]] = set()
        following: Subject | None = subject
        while following is not None:
            if len(links) == at_most:
                return tuple(links), True
            link = self._link(following)
            # What only looks like the sender of a task may be a name of the user's own.
            if link is None and following.key is None:
                self._gone[f"what comes before that was pruned: {_named(following)}"] = None
            if link is None:
                break
            name = (link.workflow_execution_id, link.task, link.sequence_number)
            if name in seen:
                break
            seen.add(name)
            links.append(link)
            following = before(link)
        return tuple(links), False

    def _link(self, subject: Subject) -> Link | None:
        """What started the subject; `None` when the store does not have it."""
        run = self._run_of(subject)
        execution_id = (
            run.workflow_execution_id if run is not None else subject.workflow_execution_id
        )
        if execution_id is None or self._store.execution_status(execution_id) is None:
            return None
        facts = self._of(execution_id)
        act = facts.act(run, facts.start_of(run))
        self._gone.update(dict.fromkeys(map(_needed_too, act.not_found)))
        return link_of(act)

    def _run_of(self, subject: Subject) -> TaskExecution | None:
        if subject.task_execution_id is not None:
            return self._store.task_execution(subject.task_execution_id)
        key = subject.key
        if key is None or self._store.execution_status(key.workflow_execution_id) is None:
            return None
        return self._of(key.workflow_execution_id).run(key.task_name, key.sequence_number)

    def _stopped_by(self, facts: Facts, run: TaskExecution) -> Link | None:
        decision = facts.stop_of(run)
        return link_of(facts.act(run, decision)) if decision is not None else None

    def _of(self, execution_id: int) -> Facts:
        if execution_id not in self._facts:
            self._facts[execution_id] = Facts(self._store, execution_id)
        return self._facts[execution_id]


def _named(subject: Subject) -> str:
    if subject.task_execution_id is not None:
        return f"task execution {subject.task_execution_id}"
    return f"execution {subject.workflow_execution_id}"


def _needed_too(pattern: str) -> str:
    return (
        f"an event on {pattern} was needed too: it was pruned, or is too far back to be looked at"
    )


def _is_id(named: str, tasks: list[str]) -> bool:
    """Whether it is the id of a task execution; a task of that name goes first."""
    return named not in tasks and named.isascii() and named.isdigit()
