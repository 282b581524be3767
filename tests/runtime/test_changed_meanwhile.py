"""Code that was changed, renamed or removed between a crash and the restart (S41)."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from eventflow import Scheduler
from eventflow.errors import EventflowError
from eventflow.runtime.registry import plans_of
from eventflow.runtime.replaying import replay_recording
from eventflow.store.sqlite_recording import recording_at

pytestmark = [pytest.mark.rule("S41"), pytest.mark.fault("F42")]
SOON_S = 60
FLOW = """
from eventflow import Cron, Every, PythonOperator, TaskAction, Workflow
from words import word

with Workflow("waits", schedule=Cron("0 0 1 1 *"), max_active=2) as waits:
    PythonOperator("first", word)
    PythonOperator("late", word).action_on_event_received(TaskAction.START, "go")
waits.trigger_on_event("waits.wanted")

with Workflow("nightly", schedule=Every(86_400)) as nightly:
    PythonOperator("work", word)
"""
# What the first scheduler does; it dies in the middle of its work, with events that wait.
DIES = """
import os, signal
from pathlib import Path
from eventflow import Scheduler

with Scheduler("{url}") as scheduler:
    scheduler.register_file(Path("flow.py"))
    handles = [scheduler.run("waits") for _ in range(3)]
    for handle in handles[:2]:
        scheduler.client.until(
            lambda: scheduler.store.task_status(handle.id, "first") == "SUCCESS" or None, 60
        )
    handles[2].id  # is decided too
    os.kill(os.getpid(), signal.SIGKILL)
"""


def change(folder: Path) -> None:
    """Other rules, another name for a task, another schedule."""
    flow = (folder / "flow.py").read_text()
    flow = flow.replace('"go"', '"never"').replace('"late"', '"later"').replace("86_400", "3_600")
    (folder / "flow.py").write_text(flow)
    (folder / "words.py").write_text("def word():\n    return 'another'\n")


def rename(folder: Path) -> None:
    """The workflow has another name; the module that it used is gone."""
    flow = (folder / "flow.py").read_text().replace('"waits"', '"stays"')
    flow = flow.replace("from words import word", "def word():\n    return 'another'\n")
    (folder / "flow.py").write_text(flow)
    (folder / "words.py").unlink()


def remove(folder: Path) -> None:
    for name in ("flow.py", "words.py"):
        (folder / name).unlink()


def spoil(folder: Path) -> None:
    (folder / "flow.py").write_text("this is no Python")


@pytest.fixture
def crashed(tmp_path: Path) -> Path:
    """A folder with a store whose scheduler was killed: two executions run, one waits."""
    (tmp_path / "flow.py").write_text(FLOW)
    (tmp_path / "words.py").write_text("def word():\n    return 'heard'\n")
    done = subprocess.run(
        [sys.executable, "-c", DIES.format(url=url(tmp_path))],
        cwd=tmp_path,
        env=os.environ,
        timeout=SOON_S,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    return tmp_path


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'store.db'}"


def rows(scheduler: Scheduler) -> tuple[object, ...]:
    """Workflows, schedules and executions: what must not be fewer, whatever became of the code."""
    store = scheduler.store
    timers: dict[str, datetime] = {timer.key: timer.due_at for timer in store.timers()}
    return (
        [(one.name, one.snapshot) for one in store.workflows()],
        timers,
        [(one.id, one.snapshot, one.status) for one in store.executions()],
    )


def plays_equal(folder: Path) -> bool:
    with recording_at(url(folder)) as recording:
        return replay_recording(recording, plans_of(recording.snapshots())).equal


@pytest.mark.parametrize("what", [change, rename, remove, spoil])
def test_f42_what_becomes_of_the_file_is_nothing_to_what_has_begun(
    crashed: Path, what: Callable[[Path], None]
) -> None:
    with Scheduler(url(crashed)) as scheduler:
        before = rows(scheduler)
    what(crashed)

    with Scheduler(url(crashed)) as scheduler:
        assert scheduler.parked == {}
        assert rows(scheduler) == before
        scheduler.emit("go")
        ended = [scheduler.execution(number).wait(SOON_S) for number in (1, 2)]
        assert [one.status for one in ended] == ["SUCCESS", "SUCCESS"]
        # The one that waited for `max_active` begins with the snapshot that it was made with.
        third = scheduler.execution(3)
        scheduler.client.until(lambda: third.status == "RUNNING" or None, SOON_S)
        assert third.record.snapshot == ended[0].snapshot
        scheduler.emit("go")
        assert third.wait(SOON_S).status == "SUCCESS"
        assert third.result("late") == "heard"

    assert plays_equal(crashed)


@pytest.mark.parametrize("what", [change, rename])
def test_f42_a_file_that_is_registered_anew_takes_no_row_away(
    crashed: Path, what: Callable[[Path], None]
) -> None:
    with Scheduler(url(crashed)) as scheduler:
        workflows, timers, executions = rows(scheduler)
    what(crashed)

    with Scheduler(url(crashed)) as scheduler:
        scheduler.register_file(crashed / "flow.py")
        now_workflows, now_timers, now_executions = rows(scheduler)

        assert now_executions == executions
        assert {name for name, _ in workflows} <= {name for name, _ in now_workflows}
        assert set(timers) <= set(now_timers)
        assert now_timers["schedule:default/waits"] == timers["schedule:default/waits"]
        if what is rename:
            # Nobody has said that the old one is not wanted any more: it is paused or it goes on.
            assert ("stays" in dict(now_workflows)) is True
            assert dict(now_workflows)["waits"] == dict(workflows)["waits"]
        scheduler.emit("go")
        assert scheduler.execution(1).wait(SOON_S).status == "SUCCESS"


def test_f42_code_that_is_gone_parks_what_needs_it_and_takes_it_back_when_it_is_there(
    crashed: Path,
) -> None:
    with Scheduler(url(crashed)) as scheduler:
        before = rows(scheduler)
        (snapshot,) = {one.snapshot for one in scheduler.store.executions()}
        record = scheduler.store.snapshot(snapshot)
        assert record is not None
        copy = Path(record.folder)
    kept = crashed / "kept"
    shutil.move(copy, kept)
    remove(crashed)

    with Scheduler(url(crashed)) as scheduler:
        assert set(scheduler.parked) == {1, 2, 3}
        assert scheduler.store.parked() == scheduler.parked
        for reason in scheduler.parked.values():
            assert "flow.py" in reason
        assert rows(scheduler) == before
        # What has no code is not decided about: it is refused, not lost.
        scheduler.emit("go")
        with pytest.raises(EventflowError):
            scheduler.run("waits").wait(SOON_S)
        assert rows(scheduler) == before

    shutil.move(kept, copy)
    with Scheduler(url(crashed)) as scheduler:
        assert scheduler.parked == scheduler.store.parked() == {}
        assert rows(scheduler) == before
        scheduler.emit("go")
        assert [scheduler.execution(number).wait(SOON_S).status for number in (1, 2)] == [
            "SUCCESS",
            "SUCCESS",
        ]
