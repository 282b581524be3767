"""When schedules are due, told slowly: by looking at the clock on the wall, minute by minute.

It knows the few shapes of expressions that are played: minute and hour are a number or `*`, the
minute also `*/n`.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from eventflow.model.schedule import Cron, Every, Schedule

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
# Further than this nobody looks.
FAR = 12 * DAY


def due(schedule: Schedule, after: datetime, until: datetime, anchor: datetime) -> list[datetime]:
    """Every due instant in `(after, until]`."""
    if isinstance(schedule, Every):
        first = max((after - anchor) // schedule.period, 0) + 1
        last = (until - anchor) // schedule.period
        return [anchor + number * schedule.period for number in range(first, last + 1)]
    minute, hour = schedule.expression.split()[:2]
    if hour == "*":
        return [one for one in _minutes(after, until) if _shows(one, schedule, minute)]
    return list(_by_day(schedule, int(minute), int(hour), after, until))


def _minutes(after: datetime, until: datetime) -> Iterator[datetime]:
    one = after.replace(second=0, microsecond=0) + MINUTE
    while one <= until:
        yield one
        one += MINUTE


def _shows(instant: datetime, cron: Cron, minute: str) -> bool:
    if minute == "*":
        return True
    shown = _wall(instant, cron.tz).minute
    return shown % int(minute[2:]) == 0 if minute.startswith("*/") else shown == int(minute)


def _by_day(
    cron: Cron, minute: int, hour: int, after: datetime, until: datetime
) -> Iterator[datetime]:
    """Once on each day: when the clock first shows it, or has passed it."""
    day = _wall(after, cron.tz).replace(hour=0, minute=0, second=0, microsecond=0) - DAY
    while day <= _wall(until, cron.tz) + DAY:
        one = _first_shown(day.replace(hour=hour, minute=minute), cron.tz)
        if after < one <= until:
            yield one
        day += DAY


@cache
def _first_shown(wall: datetime, tz: str) -> datetime:
    one = wall.replace(tzinfo=ZoneInfo(tz), fold=0).astimezone(UTC)
    # In a gap it was passed by before that.
    while _wall(one - MINUTE, tz) >= wall:
        one -= MINUTE
    return one


def _wall(instant: datetime, tz: str) -> datetime:
    return instant.astimezone(ZoneInfo(tz)).replace(tzinfo=None)
