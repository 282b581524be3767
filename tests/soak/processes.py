"""Processes as the system knows them: who descends from whom, who is alive, and signals to them."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

_NURSERY = "eventflow.executors.nursery"


@dataclass(frozen=True)
class Process:
    """A process; with `started` (ticks since boot) no other of the same number is taken for it."""

    pid: int
    parent: int
    group: int
    started: int
    state: str

    @property
    def command(self) -> str:
        try:
            return Path(f"/proc/{self.pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (OSError, UnicodeDecodeError):
            return ""

    @property
    def alive(self) -> bool:
        """Whether it runs still; one that is dead and not yet waited for does not."""
        now = look_at(self.pid)
        return now is not None and now.started == self.started and now.state not in "ZX"

    def send(self, number: int) -> bool:
        """Send a signal; whether the process was there."""
        try:
            if self.alive:
                os.kill(self.pid, number)
                return True
        except ProcessLookupError:
            pass
        return False

    def kill_group(self) -> bool:
        """Kill it with its process group, which it leads; whether it was there."""
        try:
            if self.alive:
                os.killpg(self.group, signal.SIGKILL)
                return True
        except ProcessLookupError:
            pass
        return False


def look_at(pid: int) -> Process | None:
    """A process by its number, or `None`."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    return Process(pid, int(fields[1]), int(fields[2]), int(fields[19]), fields[0])


def descendants(pid: int) -> list[Process]:
    """Those below a process, parents before their children."""
    found = [look_at(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    below: dict[int, list[Process]] = {}
    for one in found:
        if one is not None:
            below.setdefault(one.parent, []).append(one)
    ordered = list(below.get(pid, ()))
    for one in ordered:
        ordered += below.get(one.pid, ())
    return ordered


def started_with(variable: str, value: str) -> list[Process]:
    """All that were started with a variable of the environment, whosever children they are now."""
    wanted = f"{variable}={value}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            there = entry.name.isdigit() and wanted in (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        process = look_at(int(entry.name)) if there else None
        if process is not None and process.alive:
            found.append(process)
    return found


def nurseries(scheduler: int) -> list[Process]:
    """The nurseries of a scheduler."""
    return [
        one for one in descendants(scheduler) if one.parent == scheduler and _NURSERY in one.command
    ]


def attempts(scheduler: int) -> list[Process]:
    """The processes of attempts under a scheduler: children of its nurseries, leading a group."""
    above = {one.pid for one in nurseries(scheduler)}
    return [one for one in descendants(scheduler) if one.parent in above and one.group == one.pid]
