"""When an execution ends, and how (S29, S30)."""

import pytest
from scenario_tasks import Work

from eventflow import EventCondition, Every, TaskAction, TaskStatus, Workflow
from eventflow import TaskStatusCondition as Status
from eventflow.errors import ConflictError
from eventflow.testing import VirtualScheduler


@pytest.mark.rule("S29", "S30")
def test_a_failed_task_with_a_waiting_downstream_ends_the_execution_failed() -> None:
    with Workflow("w") as workflow:
        a, b, c = Work("a"), Work("b"), Work("c")
        a >> b >> c
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus.FAILED)

    scheduler.run()

    assert scheduler.status() == "FAILED"
    assert scheduler.runs("b") == []


@pytest.mark.rule("S29")
def test_a_branch_that_is_not_taken_does_not_hold_the_execution_open() -> None:
    with Workflow("w") as workflow:
        a, good, bad, after_bad = Work("a"), Work("good"), Work("bad"), Work("after_bad")
        good.action_on_task_status(TaskAction.START, {a: TaskStatus.SUCCESS})
        bad.action_on_task_status(TaskAction.START, {a: TaskStatus.FAILED})
        bad >> after_bad
    scheduler = VirtualScheduler(workflow)

    scheduler.run()

    assert scheduler.status() == "SUCCESS"
    assert scheduler.runs("good") != []
    assert scheduler.runs("bad") == scheduler.runs("after_bad") == []


@pytest.mark.rule("S29")
def test_a_task_that_waits_for_an_outside_event_holds_the_execution_open() -> None:
    with Workflow("w") as workflow:
        Work("a")
        b = Work("b")
        b.action_on_event_received(TaskAction.START, "approved")
    scheduler = VirtualScheduler(workflow)

    scheduler.run()
    assert scheduler.status() == "RUNNING"
    scheduler.emit("approved")

    assert scheduler.status() == "SUCCESS"


@pytest.mark.rule("S29")
def test_an_event_and_a_level_that_can_not_come_any_more_do_not_hold_it_open() -> None:
    with Workflow("w") as workflow:
        Work("a")
        b = Work("b")
        b.action_on_condition(
            TaskAction.START, EventCondition("approved") & Status("a", TaskStatus.SUCCESS)
        )
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus.FAILED)

    scheduler.run()

    assert scheduler.status() == "FAILED"


@pytest.mark.rule("S29")
def test_tasks_that_only_wait_for_each_other_do_not_hold_it_open() -> None:
    with Workflow("w") as workflow:
        Work("a")
        b, c = Work("b"), Work("c")
        b >> c
        c >> b
    scheduler = VirtualScheduler(workflow)

    scheduler.run()

    assert scheduler.status() == "SUCCESS"


@pytest.mark.rule("S29")
def test_manual_completion_waits_for_a_stop() -> None:
    with Workflow("w", completion="manual") as workflow:
        Work("a")
    scheduler = VirtualScheduler(workflow)
    execution = scheduler.run()
    scheduler.advance(days=1)
    assert scheduler.status() == "RUNNING"

    scheduler.stop_workflow(execution)

    assert scheduler.status() == "STOPPED"


@pytest.mark.rule("S29", "S20")
def test_from_a_stop_on_no_rule_acts() -> None:
    with Workflow("w") as workflow:
        a, b = Work("a"), Work("b")
        b.action_on_task_status(TaskAction.START, {a: TaskStatus.STOPPED})
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus.RUNNING)
    execution = scheduler.run()

    scheduler.stop_workflow(execution)

    assert scheduler.runs("a") == [(1, ["INIT", "QUEUED", "RUNNING", "STOPPING", "STOPPED"])]
    assert scheduler.runs("b") == []
    assert scheduler.status() == "STOPPED"


@pytest.mark.rule("S29", "S30")
def test_a_timeout_stops_the_execution_and_it_ends_failed() -> None:
    with Workflow("w", timeout=60) as workflow:
        Work("a")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus.RUNNING)
    scheduler.run()

    scheduler.advance(seconds=59)
    assert scheduler.status() == "RUNNING"
    scheduler.advance(seconds=1)

    assert scheduler.status() == "FAILED"
    assert scheduler.runs("a") == [(1, ["INIT", "QUEUED", "RUNNING", "STOPPING", "STOPPED"])]


@pytest.mark.rule("S30")
def test_an_allowed_failure_leaves_the_outcome_alone() -> None:
    with Workflow("w") as workflow:
        Work("a", allow_failure=True)
        Work("b")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus.FAILED)

    scheduler.run()

    assert scheduler.status() == "SUCCESS"


@pytest.mark.rule("S29", "S14")
def test_a_scoped_event_that_is_not_decided_yet_is_decided_before_the_end() -> None:
    with Workflow("w") as workflow:
        Work("a")
        b = Work("b", autostart=False)
        b.action_on_event_received(TaskAction.RESTART, "more")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", after=10)
    execution = scheduler.run()

    scheduler.client.emit("more", workflow_execution_id=execution.id)
    scheduler.advance(seconds=10)

    assert scheduler.runs("b") == [(1, ["INIT", "QUEUED", "RUNNING", "SUCCESS"])]
    assert scheduler.status() == "SUCCESS"


@pytest.mark.rule("S25")
def test_which_tasks_start_with_their_execution() -> None:
    with Workflow("w") as workflow:
        Work("plain")
        Work("stopped_by").action_on_event_received(TaskAction.STOP, "x")
        Work("restarted_by").action_on_event_received(TaskAction.RESTART, "x")
        Work("started_by").action_on_event_received(TaskAction.START, "x")
        Work("by_hand", autostart=False)
    scheduler = VirtualScheduler(workflow)

    scheduler.run()

    assert [task.task_name for task in scheduler.execution().tasks] == [
        "plain",
        "stopped_by",
        "restarted_by",
    ]


@pytest.mark.rule("S25", "S29")
def test_a_task_that_only_a_command_starts_holds_nothing_open() -> None:
    with Workflow("w") as workflow:
        Work("a")
        Work("by_hand", autostart=False).action_on_event_received(TaskAction.STOP, "x")
    scheduler = VirtualScheduler(workflow)

    scheduler.run()

    assert scheduler.status() == "SUCCESS"


@pytest.mark.rule("S29")
def test_an_execution_of_nothing_but_tasks_that_cannot_start_ends_at_once() -> None:
    with Workflow("w") as workflow:
        a, b = Work("a"), Work("b")
        a >> b >> a
    scheduler = VirtualScheduler(workflow)

    scheduler.run()

    assert scheduler.status() == "SUCCESS"
    assert scheduler.execution().tasks == ()


@pytest.mark.rule("S29")
def test_a_task_that_may_run_again_is_settled_when_it_has_run() -> None:
    with Workflow("w") as workflow:
        Work("a").action_on_event_received(TaskAction.RESTART, "again")
        Work("b").action_on_event_received(TaskAction.START, "go")
    scheduler = VirtualScheduler(workflow)
    scheduler.run()
    scheduler.emit("again")
    assert scheduler.status() == "RUNNING"

    scheduler.emit("go")

    assert scheduler.status() == "SUCCESS"
    assert len(scheduler.runs("a")) == 2


@pytest.mark.rule("S29")
@pytest.mark.parametrize("pattern", ["eventflow.task.other.a.success", "eventflow.workflow.**"])
def test_a_fact_of_another_workflow_is_nothing_to_wait_for(pattern: str) -> None:
    with Workflow("w") as workflow:
        Work("a")
        Work("b").action_on_event_received(TaskAction.START, pattern)
    scheduler = VirtualScheduler(workflow)

    scheduler.run()

    assert scheduler.status() == "SUCCESS"


@pytest.mark.rule("S29", "S20", "S21")
def test_a_stop_in_the_middle_of_everything_leaves_nothing_alive_and_starts_nothing() -> None:
    with Workflow("w") as workflow:
        running, waiting = Work("running"), Work("waiting", retries=1, retry_delay=60)
        restarting, periodic = Work("restarting"), Work("periodic", periodic_expression=Every(10))
        after = Work("after")
        restarting.action_on_event_received(TaskAction.RESTART, "again")
        ends = {TaskStatus.STOPPED, TaskStatus.STOPPING, TaskStatus.SUCCESS}
        for task in (running, waiting, restarting, periodic):
            after.action_on_task_status(TaskAction.START, {task: ends})
    scheduler = VirtualScheduler(workflow)
    for name in ("running", "restarting", "periodic"):
        scheduler.outcome(name, TaskStatus.RUNNING)
    scheduler.outcome("waiting", TaskStatus.FAILED)
    execution = scheduler.run()

    scheduler.client.emit("again")
    scheduler.stop_workflow(execution, "enough")
    scheduler.advance(hours=1)
    scheduler.emit("again")

    stopped = ["INIT", "QUEUED", "RUNNING", "STOPPING", "STOPPED"]
    assert scheduler.runs("running") == scheduler.runs("periodic") == [(1, stopped)]
    assert scheduler.runs("waiting") == [(1, ["INIT", "QUEUED", "RUNNING", "RETRYING", "STOPPED"])]
    assert scheduler.runs("restarting") == [
        (1, ["INIT", "QUEUED", "RUNNING", "RESTARTING", "STOPPING", "STOPPED"]),
        (2, ["INIT", "STOPPED"]),
    ]
    assert scheduler.runs("after") == []
    ended = scheduler.execution(execution)
    assert (ended.status, ended.reason) == ("STOPPED", "enough")


@pytest.mark.rule("S29")
def test_a_second_stop_and_a_stop_of_what_has_ended_are_refused_or_ignored() -> None:
    with Workflow("w", completion="manual") as workflow:
        Work("a")
    scheduler = VirtualScheduler(workflow)
    execution = scheduler.run()
    scheduler.stop_workflow(execution)

    with pytest.raises(ConflictError, match="has ended"):
        scheduler.stop_workflow(execution)
    with pytest.raises(ConflictError, match="has ended"):
        scheduler.start_task(execution, "a")

    assert scheduler.status() == "STOPPED"


@pytest.mark.rule("S30")
@pytest.mark.parametrize(
    ("a_ends", "allow_failure", "how", "status"),
    [
        ("SUCCESS", False, "alone", "SUCCESS"),
        ("FAILED", False, "alone", "FAILED"),
        ("FAILED", True, "alone", "SUCCESS"),
        ("SUCCESS", False, "by a rule", "SUCCESS"),
        ("FAILED", False, "by a rule", "FAILED"),
        ("SUCCESS", False, "as a whole", "STOPPED"),
        ("FAILED", False, "as a whole", "FAILED"),
        ("FAILED", True, "as a whole", "STOPPED"),
        ("SUCCESS", False, "by its timeout", "FAILED"),
        ("FAILED", True, "by its timeout", "FAILED"),
    ],
)
def test_how_an_execution_ends(a_ends: str, allow_failure: bool, how: str, status: str) -> None:
    with Workflow("w", timeout=3600) as workflow:
        Work("a", allow_failure=allow_failure)
        b = Work("b")
        b.action_on_event_received(TaskAction.STOP, "stop")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus(a_ends))
    scheduler.outcome("b", TaskStatus.RUNNING if how != "alone" else TaskStatus.SUCCESS)
    execution = scheduler.run()

    match how:
        case "by a rule":
            scheduler.emit("stop")
        case "as a whole":
            scheduler.stop_workflow(execution)
        case "by its timeout":
            scheduler.advance(hours=1)

    assert scheduler.status() == status
    facts = scheduler.events("eventflow.workflow.w.*")
    assert [event.value["status"] for event in facts] == ["RUNNING", status]


@pytest.mark.rule("S30")
def test_only_the_latest_run_of_a_task_counts() -> None:
    with Workflow("w") as workflow:
        a = Work("a")
        a.action_on_task_status(TaskAction.RESTART, {a: TaskStatus.FAILED})
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus.FAILED)
    scheduler.outcome("a", TaskStatus.FAILED)

    scheduler.run()

    assert [statuses[-1] for _, statuses in scheduler.runs("a")] == ["FAILED", "FAILED", "SUCCESS"]
    assert scheduler.status() == "SUCCESS"
