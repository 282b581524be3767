"""Which store a URL means."""

from eventflow.clock import Clock
from eventflow.store.memory import MemoryStore
from eventflow.store.places import DEFAULT_URL, path_of
from eventflow.store.ports import Store
from eventflow.store.sqlite import SqliteStore


def open_store(url: str | None, *, clock: Clock, create: bool = True) -> Store:
    """Open the store that `url` names; `None` means `sqlite:///eventflow.db`.

    Args:
        create: Whether a file that is not there may be made.

    Raises:
        StoreError: If there is no such store, or it cannot be read.
    """
    url = url or DEFAULT_URL
    if path_of(url) is None:
        return MemoryStore(clock=clock)
    return SqliteStore(url, clock=clock, create=create)
