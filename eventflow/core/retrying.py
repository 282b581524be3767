"""Retry of an ended execution: what is taken over, and what runs again, and when (S31).

All that deciding needs is in the command: the core never looks at the execution that is retried.
Tasks are taken over when the new execution begins, in one decision and before anything runs in it,
so that every level stands. What runs again waits in `LiveExecution.retried` until the statuses that
its rule wants stand.
"""

from dataclasses import dataclass

from eventflow.core.actions import queue
from eventflow.core.decision import Deciding, Outcome
from eventflow.core.moves import RetriedKept, RunCreated, RunTakenOver
from eventflow.core.plan import Plan, TaskPlan
from eventflow.core.retried import Retried
from eventflow.core.world import LiveExecution, Run
from eventflow.model.condition import AllOf, AnyOf, Condition, Not, TaskStatusCondition, levels_of
from eventflow.model.keys import matches, workflow_key
from eventflow.model.status import TaskStatus, WorkflowStatus

_NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Retry:
    """What a new execution is the retry of.

    Attributes:
        plan: The old execution's snapshot, newest or not.
        tasks: Every task that had a run; the rest follow their rules.
    """

    of: int
    plan: Plan
    tasks: dict[str, Retried]


def keep(deciding: Deciding, live: LiveExecution, retried: Retried) -> None:
    """Remember what is still to be done with a task, also past a crash."""
    workflow = (live.plan.namespace, live.plan.name)
    deciding.change(RetriedKept(live.id, workflow, retried.task, retried))


def forget(deciding: Deciding, live: LiveExecution, task: str) -> None:
    """It is done, or is not to be done any more."""
    deciding.change(RetriedKept(live.id, (live.plan.namespace, live.plan.name), task, None))


def take_over(deciding: Deciding, live: LiveExecution) -> None:
    """The execution begins: give what is taken over its runs, and keep what runs again."""
    if not live.retried:
        return
    # One that waited in INIT has kept all of it; one that begins at once is not in the world yet.
    waited = live.id in deciding.world.executions
    for name in live.plan.tasks:
        retried = live.retried.get(name)
        if retried is None:
            continue
        if retried.again:
            if not waited:
                keep(deciding, live, retried)
            continue
        run = Run(
            id=deciding.new_run_id(),
            task=name,
            sequence_number=1,
            status=retried.status,
            trigger_turn=retried.trigger_turn,
            created_at=deciding.at,
        )
        deciding.change(
            RunTakenOver(
                live.id,
                run,
                deciding.at,
                deciding.turn,
                taken_from=retried.run_id,
                from_execution=retried.execution_id,
                pool=live.plan.tasks[name].pool,
            )
        )
        if waited:
            forget(deciding, live, name)


def run_again(deciding: Deciding) -> None:
    """Start again what may, now that the rules have had this event: the first time when the
    execution begins, and then when a status that its rule reads was told."""
    event = deciding.event
    live = deciding.world.executions.get(event.workflow_execution_id or 0)
    if live is None or not live.retried or live.stopping:
        return
    if live.record.status is not WorkflowStatus.RUNNING:
        return
    plan = live.plan
    if event.key == workflow_key(plan.name, WorkflowStatus.RUNNING):
        names = tuple(plan.tasks)
    elif event.key.startswith("eventflow.task."):
        names = plan.readers.get(event.value["task"], ())
    else:
        return
    for name in names:
        retried = live.retried.get(name)
        if retried is not None and retried.again and can_stand(live, retried):
            _start(deciding, live, plan.tasks[name], retried)


def _start(deciding: Deciding, live: LiveExecution, task: TaskPlan, retried: Retried) -> None:
    """A new run for the event that started the old one."""
    run = Run(
        id=deciding.new_run_id(),
        task=task.name,
        sequence_number=live.standing(task.name).last_sequence + 1,
        status=TaskStatus.INIT,
        trigger_turn=retried.trigger_turn,
        created_at=deciding.at,
    )
    forget(deciding, live, task.name)
    deciding.change(
        RunCreated(live.id, run, deciding.at, deciding.turn, retried.started_by, task.pool)
    )
    queue(deciding, live, task, run)
    workflow = (live.plan.namespace, live.plan.name)
    deciding.note(
        Outcome(live.id, workflow, "started", task.name, retried.rule, "retry", run_id=run.id)
    )


def can_stand(
    live: LiveExecution, retried: Retried, coming: frozenset[str] | set[str] = _NOTHING
) -> bool:
    """Whether the statuses stand that the rule wants which started the old run.

    Args:
        coming: Tasks of which any status may still come; with none it is asked about now.
    """
    if retried.rule is None:
        return True
    condition = live.plan.tasks[retried.task].rules[retried.rule].condition
    return _Standing(live, coming).stands(condition, retried.started_by)


class _Standing:
    """Reads the levels of a condition whose pulses have come: they did in the old execution."""

    def __init__(self, live: LiveExecution, coming: frozenset[str] | set[str]) -> None:
        self._live = live
        self._coming = coming

    def stands(self, condition: Condition, key: str) -> bool:
        """Whether it stands; `key` is that of the event that met it in the old execution."""
        match condition:
            case TaskStatusCondition():
                told = self._live.standing(condition.task).told
                return condition.task in self._coming or (
                    told is not None and told[1] in condition.wanted
                )
            case Not():
                may_change = any(level.task in self._coming for level in levels_of(condition))
                return may_change or not self.stands(condition.members[0], key)
            case AllOf():
                # A pulse that this event is not had come before, and was latched then (S36).
                return all(
                    self.stands(member, key)
                    for member in condition.members
                    if member.is_level or self._wakes(member, key)
                )
            case AnyOf():
                return any(
                    self.stands(member, key)
                    for member in condition.members
                    if member.is_level or self._wakes(member, key)
                )
            case _:
                return True

    def _wakes(self, condition: Condition, key: str) -> bool:
        return any(matches(pattern, key) for pattern in condition.wakes(self._live.plan.name))
