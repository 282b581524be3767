"""What `make demo` runs: the online-learning service, from nothing to its accuracy.

    python examples/demo.py

Runs `eventflow run examples/online_learning.py` in the folder ./eventflow-demo, which is made anew
each time, and lets it show itself. Then prints the accuracy that was reached and how to look
further. Exits as the run did.
"""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from eventflow import Scheduler

WORKFLOW = Path(__file__).resolve().with_name("online_learning.py")
FOLDER = Path("eventflow-demo").resolve()
STORE = f"sqlite:///{FOLDER}/eventflow.db"
EVENTFLOW = Path(sys.executable).with_name("eventflow")


def main() -> int:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    # Ctrl-C is for the run, which stops its workflow; here it is waited for.
    signal.signal(signal.SIGINT, lambda number, frame: None)
    command = [EVENTFLOW, "run", WORKFLOW, "--param", f"folder={FOLDER}/models"]
    code = subprocess.run(command, env={**os.environ, "EVENTFLOW_STORE": STORE}).returncode
    if code == 0:
        with Scheduler(STORE) as scheduler:
            exam = scheduler.execution(1).result("report")
        print(f"\nAccuracy: {exam['accuracy']:.1%} on handwritten digits that it had never seen.")
        print("\nThe store is kept; to look further:\n")
        print(f"    cd {FOLDER}")
        print(f"    {EVENTFLOW} execution show 1 --history")
        print(f"    {EVENTFLOW} execution logs 1")
        print(f"    {EVENTFLOW} event list")
        print(f"    {EVENTFLOW} workflow graph online_learning")
    return code


if __name__ == "__main__":
    sys.exit(main())
