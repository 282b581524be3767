"""What is said of a task that runs a workflow, and of what it runs (S40, S42)."""

import pytest
from subworkflows import child, newest, parent

from eventflow import TaskStatus
from eventflow.core.explanation import ExecutionExplained, How, TaskExplained
from eventflow.core.telling import tell
from eventflow.testing import VirtualScheduler

pytestmark = pytest.mark.rule("S40", "S42")


def test_the_chain_of_a_childs_task_goes_back_through_the_parent() -> None:
    workflow = parent(child())
    workflow.trigger_on_event("orders.paid")
    scheduler = VirtualScheduler(workflow)
    event = scheduler.emit("orders.paid")
    below = newest(scheduler)

    told = scheduler.explain(below.id, "work")

    assert isinstance(told, TaskExplained)
    assert [(link.how, link.workflow_execution_id, link.task) for link in told.chain] == [
        (How.AUTOSTART, below.id, "work"),
        (How.SUBRUN, below.id, ""),
        (How.AUTOSTART, 1, "sub"),
        (How.TRIGGER, 1, ""),
    ]
    first = told.chain[-1].event
    assert first is not None
    assert first.offset == event.offset
    lines = tell(told, lambda at: "then")
    assert f"Execution {below.id} of child started by task sub of execution 1 at then." in lines


def test_a_task_says_what_each_attempt_has_run() -> None:
    scheduler = VirtualScheduler(parent(child(), retries=1))
    scheduler.outcome("work", TaskStatus.FAILED)
    scheduler.outcome("work", TaskStatus.RUNNING)
    above = scheduler.run()
    first, second = scheduler.executions("child")

    told = scheduler.explain(above.id, "sub")
    whole = scheduler.explain(above.id)

    assert isinstance(told, TaskExplained)
    assert isinstance(whole, ExecutionExplained)
    assert told.notes == (
        f"attempt 1 runs execution {first.id} of child, which is FAILED (failed: work)",
        f"attempt 2 runs execution {second.id} of child, which is RUNNING",
    )
    assert whole.tasks[0].notes == told.notes
    assert tell(told, lambda at: "then").count(f"  {told.notes[0]}") == 1
    assert tell(whole, lambda at: "then").count(f"  {told.notes[1]}") == 1


def test_the_run_says_in_its_history_what_it_runs() -> None:
    scheduler = VirtualScheduler(parent(child()))
    above = scheduler.run()

    (run,) = scheduler.execution(above).tasks
    began = scheduler.store.history(run.id)[2]

    assert (began.status, began.reason) == (
        "RUNNING",
        f"runs execution {newest(scheduler).id} of child",
    )
