"""What a soak leaves behind is found by the environment with which it was started."""

import os
import subprocess

from tests.soak.processes import started_with


def test_a_process_is_found_by_its_environment_while_it_lives() -> None:
    process = subprocess.Popen(["sleep", "60"], env={**os.environ, "SOAK_FOLDER": "/a place"})
    try:
        assert [one.pid for one in started_with("SOAK_FOLDER", "/a place")] == [process.pid]
        assert started_with("SOAK_FOLDER", "/a") == []
    finally:
        process.kill()
    process.wait()
    assert started_with("SOAK_FOLDER", "/a place") == []
