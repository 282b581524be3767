"""Thousands of child attempts, half of them raising, some killed, some late: nothing of them stays.

The scheduler is a real `eventflow serve`, and what it and its nursery have is read from outside.
`make leaks` makes 20,000 of them.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from census import Census, census, descendants, files_in, resident_mib, until

from eventflow.runtime.handle import ExecutionHandle
from eventflow.runtime.remote import RemoteClient

FLOW = Path(__file__).parent / "flows" / "many_flow.py"
EVENTFLOW = Path(sys.executable).with_name("eventflow")
AT_ONCE = 160
MANY = int(os.environ.get("LEAKS_ATTEMPTS", "2000"))
PATIENCE_S = 600
WARM_UP = 0.25
# A KiB for each of the last 15,000 of 20,000. A third of it is for the roster, which remembers the
# newest 16,384 and grows no more when it is full.
MOST_MIB = 15.0


class Service:
    """`eventflow serve` in a folder, and a client beside it."""

    def __init__(self, folder: Path) -> None:
        url = f"sqlite:///{folder / 'store.db'}"
        with (folder / "serve.log").open("w") as log:
            self._process = subprocess.Popen(
                [EVENTFLOW, "serve", FLOW, "--store", url, "--grace", "0"],
                cwd=folder,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        assert "ready" in self._process.stdout.readline(), (folder / "serve.log").read_text()
        self._remote = RemoteClient(url)
        self.folder = folder
        (self.nursery,) = descendants(self._process.pid)

    def make_attempts(self, count: int) -> None:
        """So many, in a new execution; returns when all have ended, each as it should."""
        command = self._remote.client.run("default", "many", {"count": count})
        ended = ExecutionHandle(self._remote.client, command=command).wait(PATIENCE_S)
        by_name = {task.task_name: task for task in ended.tasks}
        quick, slow = by_name["quick"].items, by_name["slow"].items
        assert quick is not None
        assert slow is not None
        assert quick.total + slow.total == count
        assert quick.by_status["FAILED"] >= quick.total // 2
        assert slow.by_status == {"FAILED": slow.total}

    def figures(self) -> "Figures":
        """What there is, as soon as nothing of an attempt is there any more."""
        until(
            lambda: descendants(self._process.pid) == [self.nursery],
            lambda: f"processes {descendants(self._process.pid)} beside {self.nursery}",
        )
        both = (self._process.pid, self.nursery)
        spool = self.folder / "store.db-files" / "spool"
        until(lambda: not files_in(spool), lambda: f"in the spool {files_in(spool)}")
        return Figures(
            scheduler=census(both[0]),
            nursery=census(both[1]),
            mib=(resident_mib(both[0]), resident_mib(both[1])),
        )

    def end(self) -> None:
        self._remote.close()
        self._process.terminate()
        self._process.communicate(timeout=60)


@dataclass(frozen=True, slots=True)
class Figures:
    """What the scheduler and its nursery have when nothing runs; memory in MiB, of each."""

    scheduler: Census
    nursery: Census
    mib: tuple[float, float]


@pytest.fixture
def service(tmp_path: Path, temporary: Path) -> Iterator[Service]:
    service = Service(tmp_path)
    yield service
    service.end()


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(2 * AT_ONCE, id="some"),
        pytest.param(MANY, id="many", marks=pytest.mark.long),
    ],
)
def test_children_however_they_end_leave_nothing(
    service: Service, temporary: Path, count: int
) -> None:
    service.make_attempts(AT_ONCE)
    warm, made, files = service.figures(), AT_ONCE, files_in(temporary)
    while made < count:
        service.make_attempts(AT_ONCE)
        made += AT_ONCE
        if made - AT_ONCE <= count * WARM_UP < made:
            warm = service.figures()
    now = service.figures()

    assert now.scheduler.more_than(warm.scheduler) == ""
    assert now.nursery.more_than(warm.nursery) == ""
    grown = [after - before for after, before in zip(now.mib, warm.mib, strict=True)]
    assert max(grown) < MOST_MIB, f"grown by {grown} MiB, from {warm.mib}"
    assert files_in(temporary) == files
