"""F09: a commit that was one, or was none, and of which its writer hears only an error."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import tale
from place import DEADLINE_S, Place
from tale import Tale

from eventflow.crashpoints import VARIABLE
from eventflow.runtime.remote import RemoteClient

BEGIN = """
import sys, threading
from eventflow.clock import SystemClock
from eventflow.model.event import Event
from eventflow.runtime.client import Client
from eventflow.store.sqlite import SqliteStore

store = SqliteStore(sys.argv[1], clock=SystemClock())
client = Client(store, SystemClock(), lambda: None, lambda check, timeout: check())
said = {}

def tell(name, what, *words, **more):
    try:
        said[name] = what(*words, **more)
    except Exception as error:
        said[name] = type(error).__name__

def side_by_side(*asked):
    threads = [threading.Thread(target=tell, args=one) for one in asked]

    def all_of_them(connection):
        for thread in threads:
            thread.start()
        while store._writer.waiting < len(threads):
            threading.Event().wait(0.001)

    store._writer.do("prune", all_of_them)
    for thread in threads:
        thread.join()
"""
TWO_EMITS = """
side_by_side((0, client.emit, "n", 0), (1, client.emit, "n", 1))
print(*(said[n] if isinstance(said[n], str) else said[n].offset for n in (0, 1)))
"""
WITH_AN_ID = """
tell(0, client.emit, "n", 0, sender="me", id="one")
tell(1, client.emit, "n", 0, sender="me", id="one")
print(*(said[n] if isinstance(said[n], str) else said[n].offset for n in (0, 1)))
"""
DATA_AND_DRAWS = """
store.write_data(1, "k", "1")
tell(0, store.write_data, 1, "k", "2")
tell(1, store.draw, 7, "uuid", "drawn")
print(store.read_data(1, "k"), said[1], store.draw(7, "uuid", "other"))
"""
LEASE = """
store.hold("test")
print(store.epoch(), store.was_clean(), store.holder().program)
store.release(clean=True)
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path, tale.WORKFLOW)
    yield made
    made.end()


def said(folder: Path, code: str, wrong: str) -> list[str]:
    """What a process says that does something to the store in a folder while that goes wrong."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + code, f"sqlite:///{folder / 's.db'}"],
        env={**os.environ, VARIABLE: wrong},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def logged(folder: Path) -> list[tuple[int, object]]:
    with RemoteClient(f"sqlite:///{folder / 's.db'}") as remote:
        return [(event.offset, event.value) for event in remote.store.read(keys=["n"])]


@pytest.mark.fault("F09")
@pytest.mark.rule("S2")
@pytest.mark.parametrize("count", [1, 2])
def test_f09_emits_whose_commit_fails_after_all_are_told_their_offsets(
    tmp_path: Path, count: int
) -> None:
    """Two share a commit; the point is reached once for each of them."""
    offsets = said(tmp_path, TWO_EMITS, f"append.committed:raise:{count}")

    found = logged(tmp_path)
    assert sorted(offsets) == ["1", "2"]
    assert [(int(offset), n) for n, offset in enumerate(offsets)] == sorted(
        found, key=lambda one: str(one[1])
    )


@pytest.mark.fault("F09")
@pytest.mark.rule("S3")
@pytest.mark.parametrize("wrong", ["append.committed:raise", "append.committed:raise:2"])
def test_f09_an_emit_with_an_id_whose_commit_fails_after_all_is_one_event(
    tmp_path: Path, wrong: str
) -> None:
    assert said(tmp_path, WITH_AN_ID, wrong) == ["1", "1"]
    assert logged(tmp_path) == [(1, 0)]


@pytest.mark.fault("F09")
@pytest.mark.rule("S2")
def test_f09_an_emit_that_is_not_committed_is_refused_and_written_when_it_comes_again(
    tmp_path: Path,
) -> None:
    assert said(tmp_path, WITH_AN_ID, "append.written:raise") == ["StoreError", "1"]
    assert logged(tmp_path) == [(1, 0)]


@pytest.mark.fault("F09")
def test_f09_who_cannot_look_whether_it_is_written_is_told_that_nobody_knows(
    tmp_path: Path,
) -> None:
    both = "append.committed:raise,commit.doubted:raise"

    assert said(tmp_path, TWO_EMITS, both) in (
        ["CommitUnknownError", "2"],
        ["1", "CommitUnknownError"],
        ["CommitUnknownError", "1"],
        ["2", "CommitUnknownError"],
    )
    assert sorted(value for _, value in logged(tmp_path)) == [0, 1]


@pytest.mark.spoils
@pytest.mark.fault("F09")
@pytest.mark.rule("S39")
@pytest.mark.parametrize("wrong", ["data.committed:raise:2", "drawn.committed:raise"])
def test_f09_what_a_task_keeps_or_draws_stands_though_its_commit_failed(
    tmp_path: Path, wrong: str
) -> None:
    assert said(tmp_path, DATA_AND_DRAWS, wrong) == ["2", "drawn", "drawn"]


@pytest.mark.fault("F09")
def test_f09_a_lease_whose_commit_fails_after_all_is_held_and_taken_once(tmp_path: Path) -> None:
    said(tmp_path, LEASE, "")

    assert said(tmp_path, LEASE, "lease.committed:raise") == ["2", "True", "test"]


@pytest.mark.long
@pytest.mark.fault("F09")
@pytest.mark.rule("S10")
@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13])
@pytest.mark.parametrize(
    "wrong",
    [
        "batch.committed:raise:{}",
        "batch.written:raise:{}",
        "batch.committed:raise:{},commit.doubted:raise",
    ],
)
def test_f09_a_scheduler_goes_on_after_a_commit_of_which_nobody_knew(
    place: Place, wrong: str, count: int
) -> None:
    told = Tale(place, [wrong.format(count)])

    told.tell()

    assert told.begun == 1, place.log
    if count < 8:
        assert told.happened()
    assert "loop.stopped" not in place.log
    told.check()


@pytest.mark.long
@pytest.mark.fault("F09")
def test_f09_a_scheduler_whose_lease_fails_after_all_goes_on(place: Place) -> None:
    told = Tale(place, ["lease.committed:raise"])

    told.tell()

    assert (told.begun, told.happened()) == (1, True)
    told.check()
