"""How long three no-op steps take, and then their process to exit, whatever the platform does.

Each flow is a process of its own with a store in memory and the reporter as it comes. `exit` is
counted from the end of the flow: the platform has the grace of 5 s to take the final state.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.platforms import platforms

_ROWS = (
    "off",
    "healthy",
    "slow_3s",
    "slow_30s",
    "hanging",
    "refusing",
    "dropping",
    "nonsense",
    "busy_429",
)
_FLOW = """
import json, sys, time
from eventflow import PythonOperator, Scheduler, Workflow
from eventflow.reporters import UplinkClient, UplinkConfig

started = []
with Workflow("three") as workflow:
    first = PythonOperator("a", lambda: started.append(time.monotonic()))
    first >> PythonOperator("b", int) >> PythonOperator("c", int)
with Scheduler("sqlite://") as scheduler:
    begun = time.monotonic()
    if len(sys.argv) > 1:
        UplinkClient(UplinkConfig(url=sys.argv[1])).attach(scheduler)
    assert scheduler.run(workflow).wait(60).status == "SUCCESS"
    ended = time.monotonic()
print(json.dumps([begun, started[0], ended]))
"""


def run(folder: Path, *, rows: tuple[str, ...] = _ROWS, rounds: int = 3) -> dict[str, object]:
    with platforms() as urls:
        found = {row: [_once(folder, urls.get(row)) for _ in range(rounds)] for row in rows}
    return {
        "bench": "outage",
        **{
            f"{kind}_ms_{row}": round(sorted(one[place] for one in found[row])[rounds // 2] * 1e3)
            for row in rows
            for place, kind in enumerate(("first", "flow", "exit"))
        },
    }


def _once(folder: Path, url: str | None) -> tuple[float, float, float]:
    """Seconds to the first step, to the end of the flow, and from there to the process's exit."""
    command = [sys.executable, "-c", _FLOW, *([url] if url is not None else [])]
    done = subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
    )
    exited = time.monotonic()
    begun, first, ended = json.loads(done.stdout)
    return first - begun, ended - begun, exited - ended
