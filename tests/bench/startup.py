"""P9: import, help, the first durable run in an empty folder, and the idle service.

Byte code is there before, as pip leaves it; the idle service is all of its processes.
"""

import os
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.bench.service import COMMAND, cpu_s, family, mib, serving

RUN = """
import sys, time
begin = time.perf_counter()
import eventflow
def nothing(): pass
with eventflow.Workflow("w") as workflow:
    eventflow.PythonOperator("t", nothing)
with eventflow.Scheduler("sqlite:///" + sys.argv[1]) as scheduler:
    assert scheduler.run(workflow).wait(30).status == "SUCCESS"
print(time.perf_counter() - begin)
"""
WORKFLOW = """
import eventflow
with eventflow.Workflow("w") as workflow:
    task = eventflow.BashOperator("t", bash_command="true")
workflow.trigger_on_event("never")
"""


def run(folder: Path, *, seconds: float = 60.0) -> dict[str, object]:
    """The five of P9; the service is looked at for so many seconds."""
    # Each once, so that the byte code of all that is loaded is there.
    _wall_s(folder, [COMMAND, "serve", "--help"], rounds=1)
    _first_run(folder, 0)
    first_runs = [_first_run(folder, number) for number in (1, 2, 3)]
    idle = _idle(folder, seconds)
    importing = [sys.executable, "-c", "import eventflow"]
    return {
        "bench": "P9 start",
        "import_cpu_s": round(_cpu_s(folder, importing), 3),
        "python_cpu_s": round(_cpu_s(folder, [sys.executable, "-c", "pass"]), 3),
        "help_s": round(_wall_s(folder, [COMMAND, "--help"]), 3),
        "first_run_s": round(statistics.median(first_runs), 3),
        "idle_rss_mib": round(idle.rss_mib, 1),
        "idle_pss_mib_of_all_processes": round(idle.pss_mib, 1),
        "idle_cpu_percent": round(idle.cpu_percent, 3),
        "target": [0.15, 0.3, 1.2, 90, 0.2],
    }


def _environment(folder: Path) -> dict[str, str]:
    """With byte code, as pip leaves it, wherever eventflow comes from here."""
    mine = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**mine, "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}


def _first_run(folder: Path, number: int) -> float:
    """Seconds from before the import to the end of a workflow, in a store that was not there."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(folder / f"first-{number}.db")],
        env=_environment(folder),
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def _cpu_s(folder: Path, command: list[str], rounds: int = 5) -> float:
    taken = []
    for _ in range(rounds):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, env=_environment(folder), check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return statistics.median(taken)


def _wall_s(folder: Path, command: list[str], rounds: int = 5) -> float:
    taken = []
    for _ in range(rounds):
        begin = time.perf_counter()
        subprocess.run(command, env=_environment(folder), check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


@dataclass(frozen=True, slots=True)
class _Idle:
    """`eventflow serve` with nothing to do.

    Attributes:
        rss_mib: Of the scheduler's process.
        pss_mib: Of all its processes, each page that several share once.
        cpu_percent: Of one core, all its processes.
    """

    rss_mib: float
    pss_mib: float
    cpu_percent: float


def _idle(folder: Path, seconds: float) -> _Idle:
    (folder / "idle.py").write_text(WORKFLOW)
    with serving(
        folder, "idle.py", "--store", "sqlite:///idle.db", environment=_environment(folder)
    ) as pid:
        time.sleep(1)  # what it does when it starts is not what it does when it is idle
        pids = family(pid)
        before = sum(map(cpu_s, pids))
        time.sleep(seconds)
        used = sum(map(cpu_s, pids)) - before
        return _Idle(mib(pid, "Rss"), sum(mib(each, "Pss") for each in pids), used / seconds * 100)
