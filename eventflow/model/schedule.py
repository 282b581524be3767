"""When a workflow or a task is to run: `Cron` and `Every`, validated as values. Computes no times.

Cron is croniter's dialect (S32): weekday 0 is Sunday, day of month and weekday are OR-ed, seconds
are an optional sixth field at the end. What croniter takes but reads otherwise than its author
meant is refused here: `5-5` (every minute to croniter), `*/90`, `50-10/7`, `#` beside a day of
month, and the random fields on which two schedulers would disagree.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from croniter import CroniterError, croniter

from eventflow.errors import ScheduleError

MAX_EXPRESSION = 500
MIN_PERIOD = timedelta(milliseconds=1)
MAX_PERIOD = timedelta(days=3_653)
ALIASES = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

_RANGE = re.compile(r"(?:\*|(\d{1,2}|[a-z]{3})(?:-(\d{1,2}|[a-z]{3}))?)(?:/(\d{1,3}))?", re.ASCII)
_NEAREST = re.compile(r"(?:w(\d{1,2})|(\d{1,2})w)", re.ASCII)
_NTH = re.compile(r"(?:(\d|[a-z]{3})#[1-5]|l(\d))", re.ASCII)
_RANDOM = re.compile(r"[hr](?:\(.*\))?(?:/.*)?")

_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*", re.ASCII)
# In a machine's zone folder, but no IANA zones: they differ between machines or count leap seconds.
_NOT_ZONES = re.compile(r"localtime|posixrules|Factory|(?:posix|right)/.*")


class Catchup(StrEnum):
    """Which of the due times that passed unseen are made up for (S33)."""

    NONE = "none"
    LATEST = "latest"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Cron:
    """The times that a cron expression names on the clocks of a time zone.

    Attributes:
        expression: Five fields, six with seconds last, or an alias such as `@daily`. Runs of
            spaces become one, so that a change of layout is no change of schedule.
        tz: An IANA name.
    """

    expression: str
    tz: str = "UTC"

    def __post_init__(self) -> None:
        object.__setattr__(self, "expression", _check_expression(self.expression))
        _check_zone(self.tz)

    def __str__(self) -> str:
        return f"{self.expression} ({self.tz})"

    def definition(self) -> dict[str, Any]:
        """The schedule as JSON; `schedule_from` reads it back."""
        return {"cron": self.expression, "tz": self.tz}


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Every:
    """A fixed period of elapsed time, counted from the schedule's registration."""

    period: timedelta

    def __init__(
        self, seconds: float = 0, *, minutes: float = 0, hours: float = 0, days: float = 0
    ) -> None:
        """Raises ScheduleError unless the sum is at least 1 ms and at most ten years."""
        parts = {"days": days, "hours": hours, "minutes": minutes, "seconds": seconds}
        for name, value in parts.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ScheduleError(
                    f"Every: {name} must be a number, got {type(value).__name__}; "
                    "write Every(seconds=30)"
                )
        try:
            period = timedelta(**parts)
        except (OverflowError, ValueError) as error:
            raise ScheduleError(
                f"Every: the period is no number of seconds up to ten years: {error}"
            ) from error
        if period < MIN_PERIOD:
            raise ScheduleError(
                f"Every: a period of {period.total_seconds()} s is too short; at least 0.001 s"
            )
        if period > MAX_PERIOD:
            raise ScheduleError(
                f"Every: a period of {period.days} days is too long; at most {MAX_PERIOD.days} days"
            )
        object.__setattr__(self, "period", period)

    def __str__(self) -> str:
        minutes, seconds = divmod(timedelta(seconds=self.period.seconds), timedelta(minutes=1))
        hours, minutes = divmod(minutes, 60)
        seconds += timedelta(microseconds=self.period.microseconds)
        amounts = (
            (self.period.days, "d"),
            (hours, "h"),
            (minutes, "min"),
            (seconds.total_seconds(), "s"),
        )
        return " ".join(["every"] + [f"{amount:.8g} {unit}" for amount, unit in amounts if amount])

    def __repr__(self) -> str:
        return f"Every(seconds={self.period.total_seconds()!r})"

    def definition(self) -> dict[str, Any]:
        """The schedule as JSON; `schedule_from` reads it back, to the microsecond."""
        return {"every_s": self.period.total_seconds()}


Schedule: TypeAlias = Cron | Every


def schedule_from(definition: dict[str, Any]) -> Schedule:
    """Read back what `definition()` wrote.

    Raises:
        ScheduleError: If it has another shape, or its values make no schedule here.
    """
    if isinstance(definition, dict):
        if definition.keys() == {"cron", "tz"}:
            return Cron(definition["cron"], tz=definition["tz"])
        if definition.keys() == {"every_s"}:
            return Every(definition["every_s"])
    raise ScheduleError(
        'a schedule\'s definition is {"cron": "...", "tz": "..."} or {"every_s": 30}, '
        f"got {_shape(definition)}"
    )


def parse_schedule(value: str | Cron | Every) -> Schedule:
    """A schedule as it is, or cron text in UTC: what operators take as `periodic_expression`.

    Raises:
        ScheduleError: If `value` is neither, or the text is no cron expression.
    """
    if isinstance(value, Cron | Every):
        return value
    if isinstance(value, str) and (" " in value or value.startswith("@")):
        return Cron(value)
    shown = _shown(value) if isinstance(value, str) else type(value).__name__
    raise ScheduleError(
        f"a schedule is cron text such as '*/5 * * * *', a Cron or an Every, got {shown}"
    )


@dataclass(frozen=True, slots=True)
class _Field:
    """One field of a cron expression; `names` stand for the values from `low` on."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def value(self, text: str) -> int:
        """The number that `text` stands for. Raises ValueError with the reason if it has none."""
        if text in self.names:
            return self.low + self.names.index(text)
        if not text.isdecimal():
            named = f" or {', '.join(self.names)}" if self.names else ""
            raise ValueError(f"its values are {self.low} to {self.high}{named}")
        if not self.low <= int(text) <= self.high:
            raise ValueError(f"{text} is out of range: {self.low} to {self.high}")
        return int(text)


_DAY = _Field("day of month", 1, 31)
_WEEKDAY = _Field("weekday", 0, 7, _WEEKDAYS)
_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _DAY,
    _Field("month", 1, 12, _MONTHS),
    _WEEKDAY,
    _Field("second", 0, 59),
)


def _check_expression(expression: str) -> str:
    """The expression with single spaces. Raises ScheduleError if it is not one."""
    if not isinstance(expression, str):
        raise ScheduleError(
            f"a cron expression is text such as '0 2 * * *', got {type(expression).__name__}"
        )
    where = f"cron {_shown(expression)}"
    if len(expression) > MAX_EXPRESSION:
        raise ScheduleError(
            f"{where} has {len(expression)} characters; at most {MAX_EXPRESSION}: "
            "use ranges and steps for long lists"
        )
    for place, character in enumerate(expression, 1):
        if not " " <= character <= "~":
            raise ScheduleError(
                f"{where}: character {character!r} at {place} has no place in it; "
                "part fields by spaces"
            )
    text = " ".join(expression.split())
    try:
        _check_text(text.lower())
    except ValueError as error:
        raise ScheduleError(f"{where}: {error}") from error
    return text


def _check_text(text: str) -> None:
    if text.startswith("@"):
        if text not in ALIASES:
            raise ValueError(f"{text!r} names no times; known are {', '.join(ALIASES)}")
        return
    texts = text.split()
    if len(texts) not in (5, 6):
        raise ValueError(
            "write 5 fields (minute, hour, day of month, month, weekday) or 6 with seconds last, "
            f"got {len(texts)}"
        )
    for field, field_text in zip(_FIELDS, texts, strict=False):
        _check_field(field, field_text)
    _check_days(texts[2], texts[4])
    try:
        dates = croniter(text, datetime(2000, 1, 1))
    except (CroniterError, ValueError) as error:
        raise ValueError(f"croniter refuses it: {error}") from error
    try:
        dates.get_next(datetime)
    except CroniterError as error:
        raise ValueError(
            f"its date never comes (day of month {texts[2]!r} in month {texts[3]!r}); "
            "correct one of the two"
        ) from error


def _check_field(field: _Field, text: str) -> None:
    """Raises ValueError if croniter would not take `text`, or would not read it as written."""
    if text == "*" or (text == "?" and field in (_DAY, _WEEKDAY)):
        return
    if field is _DAY and (nearest := _NEAREST.fullmatch(text)):
        if not 1 <= int(nearest[1] or nearest[2]) <= 28:
            raise ValueError(f"{field.name} {text!r}: W goes with a day that all months have, 1-28")
        return
    items = text.split(",")
    for item in items:
        try:
            _check_item(field, item)
        except ValueError as error:
            raise ValueError(f"{field.name} {_shown(item)}: {error}") from error
    # croniter counts 31 entries, not days, and takes '2-31,L' for every day.
    if field is _DAY and "l" in items and _is_every_day(text, "*"):
        raise ValueError(f"{field.name} {_shown(text)}: too many days beside 'L'; write them out")
    if field is _WEEKDAY and len({_NTH.fullmatch(item) is None for item in items}) == 2:
        raise ValueError(f"{field.name} {_shown(text)} mixes plain days with '#' or 'L'; use one")


def _check_item(field: _Field, item: str) -> None:
    if field is _DAY and item == "l":
        return
    if field is _WEEKDAY and (nth := _NTH.fullmatch(item)):
        field.value(nth[1] or nth[2])
        return
    if _RANDOM.fullmatch(item):
        raise ValueError("random and hashed fields differ between schedulers; write a number")
    if item == "*":
        raise ValueError("'*' stands alone in its field")
    parts = _RANGE.fullmatch(item)
    if parts is None:
        raise ValueError("is not *, a value, a range a-b, or one of these with a step /n")
    low, high, step = parts.groups()
    size = 7 if field is _WEEKDAY else field.high - field.low + 1
    if step is not None and not 1 <= int(step) <= size:
        raise ValueError(f"a step is from 1 to {size}: it begins anew with each round of the field")
    if low is not None:
        first = field.value(low)
        if high is not None:
            _check_range(first, field.value(high), size, stepped=step is not None)


def _check_range(first: int, last: int, size: int, *, stepped: bool) -> None:
    # croniter reads a range that ends where it begins as the whole round of the field.
    if (first - last) % size == 0 and (first, last) != (0, 7):
        raise ValueError("a range that ends where it begins; write the one value, or *")
    # ... and loses count of the steps where a range passes the end of the field.
    if first > last and stepped:
        raise ValueError("a range with a step may not pass the end of its field; write two")


def _check_days(day: str, weekday: str) -> None:
    """Day of month and weekday are OR-ed, when both say something."""
    if {day, weekday} & {"*", "?"}:
        return
    if "w" in day or _NTH.fullmatch(weekday.split(",")[0]):
        raise ValueError("'W', '#' and 'L' of a weekday need '*' in the other day field")
    if _is_every_day(day, "*"):
        raise ValueError(f"day of month {_shown(day)} is every day, so OR weekday is idle; write *")
    if _is_every_day("*", weekday):
        raise ValueError(f"weekday {_shown(weekday)} is every day, so OR day is idle; write *")


def _is_every_day(day: str, weekday: str) -> bool:
    expanded, _ = croniter.expand(f"0 0 {day} * {weekday}")
    return expanded[2] == ["*"] and expanded[4] == ["*"]


def _check_zone(tz: str) -> None:
    if not isinstance(tz, str):
        raise ScheduleError(
            f"a time zone is an IANA name such as 'Europe/Berlin', got {type(tz).__name__}"
        )
    if not _is_zone(tz):
        raise ScheduleError(
            f"time zone {_shown(tz)} is unknown; use an IANA name such as 'Europe/Berlin'"
        )


def _is_zone(tz: str) -> bool:
    if len(tz) > 64 or _ZONE.fullmatch(tz) is None or _NOT_ZONES.fullmatch(tz):
        return False
    try:
        ZoneInfo(tz)
    except (LookupError, ValueError, OSError):
        return False
    return True


def _shown(text: str) -> str:
    return repr(text) if len(text) <= 60 else f"{text[:40]!r}..."


def _shape(definition: Any) -> str:
    if not isinstance(definition, dict):
        return type(definition).__name__
    return _shown(f"an object with {sorted(map(str, definition))}")
