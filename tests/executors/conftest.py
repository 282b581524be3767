"""Fixtures for executor tests: one executor a test, ended after it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from executor_harness import FLOWS, MAKERS, Harness, Make


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes harnesses: `make("processes", "deadly")`; they are ended after the test."""
    made: list[Harness] = []

    def make_one(kind: str, flow: str = "contract", spool: Path | None = None) -> Harness:
        executor = MAKERS[kind](spool if spool is not None else tmp_path / "spool")
        harness = Harness(executor, FLOWS / f"{flow}_flow.py", tmp_path)
        made.append(harness)
        return harness

    yield make_one
    for harness in made:
        harness.executor.stop(0)


@pytest.fixture(params=sorted(MAKERS))
def harness(request: pytest.FixtureRequest, make: Make) -> Harness:
    """A harness of each kind of executor in turn."""
    return make(request.param)
