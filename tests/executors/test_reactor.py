"""The thread that waits for sockets, pipes, instants and work: what comes before what."""

import os
import threading

from eventflow.clock import SystemClock
from eventflow.executors.reactor import READ, Reactor

PATIENCE_S = 20.0


def test_what_was_posted_before_something_arrived_is_done_before_it_is_read() -> None:
    reactor = Reactor("test-reactor", SystemClock())
    read, write = os.pipe()
    done: list[str] = []
    busy, may_go_on, both = threading.Event(), threading.Event(), threading.Event()

    def keep_busy() -> None:
        reactor.watch(read, READ, arrived)
        busy.set()
        may_go_on.wait(PATIENCE_S)

    def tell(what: str) -> None:
        done.append(what)
        if len(done) == 2:
            both.set()

    def arrived(_: int) -> None:
        os.read(read, 1)
        tell("arrived")

    reactor.start()
    try:
        reactor.post(keep_busy)
        assert busy.wait(PATIENCE_S)
        reactor.post(lambda: tell("posted"))
        os.write(write, b".")
        may_go_on.set()
        assert both.wait(PATIENCE_S)
    finally:
        reactor.close()
        os.close(read)
        os.close(write)

    assert done == ["posted", "arrived"]
