"""A clock that is set back, as NTP does: no due time fires twice, and deciding goes on (S33)."""

from pathlib import Path

import invariants
import pytest
from player import Player

from eventflow import BashOperator, Cron, Workflow


def version(schedule: Cron) -> Workflow:
    with Workflow("w", schedule=schedule) as workflow:
        BashOperator("t", bash_command="true")
    return workflow


@pytest.mark.rule("S33")
@pytest.mark.fault("F27")
def test_f27_a_schedule_registered_anew_behind_its_last_firing_fires_no_due_time_again(
    tmp_path: Path,
) -> None:
    schedules = [Cron("* * * * *"), Cron("*/2 * * * *")]
    player = Player(tmp_path / "store.db", [version(schedule) for schedule in schedules])
    player.register(0)
    player.step()
    player.wait(120)
    player.step()
    fired = player.rows("SELECT due_at FROM schedule_firing WHERE reason = ''")
    assert len(fired) == 1

    player.wait(-90)
    player.register(1)
    player.step()
    player.wait(95)
    assert player.settle()

    assert invariants.broken(player.path) == []
    assert player.rows("SELECT due_at FROM schedule_firing WHERE reason = ''")[:1] == fired
    player.close()
