"""What tasks write down themselves, outside of eventflow: who ran when. Judges read only this."""

import itertools
import os
from dataclasses import dataclass
from pathlib import Path

# A workflow whose tasks keep the journal; `{journal}` is its path.
WORKFLOW = """
import os, time
from eventflow import PythonOperator, Workflow, current_context

def write(line):
    descriptor = os.open({journal!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, (line + "\\n").encode())
    os.fsync(descriptor)
    os.close(descriptor)

def work():
    context = current_context()
    run = context.task_execution
    name = f"{{run.task_name}} {{run.sequence_number}} {{run.attempt}} {{os.getpid()}}"
    write(f"begin {{name}} {{time.monotonic_ns()}}")
    context.wait(0.3)
    context.emit("step.done", {{"task": run.task_name}})
    write(f"end {{name}} {{time.monotonic_ns()}}")

with Workflow("steps") as workflow:
    before = None
    for number in range(6):
        step = PythonOperator(f"s{{number}}", work)
        if before is not None:
            before >> step
        before = step
"""


@dataclass(frozen=True)
class Line:
    """One line of the journal; `at` in nanoseconds of the machine's monotonic clock."""

    what: str
    task: str
    sequence_number: int
    attempt: int
    pid: int
    at: int


def read(path: Path) -> list[Line]:
    """The journal so far; a last line without its end is left out."""
    if not path.exists():
        return []
    whole = path.read_text().rpartition("\n")[0]
    return [
        Line(what, task, int(number), int(attempt), int(pid), int(at))
        for what, task, number, attempt, pid, at in (line.split() for line in whole.splitlines())
    ]


def overlapping(lines: list[Line], killed_at: list[int]) -> list[str]:
    """Attempts of one task that ran beside each other.

    Args:
        killed_at: When everything was killed: an attempt without an end line ran until the next.
    """
    found = []
    spans: dict[str, list[tuple[int, int, Line]]] = {}
    ends = {(line.task, line.attempt, line.pid): line.at for line in lines if line.what == "end"}
    for line in lines:
        if line.what != "begin":
            continue
        later = [at for at in killed_at if at > line.at]
        end = ends.get((line.task, line.attempt, line.pid), min(later, default=2**63))
        spans.setdefault(line.task, []).append((line.at, end, line))
    for task, times in spans.items():
        times.sort(key=lambda span: span[0])
        for (_, end, one), (begin, _, other) in itertools.pairwise(times):
            if begin < end:
                found.append(f"{task}: attempt {other.attempt} began while {one.attempt} ran")
    return found


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and not yet waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def append_and_sync(path: Path, line: str) -> None:
    """Write a line so that it outlives whoever wrote it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, f"{line}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
