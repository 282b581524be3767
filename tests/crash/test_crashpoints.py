"""At every point where something is written or handed over: kill -9.

Then a new process, and what must be so all the same, by the journals and the store's own rules.
"""

import ast
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import invariants
import pytest
from journal import append_and_sync, overlapping, read
from place import DEADLINE_S, Place

from eventflow import crashpoints
from eventflow.crashpoints import COMMITS, ONCE, OTHERS, POINTS, STAGES, VARIABLE, Action
from eventflow.model.records import WorkflowExecution
from eventflow.runtime.handle import ExecutionHandle
from eventflow.runtime.remote import RemoteClient

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
OTHER = """
from eventflow import PythonOperator, Workflow

with Workflow("other") as workflow:
    PythonOperator("nothing", dict)
"""
TWO_EMITS = """
import sys, threading
from eventflow.clock import SystemClock
from eventflow.model.event import Event
from eventflow.runtime.client import Client
from eventflow.store.sqlite import SqliteStore

store = SqliteStore(sys.argv[1], clock=SystemClock())
client = Client(store, SystemClock(), lambda: None, lambda check, timeout: check())
said = []

def emit(number):
    try:
        client.emit("n", number)
    except Exception as error:
        said.append(type(error).__name__)

threads = [threading.Thread(target=emit, args=(number,)) for number in range(2)]

def both(connection):
    for thread in threads:
        thread.start()
    while store._writer.waiting < 2:
        threading.Event().wait(0.001)

store._writer.do("data", both)
for thread in threads:
    thread.join()
print(*said)
"""
TASKS = {"first", "each[0]", "each[1]", "each[2]", "last"}
# Threads keep other marks than children do.
IN_THREADS = {"journal.begun", "journal.written", "journal.replaced"}
# Only a store with code that cannot be loaded parks anything.
PARKING = {f"parked.{stage}" for stage in STAGES}
# Only retention deletes: `tests/store/test_pruning_killed.py` goes through these.
PRUNING = {f"prune.{stage}" for stage in STAGES}
IN_A_PROGRAM = """
import os, sys, time
from pathlib import Path
from eventflow import PythonOperator, Scheduler, Workflow, current_context

def write(line):
    descriptor = os.open({journal!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, (line + "\\n").encode())
    os.fsync(descriptor)
    os.close(descriptor)

def work():
    run = current_context().task_execution
    name = f"{{run.task_name}} {{run.sequence_number}} {{run.attempt}} {{os.getpid()}}"
    write(f"begin {{name}} {{time.monotonic_ns()}}")
    write(f"end {{name}} {{time.monotonic_ns()}}")

with Workflow("steps") as workflow:
    first = PythonOperator("first", work, on_lost={on_lost!r})
    first >> PythonOperator("last", work)

with Scheduler(sys.argv[1]) as scheduler:
    scheduler.register(workflow)
    print(scheduler.run(workflow, idempotency_key="once").wait(60).status)
"""


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


@pytest.mark.long
@pytest.mark.rule("S2", "S10", "S11", "S28")
@pytest.mark.parametrize("point", sorted(POINTS - IN_THREADS - PARKING - PRUNING))
def test_a_kill_at_any_point_loses_nothing_and_doubles_nothing(place: Place, point: str) -> None:
    story = Story(place, point, Action.KILL)

    executions = story.tell()
    place.end()

    assert story.once.exists(), f"{point} was never reached"
    check(place, executions)


@pytest.mark.parametrize("point", sorted(IN_THREADS))
def test_a_kill_around_the_marks_of_threads_loses_nothing(tmp_path: Path, point: str) -> None:
    journal, once, url = tmp_path / "journal", tmp_path / "once", f"sqlite:///{tmp_path}/s.db"
    program = tmp_path / "program.py"
    program.write_text(IN_A_PROGRAM.format(journal=str(journal), on_lost="retry"))
    variables = {**os.environ, VARIABLE: f"{point}:kill", ONCE: str(once)}

    first, second = (
        subprocess.run(
            [sys.executable, str(program), url],
            env=variables,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )
        for _ in range(2)
    )

    assert (first.returncode, once.exists()) == (-signal.SIGKILL, True)
    assert second.stdout.strip() == "SUCCESS", second.stderr
    lines = read(journal)
    assert {line.task for line in lines if line.what == "end"} == {"first", "last"}
    assert invariants.broken(tmp_path / "s.db") == []


@pytest.mark.long
@pytest.mark.spoils
@pytest.mark.parametrize("point", sorted(PARKING))
def test_a_kill_while_executions_are_parked_loses_none(place: Place, point: str) -> None:
    assert place.serve(), place.log
    with RemoteClient(place.url) as remote:
        event = remote.client.emit("go", 1)
        place.until(lambda: remote.store.decided_offset(event.offset), "go was not decided")
        place.until(lambda: bool(read(place.journal)), "nothing began")
        place.kill()
        (snapshots,) = place.folder.glob("*-files/snapshots")
        snapshots.rename(snapshots.with_name("lost"))
        once = place.folder / "once"
        (place.folder / "steps.py").rename(place.folder / "steps.gone")
        (place.folder / "steps.py").write_text(OTHER)

        place.serve(**{VARIABLE: f"{point}:kill", ONCE: str(once)})
        place.kill()
        assert once.exists(), f"{point} was never reached"
        assert place.serve(), place.log
        parked = remote.store.parked()
        place.kill()
        shutil.rmtree(snapshots, ignore_errors=True)
        snapshots.with_name("lost").rename(snapshots)
        (place.folder / "steps.gone").rename(place.folder / "steps.py")
        assert place.serve(), place.log
        (execution,) = remote.store.executions()

        assert set(parked) == {execution.id}
        assert (
            ExecutionHandle(remote.client, execution_id=execution.id).wait(60).status == "SUCCESS"
        )


def test_every_point_stands_once_where_it_says() -> None:
    found = Counter(
        call.args[0].value
        for path in SOURCE.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "reach"
        and isinstance(call.args[0], ast.Constant)
    )

    assert found == dict.fromkeys(OTHERS, 1)


def test_nothing_is_committed_outside_of_a_point() -> None:
    """Every transaction is the writer's, which has a point around each, or the schema's."""
    ends = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        for text in ast.walk(ast.parse(path.read_text()))
        if isinstance(text, ast.Constant) and text.value == "COMMIT"
    }
    commits = [
        path.name
        for path in SOURCE.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Attribute) and call.attr == "commit"
        if "store" in path.parts and "memory" not in path.name
    ]
    written = {
        call.args[0].value
        for path in SOURCE.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "do"
        and isinstance(call.args[0], ast.Constant)
    }

    assert ends == {"store/writer.py", "store/schema.py"}
    assert commits == []
    assert written == set(COMMITS)


def test_a_commit_that_fails_after_all_is_not_done_again(tmp_path: Path) -> None:
    """F09: two emits share a commit of which nobody hears whether it was one."""
    url = f"sqlite:///{tmp_path / 's.db'}"
    done = subprocess.run(
        [sys.executable, "-c", TWO_EMITS, url],
        env={**os.environ, VARIABLE: "append.committed:raise"},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )

    assert done.stdout.split() == ["StoreError", "StoreError"], done.stderr
    with RemoteClient(url) as remote:
        assert sorted(event.value for event in remote.store.read(keys=["n"])) == [0, 1]
