"""Hops: how many starts by rules lie behind something, and where rules that go round end (S45).

An event from outside has none. What rules start has those of its event, and one more: a workflow
always, a task where the chain comes round to it again. What is in the log or the world carries its
number, so that deciding needs no look at the past; a minute that passes gives one back.

Why not a count of starts a minute for each rule: a thousand orders that arrive at once are a
thousand starts of one rule and no storm. What is wrong with a storm is that it feeds itself.
"""

from datetime import datetime

from eventflow.core.judge import Judged, Verdict
from eventflow.core.plan import Plan, Rule
from eventflow.core.world import LiveExecution, Run
from eventflow.errors import HopLimitError
from eventflow.model.event import Event
from eventflow.model.hops import calmed
from eventflow.model.status import TaskAction

# What a rule came to whose action was not done; the verdict says it at length.
TOO_FAR = "refused: max_hops"


def hops_of(live: LiveExecution, now: datetime) -> int:
    """Those of an execution, as its facts and the tasks that start with it carry them."""
    return calmed(live.record.hops, live.record.created_at, now)


def hops_of_run(run: Run, now: datetime) -> int:
    """Those of a run, as its facts carry them."""
    return calmed(run.hops, run.created_at, now)


def hops_after(live: LiveExecution, task: str, event: Event, now: datetime) -> int:
    """Those of a run that a rule starts.

    One more than the event's where the task's run before has as many: the chain has come round to
    it. So a chain of many tasks counts each time round, not each task.
    """
    before = live.standing(task).latest
    if before is None or hops_of_run(before, now) < event.hops:
        return event.hops
    return event.hops + 1


def is_too_far(plan: Plan, hops: int) -> bool:
    """Whether a start is beyond what its workflow allows."""
    cap = plan.workflow.max_hops
    return cap is not None and hops > cap


def would_start(live: LiveExecution, task: str, action: TaskAction) -> bool:
    """Whether an action would give a task a run (S19, S21)."""
    standing = live.standing(task)
    match action:
        case TaskAction.START:
            return standing.latest is None or not standing.latest.alive
        case TaskAction.RESTART:
            return standing.leaving is None
        case TaskAction.STOP:
            return False


def refuse_start(judged: Judged, plan: Plan, number: int, event: Event, hops: int) -> None:
    """Record that a workflow rule was met, and why it starts nothing."""
    place = (None, (plan.namespace, plan.name), "", number)
    _refuse(judged, *place, _fault(plan, f"workflow {plan.name!r}", number, event, hops))


def refuse_rule(judged: Judged, live: LiveExecution, rule: Rule, event: Event, hops: int) -> None:
    """Record that a task's rule was met, and why its action is not done."""
    plan = live.plan
    place = (live.id, (plan.namespace, plan.name), rule.task, rule.number)
    about = f"task {rule.task!r} of execution {live.id} of workflow {plan.name!r}"
    _refuse(judged, *place, _fault(plan, about, rule.number, event, hops))


def _refuse(
    judged: Judged,
    execution_id: int | None,
    workflow: tuple[str, str],
    task: str,
    number: int,
    error: str,
) -> None:
    """Have a failed verdict of the rule: what its condition has said and written stays in it."""
    for verdict in judged.verdicts:
        here = (verdict.execution_id, verdict.workflow, verdict.task, verdict.number)
        if here == (execution_id, workflow, task, number) and not verdict.of_turn:
            judged.refused[verdict] = error
            return
    judged.verdicts.append(Verdict(execution_id, workflow, task, number, True, error=error))


def _fault(plan: Plan, about: str, number: int, event: Event, hops: int) -> str:
    scope = event.workflow_execution_id
    source = f" of execution {scope}" if scope is not None else ""
    look = f": 'eventflow execution explain {scope}' shows the way round" if scope else ""
    return (
        f"{HopLimitError.__name__}: {about} is not started by its rule {number} on "
        f"{event.key!r}{source}: it would be start {hops} of a chain in which rules start one "
        f"another faster than once a minute, and max_hops of {plan.name!r} is "
        f"{plan.workflow.max_hops}. Do they go round in a circle{look}? Break it, slow it down (a "
        f"whole minute gives one hop back), or define Workflow({plan.name!r}, max_hops=None) if it "
        f"is meant to go on. To follow the rule this once, have it judged again: it counts from 0"
    )
