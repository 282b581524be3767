"""Processes and their groups, as the system knows them: who lives, when it started, how to end it.

A pid alone names nobody for long. With the instant at which its process started, to the tick and
within one boot of the machine, it does.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path

from eventflow.clock import Clock

_LINUX = sys.platform == "linux"
_LOOK_S = 0.005
_DEATH_S = 5.0
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_THREADS = "/proc/self/task"
_STATE, _STARTED = 0, 19  # places in /proc/<pid>/stat, counted after the name


def started(pid: int) -> str:
    """When a process started, as a text to compare; empty when there is none."""
    return _look_at(pid)[1]


def lives(pid: int, start: str) -> bool:
    """Whether the process that started then is still there, and is no zombie."""
    state, now = _look_at(pid)
    return bool(start) and now == start and not state.startswith(("Z", "X"))


def end_group(pid: int, start: str) -> None:
    """Kill what is left of the group that was led by the process that started then.

    A number that a group still has is given to no new process. So when the leader is gone, the
    group of that number is the old one; when the number is another process's, the group is gone.
    """
    now = started(pid)
    if now not in ("", start) or start.partition("@")[2] != _boot():
        return
    signal_group(pid, signal.SIGKILL)


def end_earlier(pid: int, start: str, clock: Clock) -> None:
    """Kill what is left of a group of an earlier scheduler's, and see that its leader is dead."""
    pause = threading.Event()
    until = clock.monotonic() + _DEATH_S
    end_group(pid, start)
    while lives(pid, start) and clock.monotonic() < until:
        pause.wait(_LOOK_S)


def signal_group(pid: int, number: int) -> None:
    """Signal the group that `pid` leads, if it is there."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def die_with_parent(number: int) -> None:
    """Have the system send `number` to this process when its parent ends; 0 undoes that. Linux."""
    _prctl(_PR_SET_PDEATHSIG, number)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parents end. Linux."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def own_children() -> set[int]:
    """Pids of this process's children; empty where the system does not tell."""
    found: set[int] = set()
    with contextlib.suppress(FileNotFoundError):
        for thread in os.listdir(_THREADS):  # noqa: PTH208  asked for each child that ends
            with open(f"{_THREADS}/{thread}/children", "rb") as listed:  # noqa: PTH123  likewise
                found.update(map(int, listed.read().split()))
    return found


def end_strays(known: set[int]) -> None:
    """Kill and reap children that are not `known`: what ended attempts have left behind.

    Each one's own children come to us when it dies, so it takes some rounds.
    """
    for _ in range(100):
        strays = own_children() - known
        if not strays:
            return
        for pid in strays:
            os.kill(pid, signal.SIGKILL)
        for pid in strays:
            os.waitpid(pid, 0)


def flush_c() -> None:
    """Write out what C code has buffered in its streams."""
    _library().fflush(None)


def prepare() -> None:
    """Look up what never changes, once for all children to come."""
    _library()
    _boot()


def _prctl(option: int, value: int) -> None:
    if _LINUX:
        _library().prctl(option, value, 0, 0, 0)


@cache
def _library() -> ctypes.CDLL:
    """What this process is linked with."""
    return ctypes.CDLL(None)


def _look_at(pid: int) -> tuple[str, str]:
    """State and start of a process; both empty when there is none."""
    if not _LINUX:
        return _ask_ps(pid)
    try:
        line = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return "", ""
    # The name stands in brackets and may itself hold brackets and blanks.
    fields = line[line.rindex(")") + 1 :].split()
    return fields[_STATE], f"{fields[_STARTED]}@{_boot()}"


@cache
def _boot() -> str:
    """Names this boot of the machine, after which ticks count anew."""
    if not _LINUX:
        return ""
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()


def _ask_ps(pid: int) -> tuple[str, str]:
    told = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)],  # noqa: S607  where it lies differs
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split(maxsplit=1)
    return (told[0], told[1].strip()) if len(told) == 2 else ("", "")
