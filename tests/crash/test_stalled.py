"""A scheduler that stands still while another takes its store: it steps down when it goes on."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import tale
from journal import read
from place import Place

from eventflow.crashpoints import ONCE, VARIABLE
from eventflow.runtime.remote import RemoteClient
from eventflow.store.places import files_beside


@pytest.fixture
def places(tmp_path: Path) -> Iterator[tuple[Place, Place]]:
    """Two that serve the same store, of which the second is not on."""
    both = Place(tmp_path, tale.WORKFLOW), Place(tmp_path, tale.WORKFLOW)
    yield both
    for one in both:
        one.end()


@pytest.mark.long
@pytest.mark.fault("F45")
@pytest.mark.rule("S10")
def test_f45_a_scheduler_that_stood_still_decides_nothing_under_a_lease_that_it_has_lost(
    places: tuple[Place, Place],
) -> None:
    """A lock ends with its process, so it is lost only with its file: somebody has deleted that."""
    first, second = places
    once = first.folder / "once"
    assert first.serve(**{VARIABLE: "loop.decided:stall:2", ONCE: str(once)}), first.log
    with RemoteClient(first.url) as remote:
        event = remote.client.emit("go", 1)
        first.until(once.exists, "it has not decided")
        first.signal(signal.SIGSTOP)
        (files_beside(first.folder / "store.db") / "lock").unlink()
        assert second.serve(), second.log

        first.signal(signal.SIGCONT)

        first.until(lambda: first.ended, "it has not stepped down")
        second.until(
            lambda: [one.status for one in remote.store.executions()] == ["SUCCESS"],
            "the second does not go on",
        )
        (logged,) = remote.store.read(keys=["go"])
        assert (logged.offset, logged.turn > 0) == (event.offset, True)
    assert "under this scheduler's lease any more" in first.log
    assert [line for line in read(first.journal) if line.what == "beside"] == []
