"""What a process has of the system: threads, open descriptors, children, files, resident memory.

All of it is read from /proc, of this process or of another, so that nothing that is counted has to
say so itself.
"""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Census:
    """What one process has at one time.

    Attributes:
        descriptors: What the open descriptors lead to, and how many of each; the numbers that
            tell one pipe or socket from another are left out.
        children: Pids of all below it, the dead that nobody has waited for too.
    """

    threads: int
    descriptors: Counter[str]
    children: frozenset[int]

    def more_than(self, before: "Census") -> str:
        """What is there now that was not before, in words; empty when there is nothing."""
        told = []
        if self.threads > before.threads:
            named = sorted(thread.name for thread in threading.enumerate())
            told.append(f"{self.threads - before.threads} threads (here are {named})")
        if opened := self.descriptors - before.descriptors:
            told.append(f"descriptors {dict(opened)}")
        if born := self.children - before.children:
            told.append(f"processes {sorted(born)}")
        return "; ".join(told)


def census(pid: int | None = None) -> Census:
    """Count what a process has; this one by default."""
    here = Path("/proc", str(os.getpid() if pid is None else pid))
    return Census(
        threads=len(list((here / "task").iterdir())),
        descriptors=Counter(_targets(here / "fd")),
        children=frozenset(descendants(int(here.name))),
    )


def descendants(pid: int) -> list[int]:
    """Pids of the children of a process, of theirs, and so on; zombies too."""
    parents = dict(_parents())
    found, unseen = [], [pid]
    while unseen:
        parent = unseen.pop()
        below = [child for child, its in parents.items() if its == parent]
        found += below
        unseen += below
    return found


def resident_mib(pid: int) -> float:
    """Resident memory of a process, without the pages of the files that it has mapped."""
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGE_SIZE") / 2**20


def files_in(*folders: Path) -> set[Path]:
    """All files and folders below some folders."""
    return {path for folder in folders for path in folder.rglob("*")}


def until(holds: Callable[[], bool], what: Callable[[], str]) -> None:
    """Look until something is so; `what` tells what was in its way."""
    deadline, tick = time.monotonic() + PATIENCE_S, threading.Event()
    while not holds():
        assert time.monotonic() < deadline, what()
        tick.wait(0.01)


def leaves_nothing(before: Census) -> None:
    """See this process come back to what it had: threads that were let go take a moment to end."""
    until(lambda: not census().more_than(before), lambda: census().more_than(before))


def _targets(folder: Path) -> list[str]:
    found = []
    for descriptor in folder.iterdir():
        try:
            found.append(str(descriptor.readlink()).split(":[")[0])
        except FileNotFoundError:
            continue  # that of the folder itself, or closed meanwhile
    return found


def _parents() -> list[tuple[int, int]]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            found.append((int(folder.name), int(fields[1])))
    return found
