"""A clock that is set back, as NTP does: no due time fires twice, and deciding goes on (S33)."""

from pathlib import Path

import invariants
import pytest
from player import Player

from eventflow import BashOperator, Cron, Workflow


def version(schedule: Cron | None) -> Workflow:
    with Workflow("w", schedule=schedule) as workflow:
        BashOperator("t", bash_command="true")
    return workflow


@pytest.mark.rule("S33")
@pytest.mark.fault("F27")
@pytest.mark.parametrize("loads_anew", [False, True])
@pytest.mark.parametrize(
    "schedules",
    [
        [Cron("* * * * *"), Cron("*/2 * * * *")],
        [Cron("* * * * *"), None, Cron("*/2 * * * *")],
        [Cron("* * * * *"), None, Cron("* * * * *")],
    ],
    ids=["changed", "removed and changed", "removed and back"],
)
def test_f27_a_schedule_registered_anew_behind_its_last_firing_fires_no_due_time_again(
    tmp_path: Path, schedules: list[Cron | None], loads_anew: bool
) -> None:
    player = Player(tmp_path / "store.db", [version(schedule) for schedule in schedules])
    player.register(0)
    player.step()
    player.wait(120)
    player.step()
    fired = player.rows("SELECT due_at FROM schedule_firing WHERE reason = ''")
    assert len(fired) == 1

    player.wait(-90)
    for number in range(1, len(schedules)):
        player.register(number)
        player.step()
        if loads_anew:
            player.crash("after")
    player.wait(95)
    assert player.settle()

    assert player.rows("SELECT did FROM decision WHERE did LIKE '%cannot be decided%'") == []
    assert invariants.broken(player.path) == []
    assert player.rows("SELECT due_at FROM schedule_firing WHERE reason = ''")[:1] == fired
    player.close()
