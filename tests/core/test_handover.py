"""The order in which slots are given, against a list that is sorted whenever it is asked (S44)."""

from bisect import insort
from typing import Any

from core_bench import Bench, Idle, ask
from hypothesis import given, settings
from hypothesis import strategies as st

from eventflow import Event, TaskAction, Workflow
from eventflow.core.decide import COMMAND, REPORT, take
from eventflow.core.draft import Draft
from eventflow.core.moves import RunMoved
from eventflow.core.pools import Pool, place_of
from eventflow.core.world import LiveExecution

KEY = ("default", "p")
PRIORITIES = (0, 5, -5, 0, 5, 0)
NUMBERS = st.integers(0, 99)
ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("start"), st.integers(0, len(PRIORITIES) - 1)),
        st.tuples(st.just("map"), st.integers(1, 4)),
        st.tuples(
            st.sampled_from(["success", "failed", "skipped", "lost", "stop", "wait"]), NUMBERS
        ),
        st.tuples(st.just("slots"), st.sampled_from([None, 0, 1, 2, 3])),
    ),
    max_size=40,
)


class Oracle:
    """Slots, who holds one, and everybody who waits; who is next is found by sorting."""

    def __init__(self) -> None:
        self.slots: int | None = 0
        self.held: set[int] = set()
        self.waiting: dict[int, int] = {}

    def give(self) -> None:
        while self.waiting and (self.slots is None or len(self.held) < self.slots):
            chosen = sorted(self.waiting, key=lambda run: (-self.waiting[run], run))[0]
            del self.waiting[chosen]
            self.held.add(chosen)


def workflow() -> Workflow:
    with Workflow("w", completion="manual") as made:
        for number, priority in enumerate(PRIORITIES):
            Idle(
                f"t{number}", autostart=False, pool="p", priority=priority, retries=9, retry_delay=5
            )
        items = Idle("map", autostart=False, pool="p", priority=2, retries=9, retry_delay=5)
        items.map([1])
    return made


@settings(max_examples=150, deadline=None)
@given(ACTS)
def test_slots_go_to_the_first_by_priority_and_age_whatever_happens(
    acts: list[tuple[str, Any]],
) -> None:
    bench, oracle = Bench(), Oracle()
    bench.register(workflow())
    live = bench.run(workflow())
    for kind, what in acts:
        do(bench, live, oracle, kind, what)
        oracle.give()
        pool = bench.world.pools.get(KEY, Pool(0))
        assert set(pool.held) == oracle.held
        assert {run for _, run in pool.line} == set(oracle.waiting)


def do(bench: Bench, live: LiveExecution, oracle: Oracle, kind: str, what: Any) -> None:
    match kind:
        case "slots":
            bench.command("pool", namespace="default", pool="p", slots=what)
            oracle.slots = what
        case "start":
            before = bench.world.counters.run_id
            bench.task(live, f"t{what}", TaskAction.START)
            if bench.world.counters.run_id > before:
                oracle.waiting[before + 1] = PRIORITIES[what]
        case "map":
            # Each item asks for a slot of its own; the map itself takes none (S43).
            bench.task(live, "map", TaskAction.START)
            for _, run in bench.waiting_maps():
                first = bench.world.counters.run_id + 1
                bench.expand(live, run, [what])
                oracle.waiting.update(dict.fromkeys(range(first, first + what), 2))
        case "wait":
            bench.wait(seconds=5)
            for timer in sorted(bench.world.timers.values(), key=lambda timer: timer.run_id):
                bench.alarm(timer)
                oracle.waiting[timer.run_id] = priority_of(timer.task)
                oracle.give()
        case "stop":
            chosen = sorted({*oracle.waiting, *oracle.held})
            if chosen:
                stop(bench, live, oracle, chosen[what % len(chosen)])
        case _:
            chosen = sorted(oracle.held)
            if chosen:
                end(bench, oracle, kind, chosen[what % len(chosen)])


def stop(bench: Bench, live: LiveExecution, oracle: Oracle, run_id: int) -> None:
    run = live.run(run_id, bench.world.homes[run_id][1])
    assert run is not None
    bench.task(live, run.task, TaskAction.STOP)
    # Of a map all items are stopped: those that were told to, and those that held nothing.
    items = live.items.get(run.parent)
    for stopped in list(items.alive.values()) if items is not None else [run]:
        if stopped.id in oracle.held:
            bench.report("stopped", stopped.id, stopped.attempt)
            oracle.held.discard(stopped.id)
    for gone in [one for one in oracle.waiting if one not in bench.world.homes]:
        del oracle.waiting[gone]


def priority_of(task: str) -> int:
    return 2 if task == "map" else PRIORITIES[int(task[1:])]


def end(bench: Bench, oracle: Oracle, kind: str, run_id: int) -> None:
    execution_id, task = bench.world.homes[run_id]
    run = bench.world.executions[execution_id].run(run_id, task)
    assert run is not None
    bench.report("running", run_id, run.attempt)
    oracle.held.discard(run_id)
    if kind == "lost" and run.lost < 3:
        # A lost attempt is made up for at once, and stands in the line by its age again.
        oracle.waiting[run_id] = priority_of(task)
    bench.report(kind, run_id, run.attempt)


@given(st.lists(st.tuples(st.integers(-2, 2), st.integers(1, 50)), unique=True))
def test_a_line_is_sorted_and_gives_back_what_joined(runs: list[tuple[int, int]]) -> None:
    pool, expected = Pool(0), []
    for priority, run_id in runs:
        place = place_of(priority, run_id)
        assert not pool.has(place)
        pool.join(place)
        insort(expected, place)
        assert pool.has(place)
    assert pool.line == expected
    for place in sorted(expected, key=lambda one: one[1]):
        pool.leave(place)
        assert not pool.has(place)
    assert pool.line == []


def test_a_batch_that_was_not_committed_leaves_the_line_as_it_was() -> None:
    bench = Bench()
    bench.register(workflow())
    live = bench.run(workflow())
    for number in range(4):
        bench.task(live, f"t{number}", TaskAction.START)
    bench.command("pool", namespace="default", pool="p", slots=1)
    pool = bench.world.pools[KEY]
    before = (pool.slots, dict(pool.held), list(pool.line))
    draft = Draft(bench.world)

    more = {"workflow_execution_id": live.id, "task": "t5", "action": "START"}
    take(draft, Event(COMMAND + "task", more), ask, bench.now)
    assert len(pool.line) == len(before[2]) + 1
    for slots in (3, 0, None):
        value = {"namespace": "default", "pool": "p", "slots": slots}
        take(draft, Event(COMMAND + "pool", value), ask, bench.now)
    stopped = {"workflow_execution_id": live.id}
    take(draft, Event(COMMAND + "stop", stopped), ask, bench.now)
    assert (pool.slots, pool.line) == (None, [])
    draft.rollback()

    assert (pool.slots, pool.held, pool.line) == before


def test_a_slot_that_one_decision_frees_and_asks_for_goes_to_the_first() -> None:
    """A lost attempt frees its slot and asks for one again in the decision that says so."""
    with Workflow("w") as made:
        Idle("old", pool="p")
        Idle("urgent", pool="p", priority=1, autostart=False)
    bench = Bench()
    bench.register(made)
    bench.command("pool", namespace="default", pool="p", slots=1)
    live = bench.run(made)
    bench.task(live, "urgent", TaskAction.START)
    old, urgent = bench.latest(live, "old").id, bench.latest(live, "urgent").id

    bench.report("lost", old)

    pool = bench.world.pools[KEY]
    assert (set(pool.held), pool.line) == ({urgent}, [(0, old)])


def test_items_are_stopped_in_their_order_also_after_a_batch_was_taken_back() -> None:
    """Else what is decided then would not be what a replay decides (S9)."""
    with Workflow("w", completion="manual") as made:
        Idle("map").map([1, 2, 3])
    bench = Bench()
    bench.register(made)
    live = bench.run(made)
    ((_, run),) = bench.waiting_maps()
    bench.expand(live, run, [3])
    first = live.items[run.id].first
    bench.report("running", first)
    draft = Draft(bench.world)
    place = {"execution_id": live.id, "task": "map", "run_id": first, "attempt": 1}
    success = Event(REPORT + "success", place, workflow_execution_id=live.id)
    take(draft, success, ask, bench.now, result="1")
    draft.rollback()

    stopping = bench.task(live, "map", TaskAction.STOP)

    moved = [change.run.id for change in stopping.changes if isinstance(change, RunMoved)]
    assert moved == [run.id, first, first + 1, first + 2]
