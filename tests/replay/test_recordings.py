"""What an earlier eventflow recorded is decided alike by this one (S9)."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
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
    assert set(said(path, "task_history", "status")) == set(TaskStatus)
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
        "ItemsError",
        "ItemsFailedError",
    }
    check_maps(path)
    check_echoes(path)
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


def check_maps(path: Path) -> None:
    """Items ended in every way, never began, were taken over; maps were nested, ragged, empty."""
    items = rows_of(path, "task_execution", lambda row: row["parent"] > 0)
    assert {row["status"] for row in items} >= {"SUCCESS", "FAILED", "SKIPPED", "STOPPED", "INIT"}
    assert any(row["taken_from"] is not None for row in items)
    assert any(row["status"] == "STOPPED" and row["began_at"] is None for row in items)
    assert any(row["attempt"] > 1 for row in items)
    maps = rows_of(path, "task_execution", lambda row: row["items"] is not None)
    assert {row["status"] for row in maps} >= {"SUCCESS", "FAILED", "STOPPED", "RUNNING"}
    levels = [json.loads(row["items"])["levels"] for row in maps]
    assert {len(counts) for counts in levels} == {1, 2}
    assert [0] in levels
    assert any(isinstance(counts[-1], list) for counts in levels)


def check_echoes(path: Path) -> None:
    """Rules went round in a circle: of workflows and of tasks; some of it began anew (S45)."""
    for table in ("event", "workflow_execution", "task_execution"):
        assert {row["hops"] for row in rows_of(path, table, lambda row: True)} >= {0, 1, 2, 3}
    refused = rows_of(path, "verdict", lambda row: row["error"].startswith("HopLimitError"))
    assert {row["task"] for row in refused} >= {"", "ding", "dong"}
    assert {row["met"] for row in refused} == {True}
    again = rows_of(path, "verdict", lambda row: row["of_turn"] in {one["turn"] for one in refused})
    assert {row["task"] for row in again} == {"", "dong"}


def rows_of(
    path: Path, table: str, wanted: Callable[[dict[str, Any]], bool]
) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    columns = lines[0]["columns"][table]
    found = [dict(zip(columns, line[table], strict=True)) for line in lines if table in line]
    return [row for row in found if wanted(row)]


@pytest.mark.rule("S9")
@pytest.mark.parametrize("change", ["status", "item", "items", "taken_from", "reason"])
def test_an_item_of_a_recording_that_was_changed_is_found(tmp_path: Path, change: str) -> None:
    lines = RECORDINGS[-1].read_text().splitlines()
    columns = json.loads(lines[0])["columns"]["task_execution"]
    kinds = {"items": "items", "taken_from": "taken_from"}
    for number, line in enumerate(lines):
        row = json.loads(line).get("task_execution")
        wanted = kinds.get(change, "parent")
        if row is not None and row[columns.index(wanted)]:
            row[columns.index(change)] = {"item": 77, "taken_from": 77}.get(change, "another")
            lines[number] = json.dumps({"task_execution": row})
            break
    path = tmp_path / "changed.jsonl"
    path.write_text("\n".join(lines) + "\n")

    found = replayed(path, tmp_path / "code")

    assert [(one.what, set(one.now) >= {change}) for one in found.differences] == [
        ("task_execution", True)
    ]


@pytest.mark.rule("S9", "S43")
@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("task_history", "at", 7),
        ("task_history", "reason", "another"),
        ("result", "task_execution_id", 99_999),
        ("attempt_failure", "message", "another"),
    ],
)
def test_what_is_kept_of_an_item_is_compared(
    tmp_path: Path, table: str, column: str, value: Any
) -> None:
    """The last of each table: of history it is the step of an item that was closed."""
    items = rows_of(RECORDINGS[-1], "task_execution", lambda row: row["parent"] > 0)
    closed = {row["id"] for row in items if row["began_at"] is None and row["status"] == "STOPPED"}
    wanted = closed if table == "task_history" else {row["id"] for row in items}
    lines = RECORDINGS[-1].read_text().splitlines()
    columns = json.loads(lines[0])["columns"][table]
    for number, line in reversed(list(enumerate(lines))):
        row = json.loads(line).get(table)
        if row is not None and row[columns.index("task_execution_id")] in wanted:
            row[columns.index(column)] = value
            lines[number] = json.dumps({table: row})
            break
    path = tmp_path / "changed.jsonl"
    path.write_text("\n".join(lines) + "\n")

    found = replayed(path, tmp_path / "code")

    assert {one.what.removeprefix("rows of ") for one in found.differences} == {table}


@pytest.mark.rule("S9", "S43", "S45")
@pytest.mark.parametrize(
    ("table", "new"),
    [
        ("task_execution", ("parent", "item", "items")),
        ("workflow_execution", ("hops",)),
        ("task_execution", ("hops",)),
    ],
)
def test_a_recording_of_before_there_were_some_columns_is_compared_in_those_that_it_has(
    tmp_path: Path, table: str, new: tuple[str, ...]
) -> None:
    lines = [json.loads(line) for line in RECORDINGS[-1].read_text().splitlines()]
    columns = lines[0]["columns"][table]
    kept = [number for number, column in enumerate(columns) if column not in new]
    lines[0]["columns"][table] = [columns[number] for number in kept]
    for line in lines:
        if table in line:
            line[table] = [line[table][number] for number in kept]
    path = tmp_path / "earlier.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))

    assert replayed(path, tmp_path / "code").equal


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
