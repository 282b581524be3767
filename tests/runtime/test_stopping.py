"""How a scheduler comes to its end."""

import threading
import time
from pathlib import Path

import pytest

from eventflow import Scheduler
from eventflow.runtime import engine
from eventflow.runtime.timers import SAFETY_NET_S

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


def test_a_scheduler_stops_at_once_while_an_event_that_no_rule_wants_waits_for_company(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "COMPANY_S", 1.0)
    scheduler = Scheduler(f"sqlite:///{tmp_path / 'store.db'}")
    scheduler.start()
    first = scheduler.emit("nobody.wants.it").offset
    assert scheduler.client.until(lambda: scheduler.store.decided_offset(first) or None, SOON_S)
    scheduler.emit("nobody.wants.it")
    # It has heard of that one, and waits for company now.
    while scheduler._engine._bell._awake:
        time.sleep(0.01)
    stopping = threading.Thread(target=scheduler.stop)

    stopping.start()
    # Not when the safety net looks: what says that it is to stop has ended the wait for company.
    stopping.join(SAFETY_NET_S / 2)

    assert not stopping.is_alive()
