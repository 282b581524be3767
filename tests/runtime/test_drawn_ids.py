"""Ids that are drawn for events: UUIDv7 (RFC 9562, 5.7)."""

import uuid
from datetime import UTC, datetime, timedelta

from eventflow.runtime.ids import draw_id
from eventflow.testing.clock import VirtualClock


def test_an_id_is_a_uuid_of_version_7_that_begins_with_its_time() -> None:
    clock = VirtualClock(datetime(2026, 3, 4, 5, 6, 7, 89_000, tzinfo=UTC))

    drawn = draw_id(clock)

    found = uuid.UUID(drawn)
    assert (str(found), found.version, found.variant) == (drawn, 7, uuid.RFC_4122)
    assert found.int >> 80 == int(clock.now().timestamp() * 1000)


def test_ids_sort_by_the_time_of_drawing_and_none_comes_twice() -> None:
    clock = VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))
    drawn = []
    for _ in range(500):
        drawn.append(draw_id(clock))
        clock.advance(timedelta(milliseconds=1))

    assert sorted(drawn) == drawn
    assert len({draw_id(clock) for _ in range(500)}) == 500
