"""Fixtures of flows: a remote service on this machine, that of the operators' tests."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_OPERATORS = str(Path(__file__).parents[1] / "operators")


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A service; `of("start")` gives the requests that started runs."""
    if _OPERATORS not in sys.path:
        sys.path.append(_OPERATORS)
    from remote_platform import TOKEN, serving

    with serving() as platform:
        monkeypatch.setenv("APP_SERVICE_URL", platform.url)
        monkeypatch.setenv("APP_SERVICE_TOKEN", TOKEN)
        yield platform
