"""The wall clock that the soak gives to `serve`: it is stepped while a process runs."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.soak.clocks import WallClock

TELLS = """
import sqlite3, sys, time
for line in sys.stdin:
    (told,) = sqlite3.connect(":memory:").execute("SELECT strftime('%s', 'now')").fetchone()
    print(time.time(), told, time.monotonic(), flush=True)
"""


def test_the_wall_clock_of_a_process_is_stepped_while_it_runs(tmp_path: Path) -> None:
    clock = WallClock(tmp_path)
    if clock.refused:
        pytest.skip(clock.refused)
    process = subprocess.Popen(
        [sys.executable, "-c", TELLS],
        env={**os.environ, **clock.variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def told() -> list[float]:
        """By how much its wall clock, SQLite's and its monotonic clock are ahead of ours."""
        process.stdin.write("\n")
        process.stdin.flush()
        wall, database, monotonic = map(float, process.stdout.readline().split())
        now = time.time()
        return [wall - now, database - now, monotonic - time.monotonic()]

    for seconds in (0, 1000, -1000):
        clock.set_ahead(seconds)
        assert told() == pytest.approx([seconds, seconds, 0], abs=30)
    process.communicate(timeout=30)
