"""Reading the log through a scheduler, and following it: here, in tasks, from elsewhere."""

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from itertools import islice
from pathlib import Path

import programs
import pytest

import eventflow
from eventflow import Event, EventCount, Scheduler, emit, listen
from eventflow.clock import SystemClock
from eventflow.errors import DefinitionError, EventError, EventflowError, StoreError
from eventflow.runtime.listening import LOOK_S, follow, reading
from eventflow.runtime.remote import RemoteClient
from eventflow.store.bell import Bell
from eventflow.store.selection import SHORT

SOON_S = 20.0
ROOT = Path(eventflow.__file__).parent.parent

assert SOON_S < LOOK_S, "what comes this soon did not come by the look that makes up for lost rings"


@pytest.fixture(params=["memory", "file"])
def scheduler(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scheduler]:
    with Scheduler("sqlite://" if request.param == "memory" else url(tmp_path)) as scheduler:
        yield scheduler


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'store.db'}"


def in_thread(news: Iterator[Event]) -> "queue.SimpleQueue[Event | BaseException | None]":
    """What a thread hears; `None` at the end."""
    heard: queue.SimpleQueue[Event | BaseException | None] = queue.SimpleQueue()

    def hear() -> None:
        try:
            for event in news:
                heard.put(event)
        except BaseException as error:
            heard.put(error)
        heard.put(None)

    threading.Thread(target=hear, daemon=True).start()
    return heard


def other(code: str, store: str) -> programs.Running:
    """Another Python process beside the store."""
    return programs.begin(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT), "EVENTFLOW_STORE": store},
        stdin=subprocess.PIPE,
        stderr=None,
    )


def test_events_are_listed_counted_and_found_by_time(scheduler: Scheduler) -> None:
    first = scheduler.emit("orders.paid", 1, sender="till")
    scheduler.emit("orders.sent", 2, sender="till")
    last = scheduler.emit("orders.paid", 3, namespace="shop")
    assert first.logged_at is not None
    assert last.logged_at is not None

    assert [one.value for one in scheduler.events()] == [1, 2, 3]
    assert [one.value for one in scheduler.events("orders.paid", sender="till")] == [1]
    assert [one.value for one in scheduler.events("orders.*", limit=2, newest=True)] == [2, 3]
    assert scheduler.events(since=last.logged_at)[-1].offset == last.offset
    assert scheduler.events(after=last.offset - 1)[0].offset == last.offset
    assert scheduler.count("orders.**") == EventCount(total=3, by_sender={"till": 2, "": 1})
    assert scheduler.count(until=first.logged_at - timedelta(seconds=1)).total == 0
    assert scheduler.offset_at(last.logged_at) == last.offset
    with pytest.raises(DefinitionError, match=r"'orders\.\.paid' has an empty token"):
        scheduler.events("orders..paid")
    with pytest.raises(EventError, match="naive"):
        scheduler.count(since=last.logged_at.replace(tzinfo=None))


def test_a_listener_hears_what_comes_after_it_was_made(scheduler: Scheduler) -> None:
    scheduler.emit("k", "before")
    news = scheduler.listen("k")
    scheduler.emit("k", 1)
    scheduler.emit("other", 2)
    heard = in_thread(news)
    scheduler.emit("k", 3)

    told = [heard.get(timeout=SOON_S) for _ in range(2)]

    assert [one.value for one in told if isinstance(one, Event)] == [1, 3]


def test_a_listener_that_waits_ends_with_its_scheduler(scheduler: Scheduler) -> None:
    heard = [in_thread(scheduler.listen(keys)) for keys in ("k", "**", "never")]
    scheduler.emit("k")
    assert isinstance(heard[0].get(timeout=SOON_S), Event)

    scheduler.stop()

    assert heard[0].get(timeout=SOON_S) is None
    assert heard[2].get(timeout=SOON_S) is None
    assert list(scheduler.listen("k", after=0)) == []


def test_a_listener_ends_when_nothing_has_come_for_its_time(scheduler: Scheduler) -> None:
    scheduler.emit("k", 1)

    assert [one.value for one in scheduler.listen("k", after=0, timeout=0.05)] == [1]
    assert list(scheduler.listen("k", timeout=0)) == []


def test_a_listener_hears_of_the_schedulers_own_facts_when_it_asks(scheduler: Scheduler) -> None:
    with eventflow.Workflow("w") as workflow:
        eventflow.PythonOperator("t", int)
    news = scheduler.listen("eventflow.task.w.t.*")
    scheduler.run(workflow).wait(SOON_S)

    keys = [one.key.rpartition(".")[2] for one in islice(news, 4)]

    assert keys == ["init", "queued", "running", "success"]


def test_a_listener_is_told_when_the_loop_has_died(tmp_path: Path) -> None:
    def fall_over() -> None:
        raise SystemExit("the loop falls over")

    with Scheduler(url(tmp_path)) as scheduler:
        heard = in_thread(scheduler.listen("k"))
        scheduler._engine._on_the_loop(fall_over)

        told = heard.get(timeout=SOON_S)

        assert isinstance(told, EventflowError)
        assert "has stopped deciding" in str(told)


def test_replay_goes_over_into_following_without_gap_or_repeat(scheduler: Scheduler) -> None:
    for number in range(1_500):
        scheduler.client.append_many([Event("old.k", number), Event("noise")])
    emitters = [
        threading.Thread(target=lambda: [scheduler.emit("new.k") for _ in range(100)])
        for _ in range(4)
    ]
    heard = in_thread(scheduler.listen(["old.*", "new.*"], after=1_000))
    for emitter in emitters:
        emitter.start()
    for emitter in emitters:
        emitter.join()

    told = [heard.get(timeout=SOON_S) for _ in range(1_000 + 400)]

    offsets = [one.offset for one in told if isinstance(one, Event)]
    wanted = scheduler.events(["old.*", "new.*"], after=1_000, limit=10_000)
    assert offsets == [one.offset for one in wanted]
    assert heard.empty()


def test_who_listens_reads_once_for_each_ring_and_not_in_between(tmp_path: Path) -> None:
    reads: list[int] = []
    with RemoteClient(url(tmp_path), create=True) as remote, closing(Bell(remote.store)) as bell:
        read_next = reading(remote.store, "k")

        def read(after: int) -> list[Event]:
            reads.append(after)
            return read_next(after)

        def wait(seconds: float) -> bool:
            return bell.wait(seconds) or seconds > 0

        news = in_thread(follow(read, wait, SystemClock(), after=0, timeout=1.0))
        remote.client.emit("k")
        assert isinstance(news.get(timeout=SOON_S), Event)
        assert news.get(timeout=SOON_S) is None

        # Nothing, the first wait that is none, the event, nothing, the end of the time.
        assert len(reads) <= 5


def test_who_follows_finds_what_lies_far_behind_in_the_log(tmp_path: Path) -> None:
    with RemoteClient(url(tmp_path), create=True) as remote:
        remote.client.append_many([Event("noise")] * (SHORT + 5))
        remote.client.append_many([Event("far.k", 1)])
        remote.client.append_many([Event("noise")] * (SHORT + 5))
        remote.client.append_many([Event("far.k", 2), Event("far.k", 3)])

        found = list(remote.listen("far.*", after=0, timeout=0))

    assert [one.value for one in found] == [1, 2, 3]


SAYS = """
import eventflow
for number in range(50):
    eventflow.emit("k", number)
"""


class Holds(eventflow.Condition):
    """Keeps the loop waiting until it is told to go on."""

    go_on = threading.Event()

    def is_met(self, event: Event, context: eventflow.Context) -> bool:
        return self.go_on.wait(SOON_S)


def test_an_event_is_heard_before_it_is_decided(tmp_path: Path) -> None:
    with eventflow.Workflow("w") as workflow:
        eventflow.PythonOperator("t", int)
    workflow.trigger_on_condition(Holds(["k"]))
    with Scheduler(url(tmp_path), condition_timeout=SOON_S) as scheduler:
        scheduler.register(workflow)
        heard = in_thread(scheduler.listen("*"))
        for key in ("k", "later"):
            event = scheduler.emit(key)
            assert heard.get(timeout=SOON_S / 2) == event
        decided = scheduler.store.decided_offset(event.offset)
        Holds.go_on.set()

    assert not decided


def test_a_scheduler_s_program_hears_what_another_process_emits(tmp_path: Path) -> None:
    with Scheduler(url(tmp_path)) as scheduler:
        heard = in_thread(scheduler.listen("k"))
        with other(SAYS, url(tmp_path)):
            told = [heard.get(timeout=SOON_S) for _ in range(50)]

    assert [one.value for one in told if isinstance(one, Event)] == list(range(50))


LISTENS = """
import sys, eventflow
news = eventflow.listen("k", after=1)
for event in news:
    print(event.offset, event.value, flush=True)
    if event.value == "last":
        break
"""


@pytest.mark.rule("S2")
def test_a_process_hears_what_another_emits_without_any_scheduler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENTFLOW_STORE", url(tmp_path))
    RemoteClient(url(tmp_path), create=True).close()
    news = listen("k")
    heard = in_thread(news)
    with other(SAYS, url(tmp_path)) as process:
        told = [heard.get(timeout=SOON_S) for _ in range(50)]
        assert process.wait(SOON_S) == 0

    assert [one.value for one in told if isinstance(one, Event)] == list(range(50))
    emit("k", "own")
    own = heard.get(timeout=SOON_S)
    assert isinstance(own, Event)
    assert own.value == "own"


def test_another_process_replays_and_then_follows_a_scheduler(tmp_path: Path) -> None:
    with Scheduler(url(tmp_path)) as scheduler:
        for number in range(1, 4):
            scheduler.emit("k", number)
        with other(LISTENS, url(tmp_path)) as process:
            assert process.stdout is not None
            assert [process.stdout.readline() for _ in range(2)] == ["2 2\n", "3 3\n"]
            for number in range(4, 50):
                scheduler.emit("k", number)
            scheduler.emit("k", "last")
            rest = process.stdout.read().splitlines()

    assert rest == [*(f"{number} {number}" for number in range(4, 50)), "50 last"]


LISTENING_TASK = """
import eventflow

def hear():
    news = eventflow.listen("answer", timeout=20)
    eventflow.emit("question", broadcast=True)
    return next(news).value

with eventflow.Workflow("asking") as asking:
    eventflow.PythonOperator("ask", hear)
"""


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_a_task_listens(tmp_path: Path, executor: str) -> None:
    path = tmp_path / "asking.py"
    path.write_text(LISTENING_TASK)
    with Scheduler(url(tmp_path), executor=executor) as scheduler:
        (workflow,) = scheduler.register_file(path)
        questions = in_thread(scheduler.listen("question"))
        handle = scheduler.run(workflow.name)
        assert isinstance(questions.get(timeout=SOON_S), Event)

        scheduler.emit("answer", 42)

        assert handle.wait(SOON_S).status == "SUCCESS"
        assert handle.result("ask") == 42


def test_listening_to_nowhere_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EVENTFLOW_STORE", raising=False)

    with pytest.raises(StoreError, match=r"^listen\(\) found no task"):
        listen("k")


@pytest.mark.rule("S2", "S3")
@pytest.mark.fault("F48")
def test_f48_one_client_shared_by_threads_loses_and_doubles_nothing(tmp_path: Path) -> None:
    threads, each = 8, 1_000
    offsets: dict[str, list[int]] = {f"t{number}": [] for number in range(threads)}
    with RemoteClient(url(tmp_path), create=True) as remote:

        def say(sender: str) -> None:
            for number in range(each):
                offsets[sender].append(remote.client.emit("k", number, sender=sender).offset)

        sayers = [threading.Thread(target=say, args=(sender,)) for sender in offsets]
        for sayer in sayers:
            sayer.start()
        for sayer in sayers:
            sayer.join()

        counted = remote.store.count(keys="k")
        assert counted == EventCount(total=threads * each, by_sender=dict.fromkeys(offsets, each))
        given = sorted(offset for told in offsets.values() for offset in told)
        assert given == list(range(1, threads * each + 1))
        kept = remote.store.read(limit=threads * each)
    for sender, told in offsets.items():
        own = [one for one in kept if one.sender == sender]
        assert [one.value for one in own] == list(range(each))
        assert [one.offset for one in own] == told
