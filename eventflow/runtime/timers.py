"""Due times in a heap, and the alarm that rings when the first of them comes.

The heap says what is due; APScheduler only wakes the loop, by one alarm job at the next due time.
It waits for the wall clock, which may be set back: a thread of our own has the loop look every
30 s of elapsed time, also in case a bell was lost.
"""

import heapq
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger

from eventflow.clock import Clock
from eventflow.core.changes import Change, TimerCleared, TimerSet
from eventflow.core.world import Timer
from eventflow.crashpoints import reach

SAFETY_NET_S = 30

# These wait for so many seconds, and not for an instant of the calendar.
_ELAPSING = ("timeout", "deadline", "retry")
# What the wall clock and the elapsed time differ by sooner is the slow correction of a clock.
_JUMP = timedelta(seconds=1)
_NOT_MOVED = timedelta(0)
_AT_ONCE_S = 0.1


class Timers:
    """What is due when. Owned by the loop's thread.

    When the wall clock jumps, what waits for a number of seconds moves along with it: it is due
    when they have passed. Schedules stay where they are in the calendar.
    """

    def __init__(self, timers: Iterable[Timer], clock: Clock) -> None:
        self._clock = clock
        self._current = {timer.key: timer for timer in timers}
        # Timer key -> how far the wall clock has jumped since it was set.
        self._moved: dict[str, timedelta] = {}
        self._origin = self._read_origin()
        self._heap: list[tuple[datetime, str]] = []
        self._build()

    def take_over(self, changes: Iterable[Change]) -> None:
        """Follow what a committed decision set and cleared."""
        for change in changes:
            match change:
                case TimerSet(timer):
                    self._current[timer.key] = timer
                    self._moved.pop(timer.key, None)
                    heapq.heappush(self._heap, (timer.due_at, timer.key))
                case TimerCleared(key):
                    self._current.pop(key, None)
                    self._moved.pop(key, None)
                case _:
                    continue

    def due(self, now: datetime, limit: int) -> list[Timer]:
        """What is due, earliest first. It stays due until a decision clears or moves it."""
        self._follow_clock()
        found: list[Timer] = []
        entries: list[tuple[datetime, str]] = []
        while self._heap and len(found) < limit:
            due_at, key = self._heap[0]
            timer = self._current.get(key)
            if timer is None or self._due_of(timer) != due_at:
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
            if timer is not None and self._due_of(timer) == due_at:
                return due_at
            heapq.heappop(self._heap)
        return None

    def _due_of(self, timer: Timer) -> datetime:
        return timer.due_at + self._moved.get(timer.key, _NOT_MOVED)

    def _build(self) -> None:
        self._heap = [(self._due_of(timer), key) for key, timer in self._current.items()]
        heapq.heapify(self._heap)

    def _read_origin(self) -> datetime | None:
        """Where the wall clock stood when the monotonic one began, if it had run evenly.

        `None` when too much time has passed between the reading of the two.
        """
        before_s = self._clock.monotonic()
        now = self._clock.now()
        if self._clock.monotonic() - before_s > _AT_ONCE_S:
            return None
        return now - timedelta(seconds=before_s)

    def _follow_clock(self) -> None:
        origin = self._read_origin()
        if origin is None:
            return
        self._origin = self._origin or origin
        jumped = origin - self._origin
        if abs(jumped) < _JUMP:
            return
        self._origin = origin
        for key, timer in self._current.items():
            if timer.kind in _ELAPSING:
                self._moved[key] = self._moved.get(key, _NOT_MOVED) + jumped
        self._build()


class Alarm:
    """Rings at a time of the wall clock, and after every 30 s."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._set_to: datetime | None = None
        # One that rings may still be at it when the next one comes: that must not be skipped.
        defaults = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1000}
        self._clockwork = BackgroundScheduler(timezone=UTC, job_defaults=defaults)
        self._stopped = threading.Event()
        self._looking = threading.Thread(target=self._look, name="eventflow-look", daemon=True)

    def start(self) -> None:
        self._clockwork.start()
        self._looking.start()

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
        self._stopped.set()
        # Waits for the job that goes off now: it would not be found after the shutdown.
        self._clockwork.remove_all_jobs()
        self._clockwork.shutdown(wait=False)
        self._looking.join()

    def _look(self) -> None:
        while not self._stopped.wait(SAFETY_NET_S):
            self._ring()

    def _went_off(self) -> None:
        self._set_to = None
        self._ring()
        reach("alarm.rung")
