"""What producers and tasks write down themselves, outside of eventflow, and how it is read.

Every line is on the disk before its writer goes on. A copy of this file lies beside the workflows
that are served, so it needs nothing but the standard library.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SENT, RUNS = "sent", "runs"
# When there is a file of this name, producers end once all is acknowledged.
OVER = "over"
WHOLE, LEFT = "whole", "left"
ALONE, BESIDE = "alone", "beside"


@dataclass(frozen=True)
class Sent:
    """An event that somebody was about to send."""

    sender: str
    id: str
    key: str
    value: Any


@dataclass(frozen=True)
class Acknowledged:
    """What `emit` came back with; a repeat has a line of its own."""

    sender: str
    id: str
    offset: int


@dataclass(frozen=True)
class RunLine:
    """One line of a task or item; its file holds those of all its attempts, in their order.

    Attributes:
        what: `begin` or `end`.
        at: Nanoseconds of the machine's monotonic clock.
        how: Of a begin whether another attempt was still there: `alone` or `beside`. Of an end
            whether the code came to its end: `whole`, or `left` by an exception.
    """

    what: str
    sequence_number: int
    attempt: int
    pid: int
    at: int
    how: str


def append(descriptor: int, *lines: str) -> None:
    """Write lines at the end of a file that is open for appending; returns when they are kept."""
    os.write(descriptor, "".join(f"{line}\n" for line in lines).encode())
    os.fsync(descriptor)


def open_to_append(path: Path) -> int:
    """A descriptor of a file that is made when it is not there."""
    return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)


def sent_line(event: Sent) -> str:
    return f"sent {event.sender} {event.id} {event.key} {json.dumps(event.value)}"


def acknowledged_line(event: Acknowledged) -> str:
    return f"ack {event.sender} {event.id} {event.offset}"


@contextmanager
def noted(folder: Path, execution: int, name: str, sequence: int, attempt: int) -> Iterator[int]:
    """Write down that an attempt begins and ends; gives the number of attempts that began before.

    It holds a lock meanwhile, which the system lets go of when the process is dead and no sooner:
    so an attempt that begins knows whether an earlier one is still there.
    """
    path = folder / RUNS / str(execution) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = open_to_append(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        how = ALONE
    except BlockingIOError:
        how = BESIDE
    who = f"{sequence} {attempt} {os.getpid()}"
    earlier = sum(line.what == "begin" for line in read_runs(path))
    append(descriptor, f"begin {who} {time.monotonic_ns()} {how}")
    try:
        yield earlier
    except BaseException:
        append(descriptor, f"end {who} {time.monotonic_ns()} {LEFT}")
        raise
    else:
        append(descriptor, f"end {who} {time.monotonic_ns()} {WHOLE}")
    finally:
        os.close(descriptor)


def whole_lines(path: Path, after: int = 0) -> tuple[list[str], int]:
    """Lines behind a place in a file, without a last one that has no end, and the next place."""
    if not path.exists():
        return [], after
    with path.open("rb") as file:
        file.seek(after)
        whole = file.read().rpartition(b"\n")[0]
    return whole.decode().splitlines(), after + len(whole) + bool(whole)


def read_runs(path: Path) -> list[RunLine]:
    """The lines of one task or item, in the order in which they were written."""
    return [
        RunLine(what, int(sequence), int(attempt), int(pid), int(at), how)
        for what, sequence, attempt, pid, at, how in map(str.split, whole_lines(path)[0])
    ]


def all_runs(folder: Path) -> dict[tuple[int, str], list[RunLine]]:
    """(execution, task or `task.item`) -> its lines."""
    return {
        (int(path.parent.name), path.name): read_runs(path)
        for path in sorted((folder / RUNS).glob("*/*"))
    }


def read_sent(lines: list[str]) -> tuple[list[Sent], list[Acknowledged]]:
    """What lines of a sender's journal say."""
    sent, acknowledged = [], []
    for line in lines:
        what, sender, event_id, rest = line.split(" ", 3)
        if what == "sent":
            key, _, value = rest.partition(" ")
            sent.append(Sent(sender, event_id, key, json.loads(value)))
        else:
            acknowledged.append(Acknowledged(sender, event_id, int(rest)))
    return sent, acknowledged


def all_sent(folder: Path) -> tuple[list[Sent], list[Acknowledged]]:
    """The journals of all who sent."""
    sent: list[Sent] = []
    acknowledged: list[Acknowledged] = []
    for path in sorted((folder / SENT).glob("*")):
        found = read_sent(whole_lines(path)[0])
        sent += found[0]
        acknowledged += found[1]
    return sent, acknowledged
