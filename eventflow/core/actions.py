"""START, STOP and RESTART of a task: an action and how its runs stand give changes (S19-S21)."""

from msgspec.structs import replace

from eventflow.core.changes import Commanded, FailureKept, TimerCleared, Withdrawn
from eventflow.core.decision import Deciding
from eventflow.core.moves import RetriedKept, RunCreated, RunMoved, Told
from eventflow.core.plan import TaskPlan
from eventflow.core.slots import SlotForgone, SlotFreed
from eventflow.core.world import LiveExecution, Run, Standing
from eventflow.errors import MissingOutputError
from eventflow.model.records import AttemptFailure
from eventflow.model.status import TaskAction, TaskStatus, check_move


def act(
    deciding: Deciding,
    live: LiveExecution,
    task: TaskPlan,
    action: TaskAction,
    started_by: str,
    hops: int = 0,
) -> tuple[str, int | None]:
    """Do an action to a task; return what it came to and the run that it concerns.

    One that waits to run again (S31) is started by a START or RESTART like one that never ran, and
    never by a STOP.

    Args:
        hops: What a new run carries (S45).
    """
    if task.name in live.retried:
        workflow = (live.plan.namespace, live.plan.name)
        deciding.change(RetriedKept(live.id, workflow, task.name, None))
        if action is TaskAction.STOP:
            return "stopped", None
    match action:
        case TaskAction.START:
            return start(deciding, live, task, started_by, hops)
        case TaskAction.STOP:
            return stop(deciding, live, task.name, f"stopped by {started_by}")
        case TaskAction.RESTART:
            return restart(deciding, live, task, started_by, hops)


def start(
    deciding: Deciding, live: LiveExecution, task: TaskPlan, started_by: str, hops: int = 0
) -> tuple[str, int | None]:
    """START (S19): a new run, unless one is alive."""
    standing = live.standing(task.name)
    if standing.latest is not None and standing.latest.alive:
        return "ignored: alive", standing.latest.id
    run = new_run(deciding, live.id, task, standing, started_by, hops=hops)
    queue(deciding, live, task, run)
    return "started", run.id


def stop(deciding: Deciding, live: LiveExecution, task: str, reason: str) -> tuple[str, int | None]:
    """STOP (S20): every run of the task that is alive."""
    standing = live.standing(task)
    latest, leaving = standing.latest, standing.leaving
    if latest is None or not latest.alive:
        return "ignored: not alive", None
    if leaving is not None:
        drop_successor(deciding, live, latest, leaving)
        stop_run(deciding, live, leaving, reason)
        return "stopped", leaving.id
    stop_run(deciding, live, latest, reason)
    return "stopped", latest.id


def restart(
    deciding: Deciding, live: LiveExecution, task: TaskPlan, started_by: str, hops: int = 0
) -> tuple[str, int | None]:
    """RESTART (S21): the run that is alive is stopped, and a successor waits for its end."""
    standing = live.standing(task.name)
    latest = standing.latest
    if latest is None or not latest.alive:
        return start(deciding, live, task, started_by, hops)
    if standing.leaving is not None:
        return "ignored: restart pending", latest.id
    if _is_held_by_none(deciding, live, latest):
        end_waiting(deciding, live, latest, f"restarted by {started_by}")
        run = new_run(deciding, live.id, task, standing, started_by, hops=hops)
        queue(deciding, live, task, run)
        return "restarted", run.id
    if latest.status is not TaskStatus.STOPPING:
        reason = f"restarted by {started_by}"
        before = latest
        latest = move(deciding, live.id, before, TaskStatus.RESTARTING, reason)
        _cancel(deciding, live, before)
    run = new_run(deciding, live.id, task, standing, started_by, behind=latest, hops=hops)
    return "restarted", run.id


def new_run(
    deciding: Deciding,
    execution_id: int,
    task: TaskPlan,
    standing: Standing,
    started_by: str,
    *,
    behind: Run | None = None,
    hops: int = 0,
) -> Run:
    """A run in INIT, with the next sequence number (S19)."""
    by_event = started_by in (deciding.trigger_key, "command")
    run = Run(
        id=deciding.new_run_id(),
        task=task.name,
        sequence_number=standing.last_sequence + 1,
        status=TaskStatus.INIT,
        trigger_turn=deciding.trigger_turn if by_event else 0,
        hops=hops,
        created_at=deciding.at,
    )
    deciding.change(
        RunCreated(execution_id, run, deciding.at, deciding.turn, started_by, task.pool, behind)
    )
    return run


def queue(
    deciding: Deciding, live: LiveExecution, task: TaskPlan, run: Run, *, attempt: int = 1
) -> None:
    """Hand an attempt over: QUEUED, and a START command in the outbox (S11).

    Where slots are counted it asks for one, and waits QUEUED until it has it (S44). The outputs
    that its arguments take are bound when it is first QUEUED (S38).
    """
    inputs, missing = run.inputs, ""
    if inputs is None and task.takes:
        inputs, missing = _bound(live, task)
    run = replace(run, inputs=inputs, attempt=attempt)
    pool = live.pool_of(run)
    if not missing and deciding.counts(pool):
        deciding.ask(pool, live, run)
        return
    run = move(deciding, live.id, run, TaskStatus.QUEUED)
    if missing:
        _fail_for_missing(deciding, live, run, missing)
    else:
        hand_over(deciding, live, run)


def _bound(live: LiveExecution, task: TaskPlan) -> tuple[dict[str, int], str]:
    """The runs whose results a run takes, and the first task that has none and should (S38)."""
    inputs, missing = {}, ""
    for upstream in task.takes:
        standing = live.standing(upstream)
        skipped = standing.latest is not None and standing.latest.status is TaskStatus.SKIPPED
        may_lack = upstream in task.may_lack
        if standing.output is None or (skipped and may_lack):
            missing = missing or ("" if may_lack else upstream)
        else:
            inputs[upstream] = standing.output
    return inputs, missing


def hand_over(deciding: Deciding, live: LiveExecution, run: Run) -> None:
    """Have a QUEUED attempt delivered to an executor (S11)."""
    at_hand = deciding.event if run.trigger_turn == deciding.turn else None
    deciding.change(Commanded(live.id, run, TaskAction.START, at_hand))


def stop_run(deciding: Deciding, live: LiveExecution, run: Run, reason: str) -> None:
    """Stop one run that is alive (S20)."""
    match run.status:
        case _ if run.status is TaskStatus.INIT or _is_held_by_none(deciding, live, run):
            end_waiting(deciding, live, run, reason)
        case TaskStatus.RUNNING | TaskStatus.QUEUED:
            move(deciding, live.id, run, TaskStatus.STOPPING, reason)
            _cancel(deciding, live, run)
        case TaskStatus.RESTARTING:
            move(deciding, live.id, run, TaskStatus.STOPPING, reason)
        case _:
            return


def drop_successor(deciding: Deciding, live: LiveExecution, run: Run, leaving: Run) -> None:
    """End a successor that waits: history only, LATEST is the run before it again (S20)."""
    check_move(run.status, TaskStatus.STOPPED)
    ended = replace(run, status=TaskStatus.STOPPED)
    deciding.change(
        RunMoved(live.id, ended, run.status, deciding.at, deciding.turn, "dropped by a stop", True)
    )
    told = live.standing(run.task).told
    # While the fact of the successor waits in the log, rules do not know of it, and those of the
    # run before it may wait as well.
    if told is not None and told[0] == run.sequence_number:
        deciding.change(Told(live.id, run.task, leaving.sequence_number, leaving.status))


def end_waiting(deciding: Deciding, live: LiveExecution, run: Run, reason: str) -> None:
    """End a run that no executor holds."""
    if deciding.world.waits_for_slot(live, run):
        deciding.change(SlotForgone(live.pool_of(run), live.place_of(run)))
    move(deciding, live.id, run, TaskStatus.STOPPED, reason)
    if not live.has_attempts(run):
        let_go(deciding, live, run)
    deciding.change(TimerCleared(f"retry:{run.id}"))


def move(
    deciding: Deciding, execution_id: int, run: Run, status: TaskStatus, reason: str = ""
) -> Run:
    """Move a run along S26's table; return it as it is then."""
    check_move(run.status, status)
    moved = replace(run, status=status)
    if run.parent:
        deciding.touch_map(run.parent)
    elif status in (TaskStatus.STOPPING, TaskStatus.RESTARTING):
        deciding.touch_map(run.id)
    deciding.change(RunMoved(execution_id, moved, run.status, deciding.at, deciding.turn, reason))
    return moved


def let_go(deciding: Deciding, live: LiveExecution, run: Run) -> None:
    """Nothing of the attempt is to be delivered any more; who held it may forget it, and its slot
    is free (S44).
    """
    deciding.change(Withdrawn(run.id, run.attempt, ended=live.has_attempts(run)))
    key = live.pool_of(run)
    pool = deciding.world.pools.get(key)
    if pool is not None and run.id in pool.held:
        deciding.change(SlotFreed(key, run.id))
        deciding.touch(key)


def _is_held_by_none(deciding: Deciding, live: LiveExecution, run: Run) -> bool:
    """Whether it waits for the scheduler alone: to run again, for a slot (S44), for its
    sub-execution (S40), or for its items to be counted (S43).
    """
    if run.status is TaskStatus.QUEUED:
        return not live.has_attempts(run) or deciding.world.waits_for_slot(live, run)
    return run.status is TaskStatus.RETRYING


def _cancel(deciding: Deciding, live: LiveExecution, run: Run) -> None:
    # Of others the sub-execution (S40) or the items (S43) are stopped, in the same decision.
    if live.has_attempts(run):
        deciding.change(Withdrawn(run.id, run.attempt, ended=False))
        deciding.change(Commanded(live.id, run, TaskAction.STOP))
    if run.status is TaskStatus.RUNNING:
        deciding.change(TimerCleared(f"timeout:{run.id}"))


def _fail_for_missing(deciding: Deciding, live: LiveExecution, run: Run, upstream: str) -> None:
    message = (
        f"task {run.task!r} takes the output of {upstream!r}, which has no success in this "
        f"execution; start {run.task!r} after it, or let {upstream!r} run first"
    )
    move(deciding, live.id, run, TaskStatus.FAILED, message)
    failure = AttemptFailure(
        attempt=run.attempt, type_name=MissingOutputError.__name__, message=message
    )
    deciding.change(FailureKept(run.id, failure))
