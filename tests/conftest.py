"""Every store that a test leaves behind is whole, as `eventflow fsck` sees it."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventflow.clock import SystemClock
from eventflow.store.fsck import fsck
from eventflow.store.schema import is_store


def pytest_configure() -> None:
    """Hear Ctrl-C, and have every program that is begun here hear it.

    A shell has what it runs in the background ignore it, and that is inherited.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


# Here a test may come to its folder by a fixture that it asks for while it runs.
_WITH_STORES = ("store", "runtime", "crash")


@pytest.fixture(autouse=True)
def every_store_is_left_whole(request: pytest.FixtureRequest) -> Iterator[None]:
    """Asked once all that the test has opened is closed; a test that `spoils` one is not asked."""
    folder: Path | None = None
    if "tmp_path" in request.fixturenames or request.path.parent.name in _WITH_STORES:
        folder = request.getfixturevalue("tmp_path")
    yield
    if folder is None or request.node.get_closest_marker("spoils") is not None:
        return
    for path in folder.rglob("*.db"):
        if is_store(path):
            report = fsck(path, clock=SystemClock())
            assert [(one.check.name, one.rows) for one in report.faults] == []
