"""Users' code that does its worst: it ends as the rules say, and nobody beside it is harmed."""

import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import programs
import pytest

from eventflow import Scheduler
from eventflow.executors.tasklog import MAX_LOG_BYTES
from eventflow.model.records import WorkflowExecution
from eventflow.runtime.handle import ExecutionHandle
from eventflow.runtime.remote import RemoteClient

EVENTFLOW = str(Path(sys.executable).with_name("eventflow"))
FLOW = Path(__file__).parent / "flows" / "bad_flow.py"
INNOCENTS = 50
SOON_S = 30

# Task -> its status, and the type and a part of the message of its failure.
ENDS = {
    "doom": ("FAILED", "Doom", "the end"),
    "unprintable": ("FAILED", "UnprintableError", "whose __str__ raised SystemError"),
    "groups": ("FAILED", "BaseExceptionGroup", "many (3 sub-exceptions)"),
    "recurses": ("FAILED", "RecursionError", "maximum recursion depth"),
    "long_words": ("FAILED", "ValueError", "characters left out"),
    "segfault": ("FAILED", "TaskError", "killed by SIGSEGV"),
    "leaves_0": ("FAILED", "TaskError", "exit code 0"),
    "leaves_3": ("FAILED", "TaskError", "exit code 3"),
    "exits_0": ("SUCCESS", "", ""),
    "exits_3": ("FAILED", "SystemExit", "exit code 3"),
    "detaches": ("SUCCESS", "", ""),
    "hangs_on": ("FAILED", "TaskTimeoutError", "ran longer than its timeout, 0.5 s"),
    "prints": ("SUCCESS", "", ""),
    "a_set": ("FAILED", "ResultError", "set"),
    "not_a_number": ("FAILED", "ResultError", "x"),
    "keys": ("FAILED", "ResultError", "key"),
    "half_a_letter": ("FAILED", "ResultError", "surrogate"),
    "itself": ("FAILED", "ResultError", "deep"),
    "data_key": ("FAILED", "StateError", "surrogate"),
    "draw": ("FAILED", "StateError", "surrogate"),
    "large_draw": ("FAILED", "StateError", "is text of 1 to"),
    "emits": ("FAILED", "EventError", "surrogate"),
    "odd_sender": ("FAILED", "EventError", "sender"),
    "too_large": ("FAILED", "ResultError", "write larger or other things to a file"),
}


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'store.db'}"


def check_ends(client: RemoteClient | Scheduler, ended: WorkflowExecution) -> None:
    """Every task of `bad` ended as `ENDS` says, and the innocent ones succeeded."""
    store = client.store
    runs = {run.task_name: run for run in ended.tasks}
    innocent = [run for name, run in runs.items() if name.startswith("innocent_")]
    assert [run.status for run in innocent] == ["SUCCESS"] * INNOCENTS
    assert {name: run.status for name, run in runs.items() if run not in innocent} == {
        name: status for name, (status, _, _) in ENDS.items()
    }
    for name, (_, type_name, words) in ENDS.items():
        failures = store.failures(runs[name].id)
        assert [failure.type_name for failure in failures] == [type_name][: bool(type_name)], name
        assert all(words in failure.message for failure in failures), failures
        assert all(len(failure.message) < 10_000 for failure in failures), name
        assert all(len(failure.traceback) < 100_000 for failure in failures), name
    log = store.log_path(ended.id, "prints", 1, 1)
    assert log is not None
    assert MAX_LOG_BYTES <= log.stat().st_size < MAX_LOG_BYTES + 1000
    assert not Path(f"/proc/{json.loads(store.result(runs['detaches'].id) or '')}").exists()


@pytest.mark.rule("S20", "S27", "S37")
@pytest.mark.fault("F34", "F36")
def test_f34_tasks_that_do_their_worst_end_as_the_rules_say_and_fifty_beside_them_succeed(
    tmp_path: Path,
) -> None:
    with Scheduler(url(tmp_path), executor="processes") as scheduler:
        scheduler.register_file(str(FLOW))

        ended = scheduler.run("bad", namespace="tests").wait(SOON_S)

        assert ended.status == "FAILED"
        check_ends(scheduler, ended)
        assert scheduler.failure is None


# Task -> a part of the error of its condition's verdict.
VERDICTS = {
    "raises": "ZeroDivisionError",
    "doomed": "Doom: the end",
    "exits": "SystemExit",
    "speechless": "UnprintableError",
    "half_a_word": "ValueError: \\ud800",
    "wordy": "characters left out",
    "nonsense": "it answers True or False",
    "untrue": "Doom: nor what I am",
    "untrue_number": "Doom: a number without a truth",
    "no_json": "state 'note' cannot be kept",
    "large_state": "state 'note' cannot be kept",
    "half_a_name": "name",
    "wrong_task": "no task 'nobody'",
}


def verdicts(folder: Path, workflow: str) -> list[tuple[str, bool, str, str]]:
    """Task, answer, state and error of every verdict of a workflow, in turn order."""
    with closing(sqlite3.connect(folder / "store.db")) as connection:
        return connection.execute(
            "SELECT task, met, writes, error FROM verdict WHERE workflow = ? ORDER BY turn, number",
            (workflow,),
        ).fetchall()


def succeeds(scheduler: Scheduler, execution: ExecutionHandle, task: str) -> None:
    """Wait until a task has succeeded."""
    store, execution_id = scheduler.store, execution.id
    scheduler.client.until(
        lambda: store.task_status(execution_id, task) == "SUCCESS" or None, SOON_S
    )
    assert store.task_status(execution_id, task) == "SUCCESS"


@pytest.mark.rule("S13", "S35")
def test_conditions_that_do_their_worst_are_failed_verdicts_and_the_other_rules_act(
    tmp_path: Path,
) -> None:
    with Scheduler(url(tmp_path), executor="processes") as scheduler:
        scheduler.register_file(FLOW)
        execution = scheduler.run("judged", namespace="tests")
        assert execution.id

        scheduler.emit("go", namespace="tests")

        succeeds(scheduler, execution, "innocent")
        assert {task.task_name for task in execution.tasks} == {"innocent"}
        assert scheduler.failure is None
        execution.stop()
    told = {task: (met, writes, error) for task, met, writes, error in verdicts(tmp_path, "judged")}
    assert told.keys() == VERDICTS.keys()
    for task, (met, writes, error) in told.items():
        assert (met, writes) == (False, "{}"), task
        assert VERDICTS[task] in error, task
        assert len(error) < 100_000, task


@pytest.mark.rule("S13")
def test_after_three_that_hang_the_conditions_of_the_workflow_are_suspended_and_say_so(
    tmp_path: Path,
) -> None:
    with Scheduler(url(tmp_path), executor="processes", condition_timeout=0.5) as scheduler:
        scheduler.register_file(FLOW)
        hanging = scheduler.run("hanging", namespace="tests")
        beside = scheduler.run("beside", namespace="tests")
        assert hanging.id != beside.id

        for _ in range(4):
            scheduler.emit("stay", namespace="tests")

        succeeds(scheduler, beside, "eager")
        scheduler.emit("stay", namespace="tests")
        beside.stop()
        hanging.stop()
        assert hanging.tasks == ()
    errors = [error for _, _, _, error in verdicts(tmp_path, "hanging")]
    assert errors[:3] == ["Asks.is_met took longer than 0.5 s"] * 3
    assert len(errors) == 5
    assert all("hung 3 times; they are suspended until" in error for error in errors[3:])
    assert [error for _, _, _, error in verdicts(tmp_path, "beside")] == [""] * 5


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[RemoteClient]:
    """`eventflow serve` of the bad file in a process of its own, and a client beside it."""
    with (tmp_path / "serve.log").open("w") as log:
        process = programs.begin(
            [EVENTFLOW, "serve", FLOW, "--store", url(tmp_path)], cwd=tmp_path, stderr=log.fileno()
        )
    assert process.stdout is not None
    while "ready" not in (line := process.stdout.readline()):
        assert line, (tmp_path / "serve.log").read_text()
    with RemoteClient(url(tmp_path)) as remote:
        yield remote
    process.terminate()
    code = process.wait(SOON_S)
    process.stdout.close()
    assert code == 0, (tmp_path / "serve.log").read_text()


@pytest.mark.rule("S13", "S20", "S27", "S37")
def test_serve_outlives_all_of_it(serve: RemoteClient, tmp_path: Path) -> None:
    client = serve.client
    bad = ExecutionHandle(client, command=client.run("tests", "bad"))
    judged = ExecutionHandle(client, command=client.run("tests", "judged"))
    assert judged.id

    client.emit("go", namespace="tests")

    check_ends(serve, bad.wait(SOON_S))
    serve.until(lambda: serve.store.task_status(judged.id, "innocent") == "SUCCESS" or None, SOON_S)
    assert {task for task, _, _, _ in verdicts(tmp_path, "judged")} == VERDICTS.keys()
    stuck = ExecutionHandle(client, command=client.run("tests", "stubborn"))
    serve.until(lambda: serve.store.task_status(stuck.id, "holds_out") == "RUNNING" or None, SOON_S)
    stuck.stop("enough")
    assert stuck.wait(SOON_S).status == "STOPPED"
    assert [task.status for task in stuck.tasks] == ["STOPPED"]


def test_run_ends_by_itself_and_says_what_failed(tmp_path: Path) -> None:
    done = programs.run(
        [EVENTFLOW, "run", f"{FLOW}:bad", "--store", url(tmp_path)],
        cwd=tmp_path,
        timeout=SOON_S * 2,
    )

    assert done.returncode == 1, done.stderr
    for task, (status, type_name, _) in ENDS.items():
        if status == "FAILED":
            assert task in done.stdout + done.stderr
            assert type_name in done.stdout + done.stderr
    with RemoteClient(url(tmp_path)) as remote:
        (execution,) = remote.store.executions(workflow="bad", limit=10)
        found = remote.store.execution(execution.id)
        assert found is not None
        check_ends(remote, found)
