"""Which store a URL means, and what is refused before anything is touched (F13)."""

import hashlib
import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from conftest import Opens
from shop import chain
from story import StillClock, Story, event

from eventflow.errors import StoreError
from eventflow.store.memory import MemoryStore
from eventflow.store.opening import open_store
from eventflow.store.schema import SCHEMA_VERSION
from eventflow.store.sqlite import SqliteStore


@pytest.mark.parametrize("url", ["sqlite://", "memory"])
def test_memory_has_a_url_of_its_own(clock: StillClock, url: str) -> None:
    store = open_store(url, clock=clock)

    assert isinstance(store, MemoryStore)
    assert (store.url, store.files, store.log_path(1, "a", 1, 1)) == ("sqlite://", None, None)
    store.close()


def test_without_a_url_the_store_is_in_this_folder(
    clock: StillClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    store = open_store(None, clock=clock)
    store.close()

    assert isinstance(store, SqliteStore)
    assert (tmp_path / "eventflow.db").is_file()
    assert store.files == tmp_path / "eventflow.db-files"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://host/db",
        "redis://x",
        "eventflow.db",
        "sqlite:///",
        "sqlite:///a.db?mode=ro",
        "sqlite:/x",
    ],
)
def test_what_no_store_is_behind_is_refused_with_what_there_is(clock: StillClock, url: str) -> None:
    with pytest.raises(StoreError, match=r"supported are 'sqlite:///file\.db'"):
        open_store(url, clock=clock)


def test_a_store_that_is_not_there_is_made_only_when_asked(
    clock: StillClock, tmp_path: Path
) -> None:
    path = tmp_path / "s.db"
    with pytest.raises(StoreError, match=f"there is no store at '{path}'"):
        open_store(f"sqlite:///{path}", clock=clock, create=False)
    assert list(tmp_path.iterdir()) == []

    open_store(f"sqlite:///{path}", clock=clock).close()
    open_store(f"sqlite:///{path}", clock=clock, create=False).close()


def test_a_store_in_a_folder_that_is_not_there_is_refused(
    clock: StillClock, tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match="is the folder there"):
        open_store(f"sqlite:///{tmp_path}/no/s.db", clock=clock)


def test_a_folder_is_no_store(clock: StillClock, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is no file"):
        open_store(f"sqlite:///{tmp_path}", clock=clock)


def test_the_files_of_a_store_are_its_owners_alone(opens: Opens, clock: StillClock) -> None:
    before = os.umask(0)
    try:
        store = opens()
        store.hold("test")
        store.append([event("k")])
    finally:
        os.umask(before)

    assert store.files is not None
    path = Path(store.url.removeprefix("sqlite:///"))
    files = [path, path.with_name(path.name + "-wal"), store.files / "lock"]
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600] * 3
    assert stat.S_IMODE(store.files.stat().st_mode) == 0o700


def made(path: Path, clock: StillClock) -> None:
    """A real store with something in it, closed in order."""
    store = SqliteStore(f"sqlite:///{path}", clock=clock)
    store.hold("test")
    story = Story([store], clock, chain())
    for number in range(200):
        story.emit("k", {"text": "x" * 200, "n": number})
    store.close()


def foreign(path: Path, clock: StillClock) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE users (name)")
    connection.commit()
    connection.close()


def newer(path: Path, clock: StillClock) -> None:
    made(path, clock)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = delete")
    connection.execute("PRAGMA user_version = 99")
    connection.commit()
    connection.close()


def earlier(path: Path, clock: StillClock) -> None:
    """Of before there were items: a run had no columns for them."""
    made(path, clock)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = delete")
    connection.executescript(
        "CREATE TABLE old AS SELECT * FROM task_execution; DROP TABLE task_execution;"
        "ALTER TABLE old RENAME TO task_execution; ALTER TABLE task_execution DROP COLUMN parent;"
        "ALTER TABLE task_execution DROP COLUMN item; ALTER TABLE task_execution DROP COLUMN items;"
        "PRAGMA user_version = 1;"
    )
    connection.close()


def truncated(path: Path, clock: StillClock) -> None:
    made(path, clock)
    os.truncate(path, path.stat().st_size - 4096)


def cut_short(path: Path, clock: StillClock) -> None:
    made(path, clock)
    os.truncate(path, 60)


def text(path: Path, clock: StillClock) -> None:
    path.write_text("dear diary\n" * 100)


@pytest.mark.fault("F13")
@pytest.mark.spoils
@pytest.mark.parametrize(
    ("make", "told"),
    [
        (text, "not an eventflow store: it is no SQLite database"),
        (foreign, "of another program"),
        (newer, "schema version 99, this eventflow knows 3.* that made it, or a newer one"),
        (earlier, "schema version 1, this eventflow knows 3.* name another file, for a new store"),
        (truncated, "is truncated"),
        (cut_short, "not an eventflow store"),
    ],
)
def test_f13_what_is_no_store_of_ours_is_refused_and_left_as_it_is(
    clock: StillClock, tmp_path: Path, make: Callable[[Path, StillClock], None], told: str
) -> None:
    path = tmp_path / "s.db"
    make(path, clock)
    content, names = path.read_bytes(), sorted(tmp_path.iterdir())

    with pytest.raises(StoreError, match=told) as refused:
        open_store(f"sqlite:///{path}", clock=clock)

    assert str(path) in str(refused.value)
    assert "left as it is" in str(refused.value).replace("was left", "left")
    assert path.read_bytes() == content
    assert sorted(tmp_path.iterdir()) == names


def test_other_tables_have_another_schema_version(opens: Opens) -> None:
    """When this is red the tables have changed: raise SCHEMA_VERSION, and put here what it says.

    Without that a store of before would be opened, and fail at the first column that it lacks.
    """
    store = opens()
    rows = store._reader.rows(
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
        " ORDER BY name",
        (),
    )
    tables = "\n".join(" ".join(text.split()) for (text,) in rows)
    fingerprint = hashlib.sha256(tables.encode()).hexdigest()[:16]

    assert (SCHEMA_VERSION, fingerprint) == (3, "e1896f2829a25a04")


def half_written(path: Path, clock: StillClock) -> None:
    """As a kill leaves it while SQLite writes its WAL into the file: that lacks its last page."""
    store = SqliteStore(f"sqlite:///{path}", clock=clock)
    store.hold("test")
    wal = path.with_name(path.name + "-wal")
    store._writer._connection.execute("PRAGMA wal_autocheckpoint = 0")
    story = Story([store], clock, chain())
    for number in range(200):
        story.emit("k", {"text": "x" * 200, "n": number})
    log = wal.read_bytes()
    store._writer._connection.execute("PRAGMA wal_checkpoint(FULL)")
    content = path.read_bytes()
    store.close()
    path.write_bytes(content[:-4096])
    wal.write_bytes(log)


@pytest.mark.fault("F13")
def test_f13_a_file_whose_last_pages_are_still_in_its_wal_is_whole(
    clock: StillClock, tmp_path: Path
) -> None:
    path = tmp_path / "s.db"
    half_written(path, clock)

    with closing(open_store(f"sqlite:///{path}", clock=clock)) as store:
        assert [event.value["n"] for event in store.read(keys=["k"])] == list(range(200))


@pytest.mark.fault("F13")
@pytest.mark.spoils
def test_f13_a_file_that_lacks_more_than_its_wal_has_is_truncated(
    clock: StillClock, tmp_path: Path
) -> None:
    path = tmp_path / "s.db"
    half_written(path, clock)
    wal = path.with_name(path.name + "-wal")
    wal.write_bytes(wal.read_bytes()[: 32 + 24 + 4096])

    with pytest.raises(StoreError, match="is truncated"):
        open_store(f"sqlite:///{path}", clock=clock)


@pytest.mark.fault("F13")
@pytest.mark.spoils
def test_f13_a_damaged_page_is_found_before_a_scheduler_decides_on_it(
    clock: StillClock, tmp_path: Path
) -> None:
    path = tmp_path / "s.db"
    made(path, clock)
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 8192 * 4096)
        file.write(b"\xff" * 4096 * 3)
    content = path.read_bytes()
    store = open_store(f"sqlite:///{path}", clock=clock)

    with pytest.raises(StoreError, match="damaged"):
        store.hold("test")

    store.close()
    assert path.read_bytes() == content


@pytest.mark.fault("F13")
@pytest.mark.spoils
def test_f13_a_file_that_cannot_be_a_database_says_so_when_it_is_read(
    clock: StillClock, tmp_path: Path
) -> None:
    path = tmp_path / "s.db"
    made(path, clock)
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 3996)

    with pytest.raises(StoreError, match="damaged"):
        open_store(f"sqlite:///{path}", clock=clock).executions()


def test_a_closed_store_says_so_and_closes_once(opens: Opens) -> None:
    store = opens()
    store.close()
    store.close()

    with pytest.raises(StoreError, match="closed"):
        store.append([event("k")])
    with pytest.raises(StoreError):
        store.undecided(1)
