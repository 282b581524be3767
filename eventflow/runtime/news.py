"""Signals for what was committed, from a bounded queue, on a thread of its own.

blinker runs receivers in the sender's thread, so the loop must not be the sender: a receiver that
hangs fills the queue, and then news is dropped and counted, never the loop held.
"""

import logging
import queue
import threading
from collections.abc import Iterator, Sequence

from blinker import Signal

from eventflow import signals
from eventflow.core.decide import TASK_FACT
from eventflow.core.decision import Decision
from eventflow.model.status import TaskStatus, WorkflowStatus

log = logging.getLogger("eventflow")
CAPACITY = 10_000
WORKFLOW_FACT = "eventflow.workflow."
_FACTS = (TASK_FACT, WORKFLOW_FACT)
_SINGLE = (
    signals.event_emitted,
    signals.decision_made,
    signals.task_status_changed,
    signals.workflow_status_changed,
)
_News = tuple[Signal, dict[str, object]]


class News:
    """Tells receivers what the loop has committed."""

    def __init__(self, sender: object) -> None:
        self._sender = sender
        # The news of one batch is one entry: who waits for it is woken once, not for every fact.
        self._queue: queue.SimpleQueue[list[_News] | None] = queue.SimpleQueue()
        # Each is counted by one thread only, so that neither needs a lock.
        self._queued = self._told = 0
        self._dropped = 0
        self._thread = threading.Thread(target=self._work, name="eventflow-news", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """Tell what is queued, as far as the time goes."""
        self._queue.put(None)
        self._thread.join(timeout_s)

    def tell(self, decisions: Sequence[Decision]) -> None:
        """Queue the news of a committed batch; costs next to nothing when nobody listens."""
        if not any(signal.receivers for signal in signals.ALL):
            return
        found: list[_News] = []
        if any(signal.receivers for signal in _SINGLE):
            found += (news for news in _news_of(decisions) if news[0].receivers)
        if signals.executions_changed.receivers and (changed := _changed(decisions)):
            found.append((signals.executions_changed, {"execution_ids": changed}))
        waiting = self._queued - self._told
        if not found:
            return
        if waiting and waiting + len(found) > CAPACITY:
            if not self._dropped:
                log.warning("news.dropped capacity=%s: a receiver is too slow", CAPACITY)
            self._dropped += len(found)
            return
        self._queued += len(found)
        self._queue.put(found)

    def _work(self) -> None:
        while (batch := self._queue.get()) is not None:
            for signal, arguments in batch:
                send(signal, self._sender, **arguments)
            self._told += len(batch)


def _changed(decisions: Sequence[Decision]) -> frozenset[int]:
    """The executions that a batch has moved, or runs of which it has moved."""
    return frozenset(
        event.workflow_execution_id
        for event in (decision.event for decision in decisions)
        if event.workflow_execution_id is not None and event.key.startswith(_FACTS)
    )


def _news_of(decisions: Sequence[Decision]) -> Iterator[_News]:
    for decision in decisions:
        event = decision.event
        yield signals.event_emitted, {"event": event}
        for outcome in decision.outcomes:
            yield signals.decision_made, {"outcome": outcome, "event": event}
        if event.key.startswith(TASK_FACT):
            status = TaskStatus(event.value["status"])
            yield signals.task_status_changed, {"event": event, "status": status}
        elif event.key.startswith(WORKFLOW_FACT):
            ended = WorkflowStatus(event.value["status"])
            yield signals.workflow_status_changed, {"event": event, "status": ended}


def send(signal: Signal, sender: object, **arguments: object) -> None:
    """Call every receiver; one that raises is logged and stops no other."""
    for receiver in list(signal.receivers_for(sender)):
        try:
            receiver(sender, **arguments)
        except Exception:
            log.exception("signal.receiver_failed signal=%r", signal)
