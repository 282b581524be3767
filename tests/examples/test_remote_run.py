"""The example of a remote run, with the service that is shipped with it."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_examples import DEADLINE_S, EXAMPLES, Shell, printed, promised


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """A shell that knows where the example's service is."""
    service = subprocess.Popen(
        [sys.executable, EXAMPLES / "remote_service.py", "0"], stdout=subprocess.PIPE, text=True
    )
    watchdog = threading.Timer(DEADLINE_S, service.kill)
    watchdog.start()
    try:
        assert service.stdout is not None
        said = service.stdout.readline().split()
        assert said[:2] == promised("remote_service.py")[0].split()[:2]
        monkeypatch.setenv("APP_SERVICE_URL", said[2])
        monkeypatch.setenv("APP_SERVICE_TOKEN", "any")
        yield Shell(tmp_path)
    finally:
        watchdog.cancel()
        service.kill()
        service.communicate()


def test_a_remote_run_prints_what_it_says(shell: Shell) -> None:
    output = shell.do("run", EXAMPLES / "remote_run.py")

    said = [line.rpartition(" INFO ")[2] for line in printed(output)]
    assert said == promised("remote_run.py")
    assert shell.show(1)["status"] == "SUCCESS"
