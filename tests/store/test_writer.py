"""The writer: shared commits, and what becomes of a job that cannot be written (F10, F11)."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Opens
from story import event

from eventflow.errors import DuplicateEventError, StoreError, StoreGoneError, StoreLockedError
from eventflow.store import database
from eventflow.store.schema import prepare
from eventflow.store.writer import Writer

pytestmark = pytest.mark.spoils


@pytest.fixture
def path(tmp_path: Path) -> Path:
    prepare(tmp_path / "s.db", create=True)
    return tmp_path / "s.db"


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    writer = Writer(path)
    yield writer
    writer.close()


def put(key: str) -> object:
    def write(connection: sqlite3.Connection) -> str:
        connection.execute("INSERT INTO workflow_data VALUES (1, ?, 'x')", (key,))
        return key

    return write


def keys(path: Path) -> set[str]:
    connection = sqlite3.connect(path)
    found = {key for (key,) in connection.execute('SELECT "key" FROM workflow_data')}
    connection.close()
    return found


class Group:
    """Jobs that all wait while the writer is kept busy, so that the next commit is theirs."""

    def __init__(self, writer: Writer) -> None:
        self.answers: dict[int, object] = {}
        self._writer = writer
        self._threads: list[threading.Thread] = []
        self._go = threading.Event()

    def add(self, work: object) -> None:
        place = len(self._threads)

        def ask() -> None:
            try:
                self.answers[place] = self._writer.do("data", work)  # type: ignore[arg-type]  # any work
            except Exception as error:
                self.answers[place] = error

        self._threads.append(threading.Thread(target=ask))

    def run(self) -> None:
        def busy(_: sqlite3.Connection) -> None:
            for thread in self._threads:
                thread.start()
            while self._writer.waiting < len(self._threads):
                self._go.wait(0.001)

        self._writer.do("data", busy)
        for thread in self._threads:
            thread.join()


def test_jobs_that_come_at_once_share_one_commit(writer: Writer, path: Path) -> None:
    group = Group(writer)
    for number in range(20):
        group.add(put(str(number)))

    group.run()

    assert writer.commits == 2
    assert group.answers == {n: str(n) for n in range(20)}
    assert keys(path) == {str(n) for n in range(20)}


def test_a_job_that_refuses_does_not_hurt_those_beside_it(writer: Writer, path: Path) -> None:
    def refuse(_: sqlite3.Connection) -> None:
        raise DuplicateEventError("no")

    group = Group(writer)
    for work in (put("a"), refuse, put("b")):
        group.add(work)

    group.run()

    assert writer.commits == 2
    assert isinstance(group.answers[1], DuplicateEventError)
    assert (group.answers[0], group.answers[2]) == ("a", "b")
    assert keys(path) == {"a", "b"}


def test_a_job_that_fails_half_way_is_undone_alone(writer: Writer, path: Path) -> None:
    def half(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO workflow_data VALUES (1, 'half', 'x')")
        connection.execute("INSERT INTO workflow_data VALUES (1, 'half', 'y')")

    def bug(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO workflow_data VALUES (1, 'bug', 'x')")
        raise ZeroDivisionError

    group = Group(writer)
    for work in (put("a"), half, bug, put("b")):
        group.add(work)

    group.run()

    assert isinstance(group.answers[1], StoreError)
    assert isinstance(group.answers[2], ZeroDivisionError)
    assert keys(path) == {"a", "b"}


@pytest.mark.fault("F10")
def test_f10_a_file_that_stays_locked_is_given_up_with_a_reason(
    writer: Writer, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.02)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreLockedError, match="another process keeps it locked"):
        writer.do("data", put("a"))  # type: ignore[arg-type]  # any work

    other.execute("ROLLBACK")
    other.close()
    writer.do("data", put("b"))  # type: ignore[arg-type]  # any work
    assert keys(path) == {"b"}


@pytest.mark.fault("F10")
def test_f10_a_file_that_was_locked_for_a_moment_is_written(writer: Writer, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.2, lambda: other.execute("ROLLBACK"))
    timer.start()

    writer.do("data", put("a"))  # type: ignore[arg-type]  # any work

    timer.join()
    other.close()
    assert keys(path) == {"a"}


@pytest.mark.rule("S2")
def test_on_a_full_disk_nothing_is_acknowledged_and_it_goes_on_when_there_is_room(
    opens: Opens,
) -> None:
    store = opens()
    writer = store._writer
    (pages,) = writer.do(
        "data", lambda connection: connection.execute("PRAGMA page_count").fetchone()
    )
    writer.do("data", lambda wire: wire.execute(f"PRAGMA max_page_count = {pages + 2}").fetchone())

    with pytest.raises(StoreError, match="the disk is full"):
        store.append([event("k", "x" * 100_000)])

    assert store.read() == []
    assert store.append([event("k", 1)])[0].offset == 1
    writer.do("data", lambda wire: wire.execute("PRAGMA max_page_count = 100000").fetchone())
    assert store.append([event("k", "x" * 100_000)])[0].offset == 2


def test_what_was_asked_for_before_the_end_is_written(path: Path) -> None:
    writer = Writer(path)
    threads = [
        threading.Thread(target=writer.do, args=("data", put(str(number)))) for number in range(10)
    ]

    def close(_: sqlite3.Connection) -> None:
        for thread in threads:
            thread.start()
        while writer.waiting < len(threads):
            threading.Event().wait(0.001)
        closing.start()

    closing = threading.Thread(target=writer.close)
    writer.do("data", close)
    closing.join()
    for thread in threads:
        thread.join()

    assert keys(path) == {str(number) for number in range(10)}
    with pytest.raises(StoreError, match="closed"):
        writer.do("data", put("late"))  # type: ignore[arg-type]  # any work


@pytest.mark.fault("F14")
def test_f14_nothing_is_acknowledged_in_a_file_that_was_deleted_or_replaced(
    writer: Writer, path: Path
) -> None:
    writer.do("data", put("a"))
    path.rename(path.with_name("moved.db"))
    with pytest.raises(StoreGoneError, match="was deleted"):
        writer.do("data", put("b"))
    path.with_name("moved.db").rename(path)
    writer.do("data", put("c"))
    assert keys(path) == {"a", "c"}

    path.rename(path.with_name("moved.db"))
    path.write_bytes(b"")
    with pytest.raises(StoreGoneError, match="was replaced"):
        writer.do("data", put("d"))
