"""A task that runs a workflow, with real threads, files and ends of programs (S40)."""

import threading
from pathlib import Path

import pytest

from eventflow import (
    ParentLink,
    PythonOperator,
    Scheduler,
    Workflow,
    WorkflowExecution,
    WorkflowOperator,
    current_context,
)
from eventflow.runtime.remote import RemoteClient

SOON_S = 20

pytestmark = pytest.mark.rule("S40")


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'store.db'}"


class Gate:
    """A child whose task ends when it is stopped, or at once when the gate is open."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.go = threading.Event()

    def _work(self) -> int:
        self.began.set()
        if not self.go.is_set():
            current_context().wait(SOON_S)
        parent = current_context().workflow_execution.parent
        return parent.workflow_execution_id if parent is not None else 0

    def child(self) -> Workflow:
        with Workflow("child") as workflow:
            PythonOperator("work", self._work)
        return workflow


def parent(of: Workflow | str) -> Workflow:
    with Workflow("parent") as workflow:
        WorkflowOperator("sub", of)
    return workflow


def subs(scheduler: Scheduler, above: int) -> list[WorkflowExecution]:
    return scheduler.store.sub_executions(above)


def until_ended(scheduler: Scheduler, execution_id: int) -> None:
    scheduler.execution(execution_id).wait(SOON_S)


def test_the_child_is_registered_with_its_parent_and_runs(tmp_path: Path) -> None:
    gate = Gate()
    gate.go.set()
    with Scheduler(url(tmp_path)) as scheduler:
        handle = scheduler.run(parent(gate.child()))

        assert handle.wait(SOON_S).status == "SUCCESS"

        assert [one.name for one in scheduler.workflows()] == ["child", "parent"]
        (sub,) = subs(scheduler, handle.id)
        assert handle.result("sub") == {"workflow_execution_id": sub.id, "workflow": "child"}
        assert scheduler.execution(sub.id).result("work") == handle.id


@pytest.mark.rule("S20")
def test_a_stop_of_the_parent_stops_the_code_of_the_child(tmp_path: Path) -> None:
    gate = Gate()
    with Scheduler(url(tmp_path)) as scheduler:
        handle = scheduler.run(parent(gate.child()))
        assert gate.began.wait(SOON_S)

        handle.stop("enough")

        assert handle.wait(SOON_S).status == "STOPPED"
        assert [one.status for one in subs(scheduler, handle.id)] == ["STOPPED"]


@pytest.mark.rule("S10", "S28")
def test_the_same_sub_execution_goes_on_in_the_next_program(tmp_path: Path) -> None:
    gate = Gate()
    with Scheduler(url(tmp_path)) as scheduler:
        above = scheduler.run(parent(gate.child())).id
        assert gate.began.wait(SOON_S)
    gate.go.set()
    with Scheduler(url(tmp_path)) as scheduler:
        scheduler.register(parent(gate.child()))

        ended = scheduler.execution(above).wait(SOON_S)

        assert [(run.status, run.attempt) for run in ended.tasks] == [("SUCCESS", 1)]
        (sub,) = subs(scheduler, above)
        assert [run.attempt for run in scheduler.execution(sub.id).tasks] == [2]


@pytest.mark.rule("S41")
def test_a_parent_that_was_parked_learns_how_its_sub_execution_ended(tmp_path: Path) -> None:
    gate = Gate()
    with Scheduler(url(tmp_path)) as scheduler:
        above = scheduler.run(parent(gate.child())).id
        assert gate.began.wait(SOON_S)
    gate.go.set()
    with Scheduler(url(tmp_path)) as scheduler:
        scheduler.register(gate.child())
        assert list(scheduler.parked) == [above]
        until_ended(scheduler, subs(scheduler, above)[0].id)
        assert scheduler.execution(above).status == "RUNNING"

        scheduler.register(parent(gate.child()))

        assert scheduler.execution(above).wait(SOON_S).status == "SUCCESS"
        assert len(subs(scheduler, above)) == 1


@pytest.mark.rule("S41")
def test_a_child_that_was_parked_is_stopped_when_its_code_is_back(tmp_path: Path) -> None:
    gate = Gate()
    with Scheduler(url(tmp_path)) as scheduler:
        scheduler.register(gate.child())
        above = scheduler.run(parent("child")).id
        assert gate.began.wait(SOON_S)
    gate.began.clear()
    with Scheduler(url(tmp_path)) as scheduler:
        scheduler.register(parent("child"))
        (sub,) = subs(scheduler, above)
        assert list(scheduler.parked) == [sub.id]
        (note,) = scheduler.explain(above, "sub").notes
        assert note.startswith(f"attempt 1 runs execution {sub.id} of child, which is RUNNING")
        assert "(parked: workflow 'child' was defined in a program that has ended" in note
        scheduler.stop_workflow(above)
        assert [run.status for run in scheduler.execution(above).tasks] == ["STOPPING"]

        scheduler.register(gate.child())

        assert scheduler.execution(above).wait(SOON_S).status == "STOPPED"
        assert scheduler.execution(sub.id).status == "STOPPED"
        assert not gate.began.is_set()


FILE = """
from eventflow import PythonOperator, Workflow, WorkflowOperator

with Workflow("child") as child:
    PythonOperator("work", print)
with Workflow("parent") as parent:
    WorkflowOperator("sub", child)
"""


@pytest.mark.rule("S3", "S41")
def test_an_order_that_was_passed_by_while_its_parent_was_parked_is_given_again(
    tmp_path: Path,
) -> None:
    file = tmp_path / "family.py"
    file.write_text(FILE)
    with Scheduler(url(tmp_path)) as scheduler:
        scheduler.register_file(file)
        snapshots = scheduler.store.files
        assert snapshots is not None
    with Scheduler(url(tmp_path), own_only=True) as scheduler:
        command = scheduler.client.run("default", "parent")
        record = scheduler.client.outcome(command)
        assert record is not None
        above = record.workflow_execution_id or 0
        (run,) = scheduler.execution(above).tasks
        assert run.status == "QUEUED"
    with RemoteClient(url(tmp_path)) as remote:
        link = ParentLink(
            workflow_execution_id=above, task_name="sub", task_execution_id=run.id, attempt=1
        )
        asked = remote.client.subrun("default", "child", {}, link, "default")
    (snapshots / "snapshots").rename(snapshots / "away")
    with Scheduler(url(tmp_path)) as scheduler:
        assert list(scheduler.parked) == [above]
        scheduler.client.outcome(asked)
    (snapshots / "away").rename(snapshots / "snapshots")
    with Scheduler(url(tmp_path)) as scheduler:
        assert scheduler.execution(above).wait(SOON_S).status == "SUCCESS"
        assert len(subs(scheduler, above)) == 1


def test_a_name_that_restricts_the_file_takes_what_it_runs_along(tmp_path: Path) -> None:
    file = tmp_path / "family.py"
    file.write_text(FILE + '\nwith Workflow("stranger"):\n    PythonOperator("x", print)\n')
    with Scheduler(url(tmp_path), own_only=True) as scheduler:
        found = scheduler.register_file(file, ["parent"])

        assert [one.name for one in found] == ["child", "parent"]
        assert scheduler.run("parent").wait(SOON_S).status == "SUCCESS"
