"""Bugs are planted into a copy of the package, one at a time: the simulation must find each.

`python -m tests.simulation.planted` plants all, or those that are named.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.simulation.bugs import BUGS as BUGS_OF_DECIDING
from tests.simulation.bugs import Bug
from tests.simulation.bugs_of_stores import BUGS as BUGS_OF_STORES

ROOT = Path(__file__).parent.parent.parent
MOST_SEEDS = 2_000
BUGS = (*BUGS_OF_DECIDING, *BUGS_OF_STORES)


def has_place(bug: Bug) -> bool:
    """Whether the text that a bug takes the place of is there, once; says so if not."""
    count = (ROOT / "eventflow" / bug.path).read_text().count(bug.text)
    if count != 1:
        print(f"{bug.name}: {bug.path} has {bug.text!r} {count} times", file=sys.stderr)
    return count == 1


def plant(bug: Bug, folder: Path) -> None:
    """Copy the package and the tests to a folder, and put the bug into the copy."""
    shutil.copytree(ROOT / "eventflow", folder / "eventflow")
    (folder / "tests").symlink_to(ROOT / "tests")
    module = folder / "eventflow" / bug.path
    module.write_text(module.read_text().replace(bug.text, bug.instead))


def find(bug: Bug, seeds: int) -> tuple[int | None, str]:
    """Play seeds against a bug; the number that it took and what was seen, `None` if nothing was.

    The seeds come in their order, and the corpus is left out: it was made by bugs.
    """
    with tempfile.TemporaryDirectory(prefix="eventflow-planted-") as name:
        folder = Path(name)
        plant(bug, folder)
        command = ["-m", "tests.simulation", "--seeds", str(seeds), "--jobs", "1"]
        played = subprocess.run(
            [sys.executable, *command, "--stop", "--no-corpus", "--once"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder)},
            capture_output=True,
            text=True,
            check=False,
        )
    failed = re.search(r"^FAILED: python -m tests.simulation (\d+) +# (.*)$", played.stdout, re.M)
    if failed is None:
        return None, played.stderr[-300:] if not played.stdout else ""
    return int(failed[1]) + 1, failed[2]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.planted", description=__doc__)
    parser.add_argument("names", nargs="*", help="of bugs; all when there are none")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=MOST_SEEDS, help="at most, for each")
    parser.add_argument(
        "--places", action="store_true", help="only look whether all can be planted"
    )
    parser.add_argument("--into", type=Path, help="only plant it, in a copy in this folder")
    options = parser.parse_args()
    if options.places:
        return sum(not has_place(bug) for bug in BUGS)
    wanted = [bug for bug in BUGS if not options.names or bug.name in options.names]
    if options.into is not None:
        plant(wanted[0], options.into)
        return 0
    missed = 0
    with ThreadPoolExecutor(options.jobs) as pool:
        for bug, (seeds, seen) in zip(
            wanted, pool.map(lambda bug: find(bug, options.seeds), wanted), strict=True
        ):
            missed += seeds is None
            told = f"{seeds:5} seeds" if seeds is not None else "NOT FOUND  "
            print(f"{told}  {bug.name}: {bug.what}; seen: {seen[:120]}", flush=True)
    print(f"{len(wanted) - missed} of {len(wanted)} planted bugs were found")
    return missed


if __name__ == "__main__":
    sys.exit(main())
