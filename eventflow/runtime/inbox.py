"""Reports that no batch has decided yet, in the order in which they came (S12)."""

from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from eventflow.clock import Clock
from eventflow.executors.port import Report, ReportKind


class Arrived(Struct, frozen=True):
    """A report, when it came, and the newest offset of the log then (S12)."""

    report: Report
    at: datetime
    behind: int = 0


class Inbox:
    """Any thread puts reports in; the loop's takes them out."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._arrived: deque[Arrived] = deque()
        self._held: deque[Arrived] = deque()

    def __bool__(self) -> bool:
        return bool(self._arrived or self._held)

    def put(self, report: Report) -> None:
        self._arrived.append(Arrived(report, self._clock.now()))

    @property
    def has_end(self) -> bool:
        """Whether a report waits that is worth a commit of its own: any but RUNNING."""
        waiting = list(self._arrived)
        return bool(self._held) or any(
            arrived.report.kind is not ReportKind.RUNNING for arrived in waiting
        )

    def empty(self) -> list[Report]:
        """The reports that wait; they are handed on, and forgotten here."""
        self.hold(len(self._arrived), None)
        waiting = [arrived.report for arrived in self._held]
        self._held.clear()
        return waiting

    @property
    def arrived(self) -> int:
        """How many have come and are not held; to be held when the log is read so far."""
        return len(self._arrived)

    def hold(self, count: int, last_offset: Callable[[], int] | None) -> None:
        """A report waits for what was in the log before it; behind a long log that takes rounds.

        Args:
            count: So many that had come before the log was read.
            last_offset: Of the log, where more of it is left to read than one batch takes.
        """
        behind = last_offset() if last_offset is not None and count else 0
        for _ in range(count):
            self._held.append(replace(self._arrived.popleft(), behind=behind))

    def take(self, read_to: int | None) -> list[Arrived]:
        """The reports whose turn it is when the log is read up to an offset, `None` for its end."""
        ready = []
        while self._held and (read_to is None or self._held[0].behind <= read_to):
            ready.append(self._held.popleft())
        return ready

    def put_back(self, undecided: Iterable[Arrived]) -> None:
        """What was taken and not decided comes first again."""
        self._held.extendleft(reversed(list(undecided)))

    def drop_first(self) -> None:
        """Forget the report that comes first."""
        self._held.popleft()
