"""What must be so in the file of a store after every commit, as `eventflow fsck` asks it."""

from pathlib import Path

from eventflow.clock import SystemClock
from eventflow.store.fsck import fsck, reading


def broken(path: Path) -> list[str]:
    """What is wrong in the file at `path`, in words; empty when nothing is."""
    report = fsck(path, clock=SystemClock())
    return [f"{answer.check.name}: {row}" for answer in report.faults for row in answer.rows]


def undecided(path: Path) -> list[int]:
    """Offsets of events without a turn; none once a loop has fallen quiet (4)."""
    with reading(path) as connection:
        rows = connection.execute("SELECT offset FROM event WHERE turn IS NULL ORDER BY offset")
        return [offset for (offset,) in rows]
