"""The simulation itself: a seed is one history, and a bug that is planted is found."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_a_seed_is_the_same_history_every_time() -> None:
    first, again = ran("tests.simulation", "7"), ran("tests.simulation", "7")

    assert first.returncode == 0, first.stdout[-2000:]
    assert len(first.stdout.splitlines()) > 50
    assert first.stdout == again.stdout


def test_a_bug_that_is_planted_is_found() -> None:
    found = ran("tests.simulation.planted", "timeout-kept", "--seeds", "100")

    assert found.returncode == 0, found.stdout
    assert "1 of 1 planted bugs were found" in found.stdout


def test_every_bug_can_still_be_planted() -> None:
    found = ran("tests.simulation.planted", "--places")

    assert found.returncode == 0, found.stdout + found.stderr
