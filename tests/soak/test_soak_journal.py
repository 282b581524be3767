"""The journal of a task knows whether an earlier attempt is still there."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.soak.journal import all_runs, noted

ROOT = Path(__file__).parent.parent.parent
STAYS = """
import sys
from pathlib import Path
from tests.soak.journal import noted
with noted(Path(sys.argv[1]), 1, "task", 1, 1):
    print("begun", flush=True)
    sys.stdin.read()
"""


def attempt_that_stays(folder: Path) -> "subprocess.Popen[str]":
    """A process in whose attempt the code goes on until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", STAYS, str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


def ended(process: "subprocess.Popen[str]") -> None:
    process.communicate(timeout=30)


def how_they_began(folder: Path) -> list[str]:
    (lines,) = all_runs(folder).values()
    return [line.how for line in lines if line.what == "begin"]


def test_an_attempt_that_begins_while_another_is_stopped_is_beside_it(tmp_path: Path) -> None:
    stays = attempt_that_stays(tmp_path)
    stays.send_signal(signal.SIGSTOP)

    with noted(tmp_path, 1, "task", 1, 2):
        pass

    stays.send_signal(signal.SIGCONT)
    ended(stays)
    assert how_they_began(tmp_path) == ["alone", "beside"]


def test_an_attempt_that_begins_after_another_was_killed_is_alone(tmp_path: Path) -> None:
    stays = attempt_that_stays(tmp_path)
    stays.kill()
    ended(stays)

    with noted(tmp_path, 1, "task", 1, 2) as earlier:
        assert earlier == 1

    assert how_they_began(tmp_path) == ["alone", "alone"]


def test_an_attempt_that_is_left_by_an_exception_has_an_end(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no"), noted(tmp_path, 1, "task", 1, 1):
        raise ValueError("no")

    (lines,) = all_runs(tmp_path).values()
    assert [(line.what, line.how) for line in lines] == [("begin", "alone"), ("end", "left")]
