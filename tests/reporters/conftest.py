"""A local platform for every test here; pytest puts this folder on the path."""

from collections.abc import Iterator

import pytest
from platform_here import LocalPlatform


@pytest.fixture
def platform() -> Iterator[LocalPlatform]:
    with LocalPlatform() as platform:
        yield platform
