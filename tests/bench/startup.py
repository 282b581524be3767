"""P9: import, help, the first durable run in an empty folder, and the idle service."""

import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

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


def run(folder: Path) -> dict[str, object]:
    first_run = subprocess.run(
        [sys.executable, "-c", RUN, str(folder / "first.db")],
        capture_output=True,
        text=True,
        check=True,
    )
    rss, cpu = _idle(folder)
    return {
        "bench": "P9 start",
        "import_cpu_s": round(_cpu_s([sys.executable, "-c", "import eventflow"]), 3),
        "python_cpu_s": round(_cpu_s([sys.executable, "-c", "pass"]), 3),
        "help_s": round(_wall_s([_command(), "--help"]), 3),
        "first_run_s": round(float(first_run.stdout), 3),
        "idle_rss_mib": round(rss, 1),
        "idle_cpu_percent": round(cpu, 2),
        "target": [0.15, 0.3, 1.2, 90, 0.2],
    }


def _command() -> str:
    return str(Path(sys.executable).with_name("eventflow"))


def _cpu_s(command: list[str], rounds: int = 5) -> float:
    taken = []
    for _ in range(rounds):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return statistics.median(taken)


def _wall_s(command: list[str], rounds: int = 5) -> float:
    taken = []
    for _ in range(rounds):
        begin = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def _idle(folder: Path, seconds: float = 5.0) -> tuple[float, float]:
    """RSS in MiB and CPU in percent of `eventflow serve` with nothing to do."""
    (folder / "idle.py").write_text(WORKFLOW)
    serve = subprocess.Popen(
        [_command(), "serve", "idle.py", "--store", "sqlite:///idle.db"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert serve.stdout is not None
        while "ready" not in (line := serve.stdout.readline()):
            assert line, "serve ended before it was ready"
        before = _cpu_of(serve.pid)
        time.sleep(seconds)
        used = _cpu_of(serve.pid) - before
        pages = int(Path(f"/proc/{serve.pid}/statm").read_text().split()[1])
    finally:
        serve.terminate()
        serve.wait(30)
        serve.stdout.close()
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20, used / seconds * 100


def _cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
