"""One scheduler's process: the real engine without its threads, and what of it dies with it."""

from collections.abc import Iterable
from queue import Empty
from typing import Any

from eventflow.core.portrait import portrait
from eventflow.core.world import World
from eventflow.errors import CommitUnknownError, LeaseLostError, StoreError, StoreGoneError
from eventflow.model.workflow import Workflow
from eventflow.runtime.desk import StoreDesk
from eventflow.runtime.dispatch import Order
from eventflow.runtime.engine import Engine
from eventflow.runtime.guard import ask_here
from eventflow.runtime.registry import Registry
from eventflow.store.ports import Store
from eventflow.testing.clock import VirtualClock
from tests.simulation.statements import any_
from tests.simulation.troubled import TroubledStore
from tests.simulation.workers import Workers


class SilentBell:
    """Nobody sleeps here, so nobody is woken."""

    def ring(self) -> None: ...

    def ring_others(self) -> None: ...

    def wake(self) -> None: ...

    def wait(self, timeout: float | None) -> bool:
        return True

    def check_place(self) -> None: ...


class Process:
    """Begins where the store is; `step`, `deliver` and the workers make it go on.

    Attributes:
        orders: What waited in the outbox when it began: run, attempt, action.
        ended: Why the scheduler has stopped by itself, if it has.
        is_whole: Whether no execution is parked, and no workflow is missing (S41).

    Args:
        workflows: Those whose code is at hand, in every version.
    """

    def __init__(
        self,
        store: TroubledStore,
        clock: VirtualClock,
        workers: Workers,
        workflows: Iterable[Workflow],
    ) -> None:
        self.workers = workers
        self.ended = ""
        self.is_whole = True
        self.registry = Registry(any_(store), clock, None)
        self.plans = [self.registry.take(workflow) for workflow in workflows]
        self.engine = Engine(
            store=any_(store),
            bell=any_(SilentBell()),
            clock=clock,
            registry=self.registry,
            executor=workers,
            ask=ask_here,
            sender=self,
        )
        found = workers.recover()
        workers.start(StoreDesk(self.engine.client), self.engine._report, self.registry.operator)
        loaded = store.load(self.registry.plan)
        self.orders = {(one.run.id, one.run.attempt, one.action.value) for one in loaded.commands}
        self.engine._take_up(loaded, found, counted=True)
        self._orders: list[Order] = []

    @property
    def world(self) -> World:
        return self.engine._loop.world

    def portrait(self) -> dict[str, str]:
        return portrait(self.world)

    def step(self) -> bool:
        """One batch; `False` when there was nothing to decide."""
        engine = self.engine
        try:
            engine._errands.run()
            return engine._loop.step()
        except (LeaseLostError, StoreGoneError) as error:
            self.ended = type(error).__name__
        except CommitUnknownError:
            engine._errands.put_first(engine._find_out)
        except StoreError:
            pass
        return True

    @property
    def turn(self) -> int:
        return self.world.counters.turn

    def go_on(self, store: Store) -> str:
        """One batch, by a scheduler that does not know that it was replaced; its error."""
        # The next one's troubles are not to be drawn for this one.
        self.engine._loop._store = store
        try:
            self.engine._loop.step()
        except StoreError as error:
            return type(error).__name__
        return ""

    def deliver(self) -> bool:
        """Hand over one order; `False` when there is none."""
        dispatcher = self.engine._dispatcher
        while not self._orders:
            try:
                self._orders = list(dispatcher._orders.get_nowait() or [])
            except Empty:
                return False
        if dispatcher.deliver(self._orders[0]):
            del self._orders[0]
        return True

    def next_due(self) -> Any:
        """When the next timer goes off."""
        return self.engine._loop.timers.next_due()
