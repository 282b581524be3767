"""What an execution that goes on is waiting for: one sentence for each task (S42).

`sentence` is the one place that says how a run stands. A reason of its own, as of one that waits
for a slot or for its turn, is shown as it was given.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from eventflow.core.waiting import Waiting, waits_for
from eventflow.model.condition import Condition, is_builtin
from eventflow.model.records import TaskExecution, VerdictRecord, WorkflowExecution
from eventflow.model.status import TaskAction, TaskStatus, WorkflowStatus
from eventflow.model.workflow import Workflow
from eventflow.runtime.failing import in_short
from eventflow.runtime.itemfacts import waiting_items
from eventflow.runtime.retrying import again_in_words, latest_runs, still_to_do
from eventflow.store.listed import TimerRecord
from eventflow.store.ports import Store

When = Callable[[datetime], str]
NOBODY_RUNS = "no scheduler is running on this store; 'eventflow serve' goes on with it"
_LOOKED_THROUGH = 200


def waiting(
    store: Store, execution: WorkflowExecution, workflow: Workflow | None, when: When
) -> list[str]:
    """What an execution is waiting for; nothing when it has ended.

    A sentence stays as it is for as long as what it says: it tells since when, not for how long.

    Args:
        workflow: As its snapshot defines it; `None` when the store does not have that.
        when: How an instant is written.
    """
    if execution.ended:
        return []
    parked = store.parked().get(execution.id)
    if parked is not None:
        return [f"its code, and is parked until that is at hand: {parked}"]
    if execution.status is WorkflowStatus.INIT:
        return [_turn(store, execution, workflow)]
    latest = latest_runs(execution)
    around = _Around(
        when,
        workflow,
        {
            (timer.kind, timer.task): timer
            for timer in store.timers(["periodic", "retry", "deadline"])
            if timer.workflow_execution_id == execution.id
        },
        _kept_back(store, execution),
    )
    for sub in subs_of(store, execution, workflow):
        if sub.parent is not None and not sub.ended:
            around.subs[sub.parent.task_execution_id] = sub
    stops = [f"its tasks to stop ({execution.stopping})"] if execution.stopping else []
    lines = stops + [sentence(store, run, around) for run in latest.values() if not run.ended]
    if workflow is not None and not execution.stopping:
        lines += _not_started(store, execution, workflow, latest, around)
    lines += around.clocks(latest)
    deadline = around.timers.get(("deadline", ""))
    if deadline is not None:
        lines.append(f"{execution.workflow_name} times out at {when(deadline.due_at)}")
    if not lines and workflow is not None and workflow.completion == "manual":
        lines.append("a stop: completion is 'manual'")
    return lines


def subs_of(
    store: Store, execution: WorkflowExecution, workflow: Workflow | None
) -> list[WorkflowExecution]:
    """What its tasks have run, oldest first (S40); asks the store only where one can."""
    if workflow is None or all(task.runs_workflow is None for task in workflow.tasks.values()):
        return []
    return store.sub_executions(execution.id)


@dataclass(frozen=True, slots=True)
class _Around:
    """What is around the runs of one execution.

    Attributes:
        timers: By kind and task.
        kept_back: Why the scheduler that runs hands over no task of this execution; or empty.
        subs: Run -> the execution of another workflow that it waits for (S40).
    """

    when: When
    workflow: Workflow | None
    timers: Mapping[tuple[str, str], TimerRecord] = field(default_factory=dict)
    kept_back: str = ""
    subs: dict[int, WorkflowExecution] = field(default_factory=dict)

    def is_mapped(self, run: TaskExecution) -> bool:
        """Whether a run is one of a mapped task (S43)."""
        task = self.workflow.tasks.get(run.task_name) if self.workflow is not None else None
        return task is not None and task.mapped is not None

    def clocks(self, latest: Iterable[str]) -> list[str]:
        """When tasks are due by their own clock."""
        return [
            f"{task} is due {'again ' if task in latest else ''}at {self.when(timer.due_at)}"
            for (kind, task), timer in self.timers.items()
            if kind == "periodic"
        ]


def sentence(store: Store, run: TaskExecution, around: _Around) -> str:
    """How one run stands that has not ended, and what it waits for."""
    what = run.label
    sub = around.subs.get(run.id)
    if sub is not None:
        return (
            f"{what} is {run.status.value}: for execution {sub.id} of {sub.workflow_name}, which "
            f"is {sub.status.value}"
        )
    match run.status:
        case TaskStatus.INIT | TaskStatus.QUEUED if run.reason:
            return f"{what} is {run.status.value}: {run.reason}"
        case TaskStatus.INIT:
            return f"{what} waits for its earlier run to stop"
        case TaskStatus.QUEUED:
            waits = "for its items to be counted" if around.is_mapped(run) else "for its executor"
            return f"{what} is QUEUED: {around.kept_back or waits}"
        case TaskStatus.RETRYING:
            timer = around.timers.get(("retry", run.task_name))
            again = f"; it runs again at {around.when(timer.due_at)}" if timer is not None else ""
            why = f" ({run.reason})" if run.reason else ""
            return f"{what} is RETRYING: attempt {run.attempt} failed{why}{again}"
        case TaskStatus.STOPPING | TaskStatus.RESTARTING:
            since = around.when(store.history(run.id)[-1].at)
            why = f" ({run.reason})" if run.reason else ""
            return f"{what} is {run.status.value} since {since}{_grace(run, around)}{why}"
        case _:
            since = f" since {around.when(run.begin_date)}" if run.begin_date else ""
            return f"{what} is {run.status.value}{since}{_items(store, run)}"


def _items(store: Store, run: TaskExecution) -> str:
    """What the items of a run wait for (S43); without numbers, which change all the time."""
    if run.items is None:
        return ""
    told = ": for its items"
    for reason in sorted({item.reason for item in waiting_items(store, run, TaskStatus.QUEUED)}):
        told += f"; some are QUEUED: {reason}" if reason else ""
    return told + ("; some are RETRYING" if run.items.by_status.get(TaskStatus.RETRYING) else "")


def _grace(run: TaskExecution, around: _Around) -> str:
    task = around.workflow.tasks.get(run.task_name) if around.workflow is not None else None
    return f", for at most {task.settings.stop_grace:g} s" if task is not None else ""


def _turn(store: Store, execution: WorkflowExecution, workflow: Workflow | None) -> str:
    """Why an execution has not begun."""
    if execution.reason:
        return execution.reason
    at_most = f" {workflow.max_active}" if workflow is not None else ""
    name = execution.workflow_name
    waits = store.executions(
        workflow=name,
        namespace=execution.namespace,
        statuses=(WorkflowStatus.INIT,),
        limit=1000,
    )
    ahead = sum(one.id < execution.id for one in waits)
    before = f"; {ahead} wait before it" if ahead else ""
    return f"its turn: at most{at_most} executions of {name} run at once (max_active){before}"


def _kept_back(store: Store, execution: WorkflowExecution) -> str:
    """Why nothing is handed over: `eventflow run FILE` runs the workflows of its file only."""
    held, snapshot = store.holder(), store.snapshot(execution.snapshot)
    program = held.program if held is not None else ""
    file = program.removeprefix("eventflow run ")
    if file == program or snapshot is None or snapshot.entry == file:
        return ""
    return f"'{program}' runs its own workflow only; 'eventflow serve' runs this one"


def _not_started(
    store: Store,
    execution: WorkflowExecution,
    workflow: Workflow,
    latest: Mapping[str, TaskExecution],
    around: _Around,
) -> list[str]:
    """The tasks that have never run and still can, and what their rules want."""
    statuses: dict[str, TaskStatus | None] = {name: run.status for name, run in latest.items()}
    name = (execution.namespace, execution.workflow_name)
    again = still_to_do(store, execution)
    lines = [
        f"{task} {again_in_words(workflow, retried, statuses)}" for task, retried in again.items()
    ]
    found = [
        one
        for one in waits_for(workflow, statuses, store.state(execution.id, name), again)
        if one.possible and ("periodic", one.task) not in around.timers
    ]
    answers: dict[tuple[str, int | None], VerdictRecord] = {}
    if any(_has_users_code(one.condition) for one in found):
        said = store.verdicts(execution.id, limit=_LOOKED_THROUGH)
        answers = {(verdict.task, verdict.rule): verdict for verdict in said}
    return lines + [_wanted(one, answers.get((one.task, one.rule))) for one in found]


def _wanted(one: Waiting, answer: VerdictRecord | None) -> str:
    if not one.missing:
        return f"{one.task} waits for its execution to begin, or for its schedule"
    verb = "" if one.action is TaskAction.START else f" to {one.action.value}"
    line = f"{one.task} waits{verb} for {', and '.join(one.missing)}"
    if one.came:
        line += f"; {' and '.join(one.came)} has come"
    if answer is not None:
        said = "failed" if answer.error else in_short(answer)
        line += f"; asked last for {answer.event_key} (offset {answer.event_offset}): {said}"
    return line


def _has_users_code(condition: Condition | None) -> bool:
    return condition is not None and not is_builtin(condition)
