"""A clock that moves when told."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 1, tzinfo=UTC)


class VirtualClock:
    """Stands still until it is set forward."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        # Where the wall clock would stand at 0 s; it moves when that is set.
        self._origin = start

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._origin).total_seconds()

    def set(self, instant: datetime) -> None:
        """Move to `instant`; aware UTC. Never back."""
        self._now = max(self._now, instant)

    def advance(self, duration: timedelta) -> None:
        self._now += duration

    def set_wall(self, by: timedelta) -> None:
        """Set the wall clock forward or, below zero, back. No time passes."""
        self._now += by
        self._origin += by
