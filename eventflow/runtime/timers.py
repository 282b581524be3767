"""Due times in a heap, and the alarm that rings when the first of them comes.

The heap says what is due; APScheduler only wakes the loop: one alarm job at the next due time, and
one job that looks every 30 s in case a bell was lost.
"""

import heapq
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger

from eventflow.core.changes import Change, TimerCleared, TimerSet
from eventflow.core.world import Timer
from eventflow.crashpoints import reach

SAFETY_NET_S = 30


class Timers:
    """What is due when. Owned by the loop's thread."""

    def __init__(self, timers: Iterable[Timer] = ()) -> None:
        self._current = {timer.key: timer for timer in timers}
        self._heap = [(timer.due_at, key) for key, timer in self._current.items()]
        heapq.heapify(self._heap)

    def take_over(self, changes: Iterable[Change]) -> None:
        """Follow what a committed decision set and cleared."""
        for change in changes:
            match change:
                case TimerSet(timer):
                    self._current[timer.key] = timer
                    heapq.heappush(self._heap, (timer.due_at, timer.key))
                case TimerCleared(key):
                    self._current.pop(key, None)
                case _:
                    continue

    def due(self, now: datetime, limit: int) -> list[Timer]:
        """What is due, earliest first. It stays due until a decision clears or moves it."""
        found: list[Timer] = []
        entries: list[tuple[datetime, str]] = []
        while self._heap and len(found) < limit:
            due_at, key = self._heap[0]
            timer = self._current.get(key)
            if timer is None or timer.due_at != due_at:
                heapq.heappop(self._heap)
                continue
            if due_at > now:
                break
            entries.append(heapq.heappop(self._heap))
            if timer not in found[-1:]:
                found.append(timer)
        for entry in entries:
            heapq.heappush(self._heap, entry)
        return found

    def next_due(self) -> datetime | None:
        """When the next one is due."""
        while self._heap:
            due_at, key = self._heap[0]
            timer = self._current.get(key)
            if timer is not None and timer.due_at == due_at:
                return due_at
            heapq.heappop(self._heap)
        return None


class Alarm:
    """Rings at a time of the wall clock, and every 30 s."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._set_to: datetime | None = None
        self._clockwork = BackgroundScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True}
        )

    def start(self) -> None:
        self._clockwork.add_job(
            self._ring, "interval", seconds=SAFETY_NET_S, id="look", max_instances=1
        )
        self._clockwork.start()

    def set(self, due_at: datetime | None) -> None:
        """Ring at `due_at`; `None` takes an earlier request back."""
        if due_at == self._set_to:
            return
        self._set_to = due_at
        if due_at is not None:
            self._clockwork.add_job(
                self._went_off, DateTrigger(due_at), id="alarm", replace_existing=True
            )
        elif self._clockwork.get_job("alarm") is not None:
            self._clockwork.remove_job("alarm")

    def stop(self) -> None:
        self._clockwork.shutdown(wait=False)

    def _went_off(self) -> None:
        self._set_to = None
        self._ring()
        reach("alarm.rung")
