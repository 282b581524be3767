"""Which attempts an executor has taken: a repeated command for one changes nothing (S11)."""

from collections import deque

from eventflow.executors.port import AttemptKey

_REMEMBERED = 16_384


class Roster:
    """Keys that were taken. A confirmed one is remembered for a while longer, since a command that
    was read before the confirmation may still be on its way. Not thread-safe.
    """

    def __init__(self) -> None:
        self._taken: set[AttemptKey] = set()
        self._confirmed: deque[AttemptKey] = deque()

    def take(self, key: AttemptKey) -> bool:
        """Take `key`; False when it was taken before."""
        if key in self._taken:
            return False
        self._taken.add(key)
        return True

    def confirm(self, key: AttemptKey) -> None:
        """The end of `key` is committed: it may be forgotten when newer ones have come."""
        self._taken.add(key)
        self._confirmed.append(key)
        if len(self._confirmed) > _REMEMBERED:
            self._taken.discard(self._confirmed.popleft())
