"""What is to be told next, and when: pure bookkeeping. Knows no thread, no clock, no network.

An execution is marked when something in it has changed; however often that is, it is one mark. All
times are seconds of one monotonic clock.
"""

from collections.abc import Callable
from dataclasses import dataclass

# A platform that refuses, because of a token or a name, is asked again this seldom.
SELDOM_S = 300.0
# A platform may ask to be left alone for this long at most.
MOST_RETRY_AFTER_S = 300.0
CAPACITY = 10_000
# The first picture of an execution is made this long after the first news of it, or a fifth of the
# interval: one that is over by then is told of once, and not while it runs.
SETTLE_S = 1.0
# To make pictures of one execution takes at most a hundredth of the time, to send them less.
_SHARE = 100


@dataclass(slots=True)
class _Told:
    """What was last told of an execution, and before when nothing more is."""

    not_before: float
    told: int | None = None


class Agenda:
    """Which executions are to be told of.

    Args:
        interval: Least seconds between two posts about one execution.
        ceiling: Most seconds between two tries while the platform is down.
        chance: A number from 0 to 1, drawn for each back-off.
    """

    def __init__(
        self,
        *,
        interval: float,
        ceiling: float,
        chance: Callable[[], float],
        capacity: int = CAPACITY,
    ) -> None:
        self._interval = interval
        self._settle = min(SETTLE_S, interval / 5)
        self._ceiling = ceiling
        self._chance = chance
        self._capacity = capacity
        self._marked: dict[int, float] = {}
        self._alive: dict[int, _Told] = {}
        self._done: dict[int, None] = {}
        self._quiet_until = 0.0
        self._failures = 0
        self.dropped = 0

    def mark(self, execution_id: int, now: float) -> bool:
        """Something changed; returns whether that was not known. The oldest mark goes when full."""
        if execution_id in self._marked or execution_id in self._done:
            return False
        self._marked[execution_id] = now + self._settle
        if len(self._marked) > self._capacity:
            self.dropped += 1
            del self._marked[next(iter(self._marked))]
        return True

    def due(self, now: float) -> int | None:
        """Take the execution off the list that is to be told of now."""
        if now < self._quiet_until:
            return None
        for execution_id in self._marked:
            if self._not_before(execution_id) <= now:
                del self._marked[execution_id]
                return execution_id
        return None

    def wait(self, now: float) -> float | None:
        """Seconds until `due` has something; `None` while nothing is marked."""
        if not self._marked:
            return None
        soonest = min(map(self._not_before, self._marked))
        return max(0.0, max(soonest, self._quiet_until) - now)

    def is_news(self, execution_id: int, fingerprint: int) -> bool:
        """Whether a picture says something that the platform has not accepted."""
        known = self._alive.get(execution_id)
        return execution_id not in self._done and (known is None or known.told != fingerprint)

    def accepted(
        self, execution_id: int, fingerprint: int, *, began: float, cost: float, final: bool
    ) -> None:
        """The platform has the picture. `cost` is how many seconds it took to make it."""
        self._failures = 0
        if final:
            self.forget(execution_id)
            return
        pause = max(self._interval, cost * _SHARE)
        self._keep(execution_id, _Told(began + pause, fingerprint))

    def failed(self, execution_id: int, now: float, retry_after: float | None = None) -> float:
        """It could not be told: the platform is left alone for a while, which is returned.

        The while doubles with every failure, up to the ceiling, less up to a quarter by chance, so
        that many clients do not come back at once.
        """
        self.mark(execution_id, now)
        self._failures += 1
        if retry_after is not None:
            pause = max(self._interval, min(retry_after, MOST_RETRY_AFTER_S))
        else:
            doubled = self._interval * 2.0 ** min(self._failures, 32) or 1.0
            pause = min(self._ceiling, doubled) * (1 - 0.25 * self._chance())
        self._quiet_until = now + pause
        return pause

    def refused(self, execution_id: int, now: float, *, all_are: bool) -> None:
        """The platform wants none of it: of this execution, or of this client at all."""
        self.mark(execution_id, now)
        if all_are:
            self._quiet_until = now + SELDOM_S
            return
        self._failures = 0
        known = self._alive.get(execution_id)
        self._keep(execution_id, _Told(now + SELDOM_S, known.told if known else None))

    def forget(self, execution_id: int) -> None:
        """Never tell of it again: it has ended and the platform knows, or it is not there."""
        self._marked.pop(execution_id, None)
        self._alive.pop(execution_id, None)
        self._done[execution_id] = None
        if len(self._done) > self._capacity:
            del self._done[next(iter(self._done))]

    def open(self) -> list[int]:
        """Every execution of which the platform may not have the end."""
        return [*self._marked, *(one for one in self._alive if one not in self._marked)]

    def is_done(self, execution_id: int) -> bool:
        """Whether its end was told."""
        return execution_id in self._done

    def _not_before(self, execution_id: int) -> float:
        known = self._alive.get(execution_id)
        return known.not_before if known is not None else self._marked[execution_id]

    def _keep(self, execution_id: int, told: _Told) -> None:
        self._alive.pop(execution_id, None)
        self._alive[execution_id] = told
        if len(self._alive) > self._capacity:
            del self._alive[next(iter(self._alive))]
