"""Orders are handed over again while the store is in the way, and end with the dispatcher (S11)."""

import threading

import pytest

from eventflow.errors import StoreError
from eventflow.executors.port import AttemptKey, Job
from eventflow.model.status import TaskAction
from eventflow.runtime import dispatch
from eventflow.runtime.dispatch import Dispatcher, Order
from eventflow.testing import VirtualScheduler
from eventflow.testing.worker import VirtualWorker

ORDER = Order(AttemptKey(1, 1), TaskAction.START)


class Reader:
    """Reads what a job needs from a store that has its troubles."""

    def __init__(self, troubles: int) -> None:
        self.troubles = troubles
        self.read = threading.Event()

    def __call__(self, order: Order) -> Job:
        if self.troubles:
            self.troubles -= 1
            raise StoreError("another process keeps it locked")
        self.read.set()
        raise ValueError("there is no job to be made of it")


def dispatcher_of(reader: Reader) -> Dispatcher:
    found = Dispatcher(VirtualWorker(VirtualScheduler().clock), reader, lambda order: None)
    found.start()
    return found


@pytest.mark.rule("S11")
def test_an_order_is_handed_over_when_the_store_is_there_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatch, "AGAIN_S", 0.01)
    reader = Reader(troubles=3)
    dispatcher = dispatcher_of(reader)

    dispatcher.put([ORDER])

    assert reader.read.wait(10)
    dispatcher.stop()


def test_a_store_that_never_comes_back_does_not_hold_the_end() -> None:
    dispatcher = dispatcher_of(Reader(troubles=1_000_000))

    dispatcher.put([ORDER] * 3)
    dispatcher.stop()
