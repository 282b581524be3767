"""Every test of the contract runs on each store: in dicts, and in a real SQLite file."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from story import StillClock

from eventflow.store.memory import MemoryStore
from eventflow.store.ports import Store
from eventflow.store.sqlite import SqliteStore

Opens = Callable[[], SqliteStore]


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture
def opens(url: str, clock: StillClock) -> Iterator[Opens]:
    """Opens the same file again and again; closes what a test has left open."""
    opened: list[SqliteStore] = []

    def open_again() -> SqliteStore:
        opened.append(SqliteStore(url, clock=clock))
        return opened[-1]

    yield open_again
    for store in opened:
        store.close()


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, clock: StillClock) -> Store:
    if request.param == "memory":
        return MemoryStore(clock=clock)
    opened: Opens = request.getfixturevalue("opens")
    return opened()


@pytest.fixture
def held(store: Store) -> Store:
    """A store that this test's scheduler holds."""
    store.hold("test")
    return store


@pytest.fixture
def both(opens: Opens, clock: StillClock) -> list[Store]:
    """One of each, held: what is said of one must hold for the other."""
    stores: list[Store] = [opens(), MemoryStore(clock=clock)]
    for store in stores:
        store.hold("test")
    return stores
