"""When schedules are due (S32) and what becomes of the times that passed unseen (S33).

The oracle is the watcher of `watcher.py`; `zones.py` holds every zone against him.
"""

import time
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, reject, settings
from hypothesis import strategies as st
from watcher import DAY, MINUTE, MONTHS, WEEKDAYS, Reading, clock, read_field, watch

from eventflow.core.firetimes import Due, due_times, fired_and_skipped, last_due, next_due
from eventflow.errors import ScheduleError
from eventflow.model.schedule import Catchup, Cron, Every, Schedule

START = datetime(2026, 1, 1, tzinfo=UTC)

# A zone and a day on which its clocks change.
CHANGES = [
    ("Australia/Lord_Howe", "2026-04-04"),
    ("Australia/Lord_Howe", "2026-10-03"),
    ("America/Santiago", "2026-04-05"),
    ("America/Santiago", "2026-09-06"),
    ("Pacific/Apia", "2011-04-02"),
    ("Pacific/Apia", "2011-12-30"),
    ("Pacific/Apia", "2021-04-03"),
    ("Europe/Dublin", "2026-03-29"),
    ("Europe/Dublin", "2026-10-25"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    ("Africa/Casablanca", "2026-02-15"),
    ("Africa/Casablanca", "2026-03-22"),
    ("America/St_Johns", "2006-04-02"),
    ("America/St_Johns", "2006-10-29"),
    ("Antarctica/Troll", "2026-03-29"),
    ("Antarctica/Troll", "2026-10-25"),
    ("Asia/Pyongyang", "2018-05-04"),
    ("America/Caracas", "2007-12-09"),
    ("Asia/Kathmandu", "1985-12-31"),
    ("Africa/Casablanca", "1985-12-31"),
    ("Africa/Tripoli", "1981-12-31"),
    ("Pacific/Kiritimati", "1994-12-31"),
    ("Asia/Kolkata", "2026-06-15"),
    ("UTC", "2026-12-31"),
]


def fields(low: int, high: int, names: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    value = st.integers(low, high).map(str)
    if names:
        value |= st.sampled_from(names)
    step = st.integers(2, max(2, (high - low) // 2)).map("/{}".format)
    span = st.builds("{}-{}".format, value, value)
    item = value | span | st.builds(str.__add__, st.just("*") | value | span, step)
    return st.just("*") | item | st.lists(item, min_size=2, max_size=3).map(",".join)


MINUTE_FIELDS = st.sampled_from(["0", "30", "15,45", "59", "*/10", "*"]) | fields(0, 59)
HOUR_FIELDS = st.sampled_from(["*", "0", "1", "2", "1-3", "23", "0-22", "*/1"]) | fields(0, 23)
DAY_FIELDS = st.sampled_from(["*", "L", "1,L", "15W", "1W", "28W", "2-31,L"]) | fields(1, 31)
WEEKDAY = st.integers(0, 7).map(str) | st.sampled_from(WEEKDAYS)
NTH = st.builds("{}#{}".format, WEEKDAY, st.integers(1, 5)) | st.integers(0, 7).map("L{}".format)
NTHS = st.lists(NTH, min_size=1, max_size=2).map(",".join)
WEEKDAY_FIELDS = st.just("*") | NTHS | fields(0, 7, WEEKDAYS)


def made(expression: str, tz: str = "UTC") -> Cron:
    """A schedule, if the expression is one: what is refused needs no times."""
    try:
        return Cron(expression, tz)
    except ScheduleError:
        reject()


def at(text: str, tz: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(tz))


def shown(instants: Iterable[datetime], tz: str) -> list[str]:
    return [f"{instant.astimezone(ZoneInfo(tz)):%a %H:%M %z}" for instant in instants]


@pytest.mark.rule("S32")
@given(MINUTE_FIELDS, HOUR_FIELDS, st.sampled_from(CHANGES))
@settings(deadline=None, max_examples=200)
@example("30", "1", ("Europe/Berlin", "2026-10-25"))
@example("*/7", "*", ("Australia/Lord_Howe", "2026-04-04"))
@example("0", "12", ("Pacific/Apia", "2011-12-30"))
def test_a_watcher_at_the_clock_fires_the_same_instants(
    minute: str, hour: str, change: tuple[str, str]
) -> None:
    expression = f"{minute} {hour} * * *"
    cron, minutes = made(expression, change[0]), clock(*change)

    due = due_times(
        cron, after=minutes[0][0], until=minutes[-1][0], limit=len(minutes), anchor=START
    )

    assert due == watch(Reading(expression), minutes)


@pytest.mark.rule("S32")
@pytest.mark.parametrize("change", CHANGES, ids=" ".join)
@pytest.mark.parametrize(
    "expression", ["30 1 * * *", "0 0 * * *", "*/15 0-3 * * *", "*/15 * * * *"]
)
def test_the_common_expressions_agree_with_the_watcher_at_every_change(
    expression: str, change: tuple[str, str]
) -> None:
    minutes = clock(*change)

    due = due_times(
        Cron(expression, change[0]),
        after=minutes[0][0],
        until=minutes[-1][0],
        limit=len(minutes),
        anchor=START,
    )

    assert due == watch(Reading(expression), minutes)


@pytest.mark.rule("S32")
@given(
    DAY_FIELDS,
    fields(1, 12, MONTHS),
    WEEKDAY_FIELDS,
    st.dates(date(1999, 1, 1), date(2101, 1, 1)),
)
@settings(deadline=None, max_examples=200)
@example("*", "2", "1#5", date(2040, 1, 1))
@example("31", "*", "*", date(2026, 1, 1))
def test_the_days_are_those_that_a_careful_person_reads(
    day: str, month: str, weekday: str, begin: date
) -> None:
    expression = f"30 12 {day} {month} {weekday}"
    cron, reading = made(expression), Reading(expression)
    noon = datetime(begin.year, begin.month, begin.day, 12, 30, tzinfo=UTC)
    days = [noon + n * DAY for n in range(1, 800)]

    due = due_times(cron, after=noon, until=days[-1], limit=800, anchor=START)

    assert due == [noon for noon in days if reading.names(noon)]


SCHEDULES = st.builds(
    made,
    st.builds("{} {} * * *".format, MINUTE_FIELDS, HOUR_FIELDS),
    st.sampled_from([tz for tz, _ in CHANGES]),
) | st.builds(Every, st.floats(600, 50_000))
MOMENTS = st.datetimes(
    datetime(2026, 10, 20), datetime(2026, 11, 5), timezones=st.just(UTC)
) | st.datetimes(datetime(2026, 3, 26), datetime(2026, 4, 7), timezones=st.just(UTC))


@given(SCHEDULES, MOMENTS, st.timedeltas(timedelta(0), DAY))
@settings(deadline=None)
def test_next_and_last_are_the_ends_of_all(
    schedule: Schedule, after: datetime, span: timedelta
) -> None:
    until = after + span

    due = due_times(schedule, after=after, until=until, limit=10_000, anchor=START)

    step_by_step = []
    instant = next_due(schedule, after, anchor=START)
    while instant is not None and instant <= until:
        step_by_step.append(instant)
        instant = next_due(schedule, instant, anchor=START)
    assert step_by_step == due == sorted(set(due))
    newest = last_due(schedule, after=after, until=until, anchor=START)
    assert newest == (due[-1] if due else None)


@pytest.mark.rule("S33")
@given(
    SCHEDULES,
    MOMENTS,
    st.lists(st.timedeltas(timedelta(hours=-1), timedelta(days=1)), min_size=1, max_size=5),
    st.sampled_from(Catchup),
    st.timedeltas(timedelta(0), timedelta(hours=3)) | st.sampled_from([timedelta.max, None]),
    st.integers(1, 40),
)
@settings(deadline=None)
def test_every_due_instant_is_fired_once_or_skipped_once(
    schedule: Schedule,
    begin: datetime,
    steps: list[timedelta],
    catchup: Catchup,
    grace: timedelta | None,
    limit: int,
) -> None:
    now = accounted_to = begin
    fired: list[datetime] = []
    skipped: list[datetime] = []
    first = next_due(schedule, begin, anchor=START)
    for step in steps:
        now += step
        account_for = partial(
            fired_and_skipped,
            schedule,
            after=accounted_to,
            now=now,
            catchup=catchup,
            grace=grace,
            limit=limit,
            anchor=START,
        )
        due = account_for()
        assert account_for(first=first) == due
        first = due.next
        fired += due.fire
        for gone in due.skipped:
            within = due_times(
                schedule, after=gone.after, until=gone.until, limit=10_000, anchor=START
            )
            assert within[-1] == gone.until
            too_late = {grace is not None and now - instant > grace for instant in within}
            assert too_late == {gone.reason == "misfire"}
            assert gone.reason == "misfire" or catchup is not Catchup.ALL
            skipped += within
        assert grace is None or all(now - instant <= grace for instant in due.fire)
        assert len(due.fire) <= (limit if catchup is Catchup.ALL else 1)
        assert due.accounted_to >= accounted_to
        accounted_to = due.accounted_to
        assert due.next == next_due(schedule, accounted_to, anchor=START)

    all_due = due_times(schedule, after=begin, until=accounted_to, limit=10_000, anchor=START)
    assert sorted(fired + skipped) == all_due


def account(
    schedule: Schedule, after: str, now: str, catchup: Catchup, grace_s: float | None
) -> Due:
    account_for = partial(
        fired_and_skipped,
        schedule,
        after=at(after),
        now=at(now),
        catchup=catchup,
        grace=None if grace_s is None else timedelta(seconds=grace_s),
        anchor=START,
    )
    due = account_for()
    # Who knows the first due instant is told the same.
    assert account_for(first=next_due(schedule, at(after), anchor=START)) == due
    return due


@pytest.mark.rule("S32")
@pytest.mark.parametrize(
    ("expression", "tz", "after", "expected"),
    [
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", ["Sun 02:30 +0200", "Mon 02:30 +0100"]),
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", ["Sun 03:00 +0200", "Mon 02:30 +0200"]),
        ("0,30 2,3 * * *", "Europe/Berlin", "2026-03-29", ["Sun 03:00 +0200", "Sun 03:30 +0200"]),
        ("0 0 * * *", "America/Santiago", "2026-09-05", ["Sun 01:00 -0300", "Mon 00:00 -0300"]),
        ("0 12 * * *", "Pacific/Apia", "2011-12-29T13:00", ["Sat 00:00 +1400", "Sat 12:00 +1400"]),
        ("0 * * * *", "Europe/Berlin", "2026-10-25T01:30", ["Sun 02:00 +0200", "Sun 02:00 +0100"]),
        ("0 * * * *", "Europe/Berlin", "2026-03-29T00:30", ["Sun 01:00 +0100", "Sun 03:00 +0200"]),
        (
            "45 0-23 * * *",
            "Australia/Lord_Howe",
            "2026-04-05T01:00",
            ["Sun 01:45 +1100", "Sun 01:45 +1030"],
        ),
        (
            "0 */2 * * *",
            "Europe/Berlin",
            "2026-10-25T01:30",
            ["Sun 02:00 +0200", "Sun 04:00 +0100"],
        ),
    ],
)
def test_on_the_day_the_clocks_change_it_fires_as_the_rule_says(
    expression: str, tz: str, after: str, expected: list[str]
) -> None:
    due = due_times(
        Cron(expression, tz), after=at(after, tz), until=at("2030-01-01"), limit=2, anchor=START
    )

    assert shown(due, tz) == expected


@pytest.mark.rule("S32")
@given(st.sampled_from(CHANGES), MINUTE_FIELDS, fields(0, 59))
@settings(deadline=None, max_examples=25)
def test_seconds_are_a_sixth_field_at_the_end(
    change: tuple[str, str], minute: str, second: str
) -> None:
    coarse = made(f"{minute} * * * *", change[0])
    fine = made(f"{minute} * * * * {second}", change[0])
    minutes = clock(*change)
    begin, end = minutes[2_000][0], minutes[2_400][0]

    due = due_times(fine, after=begin - MINUTE / 60, until=end, limit=100_000, anchor=START)

    wanted = due_times(coarse, after=begin - MINUTE / 60, until=end, limit=1_000, anchor=START)
    seconds = sorted(read_field(second, 0, 60))
    every_second = [instant + timedelta(seconds=s) for instant in wanted for s in seconds]
    assert due == [instant for instant in every_second if instant <= end]


@pytest.mark.rule("S32")
@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("0 0 29 2 *", "2026-01-01", "2028-02-29"),
        ("0 0 29 2 *", "2096-03-01", "2104-02-29"),
        ("0 0 * 2 1#5", "2072-03-01", "2112-02-29"),
        ("@yearly", "2026-01-01", "2027-01-01"),
    ],
)
def test_a_rare_date_is_found_over_many_years(expression: str, after: str, expected: str) -> None:
    assert next_due(Cron(expression), at(after), anchor=START) == at(expected)


@pytest.mark.rule("S32")
def test_a_change_of_clocks_at_the_turn_of_the_year_is_one_change() -> None:
    """Dhaka went back from 24:00 to 23:00 on the last day of 2009, at 17:00 UTC."""
    daily = Cron("30 23 * * *", "Asia/Dhaka")

    due = due_times(
        daily, after=at("2009-12-30T18:00"), until=at("2010-01-03"), limit=9, anchor=START
    )

    assert shown(due, "Asia/Dhaka") == ["Thu 23:30 +0700", "Fri 23:30 +0600", "Sat 23:30 +0600"]


@pytest.mark.rule("S32")
def test_a_period_counts_from_its_anchor_and_not_from_its_last_firing() -> None:
    every = Every(minutes=7)

    assert next_due(every, START - DAY, anchor=START) == START + 7 * MINUTE
    assert next_due(every, START, anchor=START) == START + 7 * MINUTE
    assert next_due(every, START + 20 * MINUTE, anchor=START) == START + 21 * MINUTE
    assert last_due(every, after=START, until=START + 6 * MINUTE, anchor=START) is None


@pytest.mark.rule("S32")
def test_a_period_is_elapsed_time_also_when_clocks_change() -> None:
    anchor = at("2026-03-28T12:00", "Europe/Berlin")

    due = next_due(Every(days=1), anchor, anchor=anchor)

    assert due == anchor.astimezone(UTC) + DAY == at("2026-03-29T13:00", "Europe/Berlin")


@pytest.mark.rule("S33")
def test_latest_fires_the_newest_and_gives_the_others_as_one_range() -> None:
    due = account(Cron("0 * * * *"), "2026-05-01T00:00", "2026-05-02T12:30", Catchup.LATEST, None)

    assert due.fire == (at("2026-05-02T12:00"),)
    assert [(gone.after, gone.until, gone.reason) for gone in due.skipped] == [
        (at("2026-05-01T00:00"), at("2026-05-02T11:00"), "catchup")
    ]
    assert (due.accounted_to, due.next) == (at("2026-05-02T12:30"), at("2026-05-02T13:00"))


@pytest.mark.rule("S33")
@pytest.mark.parametrize(
    ("grace_s", "fires", "reasons"),
    [(60, 0, ["misfire"]), (1_800, 1, ["misfire"]), (5_400, 1, ["misfire", "catchup"])],
)
def test_none_fires_the_newest_only_inside_its_grace(
    grace_s: float, fires: int, reasons: list[str]
) -> None:
    due = account(Cron("0 * * * *"), "2026-05-01T00:00", "2026-05-02T12:30", Catchup.NONE, grace_s)

    assert len(due.fire) == fires
    assert [gone.reason for gone in due.skipped] == reasons


@pytest.mark.rule("S33")
@pytest.mark.parametrize(
    ("now", "grace_s", "fires"),
    [("2026-05-01T02:00", None, "2026-05-01T02:00"), ("2026-05-01T01:01", 60, "2026-05-01T01:00")],
)
def test_what_is_due_this_instant_or_late_by_all_its_grace_is_fired(
    now: str, grace_s: float | None, fires: str
) -> None:
    due = account(Cron("0 * * * *"), "2026-05-01T00:30", now, Catchup.LATEST, grace_s)

    assert due.fire == (at(fires),)


@pytest.mark.rule("S33")
def test_all_fires_so_many_a_call_and_says_how_far_it_came() -> None:
    now, accounted_to = START + 30 * DAY, START
    fired: list[datetime] = []
    while accounted_to < now:
        due = fired_and_skipped(
            Cron("* * * * *"),
            after=accounted_to,
            now=now,
            catchup=Catchup.ALL,
            grace=None,
            limit=10_000,
            anchor=START,
        )
        fired += due.fire
        accounted_to = due.accounted_to

    assert fired == [START + n * MINUTE for n in range(1, 43_201)]


@pytest.mark.rule("S33")
@pytest.mark.parametrize(
    ("grace_s", "hours"), [(0, []), (1_799, []), (1_800, [12]), (5_400, [11, 12])]
)
def test_all_makes_up_for_no_more_than_its_grace(grace_s: float, hours: list[int]) -> None:
    due = account(Cron("0 * * * *"), "2026-05-01T00:00", "2026-05-02T12:30", Catchup.ALL, grace_s)

    assert [instant.hour for instant in due.fire] == hours
    assert [(gone.after, gone.until.hour, gone.reason) for gone in due.skipped] == [
        (at("2026-05-01T00:00"), 12 - len(hours), "misfire")
    ]
    assert due.accounted_to == at("2026-05-02T12:30")


@pytest.mark.rule("S33")
def test_latest_fires_nothing_that_is_later_than_a_grace_that_was_given() -> None:
    due = account(Cron("0 0 * * *"), "2026-05-01T01:00", "2026-05-03T12:00", Catchup.LATEST, 3_600)

    assert (due.fire, [gone.reason for gone in due.skipped]) == ((), ["misfire"])


@pytest.mark.rule("S33")
@pytest.mark.fault("F27")
def test_f27_a_clock_that_was_set_back_fires_nothing_again() -> None:
    due = account(Every(60), "2026-05-01T12:00", "2026-05-01T11:00", Catchup.ALL, None)

    assert due == Due((), (), at("2026-05-01T12:00"), at("2026-05-01T12:01"))


@pytest.mark.rule("S33")
def test_the_newest_of_a_year_of_seconds_is_found_without_counting_them() -> None:
    cron = Cron("* * * * * *", "Europe/Berlin")
    rounds = []
    for _ in range(3):
        begin = time.process_time()
        newest = last_due(cron, after=START, until=START + 365 * DAY, anchor=START)
        rounds.append(time.process_time() - begin)

    assert newest == START + 365 * DAY
    assert min(rounds) < 0.05


@pytest.mark.parametrize("schedule", [Cron("* * * * *", "Asia/Tokyo"), Every(days=300)])
def test_at_the_end_of_the_calendar_nothing_is_due_any_more(schedule: Schedule) -> None:
    end = datetime.max.replace(tzinfo=UTC)

    assert next_due(schedule, end, anchor=START) is None
    assert next_due(schedule, end - DAY, anchor=START) is None
    newest = last_due(schedule, after=START, until=end, anchor=START)
    assert newest is not None
    assert newest.year >= 9_998


def test_naive_instants_and_senseless_limits_are_refused() -> None:
    naive = START.replace(tzinfo=None)

    with pytest.raises(ValueError, match="naive"):
        next_due(Every(5), naive, anchor=START)
    with pytest.raises(ValueError, match="naive"):
        next_due(Every(5), START, anchor=naive)
    with pytest.raises(ValueError, match="grace"):
        account(Every(5), "2026-01-01", "2026-01-02", Catchup.NONE, -1)
    with pytest.raises(ValueError, match="limit"):
        fired_and_skipped(
            Every(5),
            after=START,
            now=START,
            catchup=Catchup.ALL,
            grace=timedelta(0),
            limit=0,
            anchor=START,
        )
