"""Fire times against cronsim, another's reading of cron, on what both take (S32, T02).

Where the two dialects differ, and why nothing of it is drawn here:

- Seconds: cronsim has them in front, croniter (and S32) at the end; moved when asked.
- Day of month and weekday, when one has a step on `*` (`*/2`): Debian's cron, which cronsim
  follows, then wants both; croniter ORs whatever is not a bare `*`.
- A range that passes the end of its field (`22-2`, `sat-sun`), `?`, `15W`, aliases such as
  `@daily`: cronsim refuses them. The last Friday is `5L` there and `L5` here; `LW` is only there.
- A step behind a single weekday (`5/2`): cronsim counts on to a second Sunday, 7.
- Clock changes: cronsim follows Debian; `watcher.py` is the oracle for ours. The zones below are
  looked at while their clocks stand still.
- A date that comes less than once in 50 years: cronsim gives up.
"""

from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from eventflow.core.firetimes import due_times
from eventflow.errors import ScheduleError
from eventflow.model.schedule import Cron

pytestmark = pytest.mark.rule("S32")
START = datetime(2026, 1, 1, tzinfo=UTC)
# No clock of these changes from the middle of May to the end of August.
ZONES = (
    *("UTC", "Europe/Berlin", "Europe/Dublin", "America/New_York", "America/Santiago"),
    *("Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu", "Pacific/Kiritimati"),
)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


@st.composite
def ranges(draw: st.DrawFn, low: int, high: int) -> str:
    first = draw(st.integers(low, high - 1))
    return f"{first}-{draw(st.integers(first + 1, high))}"


def fields(
    low: int, high: int, names: tuple[str, ...] = (), *, stars: bool = True
) -> st.SearchStrategy[str]:
    value = st.integers(low, high).map(str)
    if names:
        value |= st.sampled_from(names)
    steps = st.integers(2, (high - low) // 2).map("/{}".format)
    stepped = st.builds(str.__add__, ranges(low, high), steps)
    one = value | ranges(low, high) | stepped
    many = st.lists(one, min_size=2, max_size=3).map(",".join)
    return one | many | (st.just("*") | steps.map("*{}".format) if stars else st.nothing())


WEEKDAY_FIELDS = st.builds("{}#{}".format, st.sampled_from(WEEKDAYS), st.integers(1, 4))
DAYS = (
    st.tuples(st.just("*"), fields(0, 6, WEEKDAYS) | WEEKDAY_FIELDS)
    | st.tuples(fields(1, 28) | st.sampled_from(["L", "31", "29", "1,15"]), st.just("*"))
    | st.tuples(fields(1, 31, stars=False), fields(0, 6, WEEKDAYS, stars=False))
)
EXPRESSIONS = st.builds(
    lambda minute, hour, days, month: f"{minute} {hour} {days[0]} {month} {days[1]}",
    fields(0, 59),
    fields(0, 23),
    DAYS,
    fields(1, 12, MONTHS),
)


def ours(expression: str, tz: str, after: datetime, until: datetime, limit: int) -> list[datetime]:
    try:
        cron = Cron(expression, tz)
    except ScheduleError:
        reject()  # what reads as every day in a roundabout way, and ranges of one value
    return due_times(cron, after=after, until=until, limit=limit, anchor=START)


def theirs(
    expression: str, tz: str, after: datetime, until: datetime, limit: int
) -> list[datetime]:
    begin = after.astimezone(ZoneInfo(tz) if tz != "UTC" else UTC)
    instants = (instant.astimezone(UTC) for instant in CronSim(expression, begin))
    return list(islice(takewhile(lambda at: at <= until, instants), limit))


@given(EXPRESSIONS, st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)))
@settings(deadline=None, max_examples=200)
def test_in_utc_both_fire_the_same_instants(expression: str, begin: datetime) -> None:
    after = begin.replace(tzinfo=UTC, microsecond=0)
    until = after + timedelta(days=3_000)

    assert ours(expression, "UTC", after, until, 20) == theirs(expression, "UTC", after, until, 20)


@given(EXPRESSIONS, st.sampled_from(ZONES), st.integers(2020, 2040), st.integers(0, 80))
@settings(deadline=None, max_examples=100)
def test_where_clocks_stand_still_both_fire_the_same_instants(
    expression: str, tz: str, year: int, day: int
) -> None:
    after = datetime(year, 5, 20, tzinfo=UTC) + timedelta(days=day)
    until = datetime(year, 8, 31, tzinfo=UTC)

    assert ours(expression, tz, after, until, 50) == theirs(expression, tz, after, until, 50)


@given(fields(0, 59), fields(0, 59), fields(0, 23))
@settings(deadline=None, max_examples=50)
def test_seconds_stand_at_the_other_end(second: str, minute: str, hour: str) -> None:
    until = START + timedelta(days=3)

    found = ours(f"{minute} {hour} * * * {second}", "UTC", START, until, 50)

    assert found == theirs(f"{second} {minute} {hour} * * *", "UTC", START, until, 50)


@pytest.mark.parametrize(
    ("expression", "here", "there"),
    [
        ("0 0 */2 * mon", [1, 3, 5, 7], [5, 19]),  # OR here; with a star, AND there
        ("0 0 1,15 * mon", [1, 5, 12, 15], [1, 5, 12, 15]),
    ],
)
def test_a_star_with_a_step_is_a_day_field_that_says_something(
    expression: str, here: list[int], there: list[int]
) -> None:
    before = START - timedelta(seconds=1)
    until = START + timedelta(days=20)

    assert [at.day for at in ours(expression, "UTC", before, until, 4)] == here
    assert [at.day for at in theirs(expression, "UTC", before, until, 4)] == there
