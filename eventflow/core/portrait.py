"""A world as plain values: two worlds with one portrait decide alike.

It goes by the fields that the parts of a world have, whichever these are, so that a new one is
compared as soon as it is there. What is worked out from a snapshot is left out for its hash.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from eventflow.core.plan import Plan
from eventflow.core.world import Known, LiveExecution, World
from eventflow.model.event import Event
from eventflow.model.records import WorkflowExecution

# Found from the snapshots that are known; which ones are is no part of what is decided.
_COMPILED = frozenset({"plans", "triggers", "listeners", "subscriptions"})


def portrait(world: World) -> dict[str, str]:
    """What deciding reads, as a text for each thing; the names say where it is in the world."""
    return {
        ".".join(path): repr(value)
        for name, part in vars(world).items()
        if name not in _COMPILED
        for path, value in _leaves((name,), part)
    }


def _leaves(path: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    match value:
        case dict():
            for name, member in value.items():
                # A count that has come back to nothing says the same as none.
                if member or member is None or not isinstance(member, int | dict):
                    yield from _leaves((*path, str(name)), member)
        case Plan(snapshot=snapshot):
            yield path, snapshot
        case LiveExecution() if path[0] != "executions":
            yield path, value.id
        case LiveExecution():
            for name in LiveExecution.__slots__:
                yield from _leaves((*path, name), getattr(value, name))
        case WorkflowExecution():
            yield path, dataclasses.replace(value, trigger_event=_content(value.trigger_event))
        case Known():
            for name in value.__struct_fields__:
                if name not in _COMPILED:
                    yield from _leaves((*path, name), getattr(value, name))
        case Struct():
            for name in value.__struct_fields__:
                yield from _leaves((*path, name), getattr(value, name))
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            for one in dataclasses.fields(value):
                yield from _leaves((*path, one.name), getattr(value, one.name))
        case _:
            yield path, value


def _content(event: Event | None) -> Event | None:
    """An event without its place in the log: a fact has none while its batch is decided."""
    return replace(event, offset=0, logged_at=None, turn=0) if event is not None else None
