"""Pools and priorities: what has to wait is QUEUED, says for what, starts in its order (S44)."""

from typing import Any

import pytest
from scenario_tasks import Work

from eventflow import Operator, TaskAction, TaskStatus, Workflow
from eventflow.core.explanation import ExecutionExplained
from eventflow.errors import ConflictError, DefinitionError
from eventflow.model.records import PoolRecord
from eventflow.testing import VirtualScheduler

FAILED, RUNNING = TaskStatus.FAILED, TaskStatus.RUNNING
WAITS = "waits for a slot of pool 'gpu'"
UNSET = f"{WAITS}, which has not been set: eventflow pool set gpu 2"
DONE = ["INIT", "QUEUED", "RUNNING", "SUCCESS"]


def fan(*names: str, name: str = "w", **config: Any) -> Workflow:
    """Tasks that start with their execution, in pool gpu if nothing else is said."""
    with Workflow(name) as workflow:
        for task in names:
            Work(task, **{"pool": "gpu", **config})
    return workflow


class Takes(Work):
    """A task that takes the output of another."""

    def __init__(self, name: str, upstream: Operator, **config: Any) -> None:
        self._output = upstream.output
        super().__init__(name, **config)

    @property
    def arguments(self) -> Any:
        return self._output


def begun(scheduler: VirtualScheduler) -> list[str]:
    """Every attempt that an executor was handed, in order."""
    return [job.task_execution.task_name for job in scheduler._worker.jobs]


def stands(scheduler: VirtualScheduler, name: str = "gpu", namespace: str = "default") -> Any:
    """Slots, held and waiting of one pool."""
    for pool in scheduler.pools():
        if (pool.namespace, pool.name) == (namespace, name):
            return pool.slots, pool.held, pool.waiting
    return None


def take_long(scheduler: VirtualScheduler, *tasks: str, after: float = 60) -> None:
    for task in tasks:
        scheduler.outcome(task, after=after)


@pytest.mark.rule("S42", "S44")
def test_explaining_many_that_wait_reads_the_pools_once(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = VirtualScheduler(fan("a", "b", "c"))
    scheduler.set_pool("gpu", 0)
    scheduler.run()
    pools = scheduler.store.pools
    reads: list[str] = []

    def counted() -> list[PoolRecord]:
        reads.append("once")
        return pools()

    monkeypatch.setattr(scheduler.store, "pools", counted)

    explained = scheduler.explain(1)

    assert isinstance(explained, ExecutionExplained)
    assert [task.notes for task in explained.tasks] == [
        ("pool gpu: 0 slots, 0 held, 3 waiting",)
    ] * 3
    assert reads == ["once"]


@pytest.mark.rule("S44")
def test_what_waits_starts_in_order_of_priority_and_then_of_age() -> None:
    with Workflow("w") as workflow:
        Work("low", pool="gpu", priority=-1)
        Work("first", pool="gpu")
        Work("second", pool="gpu")
        Work("urgent", pool="gpu", priority=10)
    scheduler = VirtualScheduler(workflow)
    scheduler.set_pool("gpu", 1)
    take_long(scheduler, "low", "first", "second", "urgent")

    scheduler.run()
    assert begun(scheduler) == ["urgent"]
    scheduler.advance(seconds=60)
    assert begun(scheduler) == ["urgent", "first"]
    scheduler.advance(minutes=3)

    assert begun(scheduler) == ["urgent", "first", "second", "low"]
    assert scheduler.runs("low") == [(1, DONE)]
    assert scheduler.status() == "SUCCESS"


@pytest.mark.rule("S44")
def test_an_urgent_task_that_comes_later_goes_before_those_that_wait_and_stops_none() -> None:
    with Workflow("w") as workflow:
        for name in ("a", "b", "c"):
            Work(name, pool="gpu")
        urgent = Work("urgent", pool="gpu", priority=1)
        urgent.action_on_event_received(TaskAction.START, "now")
    scheduler = VirtualScheduler(workflow)
    scheduler.set_pool("gpu", 1)
    take_long(scheduler, "a", "b", "c", "urgent")
    scheduler.run()

    scheduler.advance(seconds=30)
    scheduler.emit("now")
    assert begun(scheduler) == ["a"]
    scheduler.advance(minutes=4)

    assert begun(scheduler) == ["a", "urgent", "b", "c"]


@pytest.mark.rule("S44")
def test_what_waits_says_for_what_and_says_it_no_more_once_it_is_handed_over() -> None:
    scheduler = VirtualScheduler(fan("a", "b"))
    scheduler.set_pool("gpu", 1)
    scheduler.outcome("a", after=60)
    scheduler.outcome("b", RUNNING)
    execution = scheduler.run()

    assert [(run.status, run.reason) for run in execution.tasks] == [
        ("RUNNING", ""),
        ("QUEUED", WAITS),
    ]
    told = scheduler.explain(execution.id, "b")
    assert told.notes == ("pool gpu: 1 slot, 1 held, 1 waiting",)
    scheduler.advance(seconds=60)

    b = scheduler.execution().tasks[1]
    assert (b.status, b.reason) == ("RUNNING", "")
    history = [(change.status.value, change.reason) for change in scheduler.store.history(b.id)]
    assert history == [("INIT", ""), ("QUEUED", WAITS), ("RUNNING", "")]
    assert scheduler.explain(execution.id, "b").notes == ()


@pytest.mark.rule("S44")
def test_two_pools_do_not_disturb_each_other_and_default_has_no_limit() -> None:
    with Workflow("w") as workflow:
        for name in ("a1", "a2"):
            Work(name, pool="a")
        for name in ("b1", "b2"):
            Work(name, pool="b")
        Work("free")
    scheduler = VirtualScheduler(workflow)
    scheduler.set_pool("a", 1)
    scheduler.set_pool("b", 1)
    scheduler.outcome("a1", RUNNING)

    scheduler.run()

    assert begun(scheduler) == ["free", "a1", "b1", "b2"]
    assert (stands(scheduler, "a"), stands(scheduler, "b")) == ((1, 1, 1), (1, 0, 0))


@pytest.mark.rule("S44")
def test_the_pools_of_namespaces_are_apart() -> None:
    with Workflow("w", namespace="ml") as there:
        Work("b", pool="gpu")
    scheduler = VirtualScheduler(fan("a"), there)
    scheduler.set_pool("gpu", 1)
    scheduler.outcome("a", RUNNING)
    scheduler.run()

    execution = scheduler.run(there)

    assert execution.tasks[0].reason == f"{UNSET} --namespace ml"
    scheduler.set_pool("gpu", 1, namespace="ml")
    assert begun(scheduler) == ["a", "b"]
    assert stands(scheduler) == (1, 1, 0)
    assert stands(scheduler, namespace="ml") == (1, 0, 0)


@pytest.mark.rule("S44")
def test_a_pool_that_nobody_has_set_holds_its_tasks_back_and_says_so() -> None:
    scheduler = VirtualScheduler(fan("a", "b"))
    take_long(scheduler, "a", "b")
    execution = scheduler.run()

    assert begun(scheduler) == []
    assert [run.reason for run in execution.tasks] == [UNSET, UNSET]
    assert scheduler.explain(execution.id, "a").notes == (
        "pool gpu: nobody has set it, 0 held, 2 waiting",
    )
    scheduler.restart_scheduler()
    scheduler.set_pool("gpu", 1)

    assert [run.reason for run in scheduler.execution().tasks] == ["", WAITS]
    scheduler.advance(minutes=2)
    assert scheduler.status() == "SUCCESS"


@pytest.mark.rule("S44")
def test_slots_that_are_added_are_handed_over_at_once() -> None:
    scheduler = VirtualScheduler(fan("a", "b", "c", "d"))
    scheduler.set_pool("gpu", 0)
    take_long(scheduler, "a", "b", "c", "d")
    scheduler.run()
    assert (begun(scheduler), stands(scheduler)) == ([], (0, 0, 4))

    scheduler.set_pool("gpu", 2)
    assert (begun(scheduler), stands(scheduler)) == (["a", "b"], (2, 2, 2))
    scheduler.set_pool("gpu", None)

    assert (begun(scheduler), stands(scheduler)) == (["a", "b", "c", "d"], (None, 4, 0))


@pytest.mark.rule("S44")
def test_slots_that_are_taken_away_let_what_runs_come_to_its_end() -> None:
    scheduler = VirtualScheduler(fan("a", "b", "c", "d", "e", "f", "g"))
    scheduler.set_pool("gpu", 2)
    take_long(scheduler, "a", "c", "d", "e", "f", "g")
    scheduler.outcome("b", after=90)
    scheduler.run()

    scheduler.set_pool("gpu", 1)
    assert stands(scheduler) == (1, 2, 5)
    scheduler.advance(seconds=60)
    assert (begun(scheduler), stands(scheduler)) == (["a", "b"], (1, 1, 5))
    scheduler.advance(seconds=30)
    assert (begun(scheduler), stands(scheduler)) == (["a", "b", "c"], (1, 1, 4))

    scheduler.advance(minutes=5)
    assert scheduler.status() == "SUCCESS"


@pytest.mark.rule("S44")
def test_default_can_be_limited_too_and_counts_what_runs_already() -> None:
    scheduler = VirtualScheduler(fan("a", "b", "c", pool=None))
    take_long(scheduler, "a", "b", "c")
    scheduler.run()

    scheduler.set_pool("default", 3)
    assert stands(scheduler, "default") == (3, 3, 0)
    for _ in range(3):
        scheduler.outcome("a", after=60)
    second = scheduler.run()
    assert [run.status.value for run in second.tasks] == ["QUEUED"] * 3
    scheduler.restart_scheduler()
    scheduler.advance(seconds=60)

    assert stands(scheduler, "default")[0] == 3
    assert [run.status.value for run in scheduler.execution(second).tasks] == [
        "RUNNING",
        "SUCCESS",
        "SUCCESS",
    ]


@pytest.mark.rule("S44")
def test_a_pool_serves_executions_of_every_snapshot_and_workflow_oldest_first() -> None:
    first = fan("a", "b")
    scheduler = VirtualScheduler(first)
    scheduler.run()
    second = fan("b", "c")
    scheduler.register(second)
    scheduler.run(second)
    other = fan("d", name="other")
    scheduler.register(other)
    scheduler.run(other)

    scheduler.set_pool("gpu", 1)

    assert begun(scheduler) == ["a", "b", "b", "c", "d"]
    assert {one.status.value for one in scheduler.executions()} == {"SUCCESS"}


@pytest.mark.rule("S44", "S38")
def test_a_task_that_waits_keeps_the_outputs_it_was_bound_to_when_it_was_queued() -> None:
    with Workflow("w", completion="manual") as workflow:
        source = Work("source")
        source.action_on_event_received(TaskAction.RESTART, "again")
        Work("holder", pool="gpu")
        taker = Takes("taker", source, pool="gpu")
        taker.action_on_event_received(TaskAction.START, "take")
    scheduler = VirtualScheduler(workflow)
    scheduler.set_pool("gpu", 1)
    scheduler.outcome("holder", after=60)
    scheduler.run()
    scheduler.emit("again")
    scheduler.emit("take")
    scheduler.emit("again")
    assert scheduler.started("taker") == []

    scheduler.restart_scheduler()
    scheduler.advance(seconds=60)

    (job,) = scheduler.started("taker")
    second = [run.id for run in scheduler.execution().tasks if run.task_name == "source"][1]
    assert job.inputs == {"source": second}


@pytest.mark.rule("S44", "S16")
def test_a_task_that_waited_reads_the_event_that_started_it_and_not_the_one_that_let_it_go() -> (
    None
):
    with Workflow("w", completion="manual") as workflow:
        Work("holder", pool="gpu")
        late = Work("late", pool="gpu")
        late.action_on_event_received(TaskAction.START, "go")
    scheduler = VirtualScheduler(workflow)
    scheduler.set_pool("gpu", 1)
    scheduler.outcome("holder", after=60)
    scheduler.run()
    scheduler.emit("go", {"n": 1})
    scheduler.advance(seconds=60)

    (job,) = scheduler.started("late")
    assert (job.trigger_event.key, job.trigger_event.value) == ("go", {"n": 1})
    assert job.task_execution.pool == "gpu"


@pytest.mark.rule("S44")
def test_two_thousand_tasks_never_are_more_than_three_at_once() -> None:
    scheduler = VirtualScheduler(fan(*(f"t{number}" for number in range(2_000))))
    scheduler.set_pool("gpu", 3)
    scheduler.run()
    most = 0
    for _ in range(2_000):
        most = max(most, stands(scheduler)[1])
        scheduler.advance(seconds=1)

    assert most <= 3
    assert begun(scheduler) == [f"t{number}" for number in range(2_000)]
    assert scheduler.status() == "SUCCESS"


@pytest.mark.rule("S44")
@pytest.mark.parametrize(
    ("name", "slots"), [("g.pu", 1), ("", 1), ("gpu", -1), ("gpu", 1.5), ("gpu", True)]
)
def test_a_pool_that_cannot_be_is_refused_and_nothing_is_written(name: str, slots: Any) -> None:
    scheduler = VirtualScheduler(fan("a"))
    before = scheduler.store.last_offset()

    with pytest.raises(DefinitionError, match="pool"):
        scheduler.set_pool(name, slots)
    assert scheduler.store.last_offset() == before
    command = scheduler.client._command(
        "pool", {"namespace": "default", "pool": name, "slots": slots}, "default"
    )
    scheduler.run_until_idle()
    with pytest.raises(ConflictError, match="pool"):
        scheduler.client.outcome(command, 0)

    assert scheduler.pools() == []


@pytest.mark.rule("S44")
def test_setting_a_pool_to_what_it_is_changes_nothing() -> None:
    scheduler = VirtualScheduler(fan("a"))
    scheduler.set_pool("gpu", 2)
    scheduler.set_pool("gpu", 2)

    assert [decision.did for decision in scheduler.decisions()][-2:] == [
        "set",
        "ignored: set so already",
    ]


@pytest.mark.rule("S44", "S9")
def test_a_pool_that_nobody_has_set_is_gone_with_the_last_who_waited_for_it() -> None:
    with Workflow("w") as workflow:
        Work("a", pool="typo")
        Work("b", pool="typo")
    scheduler = VirtualScheduler(workflow)
    execution = scheduler.run()
    scheduler.stop_task(execution, "a")
    assert [(pool.name, pool.waiting) for pool in scheduler.pools()] == [("typo", 1)]

    scheduler.stop_workflow(execution)

    assert scheduler.pools() == []
    assert scheduler.status(execution) == "STOPPED"
    assert scheduler.replay().equal
