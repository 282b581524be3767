"""A year of some zones against the watcher, and one of any zone; `zones.py` looks at all (S32)."""

from datetime import UTC, datetime, timedelta
from zoneinfo import available_timezones

import pytest
import zones
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.rule("S32")
NAMES = sorted(zone for zone in available_timezones() if zones.is_zone(zone))
EXPRESSIONS = zones.OFTEN + zones.SELDOM


@pytest.mark.parametrize("zone", zones.ALWAYS)
def test_a_year_of_an_odd_clock_fires_as_the_watcher_does(zone: str) -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC)

    for expression in EXPRESSIONS:
        differences, fired = zones.differing(zone, expression, begin, begin + timedelta(days=366))
        assert (differences, fired > 0) == ([], True)


@given(st.sampled_from(NAMES), st.sampled_from(EXPRESSIONS), st.integers(2020, 2040))
@settings(deadline=None, max_examples=20)
def test_any_year_of_any_zone_fires_as_the_watcher_does(
    zone: str, expression: str, year: int
) -> None:
    begin = datetime(year, 1, 1, tzinfo=UTC)

    differences, _ = zones.differing(zone, expression, begin, begin + timedelta(days=366))

    assert differences == []
