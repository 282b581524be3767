"""A batch, gathered: one row for each thing that its decisions touched.

A run that is created and moved five times in one batch is one insert with its final values; a run
of an earlier batch is one update. All of this is done before a transaction opens.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from eventflow.core.changes import (
    Commanded,
    FailureKept,
    Fired,
    MetricsKept,
    Paused,
    Registered,
    ResultKept,
    StateWritten,
    TimerCleared,
    TimerSet,
    Withdrawn,
)
from eventflow.core.decision import Decision
from eventflow.core.moves import (
    ExecutionCreated,
    ExecutionMoved,
    ExecutionStopping,
    RetriedKept,
    RunCreated,
    RunMoved,
    RunTakenOver,
    Told,
)
from eventflow.core.opened import ItemsClosed, ItemsCreated, ItemsOpened
from eventflow.core.slots import PoolSet, SlotAwaited, SlotForgone, SlotFreed, SlotTaken
from eventflow.core.world import Run
from eventflow.model.jsonvalue import json_text
from eventflow.model.status import ENDED, WORKFLOW_ENDED, TaskAction, TaskStatus, WorkflowStatus
from eventflow.store.items import item_history, item_rows, items_text
from eventflow.store.ports import Batch
from eventflow.store.rows import (
    RETRIED,
    DecisionRow,
    FailureRow,
    FiringRow,
    HistoryRow,
    ItemsClosing,
    OutboxRow,
    PoolRow,
    Rows,
    StateKey,
    VerdictRow,
    WorkflowRow,
)
from eventflow.store.touched import TouchedExecution, TouchedRun, taken_over_row, timer_row


def rows_of(batch: Batch) -> Rows:
    """Return what `batch` writes."""
    gathering = _Gathering(Rows(batch.counters), batch.now)
    for decision in batch.decisions:
        gathering.take(decision)
    gathering.rows.appended.extend((event, None) for event in batch.left_over)
    return gathering.finish()


class _Gathering:
    """Goes through a batch once, and keeps the last word on each thing."""

    def __init__(self, rows: Rows, now: datetime) -> None:
        self.rows = rows
        self._now = now
        self._turn = 0
        # How many steps the history has so far: those of items that are closed are not in the rows.
        self._steps = 0
        self._executions: dict[int, TouchedExecution] = {}
        self._runs: dict[int, TouchedRun] = {}
        # By the run of a mapped task: the items that it got in this batch.
        self._items: dict[int, ItemsCreated] = {}
        self._orders: dict[tuple[int, int, TaskAction], OutboxRow] = {}
        self._withdrawn: dict[tuple[int, int], bool] = {}

    def take(self, decision: Decision) -> None:
        rows, event, turn = self.rows, decision.event, decision.turn
        self._turn = turn
        if event.offset:
            rows.turned.append((event.offset, turn))
        else:
            rows.appended.append((event, turn))
        for change in decision.changes:
            _TAKES[type(change)](self, change)
        for outcome in decision.outcomes:
            namespace, workflow = outcome.workflow
            rows.decisions.append(
                DecisionRow(
                    turn,
                    len(rows.decisions),
                    self._now,
                    outcome.execution_id,
                    namespace,
                    workflow,
                    outcome.task,
                    outcome.rule,
                    outcome.action,
                    outcome.did,
                    outcome.run_id,
                )
            )
        for verdict in decision.verdicts:
            namespace, workflow = verdict.workflow
            rows.verdicts.append(
                VerdictRow(
                    turn,
                    len(rows.verdicts),
                    verdict.execution_id,
                    namespace,
                    workflow,
                    verdict.task,
                    verdict.number,
                    verdict.met,
                    json_text(dict(verdict.writes)),
                    verdict.ask_again_at,
                    verdict.error,
                    verdict.of_turn,
                )
            )

    def finish(self) -> Rows:
        rows = self.rows
        for execution in self._executions.values():
            if execution.created is not None:
                rows.executions.append(execution.row(execution.created, self._now))
            else:
                rows.execution_updates.append(execution.update())
        for run in self._runs.values():
            if isinstance(run.created, RunCreated):
                rows.runs.append(run.row(run.created))
            elif run.created is None:
                rows.run_updates.append(run.update())
        for items in self._items.values():
            rows.runs.extend(item_rows(items, self._runs))
        rows.outbox.extend(self._orders.values())
        for attempt, ended in self._withdrawn.items():
            (rows.ended if ended else rows.withdrawn).append(attempt)
        return rows

    def registered(self, change: Registered) -> None:
        plan = change.plan
        name = (plan.namespace, plan.name)
        self.rows.workflows[name] = WorkflowRow(*name, plan.snapshot, False, self._now)

    def paused(self, change: Paused) -> None:
        self.rows.paused[change.workflow] = change.paused

    def execution_created(self, change: ExecutionCreated) -> None:
        execution = self._executions[change.record.id] = TouchedExecution(change.record.id, change)
        execution.status = change.record.status
        execution.began_at = change.record.begin_date
        if change.record.retry_of is not None:
            self.rows.data_copied.append((change.record.id, change.record.retry_of))

    def execution_moved(self, change: ExecutionMoved) -> None:
        execution = self._execution(change.execution_id)
        execution.status = change.status
        execution.reason = change.reason
        if change.status is WorkflowStatus.RUNNING:
            execution.began_at = change.at
        elif change.status in WORKFLOW_ENDED:
            execution.ended_at = change.at

    def execution_stopping(self, change: ExecutionStopping) -> None:
        execution = self._execution(change.execution_id)
        execution.stopping = change.reason
        execution.by_timeout = change.by_timeout

    def run_created(self, change: RunCreated) -> None:
        run = change.run
        seen = self._runs[run.id] = TouchedRun(run, change)
        if run.status in ENDED:
            seen.ended_at = change.at
        self._keep_status(run, change.at, "")

    def run_taken_over(self, change: RunTakenOver) -> None:
        self.rows.runs.append(taken_over_row(change))
        self._keep_status(change.run, change.at, change.reason)

    def retried_kept(self, change: RetriedKept) -> None:
        retried = change.retried
        key = StateKey(change.execution_id, *change.workflow, RETRIED + change.task)
        self.rows.states[key] = json_text(retried.to_json()) if retried is not None else None

    def run_moved(self, change: RunMoved) -> None:
        run = change.run
        seen = self._run(run)
        seen.dropped = seen.dropped or change.dropped
        if change.before is run.status:
            return
        if change.reason or run.status is not TaskStatus.STOPPED:
            # That a run has stopped says less than why it was to stop.
            seen.reason = change.reason
        if run.status is TaskStatus.RUNNING:
            seen.began_at = seen.began_at or change.at
        elif run.status in ENDED:
            seen.ended_at = change.at
        self._keep_status(run, change.at, change.reason)

    def items_created(self, change: ItemsCreated) -> None:
        self._items[change.run.id] = change
        self._run(change.run, newest=False).items = items_text(change)
        self.rows.history.extend(item_history(change, self._steps))
        self._steps += change.shape.count

    def items_closed(self, change: ItemsClosed) -> None:
        waiting = change.waiting
        self.rows.closed.append(
            ItemsClosing(
                waiting.start,
                waiting.stop - 1,
                change.at,
                change.turn,
                self._steps,
                change.reason,
            )
        )
        self._steps += len(waiting)

    def state_written(self, change: StateWritten) -> None:
        namespace, workflow = change.workflow
        key = StateKey(change.execution_id or 0, namespace, workflow, change.name)
        self.rows.states[key] = change.value

    def commanded(self, change: Commanded) -> None:
        run, action = change.run, change.action
        self._orders[run.id, run.attempt, action] = OutboxRow(
            run.id, run.attempt, action.value, change.execution_id, self._turn
        )

    def withdrawn(self, change: Withdrawn) -> None:
        attempt = (change.run_id, change.attempt)
        self._orders.pop((*attempt, TaskAction.START), None)
        if change.ended:
            self._orders.pop((*attempt, TaskAction.STOP), None)
        seen = self._runs.get(change.run_id)
        if seen is None or seen.created is None:
            self._withdrawn[attempt] = self._withdrawn.get(attempt, False) or change.ended

    def timer_set(self, change: TimerSet) -> None:
        self.rows.timers[change.timer.key] = timer_row(change.timer)

    def timer_cleared(self, change: TimerCleared) -> None:
        self.rows.timers[change.key] = None

    def fired(self, change: Fired) -> None:
        self.rows.firings.append(
            FiringRow(change.schedule, change.due_at, change.since, change.reason)
        )

    def result_kept(self, change: ResultKept) -> None:
        self.rows.results[change.run_id] = change.text

    def failure_kept(self, change: FailureKept) -> None:
        failure = change.failure
        self.rows.failures.append(
            FailureRow(
                change.run_id,
                failure.attempt,
                failure.type_name,
                failure.message,
                json_text(failure.args),
                failure.traceback,
            )
        )

    def metrics_kept(self, change: MetricsKept) -> None:
        self._run(change.run).metrics = json_text(change.metrics)

    def pool_set(self, change: PoolSet) -> None:
        self.rows.pools[change.pool] = PoolRow(*change.pool, change.slots, change.at)

    def slot_awaited(self, change: SlotAwaited) -> None:
        self._run(change.run).reason = change.reason

    def slot_taken(self, change: SlotTaken) -> None:
        if change.place is not None:
            self._run(change.run).reason = ""

    def nothing(self, change: Told | SlotForgone | SlotFreed | ItemsOpened) -> None:
        """What rules were told is worked out from the history, who holds a slot or waits for one
        from the statuses and the outbox, which items were opened from the statuses.
        """

    def _keep_status(self, run: Run, at: datetime, reason: str) -> None:
        self.rows.history.append(
            HistoryRow(run.id, self._turn, self._steps, run.status.value, at, run.attempt, reason)
        )
        self._steps += 1

    def _run(self, run: Run, *, newest: bool = True) -> TouchedRun:
        seen = self._runs.get(run.id)
        if seen is None:
            seen = self._runs[run.id] = TouchedRun(run, self._items.get(run.parent))
        if newest:
            seen.run = run
        return seen

    def _execution(self, execution_id: int) -> TouchedExecution:
        execution = self._executions.get(execution_id)
        if execution is None:
            execution = self._executions[execution_id] = TouchedExecution(execution_id)
        return execution


_TAKES: dict[type, Callable[[_Gathering, Any], None]] = {
    Registered: _Gathering.registered,
    Paused: _Gathering.paused,
    ExecutionCreated: _Gathering.execution_created,
    ExecutionMoved: _Gathering.execution_moved,
    ExecutionStopping: _Gathering.execution_stopping,
    RunCreated: _Gathering.run_created,
    RunMoved: _Gathering.run_moved,
    RunTakenOver: _Gathering.run_taken_over,
    RetriedKept: _Gathering.retried_kept,
    ItemsCreated: _Gathering.items_created,
    ItemsOpened: _Gathering.nothing,
    ItemsClosed: _Gathering.items_closed,
    Told: _Gathering.nothing,
    StateWritten: _Gathering.state_written,
    Commanded: _Gathering.commanded,
    Withdrawn: _Gathering.withdrawn,
    TimerSet: _Gathering.timer_set,
    TimerCleared: _Gathering.timer_cleared,
    Fired: _Gathering.fired,
    ResultKept: _Gathering.result_kept,
    FailureKept: _Gathering.failure_kept,
    MetricsKept: _Gathering.metrics_kept,
    PoolSet: _Gathering.pool_set,
    SlotAwaited: _Gathering.slot_awaited,
    SlotForgone: _Gathering.nothing,
    SlotTaken: _Gathering.slot_taken,
    SlotFreed: _Gathering.nothing,
}
