"""When a schedule is due: pure arithmetic on instants. Nothing here waits.

croniter knows which wall-clock times an expression names; this file puts them on the line of time.
It asks croniter for naive wall times only, since croniter's own zone handling fires a daily 01:30
twice when clocks go back, and cuts a zone's time into stretches of one UTC offset instead (S32):

- An expression that runs every hour follows the clock of each stretch: what is shown twice fires
  twice, what is never shown does not fire.
- Any other fires a wall time when the zone's clocks first show it, or when they have passed it:
  once at a fold, and at the first instant after a gap.

The answers depend on the arguments alone (and on the zone database): a scheduler that was down, or
two that run at once, work out the same instants.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

from croniter import HOUR_FIELD, croniter

from eventflow.model.schedule import Catchup, Cron, Every, Schedule

_TICK = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)
# The years in which an hour, either way, is a datetime too.
_YEARS = range(2, 9_999)


@dataclass(frozen=True, slots=True)
class Skipped:
    """The due instants in `(after, until]` were passed over, for `reason`; there is at least one.

    Attributes:
        reason: `"misfire"`: seen later than the grace allows. `"catchup"`: a newer one stands in.
    """

    after: datetime
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Due:
    """What to do about a schedule now: `fire` and `skipped` are all due in `(after, accounted_to]`.

    Attributes:
        fire: Strictly increasing.
        skipped: Disjoint, oldest first; no instant of `fire` lies in one.
        accounted_to: The `after` of the next call.
        next: The first due instant after `accounted_to`; not after `now` when a limit cut `fire`.
    """

    fire: tuple[datetime, ...]
    skipped: tuple[Skipped, ...]
    accounted_to: datetime
    next: datetime | None


def next_due(schedule: Schedule, after: datetime, *, anchor: datetime) -> datetime | None:
    """Return the first due instant strictly after `after`, in UTC.

    Args:
        anchor: Where an `Every` counts from: due are anchor + 1 period, + 2 periods, and so on.
            Give the schedule's registration, always the same; a `Cron` needs none and ignores it.

    Returns:
        `None` only near the year 9999: a `Cron` whose date never comes cannot be made.

    Raises:
        ValueError: If `after` or `anchor` is naive; so all functions of this file.
    """
    return next(_instants(schedule, _utc(after), _utc(anchor)), None)


def due_times(
    schedule: Schedule, *, after: datetime, until: datetime, limit: int, anchor: datetime
) -> list[datetime]:
    """Return the due instants in `(after, until]`, oldest first, at most `limit`."""
    end = _utc(until)
    instants = _instants(schedule, _utc(after), _utc(anchor))
    return list(islice(takewhile(lambda instant: instant <= end, instants), limit))


def last_due(
    schedule: Schedule, *, after: datetime, until: datetime, anchor: datetime
) -> datetime | None:
    """Return the newest due instant in `(after, until]`, without looking at the ones before it."""
    begin, end, origin = _utc(after), _utc(until), _utc(anchor)
    match schedule:
        case Cron():
            newest = _last_of_cron(schedule, begin, end)
        case Every(period):
            count = (end - origin) // period
            newest = origin + count * period if count >= 1 else None
    return newest if newest is not None and newest > begin else None


def fired_and_skipped(
    schedule: Schedule,
    *,
    after: datetime,
    now: datetime,
    catchup: Catchup,
    grace: timedelta | None,
    limit: int = 1_000,
    anchor: datetime,
    first: datetime | None = None,
) -> Due:
    """Account for every instant that is due in `(after, now]`: fire it or say why not (S33).

    Args:
        after: The last `accounted_to`, or the schedule's registration. If `now` is not after it
            (the clock was set back), nothing is due and it stays.
        catchup: `all` fires every instant; `latest` and `none` the newest. None of them fires one
            that is later than `grace`.
        grace: How late an instant may be and still be fired, zero or more; `None` sets no bound.
        limit: How many `all` fires in one call; call again from `accounted_to` for the rest.
        first: The first due instant after `after` where it is known, as that of a timer is: when
            nothing has been missed, that leaves one question to ask, and not three.

    Raises:
        ValueError: If an instant is naive, `grace` negative, or `limit` below 1.
    """
    if grace is not None and grace < timedelta(0):
        raise ValueError(f"grace must be zero or more, got {grace}")
    if limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
    begin, end, origin = _utc(after), _utc(now), _utc(anchor)
    fire: list[datetime] = []
    skipped: tuple[Skipped, ...] = ()
    done = max(begin, end)
    # Instants before `cut` are misfires.
    cut = begin if grace is None else max(begin, end - min(grace, done - begin))
    if first is not None and begin < first <= end:
        following = next_due(schedule, first, anchor=origin)
        if following is None or following > end:
            if first < cut:
                return Due((), (Skipped(begin, first, "misfire"),), done, following)
            return Due((first,), (), done, following)
    newest = last_due(schedule, after=begin, until=end, anchor=origin)
    if newest is not None and catchup is Catchup.ALL:
        since = max(begin, cut - _TICK)
        fire = due_times(schedule, after=since, until=end, limit=limit, anchor=origin)
        done = end if not fire or fire[-1] == newest else fire[-1]
        skipped = _skipped(schedule, (begin, cut, cut), origin)
    elif newest is not None:
        too_late = newest < cut
        fire = [] if too_late else [newest]
        # Those from `cut` on give way to the newest.
        skipped = _skipped(schedule, (begin, cut, end if too_late else newest), origin)
    return Due(tuple(fire), skipped, done, next_due(schedule, done, anchor=origin))


def _skipped(
    schedule: Schedule, bounds: tuple[datetime, datetime, datetime], anchor: datetime
) -> tuple[Skipped, ...]:
    """The ranges of misfires before the second bound, and of others before the third."""
    begin, cut, end = bounds
    ranges: list[Skipped] = []
    for before, reason in ((cut, "misfire"), (end, "catchup")):
        if before <= begin:
            continue
        last = last_due(schedule, after=begin, until=before - _TICK, anchor=anchor)
        if last is not None:
            ranges.append(Skipped(begin, last, reason))
            begin = last
    return tuple(ranges)


def _utc(instant: datetime) -> datetime:
    # Python compares and subtracts two datetimes of one zone by their wall clocks, so all
    # arithmetic here is on UTC.
    if instant.tzinfo is None:
        raise ValueError(f"an instant must be aware, got naive {instant.isoformat()}")
    return instant.astimezone(UTC)


def _instants(schedule: Schedule, after: datetime, anchor: datetime) -> Iterator[datetime]:
    match schedule:
        case Cron():
            return _instants_of_cron(schedule, after)
        case Every():
            return _instants_of_every(schedule, after, anchor)


def _instants_of_every(every: Every, after: datetime, anchor: datetime) -> Iterator[datetime]:
    count = max(0, (after - anchor) // every.period)
    try:
        instant = anchor + count * every.period
        while True:
            instant += every.period
            yield instant
    except OverflowError:
        return


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Time in which a zone keeps one UTC offset: `[begin, end)`, naive UTC.

    Attributes:
        shown: The zone's clocks showed every wall time before this one, or passed it by, before
            `begin`. It is ahead of the wall time at `begin` after a fold, behind it after a gap.
    """

    begin: datetime
    end: datetime
    offset: timedelta
    shown: datetime

    def opens(self, *, every_hour: bool) -> datetime:
        """The first wall time that may fire in this stretch."""
        return self.begin + self.offset if every_hour else self.shown

    def instant(self, wall: datetime) -> datetime:
        """When `wall` is shown in this stretch, or its begin if it fell into the gap before."""
        return max(self.begin, wall - self.offset)


@lru_cache(maxsize=1_024)
def _read(expression: str) -> "croniter[datetime]":
    """An expression as croniter reads it, which takes as long as finding a time."""
    return croniter(expression, datetime(2000, 1, 1), ret_type=datetime)


class _Walls:
    """The wall-clock times that an expression names, naive: croniter's part of the work.

    Every expression has some, so that an error of croniter's means the end of the calendar.
    """

    def __init__(self, expression: str) -> None:
        # Its own: asking moves it.
        self._cron = copy.copy(_read(expression))
        self.every_hour = self._cron.expanded[HOUR_FIELD] == ["*"]
        self._asked = self._found = datetime.max

    def after(self, wall: datetime) -> datetime:
        """The first one strictly after `wall`; `datetime.max` if there is none."""
        # Years may lie between two of them: each stretch on the way asks, croniter searches once.
        if not self._asked <= wall < self._found:
            self._asked = wall
            try:
                self._found = self._cron.get_next(start_time=wall)
            except (OverflowError, ValueError):
                self._found = datetime.max
        return self._found

    def before(self, wall: datetime) -> datetime:
        """The last one strictly before `wall`; `datetime.min` if there is none."""
        try:
            return self._cron.get_prev(start_time=wall)
        except (OverflowError, ValueError):
            return datetime.min


def _instants_of_cron(cron: Cron, after: datetime) -> Iterator[datetime]:
    walls = _Walls(cron.expression)
    # Due instants are whole seconds, and croniter counts in floats, which hold those exactly.
    since = after.replace(tzinfo=None, microsecond=0)
    for year in range(max(since.year, _YEARS.start), _YEARS.stop):
        for stretch in _stretches(cron.tz, year):
            if stretch.end <= since:
                continue
            wall = stretch.opens(every_hour=walls.every_hour) - _SECOND
            if stretch.begin <= since:
                wall = max(wall, since + stretch.offset)
            while (wall := walls.after(wall)) < stretch.end + stretch.offset:
                yield stretch.instant(wall).replace(tzinfo=UTC)
                # What else fell into the gap has fired with this one.
                wall = max(wall, stretch.begin + stretch.offset)


def _last_of_cron(cron: Cron, after: datetime, until: datetime) -> datetime | None:
    walls = _Walls(cron.expression)
    since = after.replace(tzinfo=None)
    bound = min(until.replace(tzinfo=None, microsecond=0), datetime(_YEARS.stop, 1, 1) - _SECOND)
    for year in range(bound.year, max(since.year, _YEARS.start) - 1, -1):
        for stretch in reversed(_stretches(cron.tz, year)):
            if stretch.begin > bound:
                continue
            if stretch.end <= since:
                return None
            wall = walls.before(min(stretch.end, bound + _SECOND) + stretch.offset)
            if wall >= stretch.opens(every_hour=walls.every_hour):
                return stretch.instant(wall).replace(tzinfo=UTC)
    return None


@lru_cache(maxsize=1_024)
def _stretches(tz: str, year: int) -> tuple[_Stretch, ...]:
    """One year of a zone, cut where its offset changes and at the ends of the year."""
    first, end = datetime(year, 1, 1), datetime(year + 1, 1, 1)
    zone = ZoneInfo(tz)
    # A fold at the turn of the year still shows its times again in the new one.
    begin = first - 2 * _DAY
    shown = begin + _offset(zone, begin)
    found = []
    while begin < end:
        offset = _offset(zone, begin)
        change = _next_change(zone, begin, offset, end)
        if change > first:
            at = max(begin, first)
            shown_by_then = max(shown, at + offset) if at > begin else shown
            found.append(_Stretch(at, change, offset, shown_by_then))
        shown = max(shown, change + offset)
        begin = change
    return tuple(found)


def _next_change(zone: ZoneInfo, begin: datetime, offset: timedelta, end: datetime) -> datetime:
    """The first instant after `begin` at which the offset is not `offset`; `end` if there is none.

    Looks once a day: since 1970 no zone has changed its clocks twice within six days.
    """
    same, probe = begin, begin
    while _offset(zone, probe) == offset:
        if probe == end:
            return end
        same, probe = probe, min(probe + _DAY, end)
    while probe - same > _SECOND:
        middle = same + (probe - same) // _SECOND // 2 * _SECOND
        if _offset(zone, middle) == offset:
            same = middle
        else:
            probe = middle
    return probe


def _offset(zone: ZoneInfo, instant: datetime) -> timedelta:
    aware = instant.replace(tzinfo=UTC)
    return aware.astimezone(zone).replace(tzinfo=None) - instant
