"""Retention and backup, killed with SIGKILL: the store is whole, and a second one finishes."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import invariants
import pytest
from player import Player
from processes import Other
from shop import chain

from eventflow.clock import SystemClock
from eventflow.crashpoints import STAGES, VARIABLE
from eventflow.store import backup
from eventflow.store.backup import back_up
from eventflow.store.cut import Cut
from eventflow.store.places import files_beside

PRUNE = """
from datetime import UTC, datetime
from eventflow.store import erasing, pruning
from eventflow.store.cut import Cut, Manner

erasing.RUNS_A_COMMIT = pruning.RUNS_A_COMMIT = 1
pruning.EVENTS_A_COMMIT = 5
late = datetime(2999, 1, 1, tzinfo=UTC)
store.prune(Cut(before=late, ids_before=late), Manner(progress=lambda done: say(done.commits)))
say("done")
"""
BACKUP = """
from pathlib import Path
from eventflow.crashpoints import STAGES, VARIABLE
from eventflow.store import backup

backup._PAGES = 1
target = Path(sys.argv[1].removeprefix("sqlite:///")).with_name("copy.db")
say("began")
backup.back_up(target.with_name("store.db"), target, progress=lambda copied, total: say(copied))
say("done")
"""


@pytest.fixture
def player(tmp_path: Path) -> Iterator[Player]:
    """A store with eight executions that have ended, and one that lives."""
    made = Player(tmp_path / "store.db", [chain()])
    made.register(0)
    for number in range(9):
        made.client.run("default", "chain")
        made.settle()
        for _ in range(2 if number < 8 else 0):
            for run_id, attempt in made.rows(
                "SELECT id, attempt FROM task_execution WHERE status = 'QUEUED'"
            ):
                made.report("running", run_id, attempt)
                made.report("success", run_id, attempt)
            made.settle()
        made.client.emit("paid", number, id=str(number), sender="me")
        made.settle()
    yield made
    made.close()


@pytest.mark.parametrize("count", [1, 2, 9, 17])
@pytest.mark.parametrize("stage", STAGES)
def test_a_second_prune_finishes_what_a_killed_one_has_begun(
    player: Player, stage: str, count: int
) -> None:
    crash = {VARIABLE: f"prune.{stage}:kill:{count}"}
    with Other(f"sqlite:///{player.path}", PRUNE, {**os.environ, **crash}) as other:
        assert "done" not in other.rest()
    assert not _faults(player)

    late = SystemClock().now() + timedelta(days=365_000)
    player.store.prune(Cut(before=late, ids_before=late))

    assert not _faults(player)
    assert [one.id for one in player.store.executions()] == [9]
    assert {
        key for (key,) in player.rows("SELECT key FROM event WHERE key NOT GLOB '*.chain.*'")
    } == {"eventflow.command.run"}
    player.crash("before")
    assert player.client.emit("next").offset > player.store.last_offset() - 1


@pytest.mark.parametrize("pages", [0, 1, 5, 20])
def test_a_second_backup_is_whole_after_a_killed_one(player: Player, pages: int) -> None:
    target = player.path.with_name("copy.db")
    with Other(f"sqlite:///{player.path}", BACKUP, dict(os.environ)) as other:
        for _ in range(1 + pages):
            other.hear()
        other.kill()
    assert not target.exists() or not invariants.broken(target)
    if target.exists():
        return

    assert back_up(player.path, target) is not None

    assert not [one for one in invariants.broken(target) if "snapshot" not in one]
    assert (files_beside(target) / backup.MARKER).is_file()
    assert not list(player.path.parent.glob(".copy.db*"))


def _faults(player: Player) -> list[str]:
    faults = invariants.broken(player.path)
    # The player's workflows are in the memory of the test.
    return [fault for fault in faults if "the snapshot of" not in fault]
