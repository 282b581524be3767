"""What reporting costs a flow, whatever the platform does: the ratio to a flow without it.

Of two figures: the time on the wall, and the processor's time of the flow's process; the platforms
are in another one. `flow` is from before the reporter is there to the end of the flow. `whole` is
to the end of its scheduler, in which the platform is told how it ended: that takes as long as the
platform takes to answer, so it is told for the healthy one.

Noise is kept out like this: every round runs all of them, each round beginning with another one, so
that a slow moment of the machine hits all alike; of each the ratio to the one without a reporter is
taken within its round, and of the rounds the median. `control` is a second flow without a reporter:
how far it is from 1 is what the machine adds. `own` is free of noise, and of what threads cost each
other: the share of the flow's time in which the threads of reporting had the processor.
"""

import statistics
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from eventflow import PythonOperator, Scheduler, Workflow
from eventflow.reporters import UplinkClient, UplinkConfig
from tests.bench.platforms import platforms
from tests.bench.work import chain

TARGET = 1.02
_OWN = ("eventflow-uplink", "eventflow-news")
_TOLD = ("healthy", "refusing", "hanging")


class Taken(NamedTuple):
    """Seconds of one flow, on the wall and of the processor.

    Attributes:
        own: Of the processor's in `flow`, those of the threads that reporting keeps busy.
    """

    flow: float
    flow_cpu: float
    whole: float
    whole_cpu: float
    own: float


def run(folder: Path, *, length: int = 200, rounds: int = 31) -> dict[str, object]:
    """A flow of no-op steps, one after another."""
    return _figures("uplink", folder, partial(chain, length), rounds=rounds)


def run_long(folder: Path, *, seconds: float = 10, rounds: int = 3) -> dict[str, object]:
    """A flow of 2,000 tasks that wait for something, eight at a time: most of it is idle."""
    return _figures("uplink_long", folder, partial(_waiting, seconds), rounds=rounds)


def _waiting(seconds: float, lanes: int = 8, length: int = 250) -> Workflow:
    pause = seconds / length
    with Workflow("waiting") as workflow:
        for lane in range(lanes):
            before = None
            for number in range(length):
                task = PythonOperator(f"t{lane}_{number}", time.sleep, [pause])
                if before is not None:
                    before >> task
                before = task
    return workflow


def _figures(
    name: str, folder: Path, make: Callable[[], Workflow], *, rounds: int
) -> dict[str, object]:
    taken: dict[str, list[Taken]] = {}
    with platforms() as all_urls:
        urls: dict[str, str | None] = {"none": None, "control": None}
        urls |= {told: all_urls[told] for told in _TOLD}
        for number in range(rounds + 1):
            turn = number % len(urls)
            for told, url in [*urls.items()][turn:] + [*urls.items()][:turn]:
                seconds = _once(f"sqlite:///{folder}/{told}.{number}.db", url, make())
                if number:  # the first warms up
                    taken.setdefault(told, []).append(seconds)
    return {
        "bench": name,
        "rounds": rounds,
        "ms_without": round(statistics.median(one.flow for one in taken["none"]) * 1e3, 1),
        **{f"flow_{told}": _ratio(taken, told, 0) for told in ("control", *_TOLD)},
        **{f"flow_cpu_{told}": _ratio(taken, told, 1) for told in ("control", *_TOLD)},
        **{f"own_{told}": _share(taken[told]) for told in _TOLD},
        **{f"whole_{told}": _ratio(taken, told, 2) for told in ("control", "healthy")},
        **{f"whole_cpu_{told}": _ratio(taken, told, 3) for told in ("control", "healthy")},
        "target": TARGET,
    }


def _ratio(taken: dict[str, list[Taken]], name: str, place: int) -> float:
    """The median over the rounds of the ratio within a round."""
    pairs = zip(taken[name], taken["none"], strict=True)
    return round(statistics.median(mine[place] / without[place] for mine, without in pairs), 3)


def _share(taken: list[Taken]) -> float:
    return round(statistics.median(one.own / one.flow for one in taken), 4)


def _own_cpu() -> float:
    """Seconds of the processor that the threads of reporting have had."""
    return sum(
        time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
        for thread in threading.enumerate()
        if thread.name in _OWN and thread.ident is not None
    )


def _once(store: str, url: str | None, workflow: Workflow) -> Taken:
    with Scheduler(store) as scheduler:
        scheduler.register(workflow)
        wall, cpu, own = time.perf_counter(), time.process_time(), _own_cpu()
        if url is not None:
            grace = 5 if "healthy" in store else 0
            UplinkClient(UplinkConfig(url=url, grace=grace)).attach(scheduler)
        ended = scheduler.run(workflow).wait(120)
        flow, flow_cpu = time.perf_counter() - wall, time.process_time() - cpu
        own = _own_cpu() - own
        assert {run.status for run in ended.tasks} == {"SUCCESS"}
        assert len(ended.tasks) == len(workflow.tasks)
    return Taken(flow, flow_cpu, time.perf_counter() - wall, time.process_time() - cpu, own)
