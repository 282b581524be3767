"""Timers that went off, decided: schedules, periodic tasks, retries, time-outs (S27, S33, S34)."""

from datetime import datetime

from msgspec.structs import replace

from eventflow.core import firetimes
from eventflow.core.actions import act, queue
from eventflow.core.changes import Commanded, Fired, TimerCleared, TimerSet
from eventflow.core.completion import ending_of
from eventflow.core.decision import Deciding, Outcome
from eventflow.core.executions import create, end, stop_all
from eventflow.core.reports import timed_out
from eventflow.core.world import Timer, World
from eventflow.model.schedule import Catchup
from eventflow.model.status import ExecutionType, TaskAction, TaskStatus


def decide_alarm(deciding: Deciding, timer: Timer) -> None:
    """Do what was due. One that was cleared or moved in the meantime does nothing."""
    if deciding.world.timers.get(timer.key) != timer:
        return
    deciding.change(TimerCleared(timer.key))
    match timer.kind:
        case "schedule":
            _schedule(deciding, timer)
        case "periodic":
            _periodic(deciding, timer)
        case "retry":
            _retry(deciding, timer)
        case "timeout":
            _timeout(deciding, timer)
        case "deadline":
            _deadline(deciding, timer)


def past(world: World, timer: Timer, now: datetime) -> TimerCleared | TimerSet:
    """What becomes of a timer that cannot be decided: a schedule goes on behind it."""
    schedule = None
    if timer.workflow is not None:
        schedule = world.workflows[timer.workflow].plan.workflow.schedule
    elif timer.kind == "periodic" and timer.execution_id in world.executions:
        plan = world.executions[timer.execution_id].plan
        schedule = plan.tasks[timer.task].settings.periodic_expression
    after = max(now, timer.due_at)
    due = firetimes.next_due(schedule, after, anchor=timer.anchor or after) if schedule else None
    if due is None:
        return TimerCleared(timer.key)
    return TimerSet(replace(timer, due_at=due, after=after))


def decide_quiet(deciding: Deciding, execution_id: int) -> None:
    """Nothing of the execution is alive or undecided: has it ended (S29)?"""
    live = deciding.world.executions.get(execution_id)
    if live is None or live.alive:
        return
    ending = ending_of(live)
    if ending is not None:
        end(deciding, live, *ending)


def _schedule(deciding: Deciding, timer: Timer) -> None:
    """Account for every due time that has passed: fired, or skipped with a reason (S33)."""
    if timer.workflow is None or timer.after is None or timer.anchor is None:
        return
    known = deciding.world.workflows[timer.workflow]
    workflow = known.plan.workflow
    if workflow.schedule is None:
        return
    due = firetimes.fired_and_skipped(
        workflow.schedule,
        after=timer.after,
        now=deciding.now,
        catchup=workflow.catchup,
        grace=workflow.misfire_grace,
        anchor=timer.anchor,
        first=timer.due_at,
    )
    if known.paused:
        deciding.change(Fired(timer.key, due.accounted_to, timer.after, "paused", timer.workflow))
    else:
        for skipped in due.skipped:
            deciding.change(
                Fired(timer.key, skipped.until, skipped.after, skipped.reason, timer.workflow)
            )
        for number, instant in enumerate(due.fire):
            deciding.change(Fired(timer.key, instant, workflow=timer.workflow))
            execution_id = create(
                deciding, known, ExecutionType.PERIODIC, scheduled_time=instant, ahead=number
            )
            deciding.note(Outcome(execution_id, timer.workflow, "started", action="schedule"))
    if due.next is not None:
        moved = Timer(
            "schedule",
            due.next,
            workflow=timer.workflow,
            after=due.accounted_to,
            anchor=timer.anchor,
        )
        deciding.change(TimerSet(moved))


def _periodic(deciding: Deciding, timer: Timer) -> None:
    live = deciding.world.executions.get(timer.execution_id)
    if live is None or live.stopping or timer.after is None or timer.anchor is None:
        return
    task = live.plan.tasks[timer.task]
    schedule = task.settings.periodic_expression
    if schedule is None:
        return
    due = firetimes.fired_and_skipped(
        schedule,
        after=timer.after,
        now=deciding.now,
        catchup=Catchup.LATEST,
        grace=None,
        anchor=timer.anchor,
        first=timer.due_at,
    )
    for skipped in due.skipped:
        deciding.change(Fired(timer.key, skipped.until, skipped.after, skipped.reason))
    workflow = (live.plan.namespace, live.plan.name)
    for instant in due.fire:
        deciding.change(Fired(timer.key, instant))
        restarts = task.settings.overlap == "restart"
        action = TaskAction.RESTART if restarts else TaskAction.START
        did, run_id = act(deciding, live, task, action, "periodic")
        deciding.note(
            Outcome(live.id, workflow, did, task=task.name, action=action.value, run_id=run_id)
        )
    if due.next is not None:
        moved = Timer(
            "periodic",
            due.next,
            execution_id=live.id,
            task=task.name,
            after=due.accounted_to,
            anchor=timer.anchor,
        )
        deciding.change(TimerSet(moved))


def _retry(deciding: Deciding, timer: Timer) -> None:
    live = deciding.world.executions.get(timer.execution_id)
    run = live.run(timer.run_id, timer.task) if live is not None else None
    if live is None or run is None or run.status is not TaskStatus.RETRYING:
        return
    queue(deciding, live, live.plan.tasks[run.task], run, attempt=run.attempt + 1)


def _timeout(deciding: Deciding, timer: Timer) -> None:
    live = deciding.world.executions.get(timer.execution_id)
    run = live.run(timer.run_id, timer.task) if live is not None else None
    if live is None or run is None or run.attempt != timer.attempt:
        return
    if run.status is not TaskStatus.RUNNING:
        return
    deciding.change(timed_out(deciding, live, run))
    if live.has_attempts(run):
        deciding.change(Commanded(live.id, run, TaskAction.STOP))


def _deadline(deciding: Deciding, timer: Timer) -> None:
    live = deciding.world.executions.get(timer.execution_id)
    if live is None or live.stopping:
        return
    seconds = live.plan.workflow.timeout
    stop_all(deciding, live, f"ran longer than its timeout, {seconds} s", by_timeout=True)
