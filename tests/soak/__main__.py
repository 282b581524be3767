"""`python -m tests.soak --minutes 8` does harm to real processes, and judges them from outside.

Prints progress on standard error and one line of JSON at the end. Ctrl-C ends the harm; what there
is is still judged; a second one ends that too. Exit status: 0 when nothing is wrong, 1 when
something is; the folder is kept then, and named.
"""

import argparse
import json
import secrets
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from tests.soak.course import Soak

WRONG = (
    "lost",
    "ghosts",
    "doubled",
    "overlaps",
    "order",
    "wrong_ends",
    "stuck",
    "fsck",
    "faults",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--seed", type=int, default=None, help="by default another each time")
    parser.add_argument("--rate", type=float, default=140.0, help="events per second, at most")
    parser.add_argument("--keep", action="store_true", help="keep the folder in any case")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else secrets.randbelow(10**6)
    folder = Path(tempfile.mkdtemp(prefix="eventflow-soak-"))
    print(f"seed {seed}, in {folder}", file=sys.stderr)
    soak = Soak(folder, minutes=options.minutes, seed=seed, rate=options.rate)
    if soak.clock.refused:
        print(f"clock steps: {soak.clock.refused}", file=sys.stderr)

    def end(number: int, frame: object) -> None:
        if soak.over.is_set():
            raise KeyboardInterrupt
        soak.over.set()

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    result = soak.run()
    wrong = [name for name in WRONG if result[name]]
    if wrong or options.keep:
        print(f"kept: {folder}", file=sys.stderr)
    else:
        shutil.rmtree(folder)
    print(json.dumps(result))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
