"""Following the log: each event once it is committed, in the order of offsets. Nothing polls.

Who follows reads on from where it is, and waits when there is nothing. A scheduler's own program is
woken after each of its commits; any other process by a bell of its own beside the store's file.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Unpack

from eventflow.clock import Clock
from eventflow.errors import EventflowError
from eventflow.model.event import Event
from eventflow.model.keys import check_pattern
from eventflow.runtime.waiters import Sleeper
from eventflow.store.ports import Store
from eventflow.store.selection import SHORT, Origin

# A lost ring is made up for by looking this often.
LOOK_S = 30.0
_AT_ONCE = 1_000

# The next events behind an offset, in order; empty when there are none yet.
Read = Callable[[int], list[Event]]
# Waits for what may be new, at most so many seconds; false when nothing can come any more.
Wait = Callable[[float], bool]


def follow(
    read: Read, wait: Wait, clock: Clock, *, after: int, timeout: float | None
) -> Iterator[Event]:
    """Yield what there is behind `after`, and go on with what comes.

    Args:
        timeout: Seconds without an event after which it ends; `None` waits for ever.
    """
    while True:
        deadline = None if timeout is None else clock.monotonic() + timeout
        while not (found := read(after)):
            left = LOOK_S if deadline is None else deadline - clock.monotonic()
            if left <= 0 or not wait(min(left, LOOK_S)):
                return
        for event in found:
            yield event
            after = event.offset


def checked(keys: str | Iterable[str]) -> list[str]:
    """The patterns that a user gave.

    Raises:
        DefinitionError: If one is neither a key nor a pattern.
    """
    patterns = [keys] if isinstance(keys, str) else list(keys)
    for pattern in patterns:
        check_pattern(pattern)
    return patterns


def reading(store: Store, keys: str | Iterable[str], **origin: Unpack[Origin]) -> Read:
    """What reads the events of a store that fit. Raises DefinitionError as `checked`."""
    patterns = checked(keys)

    def read(after: int) -> list[Event]:
        # What has just come, or the next of many: costs nothing for the history behind it.
        near = after + SHORT
        found = store.read(limit=_AT_ONCE, keys=patterns, after=after, until=near, **origin)
        if found or store.last_offset() <= near:
            return found
        return store.read(limit=_AT_ONCE, keys=patterns, after=after, **origin)

    return read


class Listeners:
    """Those who follow the log in the program of its scheduler.

    Args:
        failure: Why the loop has died, if it has: then nobody is woken any more.
    """

    def __init__(
        self, store: Store, clock: Clock, failure: Callable[[], BaseException | None]
    ) -> None:
        self._store = store
        self._clock = clock
        self._failure = failure
        self._lock = threading.Lock()
        self._sleeping: dict[Sleeper, None] = {}
        self._ending = Sleeper()
        self._commits = 0
        self._reading = 0
        self._over = False

    def listen(
        self, keys: str | Iterable[str], *, after: int | None, timeout: float | None
    ) -> Iterator[Event]:
        """Follow from `after`, or from the end of the log as it is now."""
        one = _Listener(self, reading(self._store, keys))
        after = self._store.last_offset() if after is None else after
        return follow(one.read, one.wait, self._clock, after=after, timeout=timeout)

    def tell(self) -> None:
        """Something was committed, or the loop has died."""
        with self._lock:
            self._commits += 1
            self._wake_all()

    def end(self) -> None:
        """End all of them; on return nobody reads the store any more."""
        with self._lock:
            self._over = True
            self._wake_all()
        while self._reading:
            self._ending.sleep(None)

    def began(self) -> int | None:
        """Somebody is about to read: how many commits there were; `None` when it is over."""
        with self._lock:
            if self._over:
                return None
            self._reading += 1
            return self._commits

    def done(self) -> None:
        """Somebody has read."""
        with self._lock:
            self._reading -= 1
        self._ending.wake()

    def wait(self, seen: int, timeout: float) -> bool:
        """Wait for a commit after the first `seen`; false when it is over.

        Raises:
            EventflowError: If the loop has died.
        """
        sleeper = Sleeper()
        with self._lock:
            self._sleeping[sleeper] = None
        try:
            # One wake is all there is to wait for: of a commit, the end or the loop's death.
            if self._failure() is None and self._commits == seen and not self._over:
                sleeper.sleep(timeout)
        finally:
            with self._lock:
                del self._sleeping[sleeper]
        if self._over:
            return False
        failure = self._failure()
        if failure is not None:
            raise EventflowError("the scheduler has stopped deciding") from failure
        return True

    def _wake_all(self) -> None:
        for sleeper in self._sleeping:
            sleeper.wake()


class _Listener:
    """One who follows, with what it has seen."""

    def __init__(self, among: Listeners, read: Read) -> None:
        self._among = among
        self._read = read
        self._seen = 0

    def read(self, after: int) -> list[Event]:
        commits = self._among.began()
        if commits is None:
            return []
        self._seen = commits
        try:
            return self._read(after)
        finally:
            self._among.done()

    def wait(self, timeout: float) -> bool:
        return self._among.wait(self._seen, timeout)
