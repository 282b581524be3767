"""A store under load, looked at from outside: what waits, how long it has waited, what it costs."""

import sqlite3
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.service import cpu_s, mib


@dataclass(frozen=True, slots=True)
class Sample:
    """One moment.

    Attributes:
        at_s: Of the monotonic clock.
        backlog: Events that wait to be decided.
        delays_ms: Of those decided since the last one, from the sender's time to their batch.
        rss_mib: Of the scheduler.
        cpu_s: Of the scheduler, since it began.
    """

    at_s: float
    backlog: int
    delays_ms: Sequence[float]
    rss_mib: float
    cpu_s: float

    def describe(self, before: "Sample") -> str:
        passed = self.at_s - before.at_s
        middle = statistics.median(self.delays_ms) if self.delays_ms else 0.0
        return (
            f"backlog {self.backlog:6}  decided {len(self.delays_ms) / passed:6.0f}/s"
            f"  p50 {middle:7.1f} ms  rss {self.rss_mib:6.1f} MiB"
            f"  cpu {(self.cpu_s - before.cpu_s) / passed:4.0%}"
        )


class Watch:
    """Reads a store that a scheduler writes; the keys of the load begin with `load.`."""

    def __init__(self, path: Path, pid: int) -> None:
        self._connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=30)
        self._pid = pid
        self._seen = 0

    def close(self) -> None:
        self._connection.close()

    def look(self) -> Sample:
        backlog = self._one("SELECT count(*) FROM event WHERE turn IS NULL")
        until = self._one(
            "SELECT coalesce((SELECT min(offset) - 1 FROM event WHERE turn IS NULL),"
            " (SELECT max(offset) FROM event))"
        )
        delays = self._connection.execute(
            "SELECT (decided_at - time) / 1e3 FROM event"
            " WHERE offset > ? AND offset <= ? AND key >= 'load.' AND key < 'load/'",
            (self._seen, until),
        ).fetchall()
        self._seen = max(until, self._seen)
        return Sample(
            at_s=time.monotonic(),
            backlog=backlog,
            delays_ms=[delay for (delay,) in delays],
            rss_mib=mib(self._pid, "Rss"),
            cpu_s=cpu_s(self._pid),
        )

    def until_drained(self, seconds: float) -> float:
        """How long it takes until nothing waits and no task is alive."""
        begin = time.monotonic()
        while self._one(
            "SELECT EXISTS (SELECT 1 FROM event WHERE turn IS NULL)"
            " OR EXISTS (SELECT 1 FROM task_execution WHERE ended_at IS NULL)"
        ):
            assert time.monotonic() - begin < seconds, self.look()
            time.sleep(0.05)
        return time.monotonic() - begin

    def decided(self) -> int:
        """How many events of the load have a turn; each has its own."""
        return self._one(
            "SELECT count(DISTINCT turn) FROM event WHERE key >= 'load.' AND key < 'load/'"
        )

    def ignored(self) -> int:
        """Hits whose task was alive (S19)."""
        return self._one("SELECT count(*) FROM decision WHERE did = 'ignored: alive'")

    def runs(self) -> dict[str, object]:
        """Runs that have ended well, and how long after their event they began."""
        delays = self._connection.execute(
            "SELECT (run.began_at - event.time) / 1e3 FROM task_execution AS run"
            " JOIN workflow_execution AS execution ON execution.id = run.workflow_execution_id"
            # A first task starts with its execution, and that by the event.
            " JOIN event ON event.turn = coalesce(nullif(run.trigger_turn, 0),"
            " execution.trigger_turn)"
            " WHERE run.status = 'SUCCESS' ORDER BY 1"
        ).fetchall()
        return {
            "runs": len(delays),
            "began_p50_ms": round(delays[len(delays) // 2][0], 1),
            "began_p99_ms": round(delays[int(len(delays) * 0.99)][0], 1),
        }

    def _one(self, statement: str) -> int:
        (value,) = self._connection.execute(statement).fetchone()
        return int(value or 0)
