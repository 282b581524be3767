"""What the kernel says about processes: how often their threads have slept, and what they cost."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Spent:
    """Of some processes since they began.

    Attributes:
        sleeps: (pid, thread id) -> how often it has gone to sleep: as often as it was woken.
        cpu_s: Seconds of processor.
    """

    sleeps: dict[tuple[int, int], int]
    cpu_s: float

    def since(self, before: "Spent") -> "Spent":
        """What came on top, of the threads that slept anew."""
        sleeps = {
            thread: count - before.sleeps.get(thread, 0)
            for thread, count in self.sleeps.items()
            if count != before.sleeps.get(thread)
        }
        return Spent(sleeps, round(self.cpu_s - before.cpu_s, 3))


def spent(pids: list[int]) -> Spent:
    sleeps: dict[tuple[int, int], int] = {}
    ticks = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            sleeps[pid, int(task.name)] = _sleeps(task / "status")
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return Spent(sleeps, ticks / os.sysconf("SC_CLK_TCK"))


def _sleeps(status: Path) -> int:
    lines = dict(line.split(":\t", 1) for line in status.read_text().splitlines())
    return int(lines["voluntary_ctxt_switches"])
