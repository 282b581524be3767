"""The simulation itself: a seed is one history, and a bug that is planted is found."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def ran(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(cwd)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_seed_is_the_same_history_every_time() -> None:
    first, again = ran("tests.simulation", "7"), ran("tests.simulation", "7")

    assert first.returncode == 0, first.stdout[-2000:]
    assert len(first.stdout.splitlines()) > 50
    assert first.stdout == again.stdout


def test_a_seed_is_the_same_history_on_both_stores_as_in_memory() -> None:
    # What the memory store cannot have: a statement that fails within a transaction, and retention.
    of_a_file = (
        "commit: a statement fails",
        "commit: died at a statement",
        "append: a statement fails",
        "retention: prunes",
        "retention: takes code",
    )
    memory, both = (
        ran("tests.simulation", "2", "--store", store, "--without", ";".join(of_a_file))
        for store in ("memory", "both")
    )

    assert both.returncode == 0, both.stdout[-2000:]
    assert memory.stdout.splitlines()[:-1] == both.stdout.splitlines()[:-1]


def test_the_figures_of_many_seeds_are_told_as_json() -> None:
    told = ran("tests.simulation", "--seeds", "3", "--no-corpus", "--jobs", "2", "--json")

    figures = json.loads(told.stdout)
    assert (figures["seeds"], figures["failed"]) == (3, [])
    assert figures["happened"]["turns"] > 10


def test_what_is_interrupted_tells_what_came_of_the_seeds_so_far() -> None:
    command = ["-m", "tests.simulation", "--seeds", "100000", "--no-corpus", "--jobs", "2"]
    with subprocess.Popen(
        [sys.executable, *command, "--shown", "0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as played:
        assert played.stderr is not None
        assert played.stderr.read(1)
        played.send_signal(signal.SIGINT)
        told, errors = played.communicate()

    assert played.returncode == 130, errors
    assert re.search(r"^[1-9]\d* seeds, 0 failed", told, re.M), told + errors
    assert "Traceback" not in errors


def test_a_bug_that_is_planted_is_found_and_its_history_made_small(tmp_path: Path) -> None:
    ran("tests.simulation.planted", "half-a-batch", "--into", str(tmp_path))
    seeds = ran("tests.simulation", "--seeds", "40", "--no-corpus", "--stop", cwd=tmp_path)
    (seed,) = re.findall(r"^FAILED: python -m tests.simulation (\d+)", seeds.stdout, re.M)

    small = ran("tests.simulation", seed, "--shrink", cwd=tmp_path)

    assert small.returncode == 1
    (line,) = re.findall(r"^python -m tests.simulation (.*)$", small.stdout, re.M)
    steps = re.findall(r"^\[\d+\] ", small.stdout, re.M)
    assert len(steps) < 20, small.stdout
    again = ran("tests.simulation", *shlex.split(line), cwd=tmp_path)
    assert again.stdout == small.stdout


def test_every_bug_can_still_be_planted() -> None:
    found = ran("tests.simulation.planted", "--places")

    assert found.returncode == 0, found.stdout + found.stderr
