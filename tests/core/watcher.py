"""The oracle of fire times: someone who looks at a zone's clock and reads cron slowly (S32).

The watcher looks at every minute of UTC. He fires an expression that runs every hour when the clock
shows one of its times; any other when the clock shows, or has passed, one of its times that it had
not reached before. Nothing here is shared with what it judges.
"""

import calendar
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


def read_field(text: str, low: int, size: int, names: tuple[str, ...] = ()) -> set[int]:
    """The values that one field names; a range may pass the end of the field and begin anew."""
    found: set[int] = set()
    for item in text.split(","):
        span, _, step = item.partition("/")
        begin, _, end = span.replace("*", f"{low}-{low + size - 1}").partition("-")
        first, last = (
            low + names.index(value) if value in names else int(value or -1)
            for value in (begin, end or (str(low + size - 1) if step else begin))
        )
        last += size if last < first else 0
        found |= {low + (n - low) % size for n in range(first, last + 1, int(step or 1))}
    return found


@lru_cache(maxsize=10_000)
def names_day(day: date, of_month: str, of_week: str) -> bool:
    last = calendar.monthrange(day.year, day.month)[1]
    numbers = ",".join(item for item in of_month.split(",") if item != "l")
    if of_month.endswith("w"):
        workdays = [n for n in range(1, last + 1) if day.replace(day=n).isoweekday() < 6]
        in_month = day.day == min(workdays, key=lambda n: abs(n - int(of_month[:-1])))
    else:
        in_month = "l" in of_month and day.day == last
        in_month |= bool(numbers) and day.day in read_field(numbers, 1, 31)
    in_week = False
    for item in of_week.split(","):
        which, _, number = item.removeprefix("l").partition("#")
        named = day.isoweekday() % 7 in read_field(which, 0, 7, WEEKDAYS)
        named &= not number or int(number) == (day.day - 1) // 7 + 1
        named &= not item.startswith("l") or day.day + 7 > last
        in_week |= named
    both_say_something = of_month != "*" and of_week != "*"
    return in_month or in_week if both_say_something else in_month and in_week


class Reading:
    """A cron expression as a careful person reads it."""

    def __init__(self, expression: str) -> None:
        texts = (expression.lower() + " 0").split()
        self.minutes = read_field(texts[0], 0, 60)
        self.hours = read_field(texts[1], 0, 24)
        self.day, self.weekday = texts[2], texts[4]
        self.months = read_field(texts[3], 1, 12, MONTHS)
        self.seconds = read_field(texts[5], 0, 60)

    def names(self, wall: datetime) -> bool:
        """Whether it names some second of this minute."""
        return (
            wall.minute in self.minutes
            and wall.hour in self.hours
            and wall.month in self.months
            and names_day(wall.date(), self.day, self.weekday)
        )


@lru_cache
def clock(tz: str, around: str) -> list[tuple[datetime, datetime]]:
    """Each minute of five days round a change: the instant, and the wall time that it shows."""
    begin = datetime.fromisoformat(around).replace(tzinfo=UTC) - 2 * DAY
    return list(minutes(tz, begin, begin + 5 * DAY))


def minutes(tz: str, begin: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Each minute in `[begin, end)`: the instant, and the wall time that a zone's clocks show."""
    zone = ZoneInfo(tz)
    at = begin
    while at < end:
        yield at, at.astimezone(zone).replace(tzinfo=None)
        at += MINUTE


def watch(reading: Reading, shown: Iterable[tuple[datetime, datetime]]) -> list[datetime]:
    """What the watcher fires, in all but the first of the minutes that are shown to him."""
    every_hour = len(reading.hours) == 24
    seconds = [timedelta(seconds=second) for second in sorted(reading.seconds)]
    looks = iter(shown)
    _, reached = next(looks)
    fired: list[datetime] = []
    for at, wall in looks:
        due = []
        # Clocks went forward: what fell into the gap fires at the first instant after it.
        while not every_hour and reached + MINUTE < wall:
            reached += MINUTE
            if reading.names(reached):
                due = [at]
        if (every_hour or reached < wall) and reading.names(wall):
            due += [at + second for second in seconds]
        if reached < wall:
            reached = wall
        if due:
            fired += dict.fromkeys(due)
    return fired
