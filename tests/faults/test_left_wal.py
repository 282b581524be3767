"""A WAL that is missing, or that lies beside a file that it was not written for (F13)."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from eventflow.clock import SystemClock
from eventflow.errors import StoreError
from eventflow.model.event import Event
from eventflow.store.backup import back_up
from eventflow.store.opening import open_store
from eventflow.store.restoring import restore

pytestmark = pytest.mark.spoils


def opened(path: Path) -> list[Event]:
    """What a scheduler finds there."""
    store = open_store(f"sqlite:///{path}", clock=SystemClock())
    try:
        store.hold("test")
        return store.read(limit=10_000)
    finally:
        store.close()


def crashed(path: Path, events: int = 100) -> Path:
    """A store whose writer has died: what was committed is in its WAL."""
    path.parent.mkdir(exist_ok=True)
    clock = SystemClock()
    store = open_store(f"sqlite:///{path}", clock=clock)
    store.hold("test")
    texts = [{"n": n, "text": "x" * 300} for n in range(events)]
    store.append([Event("k", one, sender="s", time=clock.now()) for one in texts])
    left = content(path)
    store.close()
    path.write_bytes(left[0])
    wal(path).write_bytes(left[1])
    return path


def wal(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def content(path: Path) -> list[bytes]:
    return [one.read_bytes() for one in (path, wal(path)) if one.exists()]


@pytest.mark.fault("F13")
def test_f13_a_store_whose_writer_died_is_whole_with_its_own_wal(tmp_path: Path) -> None:
    path = crashed(tmp_path / "s.db")

    assert [one.value["n"] for one in opened(path)] == list(range(100))


@pytest.mark.fault("F13")
@pytest.mark.parametrize("events", [20, 100, 2_000], ids=["smaller", "alike", "larger"])
def test_f13_the_wal_of_another_store_is_refused_and_both_are_left_as_they_are(
    tmp_path: Path, events: int
) -> None:
    path, other = crashed(tmp_path / "s.db"), crashed(tmp_path / "other" / "s.db", events)
    opened(path)
    shutil.copy(wal(other), wal(path))
    before = content(path)

    for _ in range(2):
        with pytest.raises(StoreError, match=r"the WAL beside it is of another file.*left as they"):
            opened(path)

    assert content(path) == before
    wal(path).unlink()
    assert len(opened(path)) == 100


@pytest.mark.fault("F13")
def test_f13_the_wal_of_a_later_day_is_refused_beside_an_older_copy(tmp_path: Path) -> None:
    path = crashed(tmp_path / "s.db")
    opened(path)
    copy = path.read_bytes()
    opened(crashed(path, 2_000))
    crashed(path)
    path.write_bytes(copy)
    before = content(path)

    with pytest.raises(StoreError, match="the WAL beside it is of another file, or damaged"):
        opened(path)

    assert content(path) == before


@pytest.mark.fault("F13")
def test_f13_a_wal_that_is_older_than_its_file_is_refused(tmp_path: Path) -> None:
    path = crashed(tmp_path / "s.db", 50)
    stale = wal(path).read_bytes()
    opened(path)
    crashed(path, 60)
    opened(path)
    wal(path).write_bytes(stale)
    before = content(path)

    with pytest.raises(StoreError, match="it is older than the file"):
        opened(path)

    assert content(path) == before


@pytest.mark.fault("F13")
def test_f13_a_wal_that_is_no_wal_is_passed_over(tmp_path: Path) -> None:
    path = crashed(tmp_path / "s.db")
    opened(path)
    wal(path).write_bytes(b"no frames in here" * 1_000)

    assert len(opened(path)) == 100


@pytest.mark.fault("F13")
def test_f13_a_wal_that_was_taken_away_is_missed_and_may_come_back(tmp_path: Path) -> None:
    path = crashed(tmp_path / "s.db")
    kept = wal(path).rename(tmp_path / "kept")
    before = path.read_bytes()

    with pytest.raises(StoreError, match=r"'s\.db-wal' was taken .* put that back.*/lock'"):
        opened(path)

    assert path.read_bytes() == before
    kept.rename(wal(path))
    assert len(opened(path)) == 100


@pytest.mark.fault("F13")
def test_f13_whoever_wants_to_goes_on_without_what_a_wal_held(tmp_path: Path) -> None:
    path = crashed(tmp_path / "s.db")
    wal(path).unlink()

    tmp_path.joinpath("s.db-files", "lock").unlink()

    assert opened(path) == []
    assert opened(path) == []


@pytest.mark.fault("F13")
def test_f13_a_new_store_and_a_restored_one_are_not_held_to_what_was(tmp_path: Path) -> None:
    path, backup = crashed(tmp_path / "s.db"), tmp_path / "backup.db"
    back_up(path, backup)
    for _ in range(3):
        opened(path)

    restore(backup, path, now=datetime(2026, 1, 1, tzinfo=UTC), force=True)
    assert len(opened(path)) == 100

    path.unlink()
    assert opened(path) == []
