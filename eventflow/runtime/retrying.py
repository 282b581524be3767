"""The picture of an ended execution: what the command that retries it carries (S31).

An execution that has ended does not change any more, so its picture is the same whenever it is
taken. What was retried before is followed to where each result came from.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from eventflow.core.again import carried
from eventflow.core.retried import Retried
from eventflow.core.waiting import levels_missing
from eventflow.errors import ConflictError, NotFoundError
from eventflow.model.jsonvalue import read
from eventflow.model.records import DecisionRecord, TaskExecution, WorkflowExecution
from eventflow.model.status import TaskStatus, WorkflowStatus
from eventflow.model.workflow import Workflow
from eventflow.store.ports import Store
from eventflow.store.rows import RETRIED


def picture_of(store: Store, execution_id: int) -> dict[str, Any]:
    """All that deciding the retry of an execution needs.

    Raises:
        NotFoundError: If there is no such execution.
        ConflictError: If it has not ended, or nothing is left to do in it; says what to do.
    """
    execution = store.execution(execution_id)
    if execution is None:
        raise NotFoundError(f"no workflow execution {execution_id} in {store.url}")
    if not execution.ended:
        raise ConflictError(
            f"execution {execution.id} is {execution.status.value}: stop it first, or wait"
        )
    tasks = _tasks(store, execution)
    # What an execution that ended SUCCESS has not run could not come to any more.
    settled = execution.status is WorkflowStatus.SUCCESS or _all_ran(store, execution, tasks)
    if settled and not any(retried.again for retried in tasks.values()):
        raise ConflictError(
            f"execution {execution.id} ended {execution.status.value} and has nothing to run "
            f"again: every task would be taken over; to run all of it anew: "
            f"eventflow execution start {execution.workflow_name}"
        )
    due, trigger = execution.scheduled_time, execution.trigger_event
    return {
        "retry_of": execution.id,
        "namespace": execution.namespace,
        "workflow": execution.workflow_name,
        "snapshot": execution.snapshot,
        "params": execution.params,
        "execution_type": execution.execution_type.value,
        "scheduled_time": due.isoformat() if due is not None else None,
        "trigger": carried(trigger) if trigger is not None else None,
        "tasks": [retried.to_json() for retried in tasks.values()],
    }


def still_to_do(store: Store, execution: WorkflowExecution) -> dict[str, Retried]:
    """What a retry is still to run again, by task; while it waits in INIT all that it retries."""
    if execution.retry_of is None or execution.ended:
        return {}
    kept = store.state(execution.id, (execution.namespace, execution.workflow_name))
    found = [text for name, text in kept.items() if name.startswith(RETRIED)]
    return {retried.task: retried for retried in map(Retried.from_json, map(read, found))}


def again_in_words(
    workflow: Workflow, retried: Retried, statuses: Mapping[str, TaskStatus | None]
) -> str:
    """What happens to a task that is still to run again, or to be taken over, and when."""
    if not retried.again:
        return f"is taken over from execution {retried.execution_id} once the execution begins"
    wanted: list[str] = []
    if retried.rule is not None:
        rule = workflow.rules_of(retried.task)[retried.rule]
        wanted = levels_missing(rule.condition, statuses)
    once = " and ".join(wanted) or "the execution begins"
    return f"runs again, as in execution {retried.execution_id}, once {once}"


def _tasks(store: Store, execution: WorkflowExecution) -> dict[str, Retried]:
    """Every task that had a run, or that was still to run again in a retry that ended before."""
    tasks: dict[str, Retried] = {}
    for one in reversed(list(_chain(store, execution))):
        origins = {retried.run_id: retried.execution_id for retried in tasks.values()}
        began = _Began(store.decisions(one.id))
        for task in began.dropped_marks:
            tasks.pop(task, None)
        for run in latest_runs(one).values():
            tasks[run.task_name] = _retried(one, run, began, origins)
    return tasks


def _chain(store: Store, execution: WorkflowExecution) -> Iterator[WorkflowExecution]:
    """The execution, what it is the retry of, and so on, as far as the store has them."""
    found: WorkflowExecution | None = execution
    while found is not None:
        yield found
        found = store.execution(found.retry_of) if found.retry_of is not None else None


def latest_runs(execution: WorkflowExecution) -> dict[str, TaskExecution]:
    """Task -> its latest run; a dropped successor is passed over (S20)."""
    latest: dict[str, TaskExecution] = {}
    for run in execution.tasks:
        known = latest.get(run.task_name)
        if not run.dropped and (known is None or known.sequence_number < run.sequence_number):
            latest[run.task_name] = run
    return latest


class _Began:
    """What the decisions of an execution say: which rule started a run, what stopped one.

    Attributes:
        dropped_marks: Tasks that were to run again, and that a rule stopped before they did.
    """

    def __init__(self, decisions: list[DecisionRecord]) -> None:
        self._rules: dict[int, int | None] = {}
        # Whoever was first has stopped it: what came later found it leaving already.
        self._stops: dict[int, bool] = {}
        self.dropped_marks: list[str] = []
        for one in decisions:
            run_id = one.task_execution_id
            if run_id is None:
                if one.did == "stopped" and one.rule is not None:
                    self.dropped_marks.append(one.task)
            elif one.did in ("started", "restarted"):
                self._rules.setdefault(run_id, one.rule)
            elif one.did == "stopped":
                self._stops.setdefault(run_id, one.rule is not None)

    def rule_of(self, run: TaskExecution) -> int | None:
        return self._rules.get(run.id)

    def by_rule(self, run: TaskExecution) -> bool:
        """Whether a rule stopped it; a command, or the end of its execution, is outside."""
        return run.taken_from is not None or self._stops.get(run.id, False)


def _retried(
    execution: WorkflowExecution, run: TaskExecution, began: _Began, origins: dict[int, int]
) -> Retried:
    taken = run.status in (TaskStatus.SUCCESS, TaskStatus.SKIPPED) or (
        run.status is TaskStatus.STOPPED and began.by_rule(run)
    )
    origin = run.taken_from
    return Retried(
        task=run.task_name,
        run_id=run.id if origin is None else origin,
        execution_id=execution.id if origin is None else origins.get(origin, execution.id),
        status=run.status,
        again=not taken,
        trigger_turn=run.trigger_turn,
        started_by=run.started_by,
        rule=began.rule_of(run),
    )


def _all_ran(store: Store, execution: WorkflowExecution, tasks: dict[str, Retried]) -> bool:
    snapshot = store.snapshot(execution.snapshot)
    if snapshot is None:
        return False
    return all(task["task"] in tasks for task in snapshot.definition["tasks"])
