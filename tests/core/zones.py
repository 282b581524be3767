"""Every zone against the watcher: `make zones`, or `python tests/core/zones.py [ZONE...]`.

Prints one JSON line; ends with 1 when an instant differs. Zones whose clocks show the same at every
hour are looked at as one. For each it holds `due_times` of 2020-2040 against the
watcher of `watcher.py`:

- minute by minute in the days round each change of the zone's clocks and round each new year;
- between these, where the offset stands still (looked at every hour), the expressions
  that fire less than hourly against the wall times that they name.
"""

import itertools
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from watcher import DAY, MINUTE, Reading, minutes, watch

from eventflow.core.firetimes import due_times
from eventflow.errors import ScheduleError
from eventflow.model.schedule import Cron

FIRST, LAST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 12, 31, tzinfo=UTC)
# Here the clocks do what few clocks do: half an hour, at midnight, a day left out, winter time that
# is the exception; and one that everybody knows.
ALWAYS = (
    "Australia/Lord_Howe",
    "America/Santiago",
    "Pacific/Apia",
    "Europe/Dublin",
    "America/New_York",
)
OFTEN = ("0 * * * *", "*/15 * * * *", "*/30 * * * * 10,50", "15 0-22 * * *")
SELDOM = (
    "30 1 * * *",
    "30 2 * * *",
    "0 0 * * *",
    "0 9 * * mon-fri",
    "0 3 L * *",
    "30 2 1,15 * mon",
    "59 23 * * L0",
    "30 2 * * * 0,20,40",
)
NEAR = DAY
_HOUR = 60 * MINUTE


def main() -> int:
    zones = sys.argv[1:] or [zone for zone in sorted(available_timezones()) if is_zone(zone)]
    clocks: dict[object, list[str]] = {}
    for zone in zones:
        clocks.setdefault(_changes(zone, FIRST, LAST), []).append(zone)
    differences, fired = [], 0
    for zone, *_ in clocks.values():
        for expression in OFTEN + SELDOM:
            found, compared = differing(zone, expression, FIRST, LAST)
            fired += compared
            differences += [f"{zone} {expression} {instant.isoformat()}" for instant in found]
    figures = {
        "zones": len(zones),
        "clocks": len(clocks),
        "expressions": len(OFTEN + SELDOM),
        "instants": fired,
        "differences": len(differences),
    }
    sys.stdout.write(json.dumps({"check": "zones"} | figures) + "\n")
    sys.stdout.writelines(f"{line}\n" for line in differences[:100])
    return 1 if differences else 0


def differing(
    zone: str, expression: str, first: datetime, last: datetime
) -> tuple[list[datetime], int]:
    """The instants that only one of the two fires, and how many the watcher fires."""
    cron, reading = Cron(expression, zone), Reading(expression)
    found: set[datetime] = set()
    count = 0
    for begin, end, changes in spans(zone, first, last):
        if changes:
            expected = _watched(zone, expression, begin, end)
        elif expression in SELDOM:
            expected = _shifted(zone, reading, begin, end)
        else:
            continue
        due = due_times(cron, after=begin, until=end, limit=10_000_000, anchor=FIRST)
        found |= set(due) ^ set(expected)
        count += len(expected)
    return sorted(found), count


def spans(zone: str, first: datetime, last: datetime) -> list[tuple[datetime, datetime, bool]]:
    """The years in pieces `(begin, end]`: near a change of the clocks or a new year, and not."""
    changes = (at for at, _ in _changes(zone, first, last)[1:])
    near = sorted({*changes, *_new_years(first, last)})
    pieces = []
    at = first
    for change in near:
        begin, end = max(at, change - NEAR), min(last, change + NEAR)
        if begin > at:
            pieces.append((at, begin, False))
        if end > begin:
            pieces.append((begin, end, True))
            at = end
    if at < last:
        pieces.append((at, last, False))
    return pieces


@lru_cache(maxsize=700)
def _changes(zone: str, first: datetime, last: datetime) -> tuple[tuple[datetime, timedelta], ...]:
    """The offset at first, and each whole hour at which it is not that of an hour before."""
    info = ZoneInfo(zone)
    found: list[tuple[datetime, timedelta]] = []
    at = first
    while at < last:
        offset = at.astimezone(info).utcoffset() or timedelta(0)
        if not found or offset != found[-1][1]:
            found.append((at, offset))
        at += _HOUR
    return tuple(found)


def _new_years(first: datetime, last: datetime) -> Iterator[datetime]:
    return (datetime(year, 1, 1, tzinfo=UTC) for year in range(first.year + 1, last.year + 1))


def _watched(zone: str, expression: str, begin: datetime, end: datetime) -> list[datetime]:
    # The watcher must have seen the clock for a while to know what it has shown before.
    seen = _minutes(zone, begin - DAY, end + MINUTE)
    return [at for at in watch(Reading(expression), seen) if begin < at <= end]


@lru_cache(maxsize=200)
def _minutes(zone: str, begin: datetime, end: datetime) -> tuple[tuple[datetime, datetime], ...]:
    return tuple(minutes(zone, begin, end))


def _shifted(zone: str, reading: Reading, begin: datetime, end: datetime) -> list[datetime]:
    """Where the offset stands still: what the expression names, moved by the offset."""
    offset = begin.astimezone(ZoneInfo(zone)).utcoffset() or timedelta(0)
    midnight = (begin + offset).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    days = (midnight + n * DAY for n in range((end - begin) // DAY + 3))
    times = [
        timedelta(hours=hour, minutes=minute, seconds=second)
        for hour, minute, second in itertools.product(
            sorted(reading.hours), sorted(reading.minutes), sorted(reading.seconds)
        )
    ]
    walls = [day + time for day in days for time in times if reading.names(day + time)]
    return [
        at for at in ((wall - offset).replace(tzinfo=UTC) for wall in walls) if begin < at <= end
    ]


def is_zone(zone: str) -> bool:
    """Whether a schedule may name it."""
    try:
        Cron("@daily", zone)
    except ScheduleError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
