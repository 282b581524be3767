"""A year without a scheduler: what a minutely schedule makes of it, in a real file (S33)."""

from datetime import datetime, timedelta
from pathlib import Path

import invariants
import pytest
from player import Player

from eventflow import BashOperator, Cron, Workflow
from eventflow.store.columns import instant_of
from eventflow.testing.clock import START

YEAR = timedelta(days=365)
DUE = YEAR // timedelta(minutes=1)


def minutely(catchup: str, grace: float | None = None) -> Workflow:
    with Workflow(
        "w", schedule=Cron("* * * * *"), catchup=catchup, misfire_grace=grace, max_active=1
    ) as workflow:
        BashOperator("t", bash_command="true")
    return workflow


@pytest.mark.rule("S33")
@pytest.mark.fault("F30")
@pytest.mark.parametrize(
    ("catchup", "grace", "fired"),
    [
        ("none", None, 1),
        ("none", 10, 0),
        ("latest", None, 1),
        ("latest", 10, 0),
        ("all", 7_200, 120),
        ("all", 10, 0),
    ],
)
def test_f30_after_a_year_every_due_time_was_fired_once_or_is_accounted_for(
    tmp_path: Path, catchup: str, grace: float | None, fired: int
) -> None:
    player = Player(tmp_path / "store.db", [minutely(catchup, grace)])
    player.register(0)
    assert player.settle()
    player.wait(YEAR.total_seconds() + 30)  # half a minute late for the last of them
    player.crash("before")

    assert player.settle()

    rows = player.rows("SELECT since, due_at, reason FROM schedule_firing ORDER BY due_at")
    firings = [instant_of(at) for _, at, reason in rows if not reason]
    assert len(firings) == player.rows("SELECT count(*) FROM workflow_execution")[0][0] == fired
    assert firings == [START + YEAR - timedelta(minutes=n) for n in reversed(range(fired))]
    skipped = [(instant_of(since), instant_of(until)) for since, until, gone in rows if gone]
    assert fired + sum(minutes(since, until) for since, until in skipped) == DUE
    assert len(skipped) <= 2
    assert invariants.broken(player.path) == []
    player.close()


@pytest.mark.rule("S33")
@pytest.mark.fault("F30")
def test_f30_all_without_a_bound_goes_through_the_log_a_thousand_at_a_time(tmp_path: Path) -> None:
    player = Player(tmp_path / "store.db", [minutely("all")])
    player.register(0)
    assert player.settle()
    player.wait(2_500 * 60)

    batches = 0
    while player.step():
        batches += 1
        player.crash("before")

    rows = player.rows("SELECT due_at FROM schedule_firing WHERE reason = '' ORDER BY due_at")
    assert [instant_of(at) for (at,) in rows] == [
        START + timedelta(minutes=n) for n in range(1, 2_501)
    ]
    assert batches >= 3
    assert invariants.broken(player.path) == []
    player.close()


def minutes(since: datetime | None, until: datetime | None) -> int:
    """How many full minutes lie in `(since, until]`."""
    assert since is not None
    assert until is not None
    return (until - START) // timedelta(minutes=1) - (since - START) // timedelta(minutes=1)
