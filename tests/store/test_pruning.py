"""Retention: what goes, what stays with whom, and that nothing is ever given twice."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from threading import Event as Flag
from threading import Thread

import invariants
import pytest
from player import Player
from shop import chain, nightly, shop
from story import Step

from eventflow.clock import SystemClock
from eventflow.core.explanation import ExecutionExplained
from eventflow.errors import ConflictError, DuplicateEventError, NotFoundError, StoreError
from eventflow.executors.places import make_private
from eventflow.model.schedule import Every
from eventflow.model.workflow import Workflow
from eventflow.runtime.explaining import explain
from eventflow.store.cut import Cut, Manner, Pruned
from eventflow.store.memory import MemoryStore
from eventflow.store.sqlite import SqliteStore

WEEK = timedelta(days=7)


def after_chain() -> Workflow:
    """Starts when an execution of `chain` has succeeded."""
    with Workflow("after") as workflow:
        Step("only")
    workflow.trigger_on_event("eventflow.workflow.chain.success")
    return workflow


def beats() -> Workflow:
    """A periodic task."""
    with Workflow("beats") as workflow:
        Step("beat", periodic_expression=Every(minutes=1))
    return workflow


@pytest.fixture
def player(tmp_path: Path) -> Iterator[Player]:
    made = Player(tmp_path / "store.db", [chain(), shop(), nightly(), after_chain(), beats()])
    made.register(0)
    made.settle()
    yield made
    made.close()


def _at_once(seconds: float) -> None:
    pass


def prune(player: Player, *, ago: float = 0, window: timedelta = WEEK, **manner: object) -> Pruned:
    now = player.clock.now()
    cut = Cut(before=now - timedelta(seconds=ago), ids_before=now - window, snapshots=True)
    done = player.store.prune(cut, Manner(**{"wait": _at_once, **manner}))  # type: ignore[arg-type]  # by name
    faults = invariants.broken(player.path)
    assert not [fault for fault in faults if "the snapshot of" not in fault]
    return done


def run_chain(player: Player, kind: str = "success") -> int:
    """An execution whose first task succeeds, and whose second ends like that."""
    player.client.run("default", "chain")
    player.settle()
    for end in ("success", kind):
        for run_id, attempt in player.rows(
            "SELECT id, attempt FROM task_execution WHERE status = 'QUEUED'"
        ):
            player.report("running", run_id, attempt)
            player.report(end, run_id, attempt)
        player.settle()
    player.wait(10)
    ((newest,),) = player.rows("SELECT MAX(id) FROM workflow_execution")
    return int(newest)


def executions(player: Player) -> list[int]:
    return [one.id for one in player.store.executions()][::-1]


def count(player: Player, table: str) -> int:
    return int(player.rows(f"SELECT COUNT(*) FROM {table}")[0][0])  # noqa: S608  a name of ours


def test_what_ended_before_the_cut_goes_with_all_that_is_its_own(player: Player) -> None:
    run_chain(player)
    player.client.emit("noted", 1)
    player.settle()
    player.wait(10)
    kept = run_chain(player)

    done = prune(player, ago=15)

    assert executions(player) == [kept]
    assert (done.executions, done.runs) == (1, 2)
    assert player.store.read(keys=["noted"]) == []
    prune(player)
    own = ("workflow_execution", "task_execution", "task_history", "result", "decision", "event")
    assert {name: count(player, name) for name in own} == dict.fromkeys(own, 0)


@pytest.mark.rule("S2")
@pytest.mark.fault("F49")
def test_f49_an_event_that_nobody_has_decided_stays_whatever_its_age(player: Player) -> None:
    player.client.emit("noted", 1)
    player.wait(1000)

    prune(player)

    assert [one.key for one in player.store.read()] == ["noted"]


@pytest.mark.fault("F49")
def test_f49_a_living_execution_keeps_its_events_and_goes_on(player: Player) -> None:
    player.client.run("default", "chain")
    player.settle()
    player.wait(100)
    before = count(player, "event")

    prune(player)
    player.crash("before")

    # The command that registered the workflow has gone.
    assert count(player, "event") == before - 1
    assert executions(player) == [1]
    assert player.store.execution(1).ended is False  # type: ignore[union-attr]  # it is there


@pytest.mark.rule("S31")
@pytest.mark.fault("F49")
def test_f49_a_retry_keeps_the_execution_whose_results_it_has_taken_over(player: Player) -> None:
    old = run_chain(player, "failed")
    player.client.retry(old)
    player.settle()
    player.wait(1000)

    assert prune(player).executions == 0

    for run_id, attempt in player.rows("SELECT id, attempt FROM task_execution WHERE id > 2"):
        player.report("running", run_id, attempt)
        player.report("success", run_id, attempt)
    player.settle()
    assert player.store.latest_result(2, "first") == '"done"'
    player.wait(10)
    assert prune(player).executions == 2


@pytest.mark.rule("S31")
@pytest.mark.fault("F49")
def test_f49_a_retry_that_is_not_decided_yet_keeps_what_it_is_to_retry(player: Player) -> None:
    old = run_chain(player, "failed")
    player.client.retry(old)
    player.wait(1000)

    assert prune(player).executions == 0
    player.settle()
    assert executions(player) == [1, 2]


@pytest.mark.rule("S31")
def test_the_retry_of_what_is_pruned_meanwhile_is_refused(player: Player) -> None:
    old = run_chain(player, "failed")
    picture = player.rows("SELECT COUNT(*) FROM event")
    assert picture
    with pytest.MonkeyPatch.context() as patch:
        told = player.client.store.append

        def prunes_first(*arguments: object, **more: object) -> object:
            patch.undo()
            prune(player)
            return told(*arguments, **more)  # type: ignore[arg-type]  # as they came

        patch.setattr(player.store, "append", prunes_first)
        with pytest.raises(NotFoundError, match="was pruned"):
            player.client.retry(old)
    with pytest.raises((NotFoundError, ConflictError)):
        player.client.retry(old)


@pytest.mark.fault("F20")
def test_f20_offsets_turns_and_ids_are_never_given_again(player: Player) -> None:
    run_chain(player)
    newest = player.store.last_offset()

    prune(player)
    player.crash("before")

    assert player.client.emit("next").offset == newest + 1
    assert run_chain(player) == 2
    assert player.rows("SELECT MIN(turn) FROM event")[0][0] > newest - 5


@pytest.mark.rule("S3")
@pytest.mark.fault("F49")
def test_f49_an_id_is_remembered_past_the_end_of_its_event(player: Player) -> None:
    first = player.client.emit("paid", 1, id="one", sender="me")
    player.settle()
    player.wait(60)
    prune(player)
    assert player.store.read() == []

    again = player.client.emit("paid", 1, id="one", sender="me")

    assert (again.offset, again.logged_at) == (first.offset, first.logged_at)
    assert player.store.decided_offset(again.offset)
    assert player.store.read() == []
    with pytest.raises(DuplicateEventError):
        player.client.emit("paid", 2, id="one", sender="me")


@pytest.mark.rule("S3")
@pytest.mark.fault("F49")
def test_f49_an_id_is_forgotten_when_its_window_is_past_and_its_event_is_gone(
    player: Player,
) -> None:
    first = player.client.emit("paid", 1, id="one", sender="me")
    player.settle()
    player.wait(60)
    assert prune(player, ago=100, window=timedelta(0)).ids == 0
    assert prune(player, window=timedelta(0)).ids == 1

    assert player.client.emit("paid", 2, id="one", sender="me").offset > first.offset


def test_only_one_namespace_is_pruned_when_one_is_named(player: Player) -> None:
    player.client.emit("noted", namespace="other")
    player.client.emit("noted")
    player.settle()
    player.wait(10)
    now = player.clock.now()

    player.store.prune(Cut(before=now, ids_before=now, namespace="other"))

    assert [one.namespace for one in player.store.read()] == ["default"]


def stop_newest(player: Player) -> None:
    player.client.stop(executions(player)[-1])
    player.settle()
    for run_id, attempt in player.rows(
        "SELECT id, attempt FROM task_execution WHERE status = 'STOPPING'"
    ):
        player.report("stopped", run_id, attempt)
    player.settle()
    player.wait(10)


@pytest.mark.rule("S33")
def test_due_times_go_with_their_executions_but_for_the_newest(player: Player) -> None:
    player.register(2)
    player.settle()
    for _ in range(4):
        player.wait(3600)
        player.settle()
        stop_newest(player)
    player.wait(5000)  # a misfire: accounted for, and no execution
    player.settle()
    fired = "SELECT due_at FROM schedule_firing ORDER BY due_at"
    before = player.rows(fired)
    assert len(before) == 5

    assert prune(player, ago=10_000, dry=True).firings == 2
    assert prune(player, ago=10_000).firings == 2
    assert player.rows(fired) == before[2:]
    assert prune(player).firings == 2
    assert player.rows(fired) == before[-1:]

    player.wait(3600)
    player.settle()
    assert len(player.rows(fired)) == 2
    assert invariants.broken(player.path) == []


@pytest.mark.rule("S34")
def test_due_times_of_a_periodic_task_go_with_its_execution(player: Player) -> None:
    player.register(4)
    player.settle()
    for _ in range(3):
        player.client.run("default", "beats")
        player.settle()
    player.wait(60)
    player.settle()
    assert count(player, "schedule_firing") == 3
    stop_newest(player)
    prune(player)

    firings = player.rows("SELECT schedule FROM schedule_firing ORDER BY schedule")
    assert firings == [(f"periodic:{one}:beat",) for one in executions(player)]
    assert len(firings) == 2


def test_the_next_one_finishes_what_a_killed_one_has_begun(
    player: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventflow.store.erasing.RUNS_A_COMMIT", 1)
    monkeypatch.setattr("eventflow.store.pruning.RUNS_A_COMMIT", 1)
    for _ in range(3):
        run_chain(player, "failed")
    told: list[Pruned] = []

    stopped = prune(player, progress=told.append, stop=lambda: len(told) >= 2)

    assert stopped.stopped
    assert executions(player) == [1, 2, 3]
    with pytest.raises(NotFoundError, match="pruned"):
        player.client.retry(1)
    # It was begun, so it is finished, though it is too young for this one.
    assert prune(player, ago=10_000).executions == 1
    assert executions(player) == [2, 3]


def test_a_dry_run_counts_and_deletes_nothing(player: Player) -> None:
    run_chain(player)
    events = count(player, "event")

    counted = prune(player, dry=True)

    assert (counted.executions, counted.events) == (1, events)
    assert (count(player, "event"), executions(player)) == (events, [1])


def test_a_log_that_was_pruned_is_not_replayed(player: Player) -> None:
    run_chain(player)
    player.client.emit("noted")
    prune(player)
    with pytest.raises(StoreError, match="the log ends with turn 0"):
        player.replay()
    run_chain(player)
    with pytest.raises(StoreError, match="does not begin at its beginning"):
        player.replay()


@pytest.mark.rule("S42")
def test_an_explanation_says_that_the_cause_before_was_pruned(player: Player) -> None:
    player.register(3)
    player.settle()
    run_chain(player)
    assert _told(player, 2) == (["after", "chain"], ())
    player.wait(100)
    player.client.stop(2)
    player.settle()

    prune(player, ago=50)

    assert executions(player) == [2]
    chain_of, notes = _told(player, 2)
    assert chain_of == ["after"]
    assert "what comes before that was pruned: execution 1" in notes


def _told(player: Player, execution_id: int) -> tuple[list[str], tuple[str, ...]]:
    told = explain(player.store, execution_id)
    assert isinstance(told, ExecutionExplained)
    return [link.workflow for link in told.chain], told.notes


def test_output_of_what_is_gone_goes_too(player: Player) -> None:
    old = run_chain(player)
    logs = player.path.with_name("store.db-files") / "logs"
    for number in (old, old + 1):
        make_private(logs / str(number))

    assert prune(player).log_folders == 1
    assert [one.name for one in logs.iterdir()] == [str(old + 1)]


def test_copies_of_sources_that_a_killed_process_has_left_go_too(player: Player) -> None:
    snapshots = player.store.files / "snapshots"
    make_private(snapshots)
    now = player.clock.now().timestamp()
    for name, age_s in ((".new-left", 4000), (".new-under-way", 60), ("whole", 4000)):
        (snapshots / name).mkdir()
        os.utime(snapshots / name, (now - age_s, now - age_s))

    prune(player)

    assert sorted(one.name for one in snapshots.iterdir()) == [".new-under-way", "whole"]


def test_a_store_in_memory_says_that_it_is_not_pruned() -> None:
    clock = SystemClock()
    with pytest.raises(StoreError, match="in memory"):
        MemoryStore(clock=clock).prune(Cut(before=clock.now(), ids_before=clock.now()))


@pytest.mark.rule("S2", "S3")
def test_nothing_is_lost_while_emitters_and_a_pruning_thread_work_on_one_file(
    player: Player,
) -> None:
    done, faults = Flag(), list[str]()
    beside = SqliteStore(f"sqlite:///{player.path}", clock=SystemClock())

    def prunes() -> None:
        while not done.wait(0.02):
            beside.prune(Cut(before=player.clock.now(), ids_before=player.clock.now() - WEEK))
            faults.extend(
                fault for fault in invariants.broken(player.path) if "the snapshot of" not in fault
            )

    thread = Thread(target=prunes)
    thread.start()
    try:
        for number in range(12):
            run_chain(player, "success" if number % 2 else "failed")
            player.client.emit("paid", number, id=str(number), sender="me")
            assert player.client.emit("paid", number, id=str(number), sender="me").offset
    finally:
        done.set()
        thread.join()
        beside.close()
    assert faults == []
    for number in range(12):
        with pytest.raises(DuplicateEventError):
            player.client.emit("paid", "other", id=str(number), sender="me")
    with closing(sqlite3.connect(player.path)) as connection:
        assert connection.execute("SELECT execution_id FROM cursor").fetchone() == (12,)
