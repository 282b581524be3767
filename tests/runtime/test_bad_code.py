"""Users' code that does its worst: it ends as the rules say, and nobody beside it is harmed."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

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
    "unprintable": ("FAILED", "Unprintable", "whose __str__ raised SystemError"),
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
def test_tasks_that_do_their_worst_end_as_the_rules_say_and_fifty_beside_them_succeed(
    tmp_path: Path,
) -> None:
    with Scheduler(url(tmp_path), executor="processes") as scheduler:
        scheduler.register_file(FLOW)

        ended = scheduler.run("bad", namespace="tests").wait(SOON_S)

        assert ended.status == "FAILED"
        check_ends(scheduler, ended)
        assert scheduler.failure is None
