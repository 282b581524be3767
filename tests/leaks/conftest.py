"""A folder for temporary files that is a test's own, so that what is left in it can be seen."""

import sys
import tempfile
from pathlib import Path

import pytest

# The platform that reporters report to is that of their tests.
sys.path.append(str(Path(__file__).parent.parent / "reporters"))


@pytest.fixture
def temporary(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this process and those it starts put temporary files; short, for sockets."""
    folder = tmp_path_factory.mktemp("t")
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder
