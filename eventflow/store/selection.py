"""Which events of the log are meant: by key, namespace, sender, offset and time. No SQL here."""

from collections.abc import Iterable
from datetime import datetime
from typing import TypedDict

from msgspec import Struct

from eventflow.errors import EventError
from eventflow.model.event import Event
from eventflow.model.keys import RESERVED, matches

# A part of the log of so many offsets is read through in their order, whatever the keys.
SHORT = 20_000
_MOST = 2**63 - 1


class Origin(TypedDict, total=False):
    """Where events come from."""

    namespace: str | None
    sender: str | None


class Bounds(TypedDict, total=False):
    """Between which places of the log events are.

    Attributes:
        after: An offset; left out itself.
        until: The last offset, or the last instant by the log's clock, that still counts.
        since: The first instant, by the log's clock, that counts.
    """

    after: int
    until: int | datetime | None
    since: datetime | None


class Which(Origin, Bounds, total=False):
    """What narrows the log down; what is left out narrows nothing.

    Attributes:
        keys: A key or a pattern, or several of which one must fit. None means all events but the
            scheduler's own (S5).
    """

    keys: str | Iterable[str]


class Selection(Struct, frozen=True, kw_only=True):
    """What a `Which` says, with offsets and instants told apart.

    `logged_at` follows the offsets only as long as the clock is not set back, so that instants are
    compared event by event.
    """

    patterns: tuple[str, ...]
    namespace: str | None
    sender: str | None
    after: int
    until: int | None
    since: datetime | None
    before_or_at: datetime | None

    @classmethod
    def of(cls, which: Which) -> "Selection":
        """Raises EventError if an instant is naive."""
        keys, until = which.get("keys", ()), which.get("until")
        return cls(
            patterns=(keys,) if isinstance(keys, str) else tuple(keys),
            namespace=which.get("namespace"),
            sender=which.get("sender"),
            after=_offset(which.get("after", 0)),
            until=_offset(until) if isinstance(until, int) else None,
            since=aware("since", which.get("since")),
            before_or_at=aware("until", until) if isinstance(until, datetime) else None,
        )

    def has(self, event: Event) -> bool:
        """Whether an event of the log is one of those that are meant."""
        at = event.logged_at
        return (
            event.offset > self.after
            and (self.until is None or event.offset <= self.until)
            and self.namespace in (None, event.namespace)
            and self.sender in (None, event.sender)
            and (self.since is None or (at is not None and at >= self.since))
            and (self.before_or_at is None or (at is not None and at <= self.before_or_at))
            and self._fits(event.key)
        )

    def _fits(self, key: str) -> bool:
        if not self.patterns:
            return not key.startswith(RESERVED)
        return any(matches(pattern, key) for pattern in self.patterns)


def _offset(number: int) -> int:
    """The nearest number that an offset can be: all stores take those."""
    return min(max(number, 0), _MOST)


def aware(what: str, instant: datetime | None) -> datetime | None:
    """The instant as it is.

    Raises:
        EventError: If it is naive.
    """
    if instant is not None and instant.tzinfo is None:
        raise EventError(f"{what} must be aware, got naive {instant.isoformat()}; give it a zone")
    return instant
