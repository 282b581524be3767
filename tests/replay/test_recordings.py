"""What an earlier eventflow recorded is decided alike by this one (S9)."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from telling import HERE, record

from eventflow.model.status import TaskStatus, WorkflowStatus
from eventflow.runtime.differences import Replayed
from eventflow.runtime.guard import ask_here
from eventflow.runtime.registry import plans_of
from eventflow.runtime.replaying import replay_recording
from eventflow.store.recording_file import read_recording

RECORDINGS = sorted(HERE.glob("*.jsonl"))


def replayed(path: Path, folder: Path) -> Replayed:
    recording = read_recording(path, folder)
    return replay_recording(recording, plans_of(recording.snapshots()), ask=ask_here)


def said(path: Path, table: str, column: str) -> Counter[Any]:
    """How often a recording has each value of a column."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    place = lines[0]["columns"][table].index(column)
    return Counter(line[table][place] for line in lines if table in line)


@pytest.mark.rule("S9")
@pytest.mark.parametrize("path", RECORDINGS, ids=[path.stem for path in RECORDINGS])
def test_the_recording_of_a_release_replays_equal(path: Path, tmp_path: Path) -> None:
    found = replayed(path, tmp_path)

    assert found.equal, found
    assert found.events > 500
    assert found.asked > 20


def test_there_is_a_recording() -> None:
    assert RECORDINGS


@pytest.mark.rule("S9")
def test_a_story_that_is_told_today_replays_equal_and_has_much_in_it(tmp_path: Path) -> None:
    path = tmp_path / "story.jsonl"
    record(path)

    found = replayed(path, tmp_path / "code")

    assert found.equal, found
    assert path.stat().st_size < 1_000_000
    assert str(tmp_path.parent) not in path.read_text()
    assert set(said(path, "task_history", "status")) == set(TaskStatus) - {TaskStatus.SKIPPED}
    assert set(said(path, "workflow_execution", "status")) >= {
        WorkflowStatus.SUCCESS,
        WorkflowStatus.FAILED,
        WorkflowStatus.STOPPED,
        WorkflowStatus.RUNNING,
    }
    assert set(said(path, "workflow_execution", "execution_type")) == {
        "EVENT",
        "MANUAL",
        "PERIODIC",
    }
    assert set(said(path, "attempt_failure", "type_name")) == {
        "RuntimeError",
        "TaskTimeoutError",
        "WorkerLostError",
        "MissingOutputError",
        "SubWorkflowFailedError",
    }
    assert set(said(path, "schedule_firing", "reason")) == {"", "paused", "catchup", "misfire"}
    assert set(said(path, "workflow", "namespace")) == {"default", "other"}
    assert set(said(path, "event", "key")) >= {
        "eventflow.timer.retry",
        "eventflow.timer.timeout",
        "eventflow.timer.deadline",
        "eventflow.timer.periodic",
        "eventflow.timer.schedule",
    }
    registered = said(path, "decision", "did")["registered"]
    assert registered > said(path, "workflow", "name").total()  # one of them has changed
    for table in ("state", "timer", "verdict", "outbox", "cursor"):
        assert f'{{"{table}":' in path.read_text(), table


@pytest.mark.rule("S9")
@pytest.mark.parametrize("seed", ["1", "2"])
def test_a_process_with_another_hash_seed_decides_alike(seed: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "eventflow.cli.main", "replay", "--log", str(RECORDINGS[-1])],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "decisions, equal; the world at the end" in done.stdout
