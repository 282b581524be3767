"""What a fresh install brings along: how many distributions, how many MiB.

pip installs this repository into an empty environment, as a user's would be, from the registry
that it is set up for. Nothing is measured that another machine would measure otherwise but the
compiled parts, so the budget is a number of its own and no ratio.
"""

import os
import re
import subprocess
import sys
import time
from importlib.metadata import distributions
from pathlib import Path

from eventflow import __version__

REPOSITORY = Path(__file__).parents[2]
# What was there when the budget was set (21 and 57 MiB) and a little more: a dependency that
# splits in two or grows by a tenth is no news, a new one that brings three along is.
BUDGET = {"distributions": 23, "mib": 65}
# Loads what eventflow stands on, all of it.
USE = "import eventflow; print(eventflow.Scheduler.__name__, eventflow.__version__)"


def run(folder: Path) -> dict[str, object]:
    environment = folder / "environment"
    begin = time.perf_counter()
    # Without pip in it, all that is found there afterwards came with eventflow.
    _call(sys.executable, "-m", "venv", "--without-pip", environment)
    python = environment / "bin" / "python"
    _call(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", REPOSITORY)
    taken = time.perf_counter() - begin
    assert _call(python, "-c", USE) == f"Scheduler {__version__}\n"
    assert _call(environment / "bin" / "eventflow", "--version") == f"eventflow {__version__}\n"
    mib = _mib_of_each(environment)
    figures = {"distributions": len(mib), "mib": round(sum(mib.values()), 1)}
    return {
        "bench": "install",
        **figures,
        "largest_mib": dict(sorted(mib.items(), key=lambda one: -one[1])[:4]),
        "seconds": round(taken, 1),
        "budget": BUDGET,
        "faults": [
            f"a fresh install has {figures[name]} {name}; the budget is {most}"
            for name, most in BUDGET.items()
            if figures[name] > most
        ],
    }


def _call(*command: object) -> str:
    # Only what is installed is found, wherever the one who measures has set Python to look.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in command],
        cwd="/",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _mib_of_each(environment: Path) -> dict[str, float]:
    """Distribution -> MiB of the files that are its own, byte code too."""
    (packages,) = environment.glob("lib/python*/site-packages")
    found = {}
    for one in distributions(path=[str(packages)]):
        places = [Path(str(file.locate())) for file in one.files or ()]
        sizes = [place.stat().st_size for place in places if place.is_file()]
        assert sizes, one.name
        found[re.sub(r"[-_.]+", "-", one.name).lower()] = round(sum(sizes) / 2**20, 2)
    return found
