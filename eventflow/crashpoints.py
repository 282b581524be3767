"""Named places where something is written or handed over, at which a test can make things go wrong.

Off, which is always but in a test, a point costs the look at one global name. A test sets
`EVENTFLOW_CRASH` to `POINT:ACTION`, or `POINT:ACTION:COUNT` for the COUNT-th time that the point is
reached, several with commas between them, and `EVENTFLOW_CRASH_ONCE` to a file: the first process
that gets there makes it, and no other goes wrong any more, also not one that starts later with the
same environment; of several, each but the first has a file of its own, with its number added.

Points come in pairs, one before something is done and one after it, so that a raise at the first is
a failure, and a raise at the second a failure of what was done all the same:

- `X.written` and `X.committed`, of every commit: the second is a commit of which nobody knows
  whether it was one; likewise `schema.written` and `schema.committed`;
- `X.copied` and `X.renamed`, `X.written` and the next of files: `spool.written` and `spool.ended`,
  `journal.written` and `journal.replaced`, and those of backups and restores;
- `dispatch.taken` and `dispatch.handed`, `nurse.asked` and `nursery.forked`, `child.told` and
  `child.done`, of what is handed over to somebody.
"""

import errno
import os
import signal
import threading
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

VARIABLE = "EVENTFLOW_CRASH"
ONCE = "EVENTFLOW_CRASH_ONCE"

# What is committed, by the word that the writer is given.
COMMITS = ("append", "batch", "lease", "release", "snapshot", "parked", "data", "drawn", "prune")
# Around each commit: nothing written, all written, committed, told.
STAGES = ("begun", "written", "committed", "told")

# Every other point, and what has happened when it is reached.
OTHERS = {
    "schema.file": "the file of a store was made, and is empty",
    "schema.begun": "its tables are about to be made",
    "schema.written": "they are made and not committed",
    "schema.committed": "they are committed",
    "sources.copied": "a workflow's sources were copied beside their place",
    "sources.renamed": "the copy has its name",
    "commit.doubted": "a commit has failed, and nobody has looked whether it was one",
    "loop.decided": "a batch is decided, in memory alone",
    "loop.committed": "it is committed, and nobody has heard",
    "loop.dispatched": "its orders are queued for the dispatcher",
    "timer.due": "a timer has gone off, and nothing is decided",
    "dispatch.taken": "an order is about to be handed over",
    "dispatch.handed": "it was handed over",
    "expand.counted": "the items of a map are counted, and nothing is written",
    "journal.begun": "a thread's begin mark was written",
    "journal.written": "the new journal of marks is beside the old one",
    "journal.replaced": "the new journal has the place of the old one",
    "spool.begun": "a child's begin mark was written",
    "spool.written": "a child's outcome is beside its place",
    "spool.ended": "the outcome has its name",
    "spool.forgotten": "mark and outcome are gone, their end is committed",
    "nurse.asked": "a child is about to be asked of the nursery",
    "nursery.forked": "the nursery has made a child, and has not said so",
    "child.started": "the child runs, and has read nothing",
    "child.told": "the scheduler knows of the begin; the task's code is next",
    "child.done": "the task's code has ended, and nothing is written",
    "child.leaving": "the outcome is written, and nobody was told",
    "report.taken": "a report has reached the loop's inbox",
    "retention.aside": "code that goes has another name, and its row stands",
    "retention.code": "its row is gone, and it is about to be deleted",
    "retention.output": "the output of an execution that is gone is about to be deleted",
    "backup.copied": "the file is copied, under another name",
    "backup.begun": "the folder beside it is there, and empty",
    "backup.filled": "all is copied",
    "backup.renamed": "the file has its name",
    "restore.copied": "the new file is beside its place",
    "restore.marked": "the marker is there, and the old store is as it was",
    "restore.kept": "the old file has another name too",
    "restore.cleared": "what belonged to it is out of the folder",
    "restore.renamed": "the new file has its name",
    "restore.ended": "the marker is gone",
    "alarm.rung": "the alarm thread has woken the loop",
}

POINTS = frozenset(OTHERS) | {f"{what}.{stage}" for what in COMMITS for stage in STAGES}


class Action(StrEnum):
    """What goes wrong."""

    KILL = "kill"  # the process is gone, as by kill -9
    RAISE = "raise"  # an OSError comes from there
    STALL = "stall"  # it stands still for STALL_S


STALL_S = 5.0


@dataclass
class _Armed:
    point: str
    action: Action
    count: int
    once: Path | None
    reached: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def at(self, point: str) -> None:
        if point != self.point:
            return
        with self.lock:
            self.reached += 1
            if self.reached != self.count or not self._is_first():
                return
        match self.action:
            case Action.KILL:
                os.kill(os.getpid(), signal.SIGKILL)
                threading.Event().wait()
            case Action.RAISE:
                raise OSError(errno.EIO, f"made to fail at {point}")
            case Action.STALL:
                threading.Event().wait(STALL_S)

    def _is_first(self) -> bool:
        if self.once is None:
            return True
        try:
            os.close(os.open(self.once, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            return False
        return True


def _armed(told: str, once: str) -> tuple[_Armed, ...]:
    return tuple(
        _one(each, f"{once}.{number}" if once and number else once)
        for number, each in enumerate(told.split(",") if told else ())
    )


def _one(told: str, once: str) -> _Armed:
    point, _, rest = told.partition(":")
    action, _, count = rest.partition(":")
    if point not in POINTS or action not in set(Action) or not (count or "1").isdigit():
        raise ValueError(f"{VARIABLE} is POINT:ACTION or POINT:ACTION:COUNT, got {told!r}")
    return _Armed(point, Action(action), int(count or 1), Path(once) if once else None)


_ARMED = _armed(os.environ.get(VARIABLE, ""), os.environ.get(ONCE, ""))


def reach(point: str) -> None:
    """Say that a point is reached.

    Raises:
        OSError: If a test wants it so.
    """
    for armed in _ARMED:
        armed.at(point)
