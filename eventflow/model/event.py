"""An event: a fact as the log holds it, and its wire form (CloudEvents 1.0, S7)."""

import re
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct, field

from eventflow.errors import DefinitionError, EventError
from eventflow.model.jsonvalue import JsonValueError, encode, is_unicode
from eventflow.model.keys import check_key, check_name

MAX_EVENT_BYTES = 256 * 1024
_MAX_TEXT = 256
_MAX_ID = 2**53
_ID = re.compile(r"[1-9][0-9]{0,15}")


class _Said(Struct, frozen=True):
    """What is given to an event by its place; all else by its name."""

    key: str
    value: Any = None


class Event(_Said, frozen=True, kw_only=True):
    """A fact, as the log holds it (S1).

    Attributes:
        key: Dotted tokens; the only thing that rules are indexed by.
        value: Any strict JSON value. Opaque to the scheduler; conditions read it. Do not change it.
        sender: Who says so; with `namespace` and `id` the key against repeats (S3).
        id: Empty until `emit` has drawn one; give one to make a repeat harmless.
        time: When it happened by its sender's clock, aware UTC. Never used for ordering. `None`
            until `emit` has set it.
        attributes: Flat text attributes of the sender's.
        workflow_execution_id: Set when, among task rules, only that execution's see it (S14).
        offset: Place in the log, strictly increasing; 0 until the log has given one.
        logged_at: The log's own clock, aware UTC; `None` until the log has it.
        turn: Place in the order of deciding (S8); 0 until it is decided.
        hops: How many starts by rules lie between it and an event from outside (S45); the log
            gives it, nobody who emits.
    """

    namespace: str = "default"
    sender: str = ""
    id: str = ""
    time: datetime | None = None
    attributes: dict[str, str] = field(default_factory=dict)
    workflow_execution_id: int | None = None
    offset: int = 0
    logged_at: datetime | None = None
    turn: int = 0
    hops: int = 0

    def stamped(self, new_id: str, time: datetime) -> "Event":
        """The same event under an id and with a time, as it goes into the log."""
        return Event(
            self.key,
            self.value,
            namespace=self.namespace,
            sender=self.sender,
            id=new_id,
            time=time,
            attributes=self.attributes,
            workflow_execution_id=self.workflow_execution_id,
            offset=self.offset,
            logged_at=self.logged_at,
            turn=self.turn,
            hops=self.hops,
        )

    def to_cloudevent(self) -> dict[str, Any]:
        """The event as CloudEvents 1.0 JSON (S7); `time` as RFC 3339 in UTC."""
        wire: dict[str, Any] = {
            "specversion": "1.0",
            "type": self.key,
            "source": self.sender or "eventflow",
            "id": self.id,
            "datacontenttype": "application/json",
            "data": self.value,
            "namespace": self.namespace,
        }
        if self.time is not None:
            wire["time"] = self.time.astimezone(UTC).isoformat().replace("+00:00", "Z")
        if self.workflow_execution_id is not None:
            wire["subject"] = str(self.workflow_execution_id)
        return {**self.attributes, **wire}

    @classmethod
    def from_cloudevent(cls, wire: dict[str, Any]) -> "Event":
        """Read CloudEvents 1.0 JSON. Extension attributes must be text (S1).

        Raises:
            EventError: If a required member is missing or a member is not what S7 says.
        """
        if not isinstance(wire, dict):
            raise EventError(f"a CloudEvent is a JSON object, got {type(wire).__name__}")
        if wire.get("specversion") != "1.0":
            raise EventError(f"CloudEvents 1.0 wanted, got specversion {wire.get('specversion')!r}")
        for name in ("type", "source", "id"):
            if not isinstance(wire.get(name), str) or not wire[name]:
                raise EventError(f"CloudEvent: {name!r} must be a non-empty text")
        if "data_base64" in wire:
            raise EventError("CloudEvent: 'data_base64' is not taken; put JSON into 'data'")
        event = cls(
            key=wire["type"],
            value=wire.get("data"),
            namespace=wire.get("namespace", "default"),
            sender=wire["source"],
            id=wire["id"],
            time=_read_time(wire.get("time")),
            attributes={name: wire[name] for name in sorted(wire) if name not in _MEMBERS},
            workflow_execution_id=_read_subject(wire.get("subject")),
        )
        check_event(event)
        return event


_MEMBERS = frozenset(
    [
        "data",
        "datacontenttype",
        "dataschema",
        "id",
        "namespace",
        "source",
        "specversion",
        "subject",
        "time",
        "type",
    ]
)


def check_event(event: Event, *, max_bytes: int | None = MAX_EVENT_BYTES) -> str:
    """Refuse what is not a well-formed event (S6); return the JSON text of its value.

    Raises:
        EventError: Says which part is wrong and why.
    """
    check_key(event.key)
    try:
        check_name("namespace", event.namespace)
    except DefinitionError as error:
        raise EventError(f"event {event.key!r}: {error}") from error
    for name, text in (("sender", event.sender), ("id", event.id)):
        if not isinstance(text, str) or len(text) > _MAX_TEXT or not is_unicode(text):
            raise EventError(
                f"event {event.key!r}: {name} must be text of at most {_MAX_TEXT} characters"
            )
    _check_time(event)
    _check_scope(event)
    _check_attributes(event)
    try:
        return encode(event.value, max_bytes=max_bytes)
    except JsonValueError as error:
        raise EventError(f"event {event.key!r}: {error}") from error


def _check_time(event: Event) -> None:
    time: Any = event.time
    if time is None:
        return
    if not isinstance(time, datetime):
        raise EventError(f"event {event.key!r}: time must be an aware datetime, got {time!r}")
    if time.tzinfo is None:
        raise EventError(f"event {event.key!r}: time must be aware, got naive {time.isoformat()}")
    try:
        time.astimezone(UTC)
    except OverflowError as error:
        raise EventError(f"event {event.key!r}: time {time} is out of range in UTC") from error


def _check_scope(event: Event) -> None:
    scope: Any = event.workflow_execution_id
    whole = isinstance(scope, int) and not isinstance(scope, bool)
    if scope is not None and not (whole and 0 < scope < _MAX_ID):
        raise EventError(
            f"event {event.key!r}: workflow_execution_id is a whole number from 1, got {scope!r}"
        )


def _check_attributes(event: Event) -> None:
    given: Any = event.attributes
    if not isinstance(given, dict):
        raise EventError(f"event {event.key!r}: attributes are a dict of texts, got {given!r}")
    for name, text in given.items():
        if not (isinstance(name, str) and isinstance(text, str) and is_unicode(name + text)):
            raise EventError(
                f"event {event.key!r}: attribute {name!r} must be a flat text, got {text!r}"
            )
        if name in _MEMBERS or name == "data_base64":
            raise EventError(
                f"event {event.key!r}: attribute {name!r} is a member of every CloudEvent; choose "
                f"another name"
            )


def _read_time(text: Any) -> datetime | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise EventError(f"CloudEvent: 'time' {text!r} is not RFC 3339") from error
    if time.tzinfo is None:
        raise EventError(f"CloudEvent: 'time' {text!r} has no zone")
    try:
        return time.astimezone(UTC)
    except OverflowError as error:
        raise EventError(f"CloudEvent: 'time' {text!r} is out of range in UTC") from error


def _read_subject(text: Any) -> int | None:
    if text is None:
        return None
    if not isinstance(text, str) or _ID.fullmatch(text) is None:
        raise EventError(f"CloudEvent: 'subject' {text!r} is not the id of a workflow execution")
    return int(text)
