"""Runs every benchmark, or with `--smoke` a short form that fails only on what cannot be noise."""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.bench import (
    chain,
    children,
    crowd,
    downtime,
    emitting,
    fanout,
    history,
    install,
    limits,
    load,
    mapped,
    outage,
    rules,
    runs,
    schedules,
    startup,
    uplink,
)

Figures = dict[str, object]


def full() -> list[Callable[[Path], Figures]]:
    return [
        chain.run,
        fanout.run,
        mapped.run,
        runs.run,
        emitting.latency,
        emitting.throughput,
        children.elsewhere,
        children.in_a_child,
        children.many,
        startup.run,
        install.run,
        downtime.run,
        uplink.run,
        uplink.run_long,
        outage.run,
        lambda folder: load.held(folder, seconds=60),
        load.burst,
        rules.run,
        crowd.run,
        crowd.run_subscribed,
        history.run,
        schedules.run,
    ]


def smoke() -> list[Callable[[Path], Figures]]:
    return [
        lambda folder: chain.run(folder, rounds=2),
        lambda folder: fanout.run(folder, few=500, many=5_000, rounds=2),
        lambda folder: mapped.run(folder, counts=(500, 5_000)),
        lambda folder: runs.run(folder, few=50, many=500, rounds=1),
        lambda folder: emitting.latency(folder, rounds=50),
        lambda folder: children.elsewhere(folder, rounds=20),
        lambda folder: children.in_a_child(folder, rounds=20),
        lambda folder: children.many(folder, row="short-row"),
        lambda folder: emitting.throughput(folder, seconds=0.5),
        install.run,
        downtime.run,
        lambda folder: uplink.run(folder, length=50, rounds=2),
        lambda folder: outage.run(folder, rows=("off", "hanging"), rounds=1),
        lambda folder: load.held(folder, seconds=10),
        lambda folder: load.burst(folder, events=10_000),
        lambda folder: rules.run(folder, rules=(1, 20_000), rounds=3),
        lambda folder: crowd.run(folder, running=(1, 2_000), rounds=3),
        lambda folder: crowd.run_subscribed(folder, running=(1, 100, 1_000), rounds=1),
        lambda folder: history.run(folder, rows=(10, 50_000), rounds=3),
        lambda folder: schedules.run(folder, schedules=500, due=100, idle_s=1),
    ]


def long() -> list[Callable[[Path], Figures]]:
    return [rules.run_long, history.run_long]


def faults(figures: Figures) -> list[str]:
    """What no noise explains: a cost that grows with the work beside it, an extra commit."""
    found = []
    growth = figures.get("growth")
    if isinstance(growth, float) and growth > 4:  # a scan over siblings would show as 10
        found.append(f"{figures['bench']}: cost a task grows {growth} times; it is to be flat")
    commits = figures.get("commits_per_task")
    if isinstance(commits, float) and commits > 1.5:
        found.append(f"{figures['bench']}: {commits} commits a step; it is to be one")
    for name, ratio in figures.items():
        # Of processor time, taken turn by turn: what is flat is 1, a scan would show as 100.
        if name.startswith("flat_") and isinstance(ratio, float) and ratio > 2:
            found.append(f"{figures['bench']}: {name} is {ratio}; it is to be flat")
    waited = figures.get("flow_hanging")
    if isinstance(waited, float) and waited > 3:  # a flow that waits for its platform shows as 100
        found.append(f"{figures['bench']}: a hanging platform costs {waited} times; it costs none")
    begun = figures.get("first_ms_hanging")
    if isinstance(begun, int) and begun > 1_000:  # a step that waits for the platform: 5 s
        found.append(f"{figures['bench']}: with a hanging platform the first step takes {begun} ms")
    stated = figures.get("faults")
    if isinstance(stated, list):  # the bench has judged itself
        found += [f"{figures['bench']}: {fault}" for fault in stated]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="short, for CI")
    parser.add_argument("--long", action="store_true", help="the far ends of the curves")
    options = parser.parse_args()
    print(json.dumps({"bench": "machine"} | limits.describe()))
    wrong = []
    benches = smoke() if options.smoke else long() if options.long else full()
    for bench in benches:
        with tempfile.TemporaryDirectory() as folder:
            figures = bench(Path(folder))
        print(json.dumps(figures), flush=True)
        wrong += faults(figures)
    for fault in wrong:
        print(fault, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
