"""The alarm that wakes the loop, with APScheduler at work."""

import threading
from datetime import UTC, datetime

from eventflow.runtime.timers import Alarm

SOON_S = 10


def test_an_alarm_rings_while_the_one_before_it_is_still_at_it() -> None:
    rings: list[int] = []
    second = threading.Event()
    heard: list[bool] = []
    told = threading.Event()

    def ring() -> None:
        rings.append(len(rings))
        if len(rings) > 1:
            second.set()
            return
        alarm.set(datetime.now(UTC))
        heard.append(second.wait(SOON_S))
        told.set()

    alarm = Alarm(ring)
    alarm.start()
    alarm.set(datetime.now(UTC))
    told.wait(2 * SOON_S)
    alarm.stop()

    assert heard == [True]
