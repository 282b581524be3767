"""A month without a scheduler, as the next one finds it (F30)."""

import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from eventflow import Scheduler
from eventflow.clock import SystemClock

BEGIN = datetime(2026, 3, 1, 0, 0, 30, tzinfo=UTC)  # half a minute before the first due time
DOWN = timedelta(days=30)
MINUTES = 43_200
SOON_S = 20


class LaterClock(SystemClock):
    """Begins at an instant and goes on from there."""

    def __init__(self, begin: datetime) -> None:
        self._begin = begin - timedelta(seconds=self.monotonic())

    def now(self) -> datetime:
        return self._begin + timedelta(seconds=self.monotonic())


@pytest.mark.rule("S33")
@pytest.mark.fault("F30")
@pytest.mark.parametrize(("catchup", "fired"), [("latest", 1), ("none", 1)])
def test_f30_after_a_month_each_minute_was_fired_or_skipped_and_the_start_took_a_moment(
    tmp_path: Path, catchup: str, fired: int
) -> None:
    url, path = f"sqlite:///{tmp_path}/store.db", tmp_path / "flow.py"
    path.write_text(
        "from eventflow import BashOperator, Cron, Workflow\n"
        f"with Workflow('w', schedule=Cron('* * * * *'), catchup={catchup!r}) as w:\n"
        "    BashOperator('t', bash_command='true')\n"
    )
    with Scheduler(url, clock=LaterClock(BEGIN)) as scheduler:
        scheduler.register_file(path)

    begun = time.monotonic()
    with Scheduler(url, clock=LaterClock(BEGIN + DOWN)) as scheduler:
        started_s = time.monotonic() - begun
        assert scheduler.client.until(lambda: _accounted(tmp_path / "store.db"), SOON_S)
        decided_s = time.monotonic() - begun
        executions = scheduler.executions("w")

    assert started_s < 5
    assert decided_s < 5
    assert _accounted(tmp_path / "store.db") == (fired, MINUTES - fired)
    assert [one.scheduled_time for one in executions] == [BEGIN + DOWN - timedelta(seconds=30)]


def _accounted(path: Path) -> tuple[int, int] | None:
    """How many due times were fired, and how many minutes skipped; `None` when nothing was."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT since, due_at FROM schedule_firing").fetchall()
    minute = 60_000_000
    fired = sum(since is None for since, _ in rows)
    skipped = sum(at // minute - since // minute for since, at in rows if since is not None)
    return (fired, skipped) if rows else None
