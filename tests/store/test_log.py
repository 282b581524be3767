"""The log: append, repeats, reading (S2, S3, S5)."""

import threading
from datetime import timedelta

import pytest
from story import START, StillClock, Story, event

from eventflow.errors import DuplicateEventError
from eventflow.model.event import Event
from eventflow.store.ports import Store


@pytest.mark.rule("S1", "S2")
def test_an_appended_event_has_an_offset_and_the_logs_own_time(
    store: Store, clock: StillClock
) -> None:
    clock.time = START + timedelta(seconds=9)
    said = event(
        "orders.paid",
        {"amount": 12, "to": ["ü", None, 1.5]},
        namespace="shop",
        sender="till",
        id="a1",
        attributes={"region": "eu"},
        workflow_execution_id=7,
    )

    (first,), (second,) = store.append([said]), store.append([event("orders.paid")])

    assert (first.offset, second.offset) == (1, 2)
    assert first.logged_at == clock.time
    assert first.time == START
    assert [first, second] == store.undecided(10)
    assert first == Event(
        "orders.paid",
        said.value,
        namespace="shop",
        sender="till",
        id="a1",
        time=START,
        attributes={"region": "eu"},
        workflow_execution_id=7,
        offset=1,
        logged_at=clock.time,
    )


def test_an_empty_log_holds_nothing(store: Store) -> None:
    assert store.append([]) == []
    assert store.undecided(10) == store.read() == []
    assert store.last_offset() == 0
    assert not store.has_undecided(1, after=0)
    assert not store.decided_offset(1)
    assert store.event_of_turn(1) is None


@pytest.mark.rule("S3")
def test_a_repeat_is_the_first_event(store: Store, clock: StillClock) -> None:
    said = event("orders.paid", {"b": 1, "a": 2}, sender="till", id="a1")
    (first,) = store.append([said])
    clock.time += timedelta(days=1)

    again = store.append([event("orders.paid", {"a": 2, "b": 1}, sender="till", id="a1")])

    assert again == [first]
    assert store.last_offset() == 1


@pytest.mark.rule("S3")
def test_events_of_one_append_can_repeat_each_other_and_older_ones(store: Store) -> None:
    store.append([event("k", 0, id="old")])

    found = store.append(
        [event("k", 1, id="x"), event("k", 0, id="old"), event("k", 1, id="x"), event("k", 2)]
    )

    assert [one.offset for one in found] == [2, 1, 2, 3]
    assert [one.value for one in store.read()] == [0, 1, 2]


@pytest.mark.rule("S3")
def test_the_same_id_of_another_sender_or_namespace_is_another_event(store: Store) -> None:
    store.append([event("k", 1, id="x", sender="a")])
    store.append([event("k", 2, id="x", sender="b")])
    store.append([event("k", 3, id="x", sender="a", namespace="other")])

    assert [one.value for one in store.read()] == [1, 2, 3]


@pytest.mark.rule("S3")
def test_a_repeat_with_another_value_is_refused_and_nothing_is_written(store: Store) -> None:
    store.append([event("k", {"n": 1}, sender="s", id="x")])

    with pytest.raises(DuplicateEventError, match="'x' of sender 's' was used before, at offset 1"):
        store.append([event("k", 5, id="y"), event("k", {"n": 2}, sender="s", id="x")])

    assert store.last_offset() == 1
    assert store.append([event("k", 6, id="y")])[0].offset == 2


@pytest.mark.spoils
def test_drawn_ids_are_not_remembered(store: Store) -> None:
    store.append([event("k", 1, id="x")], drawn=True)
    store.append([event("k", 1, id="x")], drawn=True)

    assert store.last_offset() == 2


@pytest.mark.rule("S2")
def test_threads_that_append_at_once_are_each_answered_with_their_own_events(store: Store) -> None:
    answered: dict[int, list[Event]] = {}

    def append(number: int) -> None:
        answered[number] = [
            one
            for turn in range(25)
            for one in store.append(
                [
                    event("k", [number, turn, place], id=f"{number}-{turn}-{place}")
                    for place in (0, 1)
                ]
            )
        ]

    threads = [threading.Thread(target=append, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    everything = store.read()
    assert [one.offset for one in everything] == list(range(1, 401))
    for number, own in answered.items():
        assert own == [one for one in everything if one.value[0] == number]
        assert [one.value[1:] for one in own] == [[t, p] for t in range(25) for p in (0, 1)]


@pytest.mark.rule("S3")
@pytest.mark.fault("F25")
def test_f25_threads_that_append_the_same_id_write_one_event(store: Store) -> None:
    offsets: list[int] = []

    def append() -> None:
        for number in range(20):
            offsets.append(store.append([event("k", number, id=str(number))])[0].offset)

    threads = [threading.Thread(target=append) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert store.last_offset() == 20
    assert sorted(offsets) == sorted([*range(1, 21)] * 8)


KEYS = [
    "orders.paid",
    "orders.paid.late",
    "orders",
    "ordersx.paid",
    "shop.orders.paid",
    "eventflow.task.w.a.success",
    "eventflow.command.run",
    "zoo",
]


@pytest.mark.spoils
@pytest.mark.rule("S5")
@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        ([], [k for k in KEYS if not k.startswith("eventflow.")]),
        (["orders.paid"], ["orders.paid"]),
        (["orders.*"], ["orders.paid"]),
        (["orders.**"], ["orders.paid", "orders.paid.late"]),
        (["*"], ["orders", "zoo"]),
        (["**"], [k for k in KEYS if not k.startswith("eventflow.")]),
        (["*.paid"], ["orders.paid", "ordersx.paid"]),
        (["*.orders.**"], ["shop.orders.paid"]),
        (["zoo", "orders.*"], ["orders.paid", "zoo"]),
        (["eventflow.**"], ["eventflow.task.w.a.success", "eventflow.command.run"]),
        (["eventflow.task.*.a.success", "zoo"], ["eventflow.task.w.a.success", "zoo"]),
        (["nothing.like.it"], []),
    ],
)
def test_reading_by_patterns_finds_what_rules_would_see(
    store: Store, patterns: list[str], found: list[str]
) -> None:
    store.append([event(key) for key in KEYS])

    assert [one.key for one in store.read(keys=patterns)] == found


def test_reading_is_bounded_on_both_sides_and_by_sender_and_namespace(store: Store) -> None:
    store.append([event("k", n, sender=f"s{n % 2}", namespace=f"n{n % 3}") for n in range(1, 13)])

    def values(**bounds: object) -> list[int]:
        return [one.value for one in store.read(**bounds)]  # type: ignore[arg-type]  # by name

    assert values(after=4, until=7) == [5, 6, 7]
    assert values(limit=2) == [1, 2]
    assert values(limit=2, newest=True) == [11, 12]
    assert values(limit=2, newest=True, until=9, keys=["k"]) == [8, 9]
    assert values(sender="s1", namespace="n0") == [3, 9]
    assert values(after=12) == []


@pytest.mark.rule("S8", "S10")
def test_an_event_with_a_turn_is_undecided_no_more(held: Store, clock: StillClock) -> None:
    story = Story([held], clock)
    held.append([event("a"), event("b", workflow_execution_id=3), event("c")])

    assert [one.key for one in held.undecided(2)] == ["a", "b"]
    assert held.has_undecided(3, after=1)
    assert not held.has_undecided(3, after=2)
    assert not held.has_undecided(4, after=0)
    story.batch()

    assert held.undecided(10) == []
    assert not held.has_undecided(3, after=0)
    assert all(held.decided_offset(offset) for offset in (1, 2, 3))
    assert not held.decided_offset(4)
    second = held.event_of_turn(2)
    assert second is not None
    assert (second.key, second.offset, second.turn) == ("b", 2, 2)
    assert held.event_of_turn(4) is None
