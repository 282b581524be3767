"""Backup of a store in use, and its way back: all of it or nothing."""

import os
import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from story import StillClock, event

from eventflow.errors import StoreBusyError, StoreError, StoreGoneError
from eventflow.executors.code import copy_sources
from eventflow.executors.places import make_private
from eventflow.store import restoring
from eventflow.store.backup import MARKER, back_up
from eventflow.store.listed import SnapshotRecord
from eventflow.store.places import files_beside
from eventflow.store.restoring import restore
from eventflow.store.sqlite import SqliteStore

NOW = datetime(2026, 11, 21, 16, 0, tzinfo=UTC)
Opens = Callable[[], SqliteStore]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def store(opens: Opens, path: Path) -> SqliteStore:
    """A store with two events, and the code of a workflow."""
    made = opens()
    made.append([event("a"), event("b")])
    folder = files_beside(path) / "snapshots" / "abc"
    make_private(folder)
    (folder / "w.py").write_text("code")
    made.keep_snapshot(
        SnapshotRecord(
            hash="abc",
            namespace="default",
            workflow="w",
            folder=str(folder),
            entry="w.py",
            definition={},
            created_at=NOW,
        )
    )
    for name in ("spool", "logs/1"):
        make_private(files_beside(path) / name)
        (files_beside(path) / name / "one").write_text(name)
    return made


def keys(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [key for (key,) in connection.execute("SELECT key FROM event ORDER BY offset")]


def in_folder(folder: Path) -> set[str]:
    """What is in it, but for the marks of what its folders are."""
    found = (one for one in folder.rglob("*") if not one.name.startswith(".eventflow-"))
    return {str(one.relative_to(folder)) for one in found}


def test_a_backup_holds_events_and_code_and_nothing_of_attempts(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    target = tmp_path / "backup.db"

    done = back_up(path, target)

    assert done is not None
    assert (done.events, done.snapshots, done.missing) == (2, 1, ())
    assert keys(target) == ["a", "b"]
    assert in_folder(files_beside(target)) == {"snapshots", "snapshots/abc", "snapshots/abc/w.py"}
    assert target.stat().st_mode & 0o077 == 0
    assert not target.with_name("backup.db-wal").exists()


def test_output_is_copied_on_request(store: SqliteStore, path: Path, tmp_path: Path) -> None:
    back_up(path, tmp_path / "backup.db", logs=True)

    assert (tmp_path / "backup.db-files" / "logs" / "1" / "one").read_text() == "logs/1"


def test_a_backup_is_of_one_commit_while_others_go_on_writing(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    store.append([event("big", "x" * 50_000) for _ in range(200)])
    stopped = threading.Event()

    def emit() -> None:
        while not stopped.is_set():
            store.append([event("one"), event("two")])

    thread = threading.Thread(target=emit)
    thread.start()
    try:
        for number in range(3):
            target = tmp_path / f"{number}.db"
            assert back_up(path, target) is not None
            found = keys(target)
            assert found.count("one") == found.count("two")
    finally:
        stopped.set()
        thread.join()


def test_a_file_that_is_there_is_not_written_over(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    target = tmp_path / "backup.db"
    target.write_text("mine")
    with pytest.raises(StoreError, match="there already"):
        back_up(path, target)
    assert target.read_text() == "mine"

    other = tmp_path / "other.db"
    make_private(files_beside(other))
    with pytest.raises(StoreError, match="there already"):
        back_up(path, other)


def test_a_second_backup_finishes_what_a_killed_one_has_left(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    target = tmp_path / "backup.db"
    make_private(files_beside(target))
    (files_beside(target) / MARKER).touch()
    (files_beside(target) / "half").touch()
    (tmp_path / ".backup.db.new").write_text("half")

    assert back_up(path, target) is not None

    assert keys(target) == ["a", "b"]
    assert "half" not in in_folder(files_beside(target))
    assert not (tmp_path / ".backup.db.new").exists()


def test_a_backup_that_is_stopped_leaves_nothing(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    before = set(tmp_path.iterdir())

    assert back_up(path, tmp_path / "backup.db", stop=lambda: True) is None

    assert set(tmp_path.iterdir()) == before


def test_a_backup_comes_back_where_no_store_is(
    store: SqliteStore, path: Path, tmp_path: Path, clock: StillClock
) -> None:
    back_up(path, tmp_path / "backup.db", logs=True)
    elsewhere = tmp_path / "other" / "new.db"
    elsewhere.parent.mkdir()

    assert restore(tmp_path / "backup.db", elsewhere, now=NOW) is None

    restored = SqliteStore(f"sqlite:///{elsewhere}", clock=clock, create=False)
    assert [one.key for one in restored.read()] == ["a", "b"]
    snapshot = restored.snapshot("abc")
    assert snapshot is not None
    assert (Path(snapshot.folder) / "w.py").read_text() == "code"
    assert restored.append([event("c")])[0].offset == 3
    restored.close()
    assert (files_beside(elsewhere) / "logs" / "1" / "one").is_file()


def test_a_store_that_is_there_is_moved_aside_only_by_force(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    back_up(path, tmp_path / "backup.db")
    store.append([event("late")])
    with pytest.raises(StoreError, match="--force"):
        restore(tmp_path / "backup.db", path, now=NOW)
    assert keys(path) == ["a", "b", "late"]

    aside = restore(tmp_path / "backup.db", path, now=NOW, force=True)

    assert aside == tmp_path / "store.db.before-20261121T160000"
    assert keys(aside) == ["a", "b", "late"]
    assert keys(path) == ["a", "b"]
    assert in_folder(files_beside(aside)) >= {"spool/one", "logs/1/one", "snapshots/abc/w.py"}
    assert "spool" not in in_folder(files_beside(path))
    # Whoever had the old one open does not write to it any more.
    with pytest.raises(StoreGoneError):
        store.append([event("lost")])
    assert keys(aside) == ["a", "b", "late"]


def test_a_store_that_is_held_is_left_alone(store: SqliteStore, path: Path, tmp_path: Path) -> None:
    back_up(path, tmp_path / "backup.db")
    store.hold("test")
    with pytest.raises(StoreBusyError):
        restore(tmp_path / "backup.db", path, now=NOW, force=True)
    assert keys(path) == ["a", "b"]


def _cut_off(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def _scratched(file: Path) -> None:
    data = bytearray(file.read_bytes())
    for page in range(1, len(data) // 4096):
        data[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    file.write_bytes(bytes(data))


def _of_another(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA application_id = 7")


def _newer(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 99")


def _emptied(file: Path) -> None:
    os.truncate(file, 0)


@pytest.mark.spoils
@pytest.mark.parametrize("harm", [_cut_off, _scratched, _of_another, _newer, _emptied, Path.unlink])
def test_a_backup_that_is_not_whole_is_refused_and_nothing_is_touched(
    store: SqliteStore, path: Path, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    target = tmp_path / "backup.db"
    back_up(path, target)
    harm(target)
    data = target.read_bytes() if target.exists() else None

    with pytest.raises(StoreError):
        restore(target, path, now=NOW, force=True)

    assert keys(path) == ["a", "b"]
    assert (target.read_bytes() if target.exists() else None) == data
    assert not list(tmp_path.glob("store.db.before*"))


def test_a_store_that_is_damaged_is_replaced_by_its_last_good_copy(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    back_up(path, tmp_path / "backup.db")
    store.close()
    path.write_bytes(b"not a database any more" * 1000)

    aside = restore(tmp_path / "backup.db", path, now=NOW, force=True)

    assert keys(path) == ["a", "b"]
    assert aside is not None
    assert aside.read_bytes().startswith(b"not a database")


@pytest.mark.spoils
@pytest.mark.parametrize("dies_at", ["_made_ready", "_keep", "_move_stale", "_take_logs"])
def test_a_second_restore_finishes_what_a_killed_one_has_begun(
    store: SqliteStore,
    path: Path,
    tmp_path: Path,
    dies_at: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    back_up(path, tmp_path / "backup.db")
    store.append([event("late")])

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(restoring, dies_at, dies)
        with pytest.raises(KeyboardInterrupt):
            restore(tmp_path / "backup.db", path, now=NOW, force=True)
    # Either the old one or the new one is there, whole.
    assert keys(path) in (["a", "b", "late"], ["a", "b"])

    restore(tmp_path / "backup.db", path, now=NOW.replace(minute=1), force=True)

    assert keys(path) == ["a", "b"]
    shutil.rmtree(files_beside(tmp_path / "backup.db"))


def test_a_backup_beside_a_workflow_is_none_of_its_sources(tmp_path: Path, opens: Opens) -> None:
    flow = tmp_path / "flow.py"
    flow.write_text("code")
    path = tmp_path / "store.db"
    into = files_beside(path) / "snapshots"
    code_hash, folder = copy_sources(flow, into)
    store = opens()
    store.append([event("a")])
    store.keep_snapshot(
        SnapshotRecord(
            hash="abc",
            namespace="default",
            workflow="w",
            folder=str(folder),
            entry="flow.py",
            definition={},
            created_at=NOW,
        )
    )

    back_up(path, tmp_path / "backup.db")
    after_backup = copy_sources(flow, into)
    restore(tmp_path / "backup.db", tmp_path / "again.db", now=NOW)
    after_restore = copy_sources(flow, into)

    assert after_backup == after_restore == (code_hash, folder)
