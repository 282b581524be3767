"""The running parts of one scheduler: loop thread, dispatcher, news, alarm, bell.

Started in one order and stopped in the reverse; `Scheduler` is the face before it.
"""

import logging
import threading
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from eventflow.clock import Clock
from eventflow.core.decision import Decision
from eventflow.core.judge import Ask, any_is_wanted
from eventflow.core.plan import Plan
from eventflow.crashpoints import reach
from eventflow.errors import (
    CommitUnknownError,
    LeaseLostError,
    StoreError,
    StoreGoneError,
)
from eventflow.executors.port import AttemptKey, Executor, Report
from eventflow.model.event import Event
from eventflow.model.status import TaskAction, TaskStatus
from eventflow.runtime.client import Client
from eventflow.runtime.desk import StoreDesk
from eventflow.runtime.dispatch import Dispatcher, Order, orders_of, redeliveries
from eventflow.runtime.errands import Errands
from eventflow.runtime.guard import log_failed
from eventflow.runtime.inbox import Inbox
from eventflow.runtime.jobs import JobMaker
from eventflow.runtime.left import log_parked, lost_attempts
from eventflow.runtime.listening import Listeners
from eventflow.runtime.loop import Loop
from eventflow.runtime.news import News
from eventflow.runtime.registry import Registry
from eventflow.runtime.subruns import join
from eventflow.runtime.timers import Alarm
from eventflow.runtime.unheld import Unheld
from eventflow.runtime.waiters import Waiters
from eventflow.store.bell import Bell
from eventflow.store.ports import Loaded, Store

log = logging.getLogger("eventflow")
# A RUNNING report alone, and events that no rule wants, wait this long for company: a short task
# costs one commit, and many events cost few.
COMPANY_S = 0.005
WRITE_AGAIN_S = 1.0


class Engine:
    """Everything that runs while a scheduler is on.

    Args:
        sender: What signals name as their sender: the Scheduler.
        own_only: Hand over tasks of the workflows given to `own` only. All is decided all the
            same, so that no event passes a workflow by; the rest stays in the outbox.
    """

    def __init__(
        self,
        *,
        store: Store,
        bell: Bell,
        clock: Clock,
        registry: Registry,
        executor: Executor,
        ask: Ask,
        sender: object,
        own_only: bool = False,
    ) -> None:
        self._store = store
        self._bell = bell
        self._clock = clock
        self._registry = registry
        self._executor = executor
        self._ask = ask
        self._waiters = Waiters(clock, lambda: self.failure)
        self.client = Client(store, clock, self.ring, self._waiters.until, self.hear)
        self.listeners = Listeners(store, clock, lambda: self.failure)
        self.parked: dict[int, str] = {}
        self._parked_snapshots: set[str] = set()
        self._own: set[tuple[str, str]] | None = set() if own_only else None
        self._kept_back: list[Order] = []
        # Reports about attempts of executions that are parked: decided when their code is there.
        self._unclaimed: list[Report] = []
        self.failure: BaseException | None = None
        self._errands = Errands()
        # One for all loops: a report that comes while one follows another is not lost.
        self._inbox = Inbox(clock)
        self._urgent = self._has_company = False
        self._stopping = False
        self._news = News(sender)
        self._alarm = Alarm(self.ring)
        self._dispatcher = Dispatcher(
            executor,
            JobMaker(store, registry.code, clock.now),
            Unheld(self.client, self._report),
        )
        self._thread = threading.Thread(target=self._run, name="eventflow-loop", daemon=True)
        self._loop: Loop

    def start(self, *, clean: bool) -> None:
        """Read the store, take up what an earlier scheduler left, and begin to decide.

        Args:
            clean: Whether the one before was stopped by a signal: what it lost does not count.
        """
        found = [replace(report, counted=not clean) for report in self._executor.recover()]
        self._executor.start(StoreDesk(self.client), self._report, self._registry.operator)
        try:
            loaded = self._store.load(self._registry.plan)
            self._take_up(loaded, found, counted=not clean)
        except BaseException:
            self._executor.stop(0.0)
            raise
        self._news.start()
        self._dispatcher.start()
        self._alarm.start()
        self._thread.start()

    def stop(self, grace_s: float) -> None:
        """Let running tasks finish for `grace_s` seconds, then end everything, in reverse order."""
        self._executor.stop(grace_s)
        self._stopping = True
        self._bell.wake()
        self._thread.join()
        self._dispatcher.stop()
        self._alarm.stop()
        self._news.stop()

    def wait(self) -> None:
        """Wait until the loop has ended: it was stopped, or it has died."""
        self._thread.join()

    def is_newest(self, plan: Plan) -> bool:
        """Whether a snapshot is the newest of its workflow, and nothing is parked."""
        known = self._loop.world.workflows.get((plan.namespace, plan.name))
        return known is not None and known.plan is plan and not self.parked

    def prepare(self, plan: Plan) -> None:
        """Have workers ready for a snapshot: the first task after an event starts like the rest."""
        self._executor.prepare(self._registry.code(plan.snapshot))

    def take_back(self, plan: Plan) -> None:
        """Let executions go on whose code has come to be at hand: they were parked (S41)."""
        if plan.snapshot in self._parked_snapshots:
            self._on_the_loop(self._load_again)

    def own(self, plans: list[Plan]) -> None:
        """Hand over the tasks of these workflows from now on, those that wait too."""
        if self._own is not None:
            names = {(plan.namespace, plan.name) for plan in plans}
            self._on_the_loop(lambda: self._hand_over_own(names))

    def _hand_over_own(self, names: set[tuple[str, str]]) -> None:
        if self._own is not None:
            self._own |= names
        kept_back, self._kept_back = self._kept_back, []
        self._dispatch([order for order in kept_back if self._is_queued(order)])

    def _is_queued(self, order: Order) -> bool:
        """Whether a START that was kept back is still wanted."""
        live = self._loop.world.executions.get(order.record.id) if order.record else None
        run = live.run(order.run.id, order.run.task) if live and order.run else None
        wanted = (TaskStatus.QUEUED, order.key.attempt)
        return run is not None and (run.status, run.attempt) == wanted

    def _on_the_loop(self, errand: Callable[[], None]) -> None:
        """Have the loop's thread do something between two batches, and wait for it."""
        self._errands.have_done(errand, self._bell.wake, lambda: self._waiters.over)

    def ring(self) -> None:
        """Something was committed by this process: wake the loop and other processes."""
        self._urgent = True
        self._bell.ring()
        self.listeners.tell()

    def hear(self, events: Sequence[Event]) -> None:
        """Events were committed by this process. Those that no rule wants wait for company."""
        # A hint, from another thread than the loop's: where it is wrong, an event waits as long.
        if not self._thread.is_alive() or any_is_wanted(self._loop.world, events):
            self.ring()
            return
        if not self._has_company:
            self._has_company = True
            self._bell.wake()
        self._tell_others()

    def _take_up(
        self,
        loaded: Loaded,
        found: list[Report],
        *,
        counted: bool,
        taken: frozenset[AttemptKey] = frozenset(),
        anew: bool = False,
    ) -> None:
        """Go on from the last commit (S10, S28): reports first, then what is in the outbox.

        Args:
            taken: Attempts that the executor of this process has, or has had.
            anew: Whether their orders are handed over once more: some may never have been (S11).
        """
        log_parked(loaded.parked)
        if self._store.parked() != loaded.parked:
            self._store.park(loaded.parked)
        self.parked, self._parked_snapshots = loaded.parked, loaded.parked_snapshots
        self._loop = Loop(
            store=self._store,
            world=loaded.world,
            cursor=loaded.cursor,
            facts_to=loaded.facts_to,
            clock=self._clock,
            ask=self._ask,
            committed=self._after_commit,
            prepare=self._prepare,
            inbox=self._inbox,
        )
        found = self._claimed(loaded, found)
        reported = {report.key for report in found}
        lost = lost_attempts(loaded.world, reported | taken, counted=counted)
        for report in [*found, *lost]:
            self._inbox.put(report)
            reported.add(report.key)
        join(loaded.world, self.client)
        # One whose end is known is not begun once more, whoever had it.
        handed = reported if anew else reported | taken
        self._dispatch(redeliveries(loaded.world, loaded.commands, handed))

    def _claimed(self, loaded: Loaded, found: list[Report]) -> list[Report]:
        """The reports about runs of this world; the rest are parked, or have ended long since."""
        homes = loaded.world.homes
        rest = [report for report in found if report.key.task_execution_id not in homes]
        self._unclaimed = rest if loaded.parked else []
        if not loaded.parked:
            for report in rest:
                self._executor.confirm(report.key)
        return [report for report in found if report.key.task_execution_id in homes]

    def _load_again(self, *, anew: bool = False) -> None:
        """Read the store anew, between two batches; reports that wait go with it."""
        before, loaded = self.parked, self._store.load(self._registry.plan)
        # Kept there until they are put in again: the store may be in the way of that.
        self._unclaimed = [*self._inbox.empty(), *self._unclaimed]
        here = {live_id for live_id in loaded.world.executions if live_id not in before}
        known = frozenset(
            AttemptKey(run.id, run.attempt)
            for live in loaded.world.executions.values()
            if live.id in here
            for run in live.every_run()
        )
        self._take_up(loaded, self._unclaimed, taken=known, counted=True, anew=anew)

    def _find_out(self) -> None:
        """Whether a batch was committed nobody could tell: go on from what the store holds."""
        self._load_again(anew=True)
        self._waiters.tell_all()
        self._tell_others()

    def _prepare(self, events: list[Event]) -> None:
        self._registry.teach(self._loop.world, events)

    def _report(self, report: Report) -> None:
        self._inbox.put(report)
        reach("report.taken")
        self._bell.wake()

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._turn()
            while self._errands or self._inbox:
                self._errands.run()
                self._loop.step()
        except (LeaseLostError, StoreGoneError) as error:
            self.failure = error
            log.critical("loop.stopped reason=%r", str(error))
        except BaseException as error:
            self.failure = error
            log.critical("loop.died", exc_info=error)
        finally:
            self._waiters.close()
            self.listeners.tell()

    def _turn(self) -> None:
        waits = self._has_company or (self._inbox and not self._inbox.has_end)
        if waits and not self._urgent:
            self._bell.wait(COMPANY_S)
        self._urgent = self._has_company = False
        try:
            self._errands.run()
            loop = self._loop
            if loop.step() and loop.has_more:
                return
        except (LeaseLostError, StoreGoneError):
            raise
        except StoreError as error:
            if isinstance(error, CommitUnknownError):
                self._errands.put_first(self._find_out)
            log.warning("commit.failed reason=%r again_in_s=%s", str(error), WRITE_AGAIN_S)
            self._bell.wait(WRITE_AGAIN_S)
            return
        self._alarm.set(loop.timers.next_due())
        # Also without any work: the alarm rings every 30 s.
        self._bell.check_place()
        # The ring of who stops it may have ended the wait for company.
        if not self._stopping:
            self._bell.wait(None)

    def _dispatch(self, orders: list[Order]) -> None:
        if self._own is None:
            self._dispatcher.put(orders)
            return
        mine: list[Order] = []
        for order in orders:
            (mine if self._is_mine(order, self._own) else self._kept_back).append(order)
        self._dispatcher.put(mine)

    def _is_mine(self, order: Order, own: set[tuple[str, str]]) -> bool:
        if order.action is not TaskAction.START or order.plan is None:
            return True
        return (order.plan.namespace, order.plan.name) in own

    def _after_commit(self, decisions: list[Decision]) -> None:
        reach("loop.committed")
        self._dispatch(orders_of(self._loop.world, decisions))
        reach("loop.dispatched")
        self._news.tell(decisions)
        log_failed(decisions)
        self._waiters.tell(decisions)
        self._tell_others()

    def _tell_others(self) -> None:
        self.listeners.tell()
        self._bell.ring_others()
