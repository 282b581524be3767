"""The ledger: one batch is one transaction, under one lease (S10)."""

import dataclasses
import sqlite3
from datetime import timedelta
from typing import Any

import pytest
from conftest import Opens
from msgspec.structs import replace
from shop import chain, nightly, shop
from story import START, StillClock, Story, event

from eventflow.core.changes import Fired
from eventflow.core.decision import Decision
from eventflow.core.moves import RunCreated, RunMoved
from eventflow.core.world import Counters
from eventflow.errors import LeaseLostError, StoreBusyError, StoreError
from eventflow.model.status import TaskStatus
from eventflow.store.gathering import rows_of
from eventflow.store.listed import SnapshotRecord
from eventflow.store.ports import Batch, Store


def batch_of(*decisions: Decision, **parts: Any) -> Batch:
    given = {
        "left_over": [],
        "read_from": 0,
        "read_to": 0,
        "counters": Counters(turn=len(decisions)),
        "now": START,
    }
    return Batch(decisions=decisions, **{**given, **parts})


@pytest.mark.rule("S10")
def test_a_batch_whose_cursor_is_elsewhere_writes_nothing(held: Store, clock: StillClock) -> None:
    story = Story([held], clock, chain())
    story.run("chain")
    offset, cursor = held.last_offset(), story.cursor
    turn = story.decisions[-1].turn + 1
    decision = Decision(event("k"), turn, story.decisions[-2].changes)

    for read_from in (cursor - 1, cursor + 1):
        with pytest.raises(LeaseLostError, match=f"the cursor is not at {read_from}"):
            held.commit(batch_of(decision, read_from=read_from, read_to=cursor + 5))

    assert held.last_offset() == offset
    assert held.event_of_turn(turn) is None
    assert held.load(story.plan).cursor == cursor


def test_a_batch_that_is_written_is_not_written_again(held: Store, clock: StillClock) -> None:
    """As when its commit has failed, and nobody could know that it was written all the same."""
    story = Story([held], clock, chain())
    story.run("chain")
    turn = story.decisions[-1].turn + 1
    reports_alone = batch_of(
        Decision(event("k"), turn, ()),
        read_from=story.cursor,
        read_to=story.cursor,
        counters=replace(story.world.counters, turn=turn),
    )
    held.commit(reports_alone)
    offset = held.last_offset()

    with pytest.raises(LeaseLostError, match=f"turn {turn - 1}"):
        held.commit(reports_alone)

    assert held.last_offset() == offset


def test_nobody_commits_without_the_lease(store: Store) -> None:
    with pytest.raises(LeaseLostError):
        store.commit(batch_of())
    store.hold("test")
    store.commit(batch_of())
    store.release(clean=True)

    with pytest.raises(LeaseLostError):
        store.commit(batch_of())


@pytest.mark.spoils
@pytest.mark.rule("S10")
def test_a_batch_that_the_tables_refuse_writes_nothing(held: Store) -> None:
    firing = Decision(event("k"), 1, (Fired("schedule:default/w", START),))
    held.commit(batch_of(firing))

    with pytest.raises(StoreError):
        held.commit(batch_of(replace(firing, turn=2, changes=()), replace(firing, turn=3)))

    assert held.last_offset() == 1
    held.commit(batch_of(replace(firing, turn=2, changes=())))
    assert held.last_offset() == 2


@pytest.mark.rule("S12")
def test_facts_are_appended_with_their_turn_and_left_over_ones_without(
    held: Store, clock: StillClock
) -> None:
    held.append([event("outside")])
    (outside,) = held.undecided(10)
    clock.time += timedelta(seconds=3)

    held.commit(
        batch_of(
            Decision(outside, 1, ()),
            Decision(event("fact", 1), 2, ()),
            left_over=[event("fact", 2), event("fact", 3)],
            read_to=1,
            counters=Counters(turn=2),
            now=clock.time,
        )
    )

    found = held.read()
    assert [(one.offset, one.turn, one.value) for one in found] == [
        (1, 1, None),
        (2, 2, 1),
        (3, 0, 2),
        (4, 0, 3),
    ]
    assert [one.value for one in held.undecided(10)] == [2, 3]
    assert found[0].logged_at == START
    assert found[1].logged_at == found[2].logged_at == clock.time
    assert held.append([event("next")])[0].offset == 5


def test_a_run_of_this_batch_is_one_insert_and_one_of_an_earlier_batch_one_update(
    held: Store, clock: StillClock
) -> None:
    story = Story([held], clock, chain())
    made = rows_of(batch_of(*story.run("chain")))
    assert [(row.task, row.status) for row in made.runs] == [("first", "QUEUED")]
    assert made.run_updates == []
    assert [row.status for row in made.history] == ["INIT", "QUEUED"]
    assert [row.action for row in made.outbox] == ["START"]

    clock.time += timedelta(seconds=1)
    begun, ended = story.report("running", 1, "first"), story.report("success", 1, "first")
    moved = rows_of(batch_of(*begun, *ended))

    assert [(row.id, row.status, row.began_at) for row in moved.run_updates] == [
        (1, "SUCCESS", clock.time)
    ]
    assert [(row.task, row.status) for row in moved.runs] == [("second", "QUEUED")]
    assert moved.ended == [(1, 1)]
    assert moved.withdrawn == []
    assert [row.task_execution_id for row in moved.outbox] == [2]
    assert moved.executions == moved.execution_updates == []


def test_a_run_that_begins_in_the_batch_that_made_it_is_one_insert(
    held: Store, clock: StillClock
) -> None:
    story = Story([held], clock, chain())
    started = story.run("chain")
    clock.time += timedelta(seconds=1)
    (row,) = rows_of(batch_of(*started, *story.report("running", 1, "first"))).runs

    assert (row.status, row.created_at, row.began_at) == ("RUNNING", START, clock.time)
    assert row.attempt_began_at == clock.time


def test_an_execution_that_ends_in_its_own_batch_is_one_insert(
    held: Store, clock: StillClock
) -> None:
    story = Story([held], clock, chain())
    started = story.run("chain")
    stopped = story.command("stop", workflow_execution_id=1)
    rows = rows_of(batch_of(*started, *stopped))

    (row,) = rows.executions
    assert row.stopping == "stopped by command"
    assert rows.execution_updates == []
    # The start was given and taken back; what is left to say is: stop.
    assert [order.action for order in rows.outbox] == ["STOP"]
    assert rows.withdrawn == rows.ended == []


def test_a_run_that_ends_frees_its_task_for_the_next_in_the_same_batch(
    held: Store, clock: StillClock
) -> None:
    story = Story([held], clock, shop())
    story.run("shop")
    story.emit("stock.changed")
    story.report("running", 1, "watch")
    story.emit("stock.changed")
    story.report("stopped", 1, "watch")

    execution = held.execution(1)
    assert execution is not None
    watch = [
        (run.sequence_number, run.status) for run in execution.tasks if run.task_name == "watch"
    ]
    assert watch == [(1, TaskStatus.STOPPED), (2, TaskStatus.QUEUED)]


@pytest.mark.rule("S11")
def test_nothing_is_left_in_the_outbox_of_an_attempt_that_has_ended(
    opens: Opens, url: str, clock: StillClock
) -> None:
    store = opens()
    store.hold("test")
    story = Story([store], clock, shop(), chain())
    story.run("chain")
    story.run("shop")
    story.report("running", 1, "first")
    story.command("stop", workflow_execution_id=1)
    story.report("stopped", 1, "first")
    story.end("failed", 2, "pick")
    story.command("stop", workflow_execution_id=2)
    story.report("stopped", 2, "count")

    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    left = connection.execute("SELECT * FROM outbox").fetchall()
    connection.close()
    assert left == []


@pytest.mark.rule("S19", "S21")
def test_a_task_never_has_two_runs_with_an_executor(opens: Opens, clock: StillClock) -> None:
    store = opens()
    store.hold("test")
    story = Story([store], clock, chain())
    story.run("chain")
    (run,) = (
        change.run
        for decision in story.decisions
        for change in decision.changes
        if isinstance(change, RunMoved)
    )
    turn = story.decisions[-1].turn + 1
    second = replace(run, id=2, sequence_number=2)
    made = RunCreated(1, replace(second, status=TaskStatus.INIT), START, turn, "test", "default")
    queued = RunMoved(1, second, TaskStatus.INIT, START, turn)

    with pytest.raises(StoreError, match="UNIQUE"):
        store.commit(
            batch_of(
                Decision(event("k"), turn, (made, queued)),
                read_from=story.cursor,
                read_to=story.cursor,
            )
        )

    assert store.event_of_turn(turn) is None


@pytest.mark.spoils
@pytest.mark.rule("S1")
@pytest.mark.fault("F20")
def test_f20_offsets_are_not_given_again_when_the_newest_event_is_gone(
    opens: Opens, url: str
) -> None:
    store = opens()
    store.append([event("k"), event("k")])
    store.close()
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    connection.execute('DELETE FROM event WHERE "offset" = 2')
    connection.commit()
    connection.close()

    again = opens()
    assert again.last_offset() == 2
    assert again.append([event("k")])[0].offset == 3


@pytest.mark.fault("F45")
def test_f45_a_second_scheduler_is_refused_by_name(store: Store, clock: StillClock) -> None:
    assert store.holder() is None
    store.hold("eventflow serve")
    held = store.holder()
    assert held is not None
    assert (held.program, held.since) == ("eventflow serve", clock.time)

    with pytest.raises(StoreBusyError, match=rf"held by eventflow serve \(pid {held.pid} on "):
        store.hold("eventflow run")


def test_a_store_tells_whether_the_scheduler_before_left_in_order(store: Store) -> None:
    told = []
    for clean in (True, False, True):
        store.hold("test")
        told.append(store.was_clean())
        store.release(clean=clean)
        store.release(clean=clean)
    store.hold("test")

    assert [*told, store.was_clean()] == [False, True, False, True]


@pytest.mark.fault("F45")
def test_f45_a_new_holder_fences_the_old_one_off(opens: Opens) -> None:
    first, second = opens(), opens()
    first.hold("first")
    with pytest.raises(StoreBusyError, match="held by first"):
        second.hold("second")
    assert second.holder() == first.holder()
    first.release(clean=True)
    assert second.holder() is None
    second.hold("second")

    with pytest.raises(LeaseLostError):
        first.commit(batch_of())
    second.commit(batch_of())


def test_a_paused_workflow_and_its_newest_snapshot_are_kept(
    both: list[Store], clock: StillClock
) -> None:
    story = Story(both, clock, shop(), nightly())
    story.command("pause", namespace="default", workflow="shop")
    clock.time += timedelta(seconds=5)
    newest = story.register(shop(description="another"))

    for store in both:
        kept = {record.name: record for record in store.workflows()}
        assert list(kept) == ["nightly", "shop"]
        assert kept["shop"].paused
        assert kept["shop"].snapshot == newest.snapshot
        assert kept["shop"].registered_at == clock.time
        assert not kept["nightly"].paused


@pytest.fixture
def record(clock: StillClock) -> SnapshotRecord:
    return SnapshotRecord(
        hash="ab" * 32,
        namespace="default",
        workflow="shop",
        folder="/srv/snapshots/ab",
        entry="shop.py",
        definition={"tasks": [{"task": "ü", "n": 1.5}]},
        created_at=clock.time,
    )


@pytest.mark.spoils
@pytest.mark.rule("S41")
def test_a_snapshot_stays_as_it_was_first_kept(store: Store, record: SnapshotRecord) -> None:
    store.keep_snapshot(record)
    store.keep_snapshot(dataclasses.replace(record, folder="/elsewhere"))

    assert store.snapshot(record.hash) == record
    assert store.snapshot("cd" * 32) is None
