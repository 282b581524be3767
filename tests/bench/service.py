"""`eventflow serve` as a process of its own, and what the kernel says of it."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

COMMAND = str(Path(sys.executable).with_name("eventflow"))


@contextmanager
def serving(
    folder: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> Iterator[int]:
    """The process id of a service that has said that it is ready; it is ended afterwards.

    What it logs is in `serve.log`.
    """
    with (folder / "serve.log").open("ab") as log:
        service = subprocess.Popen(
            [COMMAND, "serve", *arguments],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            assert service.stdout is not None
            while "ready" not in (line := service.stdout.readline()):
                assert line, (folder / "serve.log").read_text()
            yield service.pid
        finally:
            service.terminate()
            code = service.wait(60)
            service.stdout.close()
    assert code == 0, (folder / "serve.log").read_text()


def family(pid: int) -> list[int]:
    """A process and those that it has begun, and they."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += family(int(child))
    return found


def mib(pid: int, field: str) -> float:
    """`Rss` of a process, or `Pss`: each page that several share counts once."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) / 1024


def cpu_s(pid: int) -> float:
    """Seconds of processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
