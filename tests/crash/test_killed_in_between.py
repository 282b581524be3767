"""Killed in the middle of a rule, around a hand-over, and before a result is stored (F03-F06)."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import journal
import pytest
import tale
from journal import Line, overlapping, read
from place import Place
from tale import Tale
from tales import IN_DOUBT, cases

from eventflow.crashpoints import ONCE, VARIABLE
from eventflow.runtime.handle import ExecutionHandle
from eventflow.runtime.remote import RemoteClient

# Of two rules that listen to the same event the second takes its scheduler down, once.
DEADLY = """
import os, signal
from eventflow import Condition, PythonOperator, TaskAction, Workflow, current_context

def write(line):
    descriptor = os.open({journal!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, (line + "\\n").encode())
    os.fsync(descriptor)
    os.close(descriptor)

def work():
    run = current_context().task_execution
    write(f"begin {{run.task_name}} {{run.sequence_number}} {{run.attempt}} {{os.getpid()}} 0")

class Deadly(Condition):
    def is_met(self, event, context):
        once = {journal!r} + "-once"
        if not os.path.exists(once):
            os.close(os.open(once, os.O_CREAT, 0o600))
            os.kill(os.getpid(), signal.SIGKILL)
        return True

with Workflow("steps") as workflow:
    PythonOperator("a", work).action_on_event_received(TaskAction.START, "k")
    PythonOperator("b", work).action_on_condition(TaskAction.START, Deadly(["k"]))
"""
# How often the tale's tasks begin when no attempt is lost: `first` fails once.
BEGINS = 2 * (2 + 3 + 1)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path, tale.WORKFLOW)
    yield made
    made.end()


def told(place: Place, case: str) -> list[Line]:
    """The tale with a kill; the begins of its tasks."""
    one = Tale(place, [case])
    one.tell()
    assert one.happened(), f"{case} was never reached"
    one.check()
    return [line for line in read(place.journal) if line.what == "begin"]


@pytest.mark.long
@pytest.mark.fault("F03")
@pytest.mark.rule("S10")
def test_f03_a_rule_that_takes_its_scheduler_down_leaves_no_half_of_a_decision(
    tmp_path: Path,
) -> None:
    place = Place(tmp_path, DEADLY)
    assert place.serve(), place.log
    with RemoteClient(place.url) as remote:
        handle = ExecutionHandle(remote.client, command=remote.client.run("default", "steps"))
        place.until(lambda: remote.store.execution_status(handle.id) == "RUNNING", "not running")
        event = remote.client.emit("k", 1)
        place.until(lambda: place.ended, "the rule did not kill it")
        place.kill()

        (logged,) = remote.store.read(keys=["k"])
        found = remote.store.execution(handle.id)
        assert (logged.turn, found and found.tasks) == (0, ())
        assert place.serve(), place.log
        assert handle.wait(60).status == "SUCCESS"

        (logged,) = remote.store.read(keys=["k"])
        assert (logged.offset, logged.turn > 0) == (event.offset, True)
    place.end()
    assert Counter(line.task for line in read(place.journal)) == {"a": 1, "b": 1}


@pytest.mark.long
@pytest.mark.fault("F04")
@pytest.mark.rule("S11")
@pytest.mark.parametrize("point", ["loop.committed", "loop.dispatched", "dispatch.taken"])
def test_f04_what_was_decided_and_not_handed_over_starts_after_a_restart(
    place: Place, point: str
) -> None:
    # The second commit is the one that starts a task; the first registers the workflow.
    begins = told(place, f"{point}:kill:{2 if point.startswith('loop') else 1}")

    assert len(begins) == BEGINS


@pytest.mark.long
@pytest.mark.fault("F05")
@pytest.mark.rule("S11", "S28")
@pytest.mark.parametrize("point", ["nurse.asked", "nursery.forked", "report.taken", "batch.begun"])
def test_f05_a_child_that_has_begun_dies_with_its_scheduler_and_none_runs_beside_it(
    tmp_path: Path, point: str
) -> None:
    place = Place(tmp_path, journal.WORKFLOW)
    count = 3 if point == "batch.begun" else 1
    variables = {VARIABLE: f"{point}:kill:{count}", ONCE: str(tmp_path / "once")}
    assert place.serve(**variables), place.log
    with RemoteClient(place.url) as remote:
        handle = ExecutionHandle(remote.client, command=remote.client.run("default", "steps"))
        place.until((tmp_path / "once").exists, f"{point} was never reached")
        if point != "nursery.forked":
            place.until(lambda: place.ended, "it was not killed")
            # Waits until no child is alive.
            place.kill()
            assert place.serve(), place.log

        assert handle.wait(60).status == "SUCCESS"
    place.end()
    lines = read(place.journal)
    assert {line.task for line in lines if line.what == "end"} == {f"s{n}" for n in range(6)}
    if point != "nursery.forked":
        assert overlapping(lines, place.killed_at) == []


@pytest.mark.long
@pytest.mark.fault("F06")
@pytest.mark.rule("S28")
@pytest.mark.parametrize("point", ["spool.ended", "child.leaving"])
def test_f06_an_outcome_that_was_written_down_is_read_and_its_task_not_run_again(
    place: Place, point: str
) -> None:
    assert len(told(place, f"{point}:kill:1")) == BEGINS


@pytest.mark.long
@pytest.mark.fault("F06")
@pytest.mark.rule("S28")
@pytest.mark.parametrize("point", ["child.done", "spool.written"])
def test_f06_an_outcome_that_was_not_written_down_makes_a_new_attempt_with_its_reason(
    place: Place, point: str
) -> None:
    begins = told(place, f"{point}:kill:1")

    # The one that was lost is the first of all, which would have failed.
    assert len(begins) == BEGINS
    with RemoteClient(place.url) as remote:
        runs = [run for one in (1, 2) for run in remote.store.execution(one).tasks]
        changes = [change for run in runs for change in remote.store.history(run.id)]
    lost = [change.reason for change in changes if change.status == "RETRYING"]
    assert [reason for reason in lost if reason and "once" not in reason], lost


@pytest.mark.long
@pytest.mark.fault("F09")
@pytest.mark.parametrize("case", cases(IN_DOUBT))
def test_f09_what_goes_wrong_while_a_commit_is_in_doubt_loses_nothing(
    place: Place, case: str
) -> None:
    one = Tale(place, [f"batch.committed:raise:3,{case}"])

    one.tell()

    assert (place.folder / "once-0.1").exists()
    one.check()
