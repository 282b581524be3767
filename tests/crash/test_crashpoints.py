"""At every point where something is written or handed over: kill -9, a failure, a stall.

Then what goes on, or a new process, and what must be so all the same, by the journals and the
store's own rules.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import invariants
import pytest
import tale
from journal import read
from place import DEADLINE_S, Place
from tale import Tale
from tales import IN_THREADS, PARKING, SERVING, cases

from eventflow.crashpoints import ONCE, VARIABLE, Action
from eventflow.runtime.handle import ExecutionHandle
from eventflow.runtime.remote import RemoteClient

# Those who stand still do not need the machine: so many do at once.
SIDE_BY_SIDE = 6
_STALLS = cases(SERVING, [Action.STALL])
STALLED = [_STALLS[first : first + SIDE_BY_SIDE] for first in range(0, len(_STALLS), SIDE_BY_SIDE)]
OTHER = """
from eventflow import PythonOperator, Workflow

with Workflow("other") as workflow:
    PythonOperator("nothing", dict)
"""
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
    made = Place(tmp_path, tale.WORKFLOW)
    yield made
    made.end()


def every_other(them: Sequence[str]) -> list[Any]:
    """Half of them are for `make longest`: together they would take CI too long."""
    rest = pytest.mark.longest
    return [pytest.param(one, marks=rest if n % 2 else ()) for n, one in enumerate(them)]


def go_through(place: Place, case: str) -> Tale:
    """Tell the tale with one thing that goes wrong, and look what has become of it."""
    told = Tale(place, [case])
    try:
        told.tell()
    finally:
        place.end()
    assert told.happened(), f"{case} was never reached"
    told.check()
    return told


@pytest.mark.long
@pytest.mark.rule("S2", "S10", "S11", "S28")
@pytest.mark.parametrize("case", cases(SERVING, [Action.KILL]))
def test_a_kill_at_any_point_loses_nothing_and_doubles_nothing(place: Place, case: str) -> None:
    go_through(place, case)


@pytest.mark.long
@pytest.mark.rule("S2", "S10", "S11", "S28")
@pytest.mark.parametrize("case", every_other(cases(SERVING, [Action.RAISE])))
def test_a_failure_at_any_point_loses_nothing_and_doubles_nothing(place: Place, case: str) -> None:
    told = go_through(place, case)

    # It goes on, or it ends itself and says why.
    assert told.begun == 1 or "\neventflow: " in f"\n{place.log}", place.log


@pytest.mark.long
@pytest.mark.rule("S2", "S10", "S11", "S28")
@pytest.mark.parametrize("some", STALLED, ids="+".join)
def test_a_stall_at_any_point_loses_nothing_and_doubles_nothing(
    tmp_path: Path, some: list[str]
) -> None:
    def one(case: str) -> int:
        folder = tmp_path / case.replace(":", "-")
        folder.mkdir()
        return go_through(Place(folder, tale.IMPATIENT), case).begun

    with ThreadPoolExecutor(len(some)) as beside:
        begun = dict(zip(some, beside.map(one, some), strict=True))

    assert begun == dict.fromkeys(some, 1)


@pytest.mark.parametrize("case", cases(IN_THREADS))
def test_what_goes_wrong_around_the_marks_of_threads_loses_nothing(
    tmp_path: Path, case: str
) -> None:
    journal, once, url = tmp_path / "journal", tmp_path / "once", f"sqlite:///{tmp_path}/s.db"
    program = tmp_path / "program.py"
    program.write_text(IN_A_PROGRAM.format(journal=str(journal), on_lost="retry"))
    variables = {**os.environ, VARIABLE: case, ONCE: str(once)}

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

    assert once.exists()
    if case.endswith(Action.KILL):
        assert first.returncode == -signal.SIGKILL
    elif first.returncode == 0:
        assert first.stdout.strip() == "SUCCESS"
    assert second.stdout.strip() == "SUCCESS", first.stderr + second.stderr
    lines = read(journal)
    assert {line.task for line in lines if line.what == "end"} == {"first", "last"}
    assert invariants.broken(tmp_path / "s.db") == []


@pytest.mark.long
@pytest.mark.spoils
@pytest.mark.parametrize("case", cases(PARKING))
def test_what_goes_wrong_while_executions_are_parked_loses_none(place: Place, case: str) -> None:
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

        place.serve(**{VARIABLE: case, ONCE: str(once)})
        place.kill()
        assert once.exists(), f"{case} was never reached"
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
