"""Which events of an append are new, and which were there before (S3)."""

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import NamedTuple

from eventflow.errors import DuplicateEventError
from eventflow.model.event import Event

# (namespace, sender, id)
DedupKey = tuple[str, str, str]


class Seen(NamedTuple):
    """The first event of a key: where it is, and the hash of its value."""

    offset: int
    value_hash: str


class Placed(NamedTuple):
    """Where each event of an append stands; `fresh` are the places in it of those that are new."""

    offsets: list[int]
    fresh: list[int]


def dedup_key(event: Event) -> DedupKey | None:
    """What tells a repeat; `None` for an event without an id, which has none."""
    return (event.namespace, event.sender, event.id) if event.id else None


def value_hash(event: Event) -> str:
    """Names the value, whatever the order of its members."""
    text = json.dumps(event.value, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def place(
    events: Sequence[Event],
    hashes: Sequence[str],
    find: Callable[[DedupKey], Seen | None],
    *,
    after: int,
) -> Placed:
    """Give each event that is new the next offset, and each repeat that of the first.

    Args:
        find: The event that a key was first used for.
        after: The highest offset given so far.

    Raises:
        DuplicateEventError: If the value of a repeat differs.
    """
    offsets: list[int] = []
    fresh: list[int] = []
    here: dict[DedupKey, Seen] = {}
    for number, (event, hashed) in enumerate(zip(events, hashes, strict=True)):
        key = dedup_key(event)
        first = (here.get(key) or find(key)) if key is not None else None
        if first is None:
            after += 1
            offsets.append(after)
            fresh.append(number)
            if key is not None:
                here[key] = Seen(after, hashed)
            continue
        if first.value_hash != hashed:
            raise DuplicateEventError(
                f"event {event.key!r}: id {event.id!r} of sender {event.sender!r} was used before, "
                f"at offset {first.offset}, with another value; a new event needs a new id"
            )
        offsets.append(first.offset)
    return Placed(offsets, fresh)
