"""Changes of a world that are not committed yet, and the way back."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from eventflow.core.world import World

_MISSING: Any = object()


class Draft:
    """Changes to a world that are not committed yet, and the way back."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._undo: list[tuple[Any, Any, Any]] = []

    def put(self, table: dict[Any, Any], key: Any, value: Any) -> None:
        self._undo.append((table, key, table.get(key, _MISSING)))
        table[key] = value

    def drop(self, table: dict[Any, Any], key: Any) -> None:
        if key in table:
            self._undo.append((table, key, table[key]))
            del table[key]

    def set(self, thing: object, name: str, value: Any) -> None:
        self._undo.append((thing, name, getattr(thing, name)))
        setattr(thing, name, value)

    def undo_by(self, action: Callable[[], object]) -> None:
        """Let `action` take back something that is no single entry or attribute."""
        self._undo.append((None, "", action))

    def next_turn(self) -> int:
        """Give an event its place in the order of deciding (S8)."""
        counters = self.world.counters
        turn = counters.turn + 1
        self.set(self.world, "counters", replace(counters, turn=turn))
        return turn

    def rollback(self) -> None:
        """Make the world what it was when the draft began."""
        for thing, key, before in reversed(self._undo):
            if thing is None:
                before()
            elif not isinstance(thing, dict):
                setattr(thing, key, before)
            elif before is _MISSING:
                del thing[key]
            else:
                thing[key] = before
        self._undo.clear()
