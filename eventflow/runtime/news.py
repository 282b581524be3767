"""Signals for what was committed, from a bounded queue, on a thread of its own.

blinker runs receivers in the sender's thread, so the loop must not be the sender: a receiver that
hangs fills the queue, and then news is dropped and counted, never the loop held.
"""

import logging
import queue
import threading
from collections.abc import Iterable

from blinker import Signal

from eventflow import signals
from eventflow.core.decide import TASK_FACT
from eventflow.core.decision import Decision
from eventflow.model.status import TaskStatus, WorkflowStatus

log = logging.getLogger("eventflow")
CAPACITY = 10_000
WORKFLOW_FACT = "eventflow.workflow."


class News:
    """Tells receivers what the loop has committed."""

    def __init__(self, sender: object) -> None:
        self._sender = sender
        self._queue: queue.Queue[tuple[Signal, dict[str, object]] | None] = queue.Queue(CAPACITY)
        self._dropped = 0
        self._thread = threading.Thread(target=self._work, name="eventflow-news", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """Tell what is queued, as far as the time goes."""
        try:
            self._queue.put(None, timeout=timeout_s)
        except queue.Full:
            return
        self._thread.join(timeout_s)

    def tell(self, decisions: Iterable[Decision]) -> None:
        """Queue the news of a committed batch; costs next to nothing when nobody listens."""
        if not any(signal.receivers for signal in signals.ALL):
            return
        for decision in decisions:
            event = decision.event
            self._put(signals.event_emitted, event=event)
            for outcome in decision.outcomes:
                self._put(signals.decision_made, outcome=outcome, event=event)
            if event.key.startswith(TASK_FACT):
                status = TaskStatus(event.value["status"])
                self._put(signals.task_status_changed, event=event, status=status)
            elif event.key.startswith(WORKFLOW_FACT):
                ended = WorkflowStatus(event.value["status"])
                self._put(signals.workflow_status_changed, event=event, status=ended)

    def _put(self, signal: Signal, **arguments: object) -> None:
        if not signal.receivers:
            return
        try:
            self._queue.put_nowait((signal, arguments))
        except queue.Full:
            self._dropped += 1
            if self._dropped == 1:
                log.warning("news.dropped capacity=%s: a receiver is too slow", CAPACITY)

    def _work(self) -> None:
        while (told := self._queue.get()) is not None:
            send(told[0], self._sender, **told[1])


def send(signal: Signal, sender: object, **arguments: object) -> None:
    """Call every receiver; one that raises is logged and stops no other."""
    for receiver in list(signal.receivers_for(sender)):
        try:
            receiver(sender, **arguments)
        except Exception:
            log.exception("signal.receiver_failed signal=%r", signal)
