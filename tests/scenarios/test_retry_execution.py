"""The execution that a retry is: a second retry, refusals, and what it has of the old one (S31)."""

import pytest
from retry_kit import (
    BAD,
    FAILED,
    OK,
    OVER,
    RESTART,
    RUNNING,
    START,
    SUCCESS,
    Takes,
    chain,
    failed,
    runs,
)
from scenario_tasks import Work

from eventflow import (
    AllOf,
    EventCondition,
    Every,
    Workflow,
)
from eventflow import TaskStatusCondition as Status
from eventflow.errors import ConflictError, DuplicateEventError, NotFoundError
from eventflow.model.event import MAX_EVENT_BYTES
from eventflow.model.jsonvalue import encode
from eventflow.testing import VirtualScheduler

pytestmark = pytest.mark.rule("S31")


def test_a_second_retry_takes_over_from_where_each_result_came() -> None:
    with Workflow("w") as workflow:
        a = Work("a")
        b = Takes("b", a)
        c = Takes("c", a, b)
        d = Takes("d", c)
        assert d is not None
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", result=1)
    scheduler.outcome("b", FAILED)
    old = scheduler.run()
    scheduler.outcome("b", result=2)
    scheduler.outcome("c", FAILED)
    second = scheduler.retry(old)
    scheduler.outcome("c", result=3)

    third = scheduler.retry(second)

    assert runs(scheduler, second) == {"a": [(1, OVER)], "b": [(1, OK)], "c": [(1, BAD)]}
    assert runs(scheduler, third) == {
        "a": [(1, OVER)],
        "b": [(1, OVER)],
        "c": [(1, OK)],
        "d": [(1, OK)],
    }
    assert (third.status, third.retry_of) == ("SUCCESS", second.id)
    taken = {run.task_name: run for run in third.tasks}
    assert taken["a"].taken_from == old.tasks[0].id
    assert taken["a"].reason == "taken over from execution 1"
    assert taken["b"].taken_from == second.tasks[1].id
    assert taken["b"].reason == "taken over from execution 2"
    results = [scheduler.store.latest_result(third.id, name) for name in "abc"]
    assert results == ["1", "2", "3"]
    bound = scheduler.started("c")[-1].inputs
    assert [scheduler.store.result(bound[name]) for name in "ab"] == ["1", "2"]


def test_a_retry_of_a_retry_that_was_stopped_before_it_began_is_one_of_the_first() -> None:
    with Workflow("w", max_active=1) as workflow:
        Work("a") >> Work("b")
        Work("hold").action_on_event_received(START, "never")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("b", FAILED)
    old = scheduler.run()
    scheduler.stop_workflow(old)
    holds = scheduler.run()
    second = scheduler.retry(old)
    assert second.status == "INIT"
    scheduler.stop_workflow(second)
    assert (scheduler.status(second), scheduler.execution(second).tasks) == ("STOPPED", ())
    assert scheduler.store.state(second.id, ("default", "w")) == {}

    third = scheduler.retry(second)
    scheduler.stop_workflow(holds)

    assert runs(scheduler, third) == {"a": [(1, OVER)], "b": [(1, OK)]}
    assert third.tasks == ()
    assert scheduler.execution(third).tasks[0].taken_from == old.tasks[0].id


def test_a_retry_that_is_stopped_while_tasks_wait_leaves_them_to_the_next() -> None:
    with Workflow("w", completion="manual") as workflow:
        a, b = Work("a"), Work("b")
        b.action_on_condition(START, AllOf(EventCondition("go"), Status(a, SUCCESS)))
        a.action_on_event_received(RESTART, "again")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("b", FAILED)
    old = scheduler.run()
    go = scheduler.emit("go")
    scheduler.outcome("a", FAILED)
    scheduler.emit("again")
    scheduler.stop_workflow(old)
    scheduler.outcome("a", FAILED)
    second = scheduler.retry(old)
    assert runs(scheduler, second) == {"a": [(1, BAD)]}
    scheduler.stop_workflow(second)
    assert scheduler.store.state(second.id, ("default", "w")) == {}

    third = scheduler.retry(second)

    assert runs(scheduler, third) == {"a": [(1, OK)], "b": [(1, OK)]}
    assert [job.trigger_event.offset for job in scheduler.started("b")] == [go.offset] * 2


def test_an_execution_that_has_not_ended_is_not_retried() -> None:
    scheduler = VirtualScheduler(chain())
    scheduler.outcome("a", RUNNING)
    old = scheduler.run()

    with pytest.raises(ConflictError, match="execution 1 is RUNNING: stop it first, or wait"):
        scheduler.retry(old)

    assert len(scheduler.executions()) == 1
    assert len(scheduler.events("eventflow.command.*")) == 2


def test_an_execution_that_is_not_there_is_not_retried() -> None:
    with pytest.raises(NotFoundError, match="no workflow execution 7"):
        VirtualScheduler(chain()).retry(7)


def test_an_execution_in_which_nothing_is_left_to_do_is_not_retried() -> None:
    with Workflow("w") as workflow:
        a, good, bad = Work("a"), Work("good"), Work("bad")
        good.action_on_task_status(START, {a: SUCCESS})
        bad.action_on_task_status(START, {a: FAILED})
    scheduler = VirtualScheduler(workflow)
    old = scheduler.run()

    with pytest.raises(ConflictError, match=r"every task would be taken over.*execution start w"):
        scheduler.retry(old)


def test_an_execution_that_was_stopped_while_a_task_waited_can_be_retried_for_that_one() -> None:
    with Workflow("w") as workflow:
        Work("a")
        Work("b").action_on_event_received(START, "approved")
    scheduler = VirtualScheduler(workflow)
    old = scheduler.run()
    scheduler.stop_workflow(old)

    new = scheduler.retry(old)
    assert (new.status, runs(scheduler, new)) == ("RUNNING", {"a": [(1, OVER)]})
    scheduler.emit("approved")

    assert (scheduler.status(new), scheduler.runs("b", new)) == ("SUCCESS", [(1, OK)])


def test_two_retries_are_two_executions_and_a_repeated_key_is_one() -> None:
    scheduler, old = failed(chain(), "b")
    scheduler.outcome("b", FAILED)

    first = scheduler.retry(old, idempotency_key="monday")
    again = scheduler.retry(old, idempotency_key="monday")
    other = scheduler.retry(old, idempotency_key="tuesday")

    assert (first.id, again.id, other.id) == (2, 2, 3)
    assert (first.status, other.status, other.retry_of) == ("FAILED", "SUCCESS", old.id)
    with pytest.raises(DuplicateEventError):
        scheduler.retry(first, idempotency_key="monday")


@pytest.mark.rule("S35")
def test_what_conditions_remembered_is_forgotten() -> None:
    with Workflow("w") as workflow:
        Work("a")
        b = Work("b")
        b.action_on_condition(START, AllOf(EventCondition("x"), EventCondition("y")))
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", FAILED)
    old = scheduler.run()
    scheduler.emit("x")
    scheduler.stop_workflow(old)
    assert scheduler.store.state(old.id, ("default", "w")) != {}

    new = scheduler.retry(old)
    assert scheduler.store.state(new.id, ("default", "w")) == {}
    scheduler.emit("y")
    assert scheduler.runs("b", new) == []
    scheduler.emit("x")

    assert runs(scheduler, new) == {"a": [(1, OK)], "b": [(1, OK)]}


def test_sequence_numbers_begin_at_1_whatever_the_old_ones_were() -> None:
    with Workflow("w", completion="manual") as workflow:
        a, b = Work("a"), Work("b")
        for task in (a, b):
            task.action_on_event_received(RESTART, "again")
    scheduler = VirtualScheduler(workflow)
    old = scheduler.run()
    scheduler.emit("again")
    scheduler.outcome("b", FAILED)
    scheduler.outcome("a")
    scheduler.emit("again")
    scheduler.stop_workflow(old)
    assert [run.sequence_number for run in scheduler.execution(old).tasks] == [1, 1, 2, 2, 3, 3]

    new = scheduler.retry(old)
    assert runs(scheduler, new) == {"a": [(1, OVER)], "b": [(1, OK)]}
    scheduler.emit("again")

    assert runs(scheduler, new) == {"a": [(1, OVER), (2, OK)], "b": [(1, OK), (2, OK)]}


@pytest.mark.rule("S41")
def test_the_old_snapshot_runs_when_a_newer_one_is_registered() -> None:
    scheduler, old = failed(chain(), "b")
    with Workflow("w") as newer:
        Work("a") >> Work("b") >> Work("c") >> Work("d")
    scheduler.register(newer)
    # A new scheduler knows the newest snapshot, and those of executions that go on.
    scheduler.restart_scheduler()

    new = scheduler.retry(old)

    assert runs(scheduler, new) == {"a": [(1, OVER)], "b": [(1, OK)], "c": [(1, OK)]}
    assert (new.snapshot, new.status) == (old.snapshot, "SUCCESS")
    assert scheduler.run().snapshot != old.snapshot


@pytest.mark.rule("S39")
def test_workflow_data_is_carried_over_and_is_its_own_from_then_on() -> None:
    scheduler, old = failed(chain(), "b")
    scheduler.store.write_data(old.id, "model", '"v1"')

    new = scheduler.retry(old)
    scheduler.store.write_data(new.id, "model", '"v2"')

    assert scheduler.store.read_data(old.id, "model") == '"v1"'
    other = scheduler.retry(old)
    assert scheduler.store.read_data(other.id, "model") == '"v1"'


@pytest.mark.rule("S33")
def test_the_retry_of_a_periodic_execution_stands_for_the_same_due_time() -> None:
    with Workflow("w", schedule=Every(hours=1)) as workflow:
        Work("a")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", FAILED)
    scheduler.advance(hours=1)
    old = scheduler.execution()

    new = scheduler.retry(old)

    assert (new.execution_type, new.scheduled_time) == ("PERIODIC", old.scheduled_time)
    assert old.scheduled_time is not None


def test_the_picture_of_an_execution_may_be_larger_than_an_event_of_a_users() -> None:
    with Workflow("w") as workflow:
        hub = Work("hub")
        for number in range(1_600):
            hub >> Work(f"task_with_a_long_name_{number}")
    scheduler, old = failed(workflow, "task_with_a_long_name_7", "task_with_a_long_name_1599")

    new = scheduler.retry(old)

    (command,) = scheduler.events("eventflow.command.retry")
    assert len(encode(command.value)) > MAX_EVENT_BYTES
    assert (new.status, len(new.tasks)) == ("SUCCESS", 1_601)
    ran = [run.task_name for run in new.tasks if run.taken_from is None]
    assert ran == ["task_with_a_long_name_7", "task_with_a_long_name_1599"]
