"""How a scheduler comes to its end."""

import threading
from pathlib import Path

import pytest

from eventflow import Scheduler

SOON_S = 60


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_a_scheduler_with_nothing_to_do_stops_without_waiting_for_its_grace(
    tmp_path: Path, executor: str
) -> None:
    scheduler = Scheduler(f"sqlite:///{tmp_path / 'store.db'}", executor=executor)
    scheduler.start()
    stopping = threading.Thread(target=scheduler.stop, kwargs={"grace": 10 * SOON_S})

    stopping.start()
    stopping.join(SOON_S)

    assert not stopping.is_alive()
