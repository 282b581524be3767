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
from eventflow.clock import SystemClock
from eventflow.core.decide import REPORT, TASK_FACT
from eventflow.core.decision import Decision
from eventflow.model.status import TaskStatus, WorkflowStatus

log = logging.getLogger("eventflow")
CAPACITY = 10_000
# Most often that it is told which executions changed: to wake a thread costs a commit more than
# the work that it is woken for.
CALM_S = 0.1
WORKFLOW_FACT = "eventflow.workflow."
# Items of mapped tasks move by reports, and are no facts (S43).
_MOVING = (TASK_FACT, WORKFLOW_FACT, REPORT)
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
        # Guards what is below it; held for the length of an update, never while a receiver runs.
        self._lock = threading.Lock()
        self._changed: set[int] = set()
        self._is_calm = False
        self._calm_until = 0.0
        self._clock = SystemClock()
        self._thread = threading.Thread(target=self._work, name="eventflow-news", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """Tell what is queued, as far as the time goes."""
        self._queue.put(None)
        self._thread.join(timeout_s)

    def tell(self, decisions: Sequence[Decision]) -> None:
        """Queue the news of a committed batch; costs next to nothing when nobody listens."""
        if signals.executions_changed.receivers:
            self._note_changed(decisions)
        if not any(signal.receivers for signal in _SINGLE):
            return
        found = [news for news in _news_of(decisions) if news[0].receivers]
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

    def _note_changed(self, decisions: Sequence[Decision]) -> None:
        """Put down which executions a batch has moved, or runs of which it has moved."""
        changed = {
            execution_id
            for event in (decision.event for decision in decisions)
            if (execution_id := event.workflow_execution_id) is not None
            and event.key.startswith(_MOVING)
        }
        if not changed:
            return
        with self._lock:
            wakes = not (self._changed or self._is_calm)
            self._changed |= changed
        if wakes:
            self._queue.put([])

    def _work(self) -> None:
        batch: list[_News] | None = []
        while batch is not None:
            batch = self._next()
            for signal, arguments in batch or ():
                send(signal, self._sender, **arguments)
            self._told += len(batch or ())
            if batch is None or not self._calm_left():
                self._tell_changed()

    def _next(self) -> list[_News] | None:
        try:
            return self._queue.get(timeout=self._calm_left() if self._is_calm else None)
        except queue.Empty:
            return []

    def _calm_left(self) -> float:
        """Seconds in which nothing more is told of what has changed."""
        return max(0.0, self._calm_until - self._clock.monotonic()) if self._is_calm else 0.0

    def _tell_changed(self) -> None:
        """Tell what has changed since it was told; nobody has to wake this thread for a while."""
        with self._lock:
            changed, self._changed = frozenset(self._changed), set()
            self._is_calm = bool(changed)
        self._calm_until = self._clock.monotonic() + CALM_S
        if changed:
            send(signals.executions_changed, self._sender, execution_ids=changed)


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
