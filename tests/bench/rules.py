"""P7: the cost of an event beside rules that do not match it, and what registering those costs.

The rules are of many workflows, a thousand each; one in four is an exact key, the others have
patterns of all kinds, also with a first token that fits anything. `flat_batched` is the cost of an
event beside the most rules over that beside one, in processor time, both taken in turn in one run;
`flat_alone` is that of events that come one by one, and `flat_register` the cost of registering a
workflow, the dearest over that of the first few.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from eventflow import Event, PythonOperator, Scheduler, Workflow
from tests.bench.turns import (
    Figures,
    cost_alone,
    cost_of_events,
    curve,
    memory_kib,
    wait_until_decided,
)
from tests.bench.work import nothing

TARGET = 1.1
_OF_A_WORKFLOW = 1_000


def run(
    folder: Path, *, rules: tuple[int, ...] = (1, 1_000, 100_000), rounds: int = 7
) -> dict[str, object]:
    found = curve(folder, beside_rules, rules, rounds=rounds)
    most = found.made[-1]
    return {
        "bench": "P7 rules",
        "rules": list(rules),
        **found.of_an_event(),
        "target_flat": TARGET,
        "register_s": [round(made["register_s"], 2) for made in found.made],
        "register_us_per_rule": round(most["register_s"] / rules[-1] * 1e6, 1),
        "bytes_per_rule": round((most["kib"] - found.made[0]["kib"]) * 1024 / rules[-1]),
        **_registering(folder),
    }


def _registering(folder: Path, at_once: int = 250, times: int = 6) -> dict[str, object]:
    """Workflows of one rule each, so many at once: the cost of one, and how it grows with those
    that are there already.
    """
    costs = []
    with Scheduler(f"sqlite:///{folder}/registering.db") as scheduler:
        scheduler.register(*_single(range(at_once)))
        for number in range(1, times + 1):
            some = _single(range(number * at_once, (number + 1) * at_once))
            begin = time.process_time()
            scheduler.register(*some)
            costs.append((time.process_time() - begin) / at_once * 1e6)
        assert len(scheduler.workflows()) == (times + 1) * at_once
    return {
        "register_cpu_us_per_workflow": [round(cost) for cost in costs],
        "flat_register": round(
            statistics.median(costs[times // 2 :]) / statistics.median(costs[: times // 2]), 3
        ),
    }


def _single(numbers: range) -> list[Workflow]:
    workflows = []
    for number in numbers:
        with Workflow(f"single{number}") as workflow:
            PythonOperator("t", nothing)
        workflow.trigger_on_event(f"single.{number}")
        workflows.append(workflow)
    return workflows


def run_long(folder: Path) -> dict[str, object]:
    return run(folder, rules=(1, 1_000, 100_000, 1_000_000))


@contextmanager
def beside_rules(folder: Path, rules: int) -> Iterator[tuple[Figures, Callable[[], Figures]]]:
    """A scheduler with so many workflow rules, of which one is of the workflow `watched`."""
    with Scheduler(f"sqlite:///{folder}/rules.db") as scheduler:
        before = memory_kib()
        begin = time.perf_counter()
        scheduler.register(*_workflows(rules))
        taken = time.perf_counter() - begin
        made = {"register_s": taken, "kib": memory_kib() - before}
        yield made, lambda: _round(scheduler)


def _workflows(rules: int) -> Iterator[Workflow]:
    with Workflow("watched", max_active=1_000_000) as watched:
        PythonOperator("t", nothing)
    watched.trigger_on_event("watched.it")
    yield watched
    for number, first in enumerate(range(1, rules, _OF_A_WORKFLOW)):
        with Workflow(f"other{number}") as other:
            PythonOperator("t", nothing)
        for rule in range(first, min(first + _OF_A_WORKFLOW, rules)):
            other.trigger_on_event(_pattern(rule))
        yield other


def _pattern(rule: int) -> str:
    """None of them fits what is emitted, some by their last token only."""
    kinds = ("shop.{}.orders.paid", "shop.{}.orders.*", "shop.it.x{}.**", "*.it.{}.paid")
    return kinds[rule % len(kinds)].format(rule)


def _round(scheduler: Scheduler) -> Figures:
    """Events that no rule wants; among them one that starts its workflow, and no other."""
    before = scheduler.store.executions(limit=1)
    figures = cost_of_events(scheduler, [Event("shop.it.orders.paid", {"n": 1})] * 2_000)
    figures |= cost_alone(scheduler, "shop.it.orders.paid", count=30)
    assert scheduler.store.executions(limit=1) == before
    scheduler.emit("watched.it")
    wait_until_decided(scheduler)
    (started,) = scheduler.store.executions(limit=1)
    assert started.id == (before[0].id if before else 0) + 1
    assert started.workflow_name == "watched"
    ended = scheduler.execution(started.id).wait(30)
    assert [task.status for task in ended.tasks] == ["SUCCESS"]
    return figures
