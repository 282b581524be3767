"""`python -m tests.bench.producer STORE NAME RATE SECONDS TASKS`: emits events at an even rate.

One in ten is a hit, for one task after the other; with TASKS 0 each starts an execution. What has
come due meanwhile is appended in one commit, so that a producer which falls behind catches up. At
its end it prints how many it sent.
"""

import json
import sys
import threading
import time

from eventflow import Event
from eventflow.runtime.remote import RemoteClient

HIT_EVERY = 10
LOOK_S = 0.005


def main() -> None:
    store, name, rate, seconds, tasks = sys.argv[1:]
    total = round(float(rate) * float(seconds))
    sent, latest_s = 0, 0.0
    never = threading.Event()
    with RemoteClient(store) as remote:
        begin = time.monotonic()
        while sent < total:
            passed = time.monotonic() - begin
            due = min(int(passed * float(rate)), total)
            latest_s = max(latest_s, passed - sent / float(rate))
            if due > sent:
                remote.client.append_many(
                    [load_event(name, number, int(tasks)) for number in range(sent, due)]
                )
                sent = due
            never.wait(LOOK_S)
        taken = time.monotonic() - begin
    figures = {"sent": sent, "hits": sent // HIT_EVERY, "seconds": taken, "latest_s": latest_s}
    print(json.dumps(figures))


def load_event(name: str, number: int, tasks: int) -> Event:
    """The `number`-th of a producer; a hit is for its next task, or starts an execution."""
    if number % HIT_EVERY == HIT_EVERY - 1:
        if not tasks:
            return Event(f"load.start.{name}", {"n": number})
        return Event(f"load.hit.{name}.{number // HIT_EVERY % tasks}", {"n": number})
    return Event(f"load.miss.{name}", {"n": number, "why": "nothing waits for this"})


if __name__ == "__main__":
    main()
