"""Scenarios share one idle operator; pytest puts this folder on the path.

Every story is decided twice: when it has been told, its log goes through the core again.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from eventflow.testing import VirtualScheduler


@pytest.fixture(autouse=True)
def _every_story_replays_equal(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[None]:
    """Whatever a test tells a VirtualScheduler comes out equal when it is replayed (S9)."""
    steady = request.node.get_closest_marker("unsteady") is None
    made: list[VirtualScheduler] = []
    begin = VirtualScheduler.__init__

    def begin_and_remember(self: VirtualScheduler, *given: Any, **named: Any) -> None:
        made.append(self)
        begin(self, *given, **named)

    monkeypatch.setattr(VirtualScheduler, "__init__", begin_and_remember)
    yield
    for scheduler in made:
        if hasattr(scheduler, "_loop"):
            found = scheduler.replay(ask=steady)
            assert found.equal, found
            assert (
                found.events == scheduler.store.load(scheduler._registry.plan).world.counters.turn
            )
