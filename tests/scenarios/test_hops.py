"""Rules that start one another: a tight circle ends at the cap, all else is untouched (S45)."""

from datetime import timedelta

import pytest
from scenario_tasks import Work

from eventflow import (
    Condition,
    Event,
    RuleContext,
    TaskAction,
    TaskStatus,
    Workflow,
    WorkflowOperator,
)
from eventflow.core.explanation import WorkflowExplained
from eventflow.core.telling import tell
from eventflow.model.records import WorkflowExecution
from eventflow.runtime import loop as loop_module
from eventflow.runtime.failing import FailedVerdict, Which, failed_verdicts
from eventflow.testing import VirtualScheduler

pytestmark = [pytest.mark.rule("S45"), pytest.mark.fault("F41")]
START, RESTART, STOP = TaskAction.START, TaskAction.RESTART, TaskAction.STOP


def again(name: str = "again", after: str | None = None, **settings: int | None) -> Workflow:
    """Started by the end of another workflow, or of itself."""
    with Workflow(name, **settings) as workflow:
        Work(f"{name}-work")
    workflow.trigger_on_event(f"eventflow.workflow.{after or name}.success")
    return workflow


def failed(scheduler: VirtualScheduler) -> list[FailedVerdict]:
    return failed_verdicts(scheduler.store, Which())


def hops(scheduler: VirtualScheduler, workflow: str) -> list[int]:
    return [execution.hops for execution in scheduler.executions(workflow)]


def emit_by(
    scheduler: VirtualScheduler, execution: WorkflowExecution | int, task: str, key: str
) -> None:
    """What `context.emit` of the task's latest run does."""
    run = next(run for run in scheduler.execution(execution).tasks[::-1] if run.task_name == task)
    scheduler.emit(
        key, sender=run.sender, workflow_execution_id=run.workflow_execution_id, of_run=run.id
    )


def test_f41_a_workflow_that_starts_itself_by_its_end_stops_at_the_cap() -> None:
    scheduler = VirtualScheduler(again())

    scheduler.run()

    assert hops(scheduler, "again") == list(range(33))
    (refused,) = failed(scheduler)
    assert refused.verdict.error.startswith(
        "HopLimitError: workflow 'again' is not started by its rule 0"
    )
    assert refused.event.key == "eventflow.workflow.again.success"
    for said in ("start 33", "max_hops of 'again' is 32", "execution explain 33", "max_hops=None"):
        assert said in refused.verdict.error
    assert scheduler.decisions()[-1].did == "refused: max_hops"
    explained = scheduler.explain("again")
    assert isinstance(explained, WorkflowExplained)
    told = "\n".join(tell(explained, str))
    assert "HopLimitError" in told
    assert "it was met and not followed" in told


def test_f41_what_is_beside_a_storm_is_decided_as_ever() -> None:
    with Workflow("orders") as orders:
        Work("pack")
    orders.trigger_on_event("orders.paid")
    scheduler = VirtualScheduler(again(), orders)
    scheduler.outcome("again-work", after=1)

    scheduler.client.run("default", "again")
    for number in range(40):
        scheduler.emit("orders.paid", number)
        scheduler.advance(seconds=0.5)
    scheduler.advance(minutes=1)

    assert len(scheduler.executions("again")) <= 33
    assert hops(scheduler, "orders") == [1] * 40
    assert {one.status for one in scheduler.executions("orders")} == {"SUCCESS"}


@pytest.mark.parametrize("size", [2, 3, 5])
def test_f41_a_circle_of_workflows_stops_at_the_cap(size: int) -> None:
    names = [f"w{number}" for number in range(size)]
    circle = [again(name, names[number - 1]) for number, name in enumerate(names)]
    scheduler = VirtualScheduler(*circle)

    scheduler.run(circle[0])

    assert len(scheduler.executions()) == 33
    assert len(failed(scheduler)) == 1


def test_f41_each_workflow_has_a_cap_of_its_own() -> None:
    scheduler = VirtualScheduler(
        again("near", "far", max_hops=5), again("far", "near", max_hops=None)
    )

    scheduler.run("near")

    assert hops(scheduler, "near") == [0, 2, 4]
    assert hops(scheduler, "far") == [1, 3, 5]


def test_f41_a_circle_without_a_cap_goes_on() -> None:
    with Workflow("again", max_hops=None) as workflow:
        Work("work")
    workflow.trigger_on_event("eventflow.workflow.again.success")
    scheduler = VirtualScheduler(workflow)
    for _ in range(99):
        scheduler.outcome("work")
    scheduler.outcome("work", TaskStatus.FAILED)

    scheduler.run()

    assert len(scheduler.executions()) == 100
    assert not failed(scheduler)


def test_f41_a_task_that_emits_the_event_which_restarts_it_stops_at_the_cap() -> None:
    with Workflow("mill", completion="manual") as workflow:
        Work("grind").action_on_event_received(RESTART, "mill.turned")
    scheduler = VirtualScheduler(workflow)
    scheduler.run()

    for _ in range(40):
        emit_by(scheduler, 1, "grind", "mill.turned")

    assert len(scheduler.runs("grind")) == 33
    assert "task 'grind' of execution 1 of workflow 'mill'" in failed(scheduler)[0].verdict.error
    assert "start 33" in failed(scheduler)[0].verdict.error
    scheduler.emit("mill.turned")  # from outside, it does what it always did
    assert len(scheduler.runs("grind")) == 34


@pytest.mark.parametrize("size", [2, 3, 40])
def test_f41_a_circle_of_tasks_in_one_execution_stops_at_the_cap(size: int) -> None:
    with Workflow("ring", completion="manual") as workflow:
        tasks = [Work(f"t{number}") for number in range(size)]
    for number, task in enumerate(tasks):
        task.action_on_task_status(START, {tasks[number - 1]: TaskStatus.SUCCESS})
    scheduler = VirtualScheduler(workflow)
    execution = scheduler.run()

    scheduler.start_task(execution, "t0")

    assert [len(scheduler.runs(task.name)) for task in tasks] == [33] * size
    (refused,) = failed(scheduler)
    assert (refused.verdict.task, refused.verdict.met) == ("t0", True)


def test_f41_a_circle_of_a_task_and_a_workflow_stops_at_the_cap() -> None:
    with Workflow("tower", completion="manual") as tower:
        Work("bell").action_on_event_received(RESTART, "echo.heard")
    with Workflow("echo") as echo:
        Work("hear")
    echo.trigger_on_event("eventflow.task.tower.bell.success")
    scheduler = VirtualScheduler(tower, echo)
    tower_execution = scheduler.run(tower)

    for number in range(1, 40):
        heard = scheduler.executions("echo")[-1]
        if len(scheduler.executions("echo")) < number:
            break
        run = scheduler.execution(heard).tasks[-1]
        scheduler.emit("echo.heard", of_run=run.id)  # `broadcast=True`

    assert hops(scheduler, "echo") == list(range(1, 33))
    assert len(scheduler.runs("bell", tower_execution)) == 33


def test_f41_a_circle_through_a_sub_execution_stops_at_the_cap() -> None:
    with Workflow("below") as below:
        Work("work")
    with Workflow("above") as above:
        WorkflowOperator("sub", below)
    above.trigger_on_event("eventflow.workflow.below.success")
    scheduler = VirtualScheduler(above)

    scheduler.run(above)

    assert hops(scheduler, "above") == hops(scheduler, "below") == list(range(33))
    assert len(failed(scheduler)) == 1


@pytest.mark.parametrize("limit", [1, 7])
def test_f41_facts_that_wait_in_the_log_keep_their_hops(
    monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(loop_module, "TURN_LIMIT", limit)
    scheduler = VirtualScheduler(again())
    scheduler.client.run("default", "again")

    while scheduler._loop.step() or scheduler._orders:
        scheduler.restart_scheduler()
    scheduler.run_until_idle()

    assert hops(scheduler, "again") == list(range(33))


def test_f41_what_waits_for_its_turn_has_the_hops_that_it_came_with() -> None:
    scheduler = VirtualScheduler(again("again", max_active=1))
    scheduler.outcome("again-work", after=90)
    for _ in range(2):
        scheduler.client.run("default", "again")

    scheduler.advance(minutes=3)

    assert len(scheduler.executions("again")) == 2 + 2 * 32


def test_f41_a_clock_that_is_set_back_gives_no_hops_back_and_takes_none() -> None:
    scheduler = VirtualScheduler(again())
    for _ in range(40):
        scheduler.outcome("again-work", after=1)
    scheduler.client.run("default", "again")
    scheduler.advance(seconds=10)

    scheduler.clock.set(scheduler.now - timedelta(days=1))
    scheduler.restart_scheduler()
    scheduler.advance(days=2)

    assert hops(scheduler, "again")[:11] == list(range(11))
    assert len(scheduler.executions("again")) >= 33
    assert failed(scheduler)


def test_f41_a_chain_of_many_tasks_is_no_storm_however_often_it_runs() -> None:
    with Workflow("chain", completion="manual") as workflow:
        before = Work("t0")
        before.action_on_event_received(RESTART, "again")
        for number in range(1, 200):
            task = Work(f"t{number}")
            before >> task
            before = task
    scheduler = VirtualScheduler(workflow)
    scheduler.run()

    for _ in range(3):
        scheduler.emit("again")

    assert [number for number, _ in scheduler.runs("t199")] == [1, 2, 3, 4]
    assert not failed(scheduler)


def test_f41_a_thousand_events_from_outside_are_no_storm() -> None:
    with Workflow("orders", completion="manual") as orders:
        count = Work("count")
        count.action_on_event_received(RESTART, "orders.paid")
        Work("sum").action_on_task_status(RESTART, {count: TaskStatus.SUCCESS})
    with Workflow("mail") as mail:
        Work("send")
    mail.trigger_on_event("orders.paid")
    scheduler = VirtualScheduler(orders, mail)
    scheduler.run(orders)

    for _ in range(300):
        scheduler.emit("orders.paid")

    assert [len(scheduler.runs(task)) for task in ("count", "sum", "send")] == [301, 302, 300]
    assert not failed(scheduler)


def test_f41_forty_tasks_that_restart_one_are_no_storm() -> None:
    with Workflow("fan", completion="manual") as workflow:
        joined = Work("joined", autostart=False)
        for number in range(40):
            joined.action_on_task_status(RESTART, {Work(f"t{number}"): TaskStatus.SUCCESS})
    scheduler = VirtualScheduler(workflow)

    scheduler.run()

    assert len(scheduler.runs("joined")) == 40
    assert not failed(scheduler)


def test_f41_a_calm_circle_goes_on_for_ever() -> None:
    scheduler = VirtualScheduler(again())
    for _ in range(500):
        scheduler.outcome("again-work", after=60)
    scheduler.client.run("default", "again")

    scheduler.advance(minutes=499, seconds=30)

    assert len(scheduler.executions("again")) == 500
    assert max(hops(scheduler, "again")) == 1
    assert not failed(scheduler)


def test_f41_a_calm_circle_of_tasks_goes_by_the_time_that_a_round_takes() -> None:
    with Workflow("ring", completion="manual") as workflow:
        tasks = [Work(f"t{number}") for number in range(3)]
    for number, task in enumerate(tasks):
        task.action_on_task_status(START, {tasks[number - 1]: TaskStatus.SUCCESS})
    scheduler = VirtualScheduler(workflow)
    for task in tasks:
        for _ in range(100):
            scheduler.outcome(task.name, after=25)
    execution = scheduler.run()
    scheduler.start_task(execution, "t0")

    scheduler.advance(minutes=120)

    assert len(scheduler.runs("t0")) > 90
    assert not failed(scheduler)


def test_f41_a_circle_that_has_stopped_goes_on_when_it_is_judged_again() -> None:
    scheduler = VirtualScheduler(again())
    scheduler.run()
    (refused,) = failed(scheduler)
    assert refused.open

    scheduler.rejudge(refused.event.offset)

    assert hops(scheduler, "again")[33:] == list(range(1, 33))
    before, after = failed(scheduler)
    assert (before.open, after.open) == (False, True)


def test_f41_a_rule_of_a_task_that_was_refused_is_judged_again() -> None:
    with Workflow("ring", completion="manual") as workflow:
        a, b = Work("a"), Work("b")
        a.action_on_task_status(START, {b: TaskStatus.SUCCESS})
        b.action_on_task_status(START, {a: TaskStatus.SUCCESS})
        Work("c").action_on_event_received(RESTART, "c.done")
    scheduler = VirtualScheduler(workflow)
    execution = scheduler.run()
    scheduler.start_task(execution, "a")
    for _ in range(33):
        emit_by(scheduler, execution, "c", "c.done")
    assert [len(scheduler.runs(task)) for task in "abc"] == [33, 33, 33]

    for refused in failed(scheduler):
        scheduler.rejudge(refused.event.offset)

    assert [len(scheduler.runs(task)) for task in "abc"] == [65, 64, 34]


def test_f41_a_stop_is_never_refused() -> None:
    with Workflow("mill", completion="manual", max_hops=1) as workflow:
        grind = Work("grind")
        grind.action_on_event_received(RESTART, "mill.turned")
        grind.action_on_event_received(STOP, "mill.off")
    scheduler = VirtualScheduler(workflow)
    for _ in range(9):
        scheduler.outcome("grind", TaskStatus.RUNNING)
    scheduler.run()
    for _ in range(3):
        emit_by(scheduler, 1, "grind", "mill.turned")
    assert len(failed(scheduler)) == 2

    emit_by(scheduler, 1, "grind", "mill.off")

    assert scheduler.runs("grind")[-1][1][-1] == "STOPPED"


class Odd(Condition):
    """Remembers nothing, and is met by odd numbers of executions."""

    def is_met(self, event: Event, context: RuleContext) -> bool:
        return True


def test_f41_a_condition_that_was_met_and_not_followed_keeps_what_it_said() -> None:
    with Workflow("again") as workflow:
        Work("work")
    workflow.trigger_on_condition(Odd(["eventflow.workflow.again.success"]))
    scheduler = VirtualScheduler(workflow)

    scheduler.run()

    verdicts = scheduler.store.verdicts()
    assert len(verdicts) == 33
    assert {verdict.met for verdict in verdicts} == {True}
    assert [bool(verdict.error) for verdict in verdicts] == [False] * 32 + [True]
    assert scheduler.replay(ask=True).equal


def test_f41_a_storm_stops_at_the_cap_when_the_scheduler_dies_in_it() -> None:
    with Workflow("mill", completion="manual") as workflow:
        Work("grind").action_on_event_received(RESTART, "mill.turned")
    scheduler = VirtualScheduler(workflow, again())
    for _ in range(40):
        scheduler.outcome("again-work", after=1)
    scheduler.run(workflow)
    scheduler.client.run("default", "again")

    for _ in range(40):
        emit_by(scheduler, 1, "grind", "mill.turned")
        scheduler.advance(seconds=1)
        scheduler.restart_scheduler()

    assert len(scheduler.runs("grind")) == 33
    assert len(scheduler.executions("again")) == 33
