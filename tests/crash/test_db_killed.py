"""`eventflow db` killed, failing or stalled at each of its points: the old store, the new one, or a
refusal that says what to do; the second run finishes the job (F07).
"""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from place import DEADLINE_S, EVENTFLOW
from tales import BACKUP, PRUNING, RESTORE, RETENTION, cases

from eventflow import Scheduler
from eventflow.clock import SystemClock
from eventflow.crashpoints import ONCE, VARIABLE, Action
from eventflow.errors import StoreError
from eventflow.executors.places import make_private
from eventflow.runtime.remote import RemoteClient
from eventflow.store.fsck import fsck
from eventflow.store.places import files_beside, restore_marker

WORKFLOW = """
from eventflow import PythonOperator, Workflow

with Workflow("steps") as workflow:
    PythonOperator("one", {what})
"""


class Shop:
    """A store with an execution of each of two versions of a workflow, code, output and marks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path, self.copy = folder / "store.db", folder / "copy.db"
        self.once = folder / "once"
        source = folder / "steps.py"
        for what in ("dict", "list"):
            source.write_text(WORKFLOW.format(what=what))
            with Scheduler(f"sqlite:///{self.path}") as scheduler:
                scheduler.register_file(source)
                scheduler.run("steps").wait(DEADLINE_S)
                scheduler.emit("early", id=what)
        for name in ("logs/1", "logs/2", "spool"):
            made = files_beside(self.path) / name
            make_private(made)
            (made / "kept").write_text("of the old one")

    def start(self, *words: str, case: str = "") -> subprocess.Popen[str]:
        return subprocess.Popen(
            [EVENTFLOW, "db", *words, "--store", f"sqlite:///{self.path}"],
            env={**os.environ, VARIABLE: case, ONCE: str(self.once)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, case: str = "") -> int:
        """The exit code; one that fails has said why, and no more."""
        with self.start(*words, case=case) as process:
            _, errors = process.communicate(timeout=DEADLINE_S)
        assert "Traceback" not in errors, errors
        assert (process.returncode > 0) == errors.startswith("eventflow: "), errors
        if case:
            assert self.once.exists(), f"{case} was never reached"
            assert (process.returncode == -signal.SIGKILL) == case.endswith(Action.KILL)
        return process.returncode

    def keys(self, path: Path) -> list[str]:
        with RemoteClient(f"sqlite:///{path}") as remote:
            return [event.key for event in remote.store.read(keys=["early", "late"])]

    def state(self) -> str:
        """Which store is there for whoever opens it."""
        if restore_marker(self.path).exists():
            with pytest.raises(StoreError, match="run 'eventflow db restore FILE' again"):
                self.keys(self.path)
            return "neither"
        found = self.keys(self.path)
        return {("early", "early", "late"): "old", ("early", "early"): "new"}[tuple(found)]

    def is_whole(self, path: Path) -> bool:
        report = fsck(path, clock=SystemClock())
        assert [(one.check.name, one.rows) for one in report.faults] == []
        return True


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    return Shop(tmp_path)


@pytest.mark.long
@pytest.mark.fault("F07")
@pytest.mark.parametrize("case", cases(BACKUP))
def test_f07_a_backup_is_whole_or_not_there_and_the_second_one_makes_it(
    shop: Shop, case: str
) -> None:
    code = shop.run("backup", str(shop.copy), case=case)

    there = shop.copy.exists()
    assert there or code != 0
    if there:
        assert shop.is_whole(shop.copy)
    else:
        assert shop.run("backup", str(shop.copy)) == 0
    assert shop.is_whole(shop.copy)
    assert shop.keys(shop.copy) == ["early", "early"]
    assert not list(shop.folder.glob(".copy*"))


@pytest.mark.long
@pytest.mark.fault("F07")
@pytest.mark.parametrize("case", cases(RESTORE, [Action.KILL, Action.RAISE]))
def test_f07_a_restore_leaves_the_old_store_or_the_new_or_a_refusal(shop: Shop, case: str) -> None:
    _back_up_and_go_on(shop)

    shop.run("restore", str(shop.copy), "--force", case=case)

    state = shop.state()
    assert (state == "old") == case.startswith("restore.copied")
    assert (state == "new") == case.startswith("restore.ended")
    if state == "old":
        assert (files_beside(shop.path) / "spool" / "kept").exists()
        assert shop.run("restore", str(shop.copy), "--force") == 0
    elif state == "neither":
        assert shop.run("restore", str(shop.copy)) == 0
    _is_restored(shop)


@pytest.mark.long
@pytest.mark.fault("F07")
@pytest.mark.parametrize("case", cases(RESTORE, [Action.STALL]))
def test_f07_nobody_opens_a_store_that_is_half_restored(shop: Shop, case: str) -> None:
    _back_up_and_go_on(shop)
    with shop.start("restore", str(shop.copy), "--force", case=case) as process:
        while not shop.once.exists():
            assert process.poll() is None
            threading.Event().wait(0.01)

        state = shop.state()

        assert process.wait(DEADLINE_S) == 0
    at = case.removeprefix("restore.").removesuffix(":stall")
    assert state == {"copied": "old", "ended": "new"}.get(at, "neither")
    _is_restored(shop)


def _back_up_and_go_on(shop: Shop) -> None:
    shop.run("backup", str(shop.copy))
    with RemoteClient(f"sqlite:///{shop.path}") as remote:
        remote.client.emit("late")


def _is_restored(shop: Shop) -> None:
    """What was is aside, with all that was its own; what is there is the backup and no more."""
    (aside,) = shop.folder.glob("store.db.before-*T??????")
    assert shop.state() == "new"
    assert shop.is_whole(shop.path)
    assert shop.keys(aside) == ["early", "early", "late"]
    assert shop.is_whole(aside)
    assert (files_beside(aside) / "spool" / "kept").exists()
    assert (files_beside(aside) / "logs" / "1" / "kept").exists()
    assert not (files_beside(shop.path) / "spool" / "kept").exists()
    assert not list(shop.folder.glob(".*")), "something is left"


@pytest.mark.long
@pytest.mark.fault("F07")
@pytest.mark.parametrize("case", cases(RETENTION | PRUNING))
def test_f07_a_prune_leaves_a_whole_store_and_the_second_one_finishes(
    shop: Shop, case: str
) -> None:
    code = shop.run("prune", "--older-than", "0s", case=case)

    assert shop.is_whole(shop.path)
    assert (code == 0) >= case.endswith(Action.STALL)
    shop.run("prune", "--older-than", "0s")
    assert shop.is_whole(shop.path)
    files = files_beside(shop.path)
    with RemoteClient(f"sqlite:///{shop.path}") as remote:
        assert remote.store.executions() == []
        (workflow,) = remote.store.workflows()
        kept = Path(remote.store.snapshot(workflow.snapshot).folder)
        assert {one.name for one in kept.parent.iterdir()} == {kept.name, ".eventflow-snapshots"}
    assert [one.name for one in (files / "logs").iterdir()] == []
