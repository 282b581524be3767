"""The decision of `decision.py`, killed in the middle and run again: it goes on where it was.

    python examples/decision_resumed.py

Runs the flow in a process of its own, on a store in the folder ./eventflow-decision, and kills that
process (SIGKILL) once some scenarios are solved. Then does no more than run it again. Each solve
writes a line into a journal, outside of the store, which shows that what had finished was not done
a second time. What was under way when the kill came is begun anew.
Prints what both runs say, and:

    killed: 7 of 18 scenarios had finished
    run again: all 18 have; of those 7 solved a second time: 0
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from decision import Decision
from depots import Plan, named

DIESEL, ENOUGH = 1.4, 6
FOLDER = Path("eventflow-decision")
STORE = FOLDER / "decision.db"
JOURNAL = FOLDER / "journal.txt"
EVENTFLOW = Path(sys.executable).with_name("eventflow")


class NotedDecision(Decision):
    """The same flow; it also keeps a journal, which no kill takes back."""

    def told(self, what: str, plan: Plan) -> Plan:
        with JOURNAL.open("a", encoding="utf-8") as journal:
            journal.write(f"{what} {named(plan['scenario'])}\n")
        return super().told(what, plan)


def decide() -> None:
    """What the process does that is killed, and the one after it."""
    run = NotedDecision(input=DIESEL, store=str(STORE), threads=os.cpu_count() or 1).run()
    print(f"\n{run.get_result('report')}\n")


def begin() -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, __file__, "decide"])


def solved() -> list[str]:
    """The scenarios that were solved, as often as they were, by the journal."""
    if not JOURNAL.exists():
        return []
    lines = JOURNAL.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith("solved")]


def finished() -> tuple[int, int]:
    """How many scenarios have finished, by the store, and how many there are."""
    show = [EVENTFLOW, "execution", "show", "1", "--json", "--store", STORE]
    tasks = json.loads(subprocess.run(show, check=True, capture_output=True).stdout)["tasks"]
    (items,) = (task["items"] for task in tasks if task["task_name"] == "solve")
    return items["by_status"].get("SUCCESS", 0), items["total"]


def main() -> int:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    first = begin()
    while len(solved()) < ENOUGH and first.poll() is None:
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.wait()
    before, total = finished()
    print(f"killed: {before} of {total} scenarios had finished", flush=True)
    # Solved, but not yet in the store: that is not finished, and is done again.
    under_way = len(solved()) - before
    code = begin().wait()
    again = len(solved()) - total - under_way
    told = "all" if finished() == (total, total) else "not all"
    print(f"run again: {told} {total} have; of those {before} solved a second time: {again}")
    return code


if __name__ == "__main__":
    if sys.argv[1:] == ["decide"]:
        decide()
    else:
        sys.exit(main())
