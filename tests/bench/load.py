"""Load held: 2,000 events a second from four processes, one in ten of which starts a task.

`eventflow serve` decides them; each second it is asked how many wait, how long the decided ones
have waited, and what memory and processor the scheduler uses. What counts is that neither the
backlog nor the memory grows. And a burst: what came while the scheduler was down.

`python -m tests.bench.load --minutes 10` is the whole of it; a line a second on standard error.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from eventflow.runtime.remote import RemoteClient
from tests.bench.producer import HIT_EVERY, load_event
from tests.bench.service import COMMAND, serving
from tests.bench.watch import Sample, Watch

Figures = dict[str, object]
PRODUCERS, TASKS = 4, 10
# One rule in ten is ever matched, as one event in ten matches one.
FLOWS = f"""
from eventflow import PythonOperator, TaskAction, Workflow

def nothing():
    pass

with Workflow("load", completion="manual") as load:
    for producer in range({PRODUCERS}):
        for number in range({TASKS}):
            task = PythonOperator(f"hit-{{producer}}-{{number}}", nothing)
            task.action_on_event_received(TaskAction.START, f"load.hit.{{producer}}.{{number}}")
with Workflow("once") as once:
    PythonOperator("only", nothing)
once.trigger_on_event("load.start.*")
with Workflow("quiet", completion="manual") as quiet:
    for number in range({9 * PRODUCERS * TASKS}):
        task = PythonOperator(f"quiet-{{number}}", nothing)
        task.action_on_event_received(TaskAction.START, f"quiet.{{number}}")
"""
STORE = "load.db"
SERVE = ("flows.py", "--store", f"sqlite:///{STORE}", "--executor", "threads")
DRAINED_WITHIN_S = 60
BATCH = 1_000
SETTLED_S = 120
# What a backlog that does not grow differs by from one moment to another, in seconds of load.
MOST_BACKLOG_S = 1.0
MOST_MIB = 3.0


def held(folder: Path, *, seconds: float = 600, rate: float = 2_000, tasks: int = TASKS) -> Figures:
    """The load for so many seconds, `rate` events in each.

    Args:
        tasks: How many each producer has started in turn; with none, each hit starts an execution.
    """
    with serving(_prepared(folder), *SERVE) as pid, closing(Watch(folder / STORE, pid)) as watch:
        _start_executions(folder)
        producers = [
            _begin_producer(folder, number, rate / PRODUCERS, seconds, tasks)
            for number in range(PRODUCERS)
        ]
        samples = [watch.look()]
        while any(producer.poll() is None for producer in producers):
            time.sleep(1)
            samples.append(watch.look())
            print(samples[-1].describe(samples[-2]), file=sys.stderr, flush=True)
        said = [json.loads(producer.communicate()[0]) for producer in producers]
        drained_s = watch.until_drained(DRAINED_WITHIN_S)
        sent = sum(one["sent"] for one in said)
        assert watch.decided() == sent
        figures = {"ignored": watch.ignored(), **watch.runs()}
    faults = _growing(samples, rate)
    hits = sum(one["hits"] for one in said)
    assert figures["runs"] + figures["ignored"] == hits, (figures, hits)
    return {
        "bench": "load held" if tasks else "load held, executions",
        "seconds": seconds,
        "events_per_s": round(sent / max(one["seconds"] for one in said)),
        "producer_latest_s": round(max(one["latest_s"] for one in said), 2),
        **figures,
        **_in_short(samples),
        "drained_s": round(drained_s, 2),
        "faults": faults,
    }


def burst(folder: Path, *, events: int = 100_000) -> Figures:
    """What came while the scheduler was down is decided within a minute of its start.

    Each hit starts an execution of one task: a task that is alive would not start again (S19).
    """
    with serving(_prepared(folder), *SERVE):
        _start_executions(folder)
    with RemoteClient(f"sqlite:///{folder / STORE}") as remote:
        for first in range(0, events, BATCH):
            numbers = range(first, min(first + BATCH, events))
            remote.client.append_many([load_event("0", number, 0) for number in numbers])
    begin = time.monotonic()
    with serving(folder, *SERVE) as pid, closing(Watch(folder / STORE, pid)) as watch:
        ready_s = time.monotonic() - begin
        watch.until_drained(10 * DRAINED_WITHIN_S)
        taken = time.monotonic() - begin
        sample = watch.look()
        assert watch.decided() == events
        figures = {"ignored": watch.ignored(), **watch.runs()}
    assert figures["runs"] + figures["ignored"] == events // HIT_EVERY, figures
    late = taken > DRAINED_WITHIN_S
    return {
        "bench": "load burst",
        "events": events,
        "ready_s": round(ready_s, 2),
        "drained_s": round(taken, 2),
        "events_per_s": round(events / taken),
        "target_s": DRAINED_WITHIN_S,
        "rss_mib": round(sample.rss_mib, 1),
        **figures,
        "faults": [f"{events} events took {taken:.0f} s"] if late else [],
    }


def _prepared(folder: Path) -> Path:
    (folder / "flows.py").write_text(FLOWS)
    return folder


def _start_executions(folder: Path) -> None:
    for name in ("load", "quiet"):
        command = [COMMAND, "execution", "start", name, "--store", f"sqlite:///{STORE}"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)


def _begin_producer(
    folder: Path, number: int, rate: float, seconds: float, tasks: int
) -> "subprocess.Popen[str]":
    words = [f"sqlite:///{folder / STORE}", number, rate, seconds, tasks]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.bench.producer", *map(str, words)],
        stdout=subprocess.PIPE,
        text=True,
    )


def _growing(samples: Sequence[Sample], rate: float) -> list[str]:
    """What has grown, by the medians of the first and the last third after it has settled."""
    begin = samples[0].at_s + SETTLED_S
    settled = [sample for sample in samples if sample.at_s >= begin]
    third = len(settled) // 3
    if third < 10:  # seconds: too short to tell growth from noise
        return []
    found = []
    backlog = _growth([sample.backlog for sample in settled], third)
    if backlog > rate * MOST_BACKLOG_S:
        found.append(f"the backlog has grown by {backlog:.0f} events")
    rss_mib = _growth([sample.rss_mib for sample in settled], third)
    if rss_mib > MOST_MIB:
        found.append(f"the scheduler has grown by {rss_mib:.1f} MiB")
    return found


def _growth(values: Sequence[float], third: int) -> float:
    return statistics.median(values[-third:]) - statistics.median(values[:third])


def _in_short(samples: Sequence[Sample]) -> Figures:
    delays = sorted(delay for sample in samples for delay in sample.delays_ms)
    backlogs = [sample.backlog for sample in samples]
    settled = next((one for one in samples if one.at_s >= samples[0].at_s + SETTLED_S), samples[0])
    cpu_s = samples[-1].cpu_s - samples[0].cpu_s
    return {
        "decided_p50_ms": round(statistics.median(delays), 1),
        "decided_p99_ms": round(delays[int(len(delays) * 0.99)], 1),
        "backlog_median": round(statistics.median(backlogs)),
        "backlog_most": max(backlogs),
        "rss_mib_settled_and_last": [round(settled.rss_mib, 1), round(samples[-1].rss_mib, 1)],
        "scheduler_cpu": round(cpu_s / (samples[-1].at_s - samples[0].at_s), 2),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rate", type=float, default=2_000, help="events a second, of all")
    options = parser.parse_args()
    wrong = []
    for bench in (
        lambda folder: held(folder, seconds=options.minutes * 60, rate=options.rate),
        burst,
    ):
        with tempfile.TemporaryDirectory() as folder:
            figures = bench(Path(folder))
        print(json.dumps(figures), flush=True)
        wrong += figures["faults"]
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
