"""An event and its wire form: what goes over the wire comes back the same (S1, S6, S7)."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventflow import Event
from eventflow.errors import EventError
from eventflow.model.event import MAX_EVENT_BYTES, check_event
from eventflow.model.jsonvalue import decode, encode

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
TOKENS = st.text("abcXYZ019_-", min_size=1, max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
MEMBERS = {
    *("specversion", "type", "source", "id", "time", "subject", "namespace"),
    *("data", "datacontenttype", "dataschema", "data_base64"),
}
TIMES = st.datetimes(
    min_value=datetime(1, 1, 3),
    max_value=datetime(9999, 12, 29),
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))]),
)
EVENTS = st.builds(
    Event,
    st.lists(TOKENS, min_size=1, max_size=4).map(".".join),
    VALUES,
    namespace=TOKENS,
    sender=TEXT,
    id=TEXT,
    time=st.none() | TIMES,
    attributes=st.dictionaries(TEXT.filter(lambda name: name not in MEMBERS), TEXT, max_size=3),
    workflow_execution_id=st.none() | st.integers(1, 2**53 - 1),
)
WIRE = {"specversion": "1.0", "type": "orders.paid", "source": "shop", "id": "1"}


@pytest.mark.rule("S1", "S7")
@given(EVENTS)
def test_an_event_comes_back_from_the_wire_as_it_was(event: Event) -> None:
    check_event(event)

    wire = decode(encode(event.to_cloudevent()))

    assert Event.from_cloudevent(wire) == event


@pytest.mark.rule("S7")
def test_the_members_of_the_wire_form_are_those_of_cloudevents() -> None:
    event = Event(
        "orders.paid",
        {"amount": 3},
        namespace="shop",
        sender="till",
        id="7",
        time=datetime(2026, 1, 1, 12, 0, 0, 250_000, tzinfo=timezone(timedelta(hours=2))),
        attributes={"region": "eu"},
        workflow_execution_id=5,
    )

    assert event.to_cloudevent() == {
        "specversion": "1.0",
        "type": "orders.paid",
        "source": "till",
        "id": "7",
        "time": "2026-01-01T10:00:00.250000Z",
        "subject": "5",
        "namespace": "shop",
        "datacontenttype": "application/json",
        "data": {"amount": 3},
        "region": "eu",
    }


@pytest.mark.rule("S7")
def test_what_the_wire_leaves_out_has_its_default() -> None:
    event = Event.from_cloudevent(WIRE)

    assert event == Event("orders.paid", sender="shop", id="1")
    assert (event.namespace, event.value, event.time) == ("default", None, None)


@pytest.mark.rule("S6", "S7")
@pytest.mark.parametrize(
    ("member", "value", "why"),
    [
        ("specversion", "0.3", "specversion '0.3'"),
        ("specversion", None, "specversion None"),
        ("type", "", "'type' must be a non-empty text"),
        ("type", 5, "'type' must be a non-empty text"),
        ("type", "orders..paid", "empty token"),
        ("source", "", "'source' must be"),
        ("id", None, "'id' must be"),
        ("id", "x" * 257, "id must be text of at most 256"),
        ("source", "\ud800", "sender must be text"),
        ("time", "yesterday", "is not RFC 3339"),
        ("time", 1700000000, "is not RFC 3339"),
        ("time", "2026-01-01T10:00:00", "has no zone"),
        ("time", "0001-01-01T00:00:00+14:00", "out of range"),
        ("time", "9999-12-31T23:59:59-12:00", "out of range"),
        ("subject", "five", "is not the id of a workflow execution"),
        ("subject", "0", "is not the id"),
        ("subject", "-1", "is not the id"),
        ("subject", "1_000", "is not the id"),
        ("subject", " 5", "is not the id"),
        ("subject", "\u0665", "is not the id"),
        ("subject", 5, "is not the id"),
        ("subject", True, "is not the id"),
        ("subject", "9" * 30, "is not the id"),
        ("namespace", "a.b", "not one token"),
        ("namespace", None, "not one token"),
        ("data", float("nan"), "which is not JSON"),
        ("data_base64", "AAAA", "put JSON into 'data'"),
        ("region", 5, "must be a flat text"),
        ("region", {"a": 1}, "must be a flat text"),
    ],
)
def test_a_member_that_is_not_as_it_must_be_is_refused_by_name(
    member: str, value: Any, why: str
) -> None:
    with pytest.raises(EventError) as refusal:
        Event.from_cloudevent({**WIRE, member: value})

    assert why in str(refusal.value)


@pytest.mark.rule("S6", "S7")
@pytest.mark.parametrize("wire", [None, [], "{}", 5])
def test_what_is_no_object_is_no_cloudevent(wire: Any) -> None:
    with pytest.raises(EventError, match="is a JSON object"):
        Event.from_cloudevent(wire)


@pytest.mark.rule("S1", "S6")
@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"time": datetime(2026, 1, 1)}, "time must be aware"),
        ({"time": "2026-01-01T00:00:00Z"}, "time must be an aware datetime"),
        ({"time": datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))}, "out of range"),
        ({"workflow_execution_id": "5"}, "whole number from 1"),
        ({"workflow_execution_id": True}, "whole number from 1"),
        ({"workflow_execution_id": 0}, "whole number from 1"),
        ({"workflow_execution_id": 2**53}, "whole number from 1"),
        ({"attributes": ["a"]}, "dict of texts"),
        ({"attributes": None}, "dict of texts"),
        ({"attributes": {"a": 1}}, "must be a flat text"),
        ({"attributes": {"a": "\ud800"}}, "must be a flat text"),
        ({"attributes": {"time": "now"}}, "choose another name"),
        ({"attributes": {"namespace": "x"}}, "choose another name"),
        ({"attributes": {"data_base64": "x"}}, "choose another name"),
        ({"sender": None}, "sender must be text"),
        ({"id": 5}, "id must be text"),
        ({"namespace": ""}, "not one token"),
        ({"value": {1, 2}}, "which is not JSON"),
    ],
)
def test_a_field_that_is_not_as_it_must_be_is_refused_by_name(
    fields: dict[str, Any], why: str
) -> None:
    event = Event("orders.paid", **fields)

    with pytest.raises(EventError) as refusal:
        check_event(event)

    assert why in str(refusal.value)
    assert "orders.paid" in str(refusal.value)


@pytest.mark.rule("S6")
def test_a_value_of_a_quarter_of_a_mebibyte_passes_and_one_byte_more_does_not() -> None:
    room = MAX_EVENT_BYTES - len('""')
    assert MAX_EVENT_BYTES == 256 * 1024
    check_event(Event("a", "x" * room))

    with pytest.raises(EventError, match="262145 bytes of JSON are too many"):
        check_event(Event("a", "x" * (room + 1)))


def test_checking_gives_the_text_of_the_value() -> None:
    assert check_event(Event("a", {"n": [1, None]})) == '{"n":[1,null]}'
