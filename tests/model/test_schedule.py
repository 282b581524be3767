"""Schedules as values: what is taken, what is refused, and how they travel as JSON (S32)."""

import contextlib
import copy
import json
import pickle
import re
import time
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventflow.errors import ScheduleError
from eventflow.model.schedule import (
    MAX_PERIOD,
    MIN_PERIOD,
    Catchup,
    Cron,
    Every,
    parse_schedule,
    schedule_from,
)

TAKEN = [
    "* * * * *",
    "0 2 * * *",
    "*/15 8-18 * * mon-fri",
    "0 22-2 * * SAT-SUN",
    "0 0 * nov-feb 5-7",
    "0 0 * * 1-7/2",
    "0 0 * * 0-7",
    "59/15 * * * *",
    "*/60 */24 * * *",
    "0 0 1,15 * 1",
    "0 0 */2 * 1",
    "0 0 ? * 1",
    "0 0 29 2 *",
    "0 0 L * *",
    "0 0 1,L * *",
    "0 0 15W * *",
    "0 0 * * L5",
    "0 0 * * fri#2,1#5",
    "0 0 * 2 1#5",
    "30 2 31 2 1",
    "* * * * * */7",
    "@daily",
    "@HOURLY",
    ",".join(map(str, range(60))) + " * * * * " + ",".join(map(str, range(60))),
]

REFUSED = [
    ("", "got 0"),
    ("* * * *", "got 4"),
    ("* * * * * * *", "got 7"),
    (" " * 400, "got 0"),
    ("@reboot", "'@reboot' names no times"),
    ("@every 5m", "names no times"),
    ("30 2 30 2 *", "its date never comes"),
    ("0 0 31 2,4,6,9,11 *", "its date never comes"),
    ("R * * * *", "minute 'r': random"),
    ("* R(0-5) * * *", "hour 'r(0-5)': random"),
    ("H/5 * * * *", "minute 'h/5': random"),
    ("60 * * * *", "minute '60': 60 is out of range: 0 to 59"),
    ("0 24 * * *", "hour '24'"),
    ("0 0 0 * *", "day of month '0'"),
    ("0 0 * 13 *", "month '13'"),
    ("0 0 * * 8", "weekday '8'"),
    ("0 0 * * * 60", "second '60'"),
    ("0 0 * foo *", "month 'foo': its values are 1 to 12 or jan, feb"),
    ("-5 * * * *", "minute '-5'"),
    ("1,,2 * * * *", "minute ''"),
    ("1-2-3 * * * *", "minute '1-2-3'"),
    ("*/0 * * * *", "a step is from 1 to 60"),
    ("*/90 * * * *", "a step is from 1 to 60"),
    ("*,5 * * * *", "'*' stands alone"),
    ("? * * * *", "minute '?'"),
    ("5-5 * * * *", "write the one value"),
    ("0 0 * * 7-0", "write the one value"),
    ("50-10/7 * * * *", "write two"),
    ("0 0 31W * *", "a day that all months have"),
    ("0 0 0W * *", "a day that all months have"),
    ("0 0 1,15W * *", "day of month '15w'"),
    ("0 0 LW * *", "day of month 'lw'"),
    ("0 0 2-31,L * *", "too many days beside 'L'"),
    ("0 0 * * 1#6", "weekday '1#6'"),
    ("0 0 * * 5L", "weekday '5l'"),
    ("0 0 * * 1,2#3", "mixes plain days"),
    ("0 0 1 * 2#3", "need '*' in the other day field"),
    ("0 0 15W * 1", "need '*' in the other day field"),
    ("0 0 1-31 * 1", "day of month '1-31' is every day"),
    ("0 0 */1 * 1", "day of month '*/1' is every day"),
    ("0 0 */5 * 0-6", "weekday '0-6' is every day"),
    ("0 2 * * *\n", r"character '\n' at 10"),
    ("0\t2 * * *", r"character '\t' at 2"),
    ("\x00", r"character '\x00' at 1"),
    ("\u0663 0 * * *", "at 1 has no place"),
    ("\ud800 * * * *", "at 1 has no place"),
    (",".join(["1"] * 2_000) + " * * * *", "has 4007 characters; at most 500"),
    ("*" * 1_000_000, "has 1000000 characters"),
    (None, "got NoneType"),
    (5, "got int"),
    (b"* * * * *", "got bytes"),
    (["* * * * *"], "got list"),
]

PERIODS = st.timedeltas(min_value=MIN_PERIOD, max_value=MAX_PERIOD)


def cpu_ms_to_make(expression: Any, tz: str = "UTC") -> float:
    """Of this process, not of the clock on the wall; the best of three."""
    rounds = []
    for _ in range(3):
        begin = time.process_time()
        with contextlib.suppress(ScheduleError):
            Cron(expression, tz)
        rounds.append((time.process_time() - begin) * 1_000)
    return min(rounds)


@pytest.mark.rule("S32")
@pytest.mark.parametrize("expression", TAKEN)
def test_a_cron_expression_is_taken_and_comes_back_from_json(expression: str) -> None:
    cron = Cron(expression, tz="Europe/Berlin")

    assert cron.expression == expression
    assert schedule_from(json.loads(json.dumps(cron.definition()))) == cron


@pytest.mark.rule("S32")
@pytest.mark.fault("F29")
@pytest.mark.parametrize(("expression", "reason"), REFUSED, ids=range(len(REFUSED)))
def test_f29_a_wrong_expression_is_refused_with_the_reason(expression: Any, reason: str) -> None:
    with pytest.raises(ScheduleError, match=re.escape(reason)) as refusal:
        Cron(expression)

    assert len(str(refusal.value)) < 300


@pytest.mark.rule("S32")
@given(st.text(max_size=40) | st.text("0123456789*,-/#?LWRH@ jmo", max_size=60))
@settings(deadline=None)
def test_any_text_is_taken_or_refused_with_a_schedule_error(text: str) -> None:
    try:
        assert Cron(text) == Cron(text)
    except ScheduleError as error:
        assert str(error).startswith("cron ")  # noqa: PT017  both endings are right


@pytest.mark.rule("S32")
@pytest.mark.fault("F29")
@pytest.mark.parametrize(
    "expression",
    [
        "30 2 30 2 *",
        "0 0 31 2,4,6,9,11 * 59",
        "0 0 * 2 1#5",
        ",".join(["*/2"] * 120) + " * * * *",
        "* * " + ",".join(["1-31"] * 90) + " * *",
        ",".join(["1"] * 2_000) + " * * * *",
        "R R R R R",
        " " * 1_000_000,
        " ".join([",".join(["1"] * 2_000)] * 5),
        ",".join(map(str, range(60))) + " * * * * " + ",".join(["*/1"] * 90),
        "*/" + "9" * 490 + " * * * *",
        "1-" + "5-" * 200 + "9 * * * *",
        "((((" * 100 + " * * * *",
        "R(" * 100 + ")" * 100 + " * * * *",
        "H(0-59)/1 " * 5,
        "0 0 30,31 2 *",
        "0 0 L W# #L LW",
        "x" * 10_000_000,
        "1," * 5_000_000 + "1 * * * *",
        "\x00" * 10_000_000,
    ],
    ids=range(20),
)
def test_f29_an_abusive_expression_costs_under_50_ms_of_cpu(expression: str) -> None:
    assert cpu_ms_to_make(expression) < 50


@pytest.mark.rule("S32")
@pytest.mark.fault("F29")
@pytest.mark.parametrize(
    "tz",
    ["x" * 10_000_000, "A/" * 5_000_000 + "B", "../" * 1_000_000, "Europe/" * 9 + "Berlin"],
    ids=range(4),
)
def test_f29_an_abusive_zone_costs_under_50_ms_of_cpu(tz: str) -> None:
    with pytest.raises(ScheduleError):
        Cron("0 2 * * *", tz)

    assert cpu_ms_to_make("0 2 * * *", tz) < 50


@pytest.mark.rule("S32")
@pytest.mark.parametrize(
    "tz",
    ["", "Europe/Berln", "Europe/Berlin ", "America", "../UTC", "/etc/passwd", "\x00", "\ud800"]
    + ["localtime", "posixrules", "Factory", "right/Europe/Berlin", "x" * 100_000, None, 5],
    ids=range(15),
)
def test_an_unknown_time_zone_is_refused(tz: Any) -> None:
    with pytest.raises(ScheduleError, match="Europe/Berlin"):
        Cron("0 2 * * *", tz=tz)


@pytest.mark.rule("S32")
@pytest.mark.parametrize("tz", ["UTC", "Etc/GMT+5", "America/Argentina/Buenos_Aires", "EST5EDT"])
def test_an_iana_zone_is_taken(tz: str) -> None:
    assert Cron("0 2 * * *", tz=tz).tz == tz


def test_cron_is_a_value() -> None:
    cron = Cron("0 2 * * *", tz="Europe/Berlin")

    assert cron == Cron(" 0  2 * * *", "Europe/Berlin")
    assert cron != Cron("0 2 * * *")
    assert len({cron, copy.deepcopy(cron), pickle.loads(pickle.dumps(cron))}) == 1  # noqa: S301
    assert str(cron) == "0 2 * * * (Europe/Berlin)"
    with pytest.raises(AttributeError):
        cron.tz = "UTC"  # type: ignore[misc]  # that is the test


@given(PERIODS)
def test_a_period_comes_back_from_json_to_the_microsecond(period: timedelta) -> None:
    every = Every(period.total_seconds())

    assert every.period == period
    assert schedule_from(json.loads(json.dumps(every.definition()))) == every


@pytest.mark.parametrize(
    ("every", "text"),
    [
        (Every(30), "every 30 s"),
        (Every(0.25), "every 0.25 s"),
        (Every(minutes=90), "every 1 h 30 min"),
        (Every(days=3_650), "every 3650 d"),
        (Every(59.999999, hours=23), "every 23 h 59.999999 s"),
    ],
)
def test_a_period_is_written_for_humans(every: Every, text: str) -> None:
    assert str(every) == text


def test_every_is_a_value() -> None:
    assert Every(90) == Every(30, minutes=1)
    assert hash(Every(hours=24)) == hash(Every(days=1))
    assert Every(1) != Every(2)
    assert repr(Every(90)) == "Every(seconds=90.0)"


@pytest.mark.rule("S32")
@pytest.mark.parametrize(
    ("seconds", "reason"),
    [
        (0, "too short"),
        (-1, "too short"),
        (0.0009, "too short"),
        (float("nan"), "NaN"),
        (float("inf"), "infinity"),
        (1e300, "too large"),
        (10**5_000, "too large"),
        (86_400 * 3_654, "3654 days is too long; at most 3653 days"),
        (True, "got bool"),
        ("5", "got str"),
        (None, "got NoneType"),
        ([5], "got list"),
    ],
    ids=range(12),
)
def test_a_wrong_period_is_refused_with_the_reason(seconds: Any, reason: str) -> None:
    with pytest.raises(ScheduleError, match=reason):
        Every(seconds)


@pytest.mark.rule("S32")
def test_an_operator_may_give_cron_text_or_a_schedule() -> None:
    assert parse_schedule("*/5 * * * *") == Cron("*/5 * * * *")
    assert parse_schedule("@daily") == Cron("@daily")
    assert parse_schedule(Every(5)) == Every(5)
    assert parse_schedule(Cron("@daily", "Asia/Tokyo")) == Cron("@daily", "Asia/Tokyo")


@pytest.mark.parametrize("value", ["30", "", "daily", "two words", 5, None, timedelta(seconds=5)])
def test_anything_else_is_no_schedule(value: Any) -> None:
    with pytest.raises(ScheduleError):
        parse_schedule(value)


@pytest.mark.parametrize(
    "definition",
    [
        None,
        [],
        "0 2 * * *",
        {},
        {"cron": "0 2 * * *"},
        {"cron": "0 2 * *", "tz": "UTC"},
        {"cron": 5, "tz": "UTC"},
        {"every_s": "5"},
        {"every_s": 5, "tz": "UTC"},
        {5: "x", "tz": "UTC"},
    ],
    ids=range(10),
)
def test_a_definition_of_another_shape_is_refused(definition: Any) -> None:
    with pytest.raises(ScheduleError):
        schedule_from(definition)


def test_catchup_is_written_as_in_the_rules() -> None:
    assert [*Catchup] == ["none", "latest", "all"]
