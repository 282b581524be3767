"""A store that was moved, with the folder beside it, goes on where it is (S41)."""

from pathlib import Path

import pytest

from eventflow import Scheduler
from eventflow.runtime.registry import plans_of
from eventflow.runtime.replaying import replay_recording
from eventflow.store.sqlite_recording import recording_at

FLOW = """
from eventflow import PythonOperator, TaskAction, Workflow
from words import word

with Workflow("waits") as waits:
    PythonOperator("late", word).action_on_event_received(TaskAction.START, "go")
"""


@pytest.mark.rule("S41")
def test_a_store_that_was_moved_still_has_its_code(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    (before / "flow.py").write_text(FLOW)
    (before / "words.py").write_text("def word():\n    return 'heard'\n")
    with Scheduler(f"sqlite:///{before}/store.db") as scheduler:
        scheduler.register_file(before / "flow.py")
        execution = scheduler.run("waits").id
    before.rename(after)
    for name in ("flow.py", "words.py"):
        (after / name).unlink()

    with Scheduler(f"sqlite:///{after}/store.db") as scheduler:
        assert scheduler.parked == {}
        scheduler.emit("go")
        handle = scheduler.execution(execution)
        assert handle.wait(20).status == "SUCCESS"
        assert handle.result("late") == "heard"
        record = scheduler.store.snapshot(handle.wait(1).snapshot)

    assert record is not None
    assert Path(record.folder).is_relative_to(after)
    with recording_at(f"sqlite:///{after}/store.db") as recording:
        assert replay_recording(recording, plans_of(recording.snapshots())).equal
