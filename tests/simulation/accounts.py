"""Every due time of a schedule is accounted for, once: it was fired, or skipped with a reason."""

from collections.abc import Callable
from datetime import datetime

from eventflow.core.changes import Fired, TimerCleared, TimerSet
from eventflow.core.decision import Decision
from eventflow.core.world import Timer
from eventflow.model.schedule import Schedule
from tests.simulation.due import FAR, due


class Accounts:
    """How far each schedule is accounted for; `fault` is told what may not be (S32, S33)."""

    def __init__(self, fault: Callable[[str], None]) -> None:
        self._fault = fault
        # The timers of schedules that are on, and the schedules.
        self._on: dict[str, tuple[Timer, Schedule]] = {}
        self._accounted_to: dict[str, datetime] = {}
        self._fired: dict[str, set[datetime]] = {}

    def see(self, decision: Decision, schedule_of: Callable[[str], Schedule | None]) -> None:
        """Take a decision; `schedule_of` tells the newest schedule of a timer's key."""
        fired: dict[str, list[Fired]] = {}
        cleared: set[str] = set()
        for change in decision.changes:
            match change:
                case Fired():
                    fired.setdefault(change.schedule, []).append(change)
                case TimerCleared(key):
                    cleared.add(key)
                case TimerSet(timer) if timer.kind == "schedule":
                    cleared.discard(timer.key)
                    schedule = schedule_of(timer.key)
                    if schedule is None:
                        self._fault(f"{timer} is set, and there is no schedule")
                    else:
                        self._see_timer(schedule, timer, fired.get(timer.key, []))
        for key in cleared:
            self._on.pop(key, None)

    def _see_timer(self, schedule: Schedule, timer: Timer, fired: list[Fired]) -> None:
        key, after, anchor = timer.key, timer.after, timer.anchor
        before, known = self._on.get(key, (None, None))
        self._on[key] = timer, schedule
        if after is None or anchor is None:
            self._fault(f"{timer} does not say what it is accounted for")
            return
        if timer.due_at - after <= FAR:
            wanted = due(schedule, after, timer.due_at, anchor)
            if wanted != [timer.due_at]:
                self._fault(f"{timer} is set, and {schedule} is due at {wanted} after {after}")
        since = self._accounted_to.get(key, after)
        self._accounted_to[key] = after
        if before is None or known != schedule:
            if fired:
                self._fault(f"{key} is new and has fired {fired}")
        elif after < since:
            self._fault(f"{key} was accounted for to {since}, and goes back to {after}")
        elif before.anchor != anchor:
            self._fault(f"{key} begins anew at {anchor}, and is not changed: {schedule}")
        elif before.anchor == anchor and after - since <= FAR:
            self._account(key, due(schedule, since, after, anchor), fired)

    def _account(self, key: str, wanted: list[datetime], fired: list[Fired]) -> None:
        seen = self._fired.setdefault(key, set())
        left = [*wanted]
        for one in fired:
            if one.since is not None:
                left = [at for at in left if not one.since < at <= one.due_at]
                continue
            if one.due_at not in left or one.due_at in seen:
                self._fault(f"{key} fires {one.due_at}; due are {wanted}")
            left.remove(one.due_at)
            seen.add(one.due_at)
        if left:
            self._fault(f"{key} has neither fired nor skipped {left}")
