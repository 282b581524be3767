"""Fixtures of remote runs: a service on this machine, and schedulers that know where it is."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from app_kit import Children, Runner
from remote_platform import TOKEN, Platform, serving


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    with serving() as platform:
        monkeypatch.setenv("APP_SERVICE_URL", platform.url)
        monkeypatch.setenv("APP_SERVICE_TOKEN", TOKEN)
        yield platform


@pytest.fixture
def runner(tmp_path: Path, platform: Platform) -> Iterator[Runner]:
    runner = Runner(tmp_path)
    with runner.scheduler:
        yield runner


@pytest.fixture
def children(tmp_path: Path, platform: Platform) -> Iterator[Children]:
    children = Children(tmp_path)
    with children.scheduler:
        yield children
