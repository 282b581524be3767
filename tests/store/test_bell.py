"""The bell: who waits is woken, in this process and in others; a lost ring hurts nobody."""

import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Opens
from processes import Other
from story import StillClock, event

from eventflow.errors import StoreGoneError
from eventflow.store.bell import Bell
from eventflow.store.memory import MemoryStore
from eventflow.store.ports import Store
from eventflow.store.sqlite import SqliteStore

WAIT = """
bell = Bell(store)
bell.wait(0)
say("waiting")
while True:
    say(bell.wait(20), store.last_offset())
"""


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A short path: the name of a socket has at most about a hundred characters."""
    folder = Path(tempfile.mkdtemp(prefix="ef"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def bell(store: Store, runtime: Path) -> Iterator[Bell]:
    bell = Bell(store)
    yield bell
    bell.close()


def sockets(runtime: Path) -> list[Path]:
    return [path for path in runtime.rglob("*") if path.is_socket()]


def listening(bell: Bell) -> Bell:
    """A bell whose first wait is over."""
    bell.wait(0)
    return bell


def test_a_ring_wakes_a_thread_that_waits(bell: Bell) -> None:
    listening(bell)
    waits, woken = threading.Event(), []

    def wait() -> None:
        waits.set()
        woken.append(bell.wait(30))

    thread = threading.Thread(target=wait)
    thread.start()
    waits.wait()
    bell.ring()
    thread.join()

    assert woken == [True]


def test_a_ring_that_comes_before_the_wait_is_kept_and_heard_once(bell: Bell) -> None:
    listening(bell)
    for _ in range(1000):
        bell.ring()

    assert bell.wait(30)
    assert not bell.wait(0)
    bell.wake()
    assert bell.wait(None)
    assert not bell.wait(0.01)


def test_a_bell_that_is_closed_says_nothing(bell: Bell, runtime: Path) -> None:
    listening(bell)
    bell.close()
    bell.close()
    bell.wake()
    bell.ring()
    bell.ring_others()
    assert sockets(runtime) == []


def test_a_first_wait_beside_a_file_returns_at_once(
    opens: Opens, clock: StillClock, runtime: Path
) -> None:
    # What came before the socket was there has rung for nobody.
    bell = Bell(opens())
    assert bell.wait(30)
    assert not bell.wait(0)
    bell.close()
    in_memory = Bell(MemoryStore(clock=clock))
    assert not in_memory.wait(0)
    in_memory.close()


def test_a_ring_wakes_another_process(opens: Opens, url: str, runtime: Path) -> None:
    store = opens()
    with Other(url, WAIT, dict(os.environ)) as other:
        assert other.hear() == "waiting"
        bell = Bell(store)
        for number in (1, 2):
            store.append([event("k")])
            bell.ring()
            assert other.hear() == f"True {number}"
        bell.close()


def test_a_waiter_of_another_file_hears_nothing(
    opens: Opens, clock: StillClock, tmp_path: Path, runtime: Path
) -> None:
    here, elsewhere = opens(), SqliteStore(f"sqlite:///{tmp_path}/other.db", clock=clock)
    bells = [listening(Bell(store)) for store in (here, here, elsewhere)]

    bells[0].ring_others()

    assert [bell.wait(0.05) for bell in bells] == [False, True, False]
    for bell in bells:
        bell.close()
    elsewhere.close()


def test_sockets_are_their_owners_alone_and_go_when_the_bell_does(
    opens: Opens, runtime: Path
) -> None:
    bell = listening(Bell(opens()))
    (there,) = sockets(runtime)
    assert there.parent.stat().st_mode & 0o077 == 0
    assert there.parent.parent.stat().st_mode & 0o077 == 0

    bell.close()

    assert list((runtime / "eventflow").iterdir()) == []


def test_those_who_come_are_heard_though_others_take_their_folder_away(
    opens: Opens, runtime: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = opens()

    def come_and_go() -> None:
        for _ in range(200):
            listening(Bell(store)).close()

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert caplog.messages == []


def test_the_socket_of_a_dead_process_is_taken_away(opens: Opens, url: str, runtime: Path) -> None:
    bell = listening(Bell(opens()))
    with Other(url, WAIT, dict(os.environ)) as other:
        assert other.hear() == "waiting"
        assert len(sockets(runtime)) == 2
        other.kill()

    bell.ring()

    assert len(sockets(runtime)) == 1
    bell.close()


def test_nothing_is_removed_from_a_folder_that_someone_else_could_have_put_there(
    opens: Opens, runtime: Path
) -> None:
    bell = listening(Bell(opens()))
    (there,) = sockets(runtime)
    bell.close()
    there.parent.mkdir(mode=0o700)
    folder = there.parent.relative_to(runtime)
    (runtime / "eventflow").rename(runtime / "mine")
    (runtime / "eventflow").symlink_to(runtime / "mine")
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    dead.bind(str(runtime / folder / "dead"))
    dead.close()
    (runtime / folder / "precious").touch()

    bell = listening(Bell(opens()))
    bell.ring()

    assert {path.name for path in (runtime / folder).iterdir()} == {"dead", "precious"}
    assert bell.wait(0)
    bell.close()


def test_what_is_no_socket_is_not_removed(opens: Opens, runtime: Path) -> None:
    bell = listening(Bell(opens()))
    (there,) = sockets(runtime)
    there.with_name("precious").touch()

    bell.ring()

    assert there.with_name("precious").exists()
    bell.close()


def test_a_waiter_that_is_rung_too_often_blocks_nobody(opens: Opens, runtime: Path) -> None:
    waiter, ringer = listening(Bell(opens())), Bell(opens())
    for _ in range(5000):
        ringer.ring()

    assert waiter.wait(0)
    assert not waiter.wait(0)
    waiter.close()
    ringer.close()


def test_a_long_runtime_folder_leaves_nobody_deaf(
    opens: Opens, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 90)
    long.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    ours = Bell(opens())
    ours.wait(0)
    theirs = Bell(opens())

    theirs.ring()

    assert ours.wait(20)
    ours.close()
    theirs.close()


def test_it_sees_that_the_file_was_deleted(url: str, opens: Opens, runtime: Path) -> None:
    bell = Bell(opens())
    try:
        bell.check_place()
        Path(url.removeprefix("sqlite:///")).unlink()

        with pytest.raises(StoreGoneError, match="was deleted"):
            bell.check_place()
    finally:
        bell.close()
