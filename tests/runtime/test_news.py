"""News of commits: signals after the fact, and what becomes of them when a receiver hangs."""

import logging
import queue
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from eventflow import PythonOperator, Scheduler, Workflow, signals
from eventflow.core.decision import Decision
from eventflow.model.event import Event
from eventflow.runtime import news
from eventflow.runtime.news import News

SOON_S = 20


def decisions(*keys: str, execution_id: int = 1) -> list[Decision]:
    """As many decisions as keys, each with nothing but its event."""
    events = [Event(key, {"status": "SUCCESS"}, workflow_execution_id=execution_id) for key in keys]
    found: Any = [SimpleNamespace(event=event, outcomes=()) for event in events]
    return list(found)


def test_what_a_commit_changed_is_told_once_for_all_of_it() -> None:
    heard: list[frozenset[int]] = []
    with Workflow("wide") as workflow:
        for number in range(200):
            PythonOperator(f"t{number}", int)

    with Scheduler("sqlite://") as scheduler:

        def hears(sender: object, execution_ids: frozenset[int]) -> None:
            heard.append(execution_ids)

        scheduler.on(signals.executions_changed, hears)
        handle = scheduler.run(workflow)
        handle.wait(SOON_S)
        facts = scheduler.count("eventflow.task.**").total

    assert set(heard) == {frozenset([handle.id])}
    assert facts == 800
    assert len(heard) < facts


def test_what_changed_is_told_at_once_and_then_together_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(news, "CALM_S", 60)
    heard: list[frozenset[int]] = []
    first, second = threading.Event(), threading.Event()
    sender = SimpleNamespace()

    def hears(_: object, execution_ids: frozenset[int]) -> None:
        (second if heard else first).set()
        heard.append(execution_ids)

    with (
        signals.executions_changed.connected_to(hears, sender=sender),
        # Others may listen to each fact: that is no reason to tell more often.
        signals.event_emitted.connected_to(lambda *_, **__: None, sender=sender),
    ):
        told = News(sender)
        told.start()
        told.tell(decisions("eventflow.task.w.t.SUCCESS", execution_id=1))
        assert first.wait(SOON_S)
        for execution_id in (2, 3, 2):
            told.tell(decisions("eventflow.task.w.t.SUCCESS", execution_id=execution_id))
        assert not second.wait(0.05)
        told.stop(SOON_S)

    assert heard == [frozenset([1]), frozenset([2, 3])]


def test_what_changes_after_a_quiet_while_is_told_at_once_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(news, "CALM_S", 0.001)
    heard: queue.SimpleQueue[frozenset[int]] = queue.SimpleQueue()
    sender = SimpleNamespace()

    def hears(_: object, execution_ids: frozenset[int]) -> None:
        heard.put(execution_ids)

    with signals.executions_changed.connected_to(hears, sender=sender):
        told = News(sender)
        told.start()
        for execution_id in range(1, 200):
            told.tell(decisions("eventflow.task.w.t.SUCCESS", execution_id=execution_id))
            assert heard.get(timeout=SOON_S) == {execution_id}
        told.stop(SOON_S)


def test_a_commit_that_changed_no_execution_is_no_news_of_one() -> None:
    heard: list[frozenset[int]] = []
    with Scheduler("sqlite://") as scheduler:
        scheduler.on(
            signals.executions_changed, lambda _, execution_ids: heard.append(execution_ids)
        )
        scheduler.emit("nobody.waits")

    assert heard == []


def test_a_receiver_that_hangs_loses_news_and_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(news, "CAPACITY", 3)
    begun, let_go, done = threading.Event(), threading.Event(), threading.Event()
    heard: list[str] = []
    sender = SimpleNamespace()

    def hangs(_: object, event: Event) -> None:
        heard.append(event.key)
        begun.set()
        assert let_go.wait(SOON_S)
        if event.key == "last":
            done.set()

    with signals.event_emitted.connected_to(hangs, sender=sender):
        told = News(sender)
        told.start()
        with caplog.at_level(logging.WARNING, "eventflow"):
            told.tell(decisions("a", "b"))
            assert begun.wait(SOON_S)
            told.tell(decisions("c"))
            told.tell(decisions("d"))
            told.tell(decisions("e", "f"))
        let_go.set()
        told.stop(SOON_S)

        assert heard == ["a", "b", "c"]
        assert caplog.text.count("news.dropped") == 1


def test_a_batch_that_is_larger_than_the_queue_is_told_when_nothing_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(news, "CAPACITY", 3)
    heard: list[str] = []
    sender = SimpleNamespace()

    with signals.event_emitted.connected_to(lambda _, event: heard.append(event.key), sender):
        told = News(sender)
        told.start()
        told.tell(decisions(*"abcdef"))
        told.stop(SOON_S)

    assert heard == list("abcdef")
