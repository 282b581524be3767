"""What a service need not load, it does not: its memory is there for as long as it runs."""

import subprocess
import sys

import pytest

PROBE = """
import importlib, sys
importlib.import_module("eventflow.cli.{command}")
print(*sorted({{name.split(".")[0] for name in sys.modules}}))
"""


@pytest.mark.parametrize("command", ["serve", "emit"])
def test_a_command_that_shows_no_table_loads_nothing_that_draws_one(command: str) -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", PROBE.format(command=command)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "eventflow" in loaded.stdout.split()
    assert "rich" not in loaded.stdout.split()
