"""Commands, obeyed or refused with a reason: of workflows, executions, tasks and pools."""

from datetime import datetime
from typing import Any

from eventflow.core import firetimes
from eventflow.core.actions import act
from eventflow.core.again import event_in
from eventflow.core.changes import Paused, Registered, TimerCleared, TimerSet
from eventflow.core.decision import Deciding, Outcome
from eventflow.core.executions import begin_waiting, create, stop_all
from eventflow.core.handover import set_pool
from eventflow.core.mapping import decide_expand
from eventflow.core.plan import Plan
from eventflow.core.retried import Retried
from eventflow.core.retrying import Retry
from eventflow.core.subs import decide_sub_ended, decide_subrun
from eventflow.core.world import Absent, Known, LiveExecution, Timer
from eventflow.model.status import ExecutionType, TaskAction


def decide_command(deciding: Deciding, verb: str, value: dict[str, Any]) -> None:
    """Do what a command asks.

    Args:
        verb: The last token of the command's key.
        value: Its arguments, as `runtime.client` wrote them.
    """
    match verb:
        case "register":
            _register(deciding, value)
        case "run":
            _run(deciding, value)
        case "retry":
            _retry(deciding, value)
        case "subrun":
            decide_subrun(deciding, value)
        case "subended":
            decide_sub_ended(deciding, value)
        case "expand":
            decide_expand(deciding, value)
        case "stop":
            _stop(deciding, value)
        case "task":
            _task(deciding, value)
        case "pause" | "resume":
            _pause(deciding, value, paused=verb == "pause")
        case "pool":
            set_pool(deciding, value)
        case _:
            _refuse(deciding, None, f"unknown command {verb!r}")


def _register(deciding: Deciding, value: dict[str, Any]) -> None:
    plan = deciding.world.plans.get(value["snapshot"])
    if plan is None:
        _refuse(deciding, None, f"the code of snapshot {value['snapshot'][:12]} is not at hand")
        return
    name = (plan.namespace, plan.name)
    before = deciding.world.workflows.get(name)
    if before is not None and before.plan.snapshot == plan.snapshot:
        return
    deciding.change(Registered(plan))
    deciding.note(Outcome(None, name, "registered"))
    if before is not None:
        begin_waiting(deciding, before, plan.workflow.max_active - len(before.active))
    if before is None or before.plan.workflow.schedule != plan.workflow.schedule:
        _schedule(deciding, plan, deciding.world.absent.get(name))


def _schedule(deciding: Deciding, plan: Plan, absent: Absent | None) -> None:
    """A schedule counts from its registration; a changed one starts anew (S33).

    But not behind what is accounted for, by an earlier schedule too: when the clock was set back, a
    due time of before would fire again.
    """
    name = (plan.namespace, plan.name)
    key = f"schedule:{plan.namespace}/{plan.name}"
    schedule = plan.workflow.schedule
    earlier = absent.schedule if absent is not None else deciding.world.timers.get(key)
    if absent is not None and earlier is not None and _is_unchanged(absent, plan, earlier):
        deciding.change(TimerSet(earlier))
        return
    after = max(deciding.now, deciding.world.accounted.get(name, deciding.now))
    if earlier is not None and earlier.after is not None:
        after = max(after, earlier.after)
    due = None
    if schedule is not None:
        due = firetimes.next_due(schedule, after, anchor=deciding.now)
    if due is None:
        deciding.change(TimerCleared(key))
        return
    deciding.change(
        TimerSet(Timer("schedule", due, workflow=name, after=after, anchor=deciding.now))
    )


def _is_unchanged(absent: Absent, plan: Plan, timer: Timer) -> bool:
    """Whether the schedule is the one that was waited for, by when it is due: its code is gone."""
    if absent.snapshot == plan.snapshot:
        return True
    schedule = plan.workflow.schedule
    if schedule is None or timer.after is None or timer.anchor is None:
        return False
    return firetimes.next_due(schedule, timer.after, anchor=timer.anchor) == timer.due_at


def _run(deciding: Deciding, value: dict[str, Any]) -> None:
    known = _known(deciding, value)
    if known is None:
        return
    execution_id = create(
        deciding,
        known,
        ExecutionType.MANUAL,
        params=value.get("params") or {},
        command_offset=deciding.event.offset,
    )
    workflow = (known.plan.namespace, known.plan.name)
    deciding.note(Outcome(execution_id, workflow, "started", action="run"))


def _retry(deciding: Deciding, value: dict[str, Any]) -> None:
    """An execution of the snapshot and params of one that has ended, which `value` pictures."""
    plan = deciding.world.plans.get(value["snapshot"])
    if plan is None:
        _refuse(
            deciding,
            None,
            f"the code of execution {value['retry_of']}, snapshot {value['snapshot'][:12]}, is not "
            f"at hand; register the same definition again, or start a new execution",
        )
        return
    known = _known(deciding, value)
    if known is None:
        return
    due, trigger = value["scheduled_time"], value["trigger"]
    found = map(Retried.from_json, value["tasks"])
    execution_id = create(
        deciding,
        known,
        ExecutionType(value["execution_type"]),
        params=value["params"],
        trigger=event_in(trigger) if trigger is not None else None,
        scheduled_time=datetime.fromisoformat(due) if due is not None else None,
        command_offset=deciding.event.offset,
        retry=Retry(value["retry_of"], plan, {retried.task: retried for retried in found}),
    )
    workflow = (plan.namespace, plan.name)
    deciding.note(Outcome(execution_id, workflow, "started", action="retry"))


def _stop(deciding: Deciding, value: dict[str, Any]) -> None:
    live = _living(deciding, value)
    if live is None:
        return
    workflow = (live.plan.namespace, live.plan.name)
    if live.stopping:
        deciding.note(Outcome(live.id, workflow, "ignored: stopping already", action="stop"))
        return
    stop_all(deciding, live, value.get("reason") or "stopped by command")
    deciding.note(Outcome(live.id, workflow, "stopped", action="stop"))


def _task(deciding: Deciding, value: dict[str, Any]) -> None:
    live = _living(deciding, value)
    if live is None:
        return
    task = live.plan.tasks.get(value["task"])
    if task is None:
        _refuse(deciding, live.id, f"workflow {live.plan.name!r} has no such task")
        return
    if live.stopping or live.record.status != "RUNNING":
        _refuse(deciding, live.id, "the execution is not running")
        return
    action = TaskAction(value["action"])
    did, run_id = act(deciding, live, task, action, "command")
    workflow = (live.plan.namespace, live.plan.name)
    deciding.note(
        Outcome(live.id, workflow, did, task=task.name, action=action.value, run_id=run_id)
    )


def _pause(deciding: Deciding, value: dict[str, Any], *, paused: bool) -> None:
    known = _known(deciding, value)
    if known is None:
        return
    name = (known.plan.namespace, known.plan.name)
    verb = "paused" if paused else "resumed"
    if known.paused is paused:
        deciding.note(Outcome(None, name, f"ignored: {verb} already"))
        return
    deciding.change(Paused(name, paused))
    deciding.note(Outcome(None, name, verb))


def _known(deciding: Deciding, value: dict[str, Any]) -> Known | None:
    known = deciding.world.known(value["namespace"], value["workflow"])
    if known is None:
        name = (value["namespace"], value["workflow"])
        if name in deciding.world.absent:
            why = f"the code of workflow {name[1]!r} is not at hand; start the program that has it"
            _refuse(deciding, None, why)
        else:
            _refuse(deciding, None, f"no workflow {name[1]!r} is registered")
    return known


def _living(deciding: Deciding, value: dict[str, Any]) -> LiveExecution | None:
    execution_id = value["workflow_execution_id"]
    live = deciding.world.executions.get(execution_id)
    if live is None:
        _refuse(deciding, execution_id, "the execution has ended, or never was")
    return live


def _refuse(deciding: Deciding, execution_id: int | None, why: str) -> None:
    deciding.note(Outcome(execution_id, ("", ""), f"refused: {why}"))
