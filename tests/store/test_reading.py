"""Reading the log: filters, counts and times are held against a plain list of its events."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from story import START, StillClock, event

from eventflow.errors import EventError
from eventflow.model.event import Event
from eventflow.model.keys import matches
from eventflow.store.ports import Store
from eventflow.store.selection import SHORT

KEYS = ["a.x", "a.y", "a.y.z", "b.x", "eventflow.command.run"]
PATTERNS = [*KEYS, "a.*", "a.**", "*.x", "**", "eventflow.**", "never"]
LENGTH = 60
SECONDS = 40


def fill(store: Store, clock: StillClock) -> list[Event]:
    """A log whose clock goes on, stands still and is set back."""
    chance = random.Random(7)  # noqa: S311  the same log every time
    events = []
    for number in range(LENGTH):
        clock.time += timedelta(seconds=chance.choice([0, 0, 1, 2, -3, 5]))
        where = {"namespace": chance.choice("mn"), "sender": chance.choice("pqr")}
        events += store.append([event(chance.choice(KEYS), number, **where)])
    return events


def instants() -> st.SearchStrategy[datetime]:
    return st.integers(-10, SECONDS * 2).map(lambda s: START + timedelta(seconds=s))


OFFSETS = st.integers(-5, LENGTH + 5) | st.just(10**30)
BOUNDS = st.fixed_dictionaries(
    {},
    optional={
        "keys": st.sampled_from(PATTERNS) | st.lists(st.sampled_from(PATTERNS), max_size=3),
        "namespace": st.sampled_from([None, "m", "n", "o"]),
        "sender": st.sampled_from([None, "p", "q", ""]),
        "after": OFFSETS,
        "until": st.none() | OFFSETS | instants(),
        "since": st.none() | instants(),
    },
)


def meant(log: list[Event], bounds: dict[str, Any]) -> list[Event]:
    """The oracle: each event of a plain list against each bound."""
    keys = bounds.get("keys") or ["**"]
    patterns = [keys] if isinstance(keys, str) else keys
    until, since = bounds.get("until"), bounds.get("since")
    found = [one for one in log if any(matches(pattern, one.key) for pattern in patterns)]
    found = [one for one in found if one.offset > bounds.get("after", 0)]
    if isinstance(until, int):
        found = [one for one in found if one.offset <= until]
    elif until is not None:
        found = [one for one in found if one.logged_at is not None and one.logged_at <= until]
    if since is not None:
        found = [one for one in found if one.logged_at is not None and one.logged_at >= since]
    for name in ("namespace", "sender"):
        if bounds.get(name) is not None:
            found = [one for one in found if getattr(one, name) == bounds[name]]
    return found


def test_filters_and_counts_are_those_of_a_plain_list(store: Store, clock: StillClock) -> None:
    log = fill(store, clock)

    @given(bounds=BOUNDS, limit=st.integers(1, LENGTH))
    def check(bounds: dict[str, Any], limit: int) -> None:
        wanted = meant(log, bounds)
        assert store.read(**bounds) == wanted
        assert store.read(**bounds, limit=limit) == wanted[:limit]
        assert store.read(**bounds, limit=limit, newest=True) == wanted[-limit:]
        counted = store.count(**bounds)
        assert counted.total == len(wanted)
        assert counted.by_sender == Counter(one.sender for one in wanted)

    check()


def test_the_offset_at_an_instant_is_that_of_the_last_event_logged_by_then(
    store: Store, clock: StillClock
) -> None:
    assert store.offset_at(START) == 0
    log = fill(store, clock)

    @given(instants())
    def check(instant: datetime) -> None:
        by_then = [one.offset for one in log if one.logged_at and one.logged_at <= instant]
        assert store.offset_at(instant) == max(by_then, default=0)

    check()


def test_instants_may_be_in_any_zone_and_both_ends_count(store: Store, clock: StillClock) -> None:
    store.append([event("k", 1)])
    clock.time += timedelta(hours=1)
    store.append([event("k", 2)])
    there = clock.time.astimezone(timezone(timedelta(hours=5)))

    assert [one.value for one in store.read(since=there)] == [2]
    assert [one.value for one in store.read(until=START, since=START)] == [1]
    assert store.offset_at(there) == 2
    assert store.count(until=there).total == 2


@pytest.mark.parametrize("bound", ["since", "until"])
def test_a_naive_instant_is_refused(store: Store, bound: str) -> None:
    naive = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)

    with pytest.raises(EventError, match=rf"{bound} must be aware, got naive 2026-01-01T00:00:00"):
        store.read(**{bound: naive})  # type: ignore[arg-type]  # by name
    with pytest.raises(EventError, match="must be aware"):
        store.offset_at(naive)


def test_reading_on_from_where_one_was_left_gives_each_event_once(
    store: Store, clock: StillClock
) -> None:
    log = fill(store, clock)
    read: list[Event] = []
    while part := store.read(after=read[-1].offset if read else 0, keys="a.**", limit=7):
        read.extend(part)

    assert read == list(islice(meant(log, {"keys": "a.**"}), LENGTH))


def test_the_newest_of_a_pattern_are_found_however_far_back_they_lie(store: Store) -> None:
    store.append([event("order.early", number) for number in range(3)])
    store.append([event("other", number) for number in range(SHORT)], drawn=True)
    last = store.append([event("order.late")])[0].offset

    def newest(limit: int, **bounds: Any) -> list[int]:
        found = store.read(keys="order.*", newest=True, limit=limit, **bounds)
        return [one.offset for one in found]

    assert newest(1) == [last]
    assert newest(2) == [3, last]
    assert newest(9) == [1, 2, 3, last]
    assert newest(2, until=last - 1) == [2, 3]
    assert newest(9, after=2) == [3, last]
