"""One long story with everything in it, told as text: run as a program, it prints every decision.

`test_determinism.py` runs it under several hash seeds. Chance comes from a seed of its own.
"""

import random
from typing import Any

from core_bench import Bench, Idle

from eventflow import (
    AllOf,
    AnyOf,
    EventCondition,
    Every,
    Not,
    TaskAction,
    TaskStatus,
    TaskStatusCondition,
    Workflow,
)
from eventflow.core.decision import Decision

X, Y = EventCondition("x"), EventCondition("y")
ENDED = {TaskStatus.SUCCESS, TaskStatus.FAILED, TaskStatus.SKIPPED, TaskStatus.STOPPED}


def flow(name: str, *, key: str) -> Workflow:
    with Workflow(name, max_active=2, tags={"red", "green", "blue", "white"}) as workflow:
        a = Idle("a", retries=1, retry_on={ValueError, KeyError, OSError, TypeError})
        b, c = Idle("b", timeout=30), Idle("c", periodic_expression=Every(60))
        d, e = Idle("d", takes=[a.output]), Idle("e", autostart=False)
        f = Idle("f", max_active_items=2, retries=1).map([1, 2, 3])
        g = Idle("g", on_item_failure="stop", pool="p").map(f.output)
        f >> g
        f.action_on_event_received(TaskAction.RESTART, f"{key}.*")
        b.action_on_task_status(TaskAction.RESTART, {a: ENDED, c: ENDED})
        b.action_on_event_received(TaskAction.STOP, f"{key}.*")
        c.action_on_condition(
            TaskAction.STOP, AllOf(AnyOf(X, Y), Not(TaskStatusCondition(a, ENDED)))
        )
        e.action_on_condition(TaskAction.START, X & Y & TaskStatusCondition(d, ENDED))
        e.action_on_event_received(TaskAction.STOP, "eventflow.report.*")
    workflow.trigger_on_event(f"{key}.**")
    workflow.trigger_on_condition(X & Y)
    return workflow


def play(seed: int, steps: int = 400) -> list[str]:
    chance = random.Random(seed)  # noqa: S311  a story, not a secret
    bench = Bench()
    bench.command("pool", namespace="default", pool="p", slots=2)
    for name in ("one", "two", "three"):
        bench.register(flow(name, key=chance.choice(["p", "q"])))
    for _ in range(steps):
        step(bench, chance)
    return [line for decision in bench.decisions for line in lines_of(decision)]


def step(bench: Bench, chance: random.Random) -> None:
    world = bench.world
    what = chance.choice(["emit", "report", "report", "report", "timer", "command", "quiet", "map"])
    lives = list(world.executions.values())
    if what == "emit":
        bench.emit(chance.choice(["x", "y", "p.1", "q.1"]))
    elif what == "report" and world.homes:
        kind = chance.choice(["running", "success", "failed", "skipped", "lost", "stopped"])
        run_id = chance.choice(sorted(world.homes))
        execution_id, task = world.homes[run_id]
        run = world.executions[execution_id].run(run_id, task)
        bench.report(kind, run_id, run.attempt if run else 1)
    elif what == "timer" and world.timers:
        bench.alarm(min(world.timers.values(), key=lambda timer: (timer.due_at, timer.key)))
    elif what == "command" and lives:
        action = chance.choice([TaskAction.RESTART, TaskAction.STOP, TaskAction.START])
        bench.task(chance.choice(lives), chance.choice("abcdefg"), action)
        if chance.random() < 0.2:
            bench.command("stop", workflow_execution_id=chance.choice(lives).id)
    elif what == "map":
        for live, run in bench.waiting_maps():
            bench.expand(live, run, chance.choice([[0], [3], [2, [1, 3]]]))
    elif what == "quiet" and lives and not bench.facts:
        bench.quiet(chance.choice(lives))


def lines_of(decision: Decision) -> list[str]:
    return [
        f"{decision.turn} {decision.event.key} {decision.event.workflow_execution_id}",
        *(f"  {outcome}" for outcome in decision.outcomes),
        *(f"  {type(change).__name__} {_fields(change)}" for change in decision.changes),
    ]


def _fields(change: Any) -> str:
    names = ("run", "record", "timer", "name", "value", "status", "key", "shape", "runs", "waiting")
    return " ".join(f"{name}={getattr(change, name)}" for name in names if hasattr(change, name))


if __name__ == "__main__":
    print("\n".join(play(seed=7)))  # noqa: T201  the printed story is what is compared
