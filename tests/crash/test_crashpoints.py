"""At every point where something is written or handed over: kill -9, a failure, a disk that hangs.

Then a new process, and what must be so all the same, by the journals and the store's own rules.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from journal import append_and_sync, overlapping, read
from place import Place

from eventflow import crashpoints
from eventflow.crashpoints import ONCE, POINTS, VARIABLE, Action
from eventflow.model.records import WorkflowExecution
from eventflow.runtime.handle import ExecutionHandle
from eventflow.runtime.remote import RemoteClient
from tests.store import invariants

SOURCE = Path(crashpoints.__file__).parent
# What tasks do so that each point is reached: they draw, keep data, emit, fail once and wait for a
# timer, are mapped, and one must not be repeated.
STORY = """
import os, time
from eventflow import PythonOperator, Workflow, current_context

def write(line):
    descriptor = os.open({journal!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, (line + "\\n").encode())
    os.fsync(descriptor)
    os.close(descriptor)

def work(item=None):
    context = current_context()
    run = context.task_execution
    task = f"{{run.workflow_execution_id}}/{{run.task_name}}{{list(run.index)}}"
    name = f"{{task}} {{run.sequence_number}} {{run.attempt}} {{os.getpid()}}"
    write(f"begin {{name}} {{time.monotonic_ns()}}".replace("[]", ""))
    try:
        context.deterministic.uuid()
        context.data.set(run.task_name, run.attempt)
        if run.task_name == "first" and not context.data.get("failed"):
            context.data.set("failed", True)
            raise ValueError("once")
        if run.task_name == "last":
            context.emit("step.done", id="done")
        return [1, 2, 3]
    finally:
        write(f"end {{name}} {{time.monotonic_ns()}}".replace("[]", ""))

with Workflow("steps") as workflow:
    first = PythonOperator("first", work, retries=3, retry_delay=0.05, max_lost=20)
    each = PythonOperator("each", work, retries=3, max_lost=20).map(first.output)
    last = PythonOperator("last", work, retries=3, max_lost=20)
    last.start_after(each)
workflow.trigger_on_event("go")
"""
TASKS = {"first", "each[0]", "each[1]", "each[2]", "last"}
# Threads keep other marks than children do.
IN_THREADS = {"journal.begun", "journal.written", "journal.replaced"}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path, STORY)
    yield made
    made.end()


class Story:
    """Two executions, one by command and one by event, through one thing that goes wrong."""

    def __init__(self, place: Place, point: str, action: Action) -> None:
        self.place = place
        self.once = place.folder / "once"
        self._variables = {VARIABLE: f"{point}:{action}", ONCE: str(self.once)}

    def tell(self) -> list[WorkflowExecution]:
        """Go through it; return the executions as they ended."""
        self._serve()
        acknowledged = self.place.folder / "acknowledged"
        with RemoteClient(self.place.url) as remote:
            command = remote.client.run("default", "steps", idempotency_key="by hand")
            event = remote.client.emit("go", 1, id="go", sender="test")
            append_and_sync(acknowledged, str(event.offset))
            self.place.until(lambda: self._is_over(remote), "the executions did not end")
            handle = ExecutionHandle(remote.client, command=command)
            found = [remote.store.execution(one.id) for one in remote.store.executions()]
            assert handle.id in {one.id for one in found if one is not None}
            logged = remote.store.read(keys=["go"])
            assert [one.offset for one in logged] == [event.offset]
        return [one for one in found if one is not None]

    def _serve(self) -> None:
        for _ in range(3):
            if self.place.serve(**self._variables):
                return
            self.place.kill()
        raise AssertionError(self.place.log)

    def _is_over(self, remote: RemoteClient) -> bool:
        if self.place.ended:
            self.place.kill()
            self._serve()
        found = remote.store.executions()
        return len(found) == 2 and all(one.ended for one in found)


def check(place: Place, executions: list[WorkflowExecution]) -> None:
    """What must be so whatever went wrong."""
    assert sorted(one.execution_type for one in executions) == ["EVENT", "MANUAL"]
    lines = read(place.journal)
    assert overlapping(lines, place.killed_at) == []
    ended = Counter(line.task for line in lines if line.what == "end")
    for execution in executions:
        assert execution.status == "SUCCESS", (execution.reason, place.log)
        assert {f"{execution.id}/{task}" for task in TASKS} <= ended.keys()
    place.end()
    assert invariants.broken(place.folder / "store.db") == []


@pytest.mark.rule("S2", "S10", "S11", "S28")
@pytest.mark.parametrize("point", sorted(POINTS - IN_THREADS))
def test_a_kill_at_any_point_loses_nothing_and_doubles_nothing(place: Place, point: str) -> None:
    story = Story(place, point, Action.KILL)

    executions = story.tell()
    place.end()

    assert story.once.exists(), f"{point} was never reached"
    check(place, executions)
