"""Instants are whole microseconds UTC, and nothing naive gets in (T07)."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from eventflow.store.columns import Instant, instant_of, micros_of

ZONES = st.timezones() | st.just(timezone(timedelta(hours=5, minutes=45)))


@given(
    st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(9998, 1, 1), timezones=ZONES)
)
def test_an_instant_comes_back_as_the_same_instant_in_utc(instant: datetime) -> None:
    kept = instant_of(micros_of(instant))

    assert kept == instant.astimezone(UTC)
    assert kept is not None
    assert kept.tzinfo is UTC


def test_a_naive_instant_is_refused_and_none_stays_none() -> None:
    dialect = sqlite.dialect()
    for refuse in (micros_of, lambda value: Instant().process_bind_param(value, dialect)):
        with pytest.raises(ValueError, match="naive 2025-03-01T12:00:00"):
            refuse(datetime(2025, 3, 1, 12))
    assert micros_of(None) is None
    assert instant_of(None) is None
