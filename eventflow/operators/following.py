"""One remote run, from an attempt's side: started or joined, looked at until it ends, canceled.

Which run is an attempt's own is kept with the task execution (S39), under a number that counts the
remote runs that are over. So what decides whether a later attempt joins or starts is not how the
earlier attempt ended, but whether its remote run is over: after a crash the run goes on and is
joined; after a failed or a canceled run a new one is started.

Between the service's answer to the POST and the keeping of its id a crash may leave a run that
nobody knows: the next attempt asks again, with the same `Idempotency-Key`, and it depends on the
service whether that is one run or two.
"""

import math
import random
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import eventflow
from eventflow.clock import SystemClock
from eventflow.errors import EventflowError, RemoteRunFailedError, RemoteServiceError
from eventflow.model.context import CounterStateDescriptor, TaskContext
from eventflow.model.event import Event
from eventflow.operators.applog import LogRelay
from eventflow.operators.appservice import (
    ENDED,
    AppService,
    RunOrder,
    RunState,
    RunStatus,
    UnavailableError,
)
from eventflow.operators.appvalues import AppPolling

T = TypeVar("T")

_CHANCE = random.SystemRandom()
_GONE = frozenset({404, 410})
_CANCEL_PAUSE_S = 0.25
# Of the grace after a stop; the rest is for the end of the attempt.
_CANCEL_SHARE = 0.8
_LEAST_LIMIT_S = 0.5


class _StoppedError(Exception):
    """The attempt was asked to stop: leave what is being done."""


class Following:
    """One attempt's remote run. `run` once; `stop` from any thread.

    Args:
        told_by: Pattern of events that may tell of the run's end; empty for none.
        relay: Whether its log is relayed.
        grace_s: Seconds that a stop leaves.
    """

    def __init__(
        self,
        service: AppService,
        polling: AppPolling,
        context: TaskContext,
        *,
        told_by: str,
        relay: bool,
        grace_s: float,
    ) -> None:
        self._service = service
        self._polling = polling
        self._context = context
        self._told_by = told_by
        self._relay = relay
        self._grace_s = grace_s * _CANCEL_SHARE
        self._clock = SystemClock()
        run = context.task_execution.id
        self._over = context.get_state(CounterStateDescriptor(f"remote runs over/{run}"))
        self._run_id = ""
        self._told = threading.Event()
        self._wake = threading.Event()
        # Held while the run is being canceled, so that whoever comes second waits for the first.
        self._closing = threading.Lock()
        self._closed = threading.Event()

    def run(self, order: RunOrder) -> RunState | None:
        """Follow a run to its success; `None` when the attempt was stopped.

        Raises:
            RemoteRunFailedError: If it failed, or was canceled at the service.
            RemoteServiceError: If the service is away for too long, refuses, or makes no sense.
            ResultError: If the result cannot be stored.
        """
        try:
            self._rest(self._clock.monotonic())
            # Listened to before the start: the run may be over before its id is here.
            events = self._events()
            self._begin(order)
            if events is not None:
                threading.Thread(target=self._hear, args=(events,), daemon=True).start()
            return self._succeeded()
        except _StoppedError:
            return None
        finally:
            if self._context.should_stop():
                self._cancel()
            with self._closing:
                self._closed.set()

    def stop(self) -> None:
        """Cancel the run, if there is one; returns when that is done or the grace is over."""
        self._wake.set()
        self._cancel()

    def _begin(self, order: RunOrder) -> None:
        """Start the run, or join the one that an earlier attempt has started."""
        number = self._over.value() + 1
        kept = self._context.deterministic
        key = kept.call(f"key of remote run {number}", lambda: str(uuid.uuid4()))
        started = False

        def start() -> str:
            nonlocal started
            started = True
            return self._patiently(lambda: self._post(order, key))

        run_id = str(kept.call(f"remote run {number}", start))
        with self._closing:
            self._run_id = run_id
        self._context.log.info("remote run %s: %s", run_id, "started" if started else "joined")

    def _post(self, order: RunOrder, key: str) -> str:
        try:
            return self._service.start(order, key)
        except UnavailableError as error:
            if not error.arrived:
                raise
            # Asking again may start a second one; whether to is for the task's `retries` to say.
            raise RemoteServiceError(
                f"nobody knows whether the run was started: {error}", error.status
            ) from error

    def _succeeded(self) -> RunState:
        try:
            state = self._ended()
        except RemoteServiceError as error:
            if error.status in _GONE:
                self._note_over()
            raise
        if state.status is not RunStatus.SUCCEEDED:
            self._note_over()
            raise RemoteRunFailedError(how_it_ended(state))
        return self._patiently(lambda: self._service.result(self._run_id))

    def _ended(self) -> RunState:
        """Look now and then, until it has ended."""
        polling, now = self._polling, self._clock.monotonic
        relay = LogRelay(self._service, self._run_id, polling, self._context)
        pauses = polling.pauses(_CHANCE.random)
        look_at = now() + next(pauses)
        log_at = now() if self._relay else math.inf
        while True:
            self._rest(min(look_at, log_at), heed=self._told)
            if self._told.is_set() or now() >= look_at:
                self._told.clear()
                state = self._patiently(lambda: self._service.look(self._run_id))
                if state.status in ENDED:
                    break
                # Who is told looks only in case that the telling is lost.
                look_at = now() + (polling.ceiling if self._told_by else next(pauses))
            if now() >= log_at:
                log_at = now() + relay.look()
        if self._relay:
            relay.finish()
        return state

    def _patiently(self, ask: Callable[[], T]) -> T:
        """Ask until there is an answer, while the service's absence may pass."""
        polling, now = self._polling, self._clock.monotonic
        pauses, give_up_at = polling.pauses(_CHANCE.random), math.inf
        while True:
            try:
                return ask()
            except UnavailableError as error:
                if give_up_at == math.inf:
                    give_up_at = now() + polling.patience
                    self._context.log.warning("the service is away: %s", error)
                left = give_up_at - now()
                if left <= 0:
                    going = f" and remote run {self._run_id} may go on" if self._run_id else ""
                    raise RemoteServiceError(
                        f"the service was away for {polling.patience:g} s{going}: {error}",
                        error.status,
                    ) from error
                wait = max(next(pauses), error.retry_after_s)
            self._rest(now() + min(wait, left))

    def _rest(self, until: float, heed: threading.Event | None = None) -> None:
        """Wait until an instant, or until `heed` is set. Raises _StoppedError on a stop."""
        while not self._context.should_stop():
            left = until - self._clock.monotonic()
            if left <= 0 or (heed is not None and heed.is_set()):
                return
            self._wake.wait(left)
            self._wake.clear()
        raise _StoppedError

    def _cancel(self) -> None:
        with self._closing:
            if self._closed.is_set() or not self._run_id:
                return  # it is over, or not yet begun: who begins it sees the stop, too
            self._closed.set()
            # Noted first: who retries after a time-out must not join a run that we have canceled.
            self._note_over()
            self._cancel_until(self._clock.monotonic() + self._grace_s)

    def _cancel_until(self, until: float) -> None:
        log, now, pause = self._context.log, self._clock.monotonic, _CANCEL_PAUSE_S
        while True:
            try:
                self._service.cancel(self._run_id, max(until - now(), _LEAST_LIMIT_S))
            except UnavailableError as error:
                wait = max(pause, error.retry_after_s)
                if now() + wait >= until:
                    log.warning("remote run %s may go on, not canceled: %s", self._run_id, error)
                    return
            except RemoteServiceError as error:
                log.warning("remote run %s was not canceled: %s", self._run_id, error)
                return
            else:
                log.info("remote run %s: canceled", self._run_id)
                return
            threading.Event().wait(wait)
            pause *= 2

    def _note_over(self) -> None:
        """From now on an attempt of this task execution starts a new remote run."""
        self._over.add()

    def _events(self) -> Iterator[Event] | None:
        """Events that may tell of the end; listened to as any code of a task does it."""
        if not self._told_by:
            return None
        try:
            events: Iterator[Event] = eventflow.listen(self._told_by, timeout=self._polling.ceiling)
        except EventflowError as error:
            self._context.log.warning("no event can tell of the end, so it is polled: %s", error)
            return None
        return events

    def _hear(self, events: Iterator[Event]) -> None:
        """Wake the look at the run for each event that names it, until the attempt ends.

        Between one listening and the next an event may be missed: the look at the ceiling is there.
        """
        namespace = self._context.workflow_execution.namespace
        after: int | None = None
        try:
            while not self._closed.is_set():
                for event in events:
                    after = event.offset
                    if event.namespace == namespace and _names(event.value, self._run_id):
                        self._told.set()
                        self._wake.set()
                    if self._closed.is_set():
                        return
                events = eventflow.listen(self._told_by, after, self._polling.ceiling)
        except EventflowError as error:
            self._context.log.warning("events are no longer heard, so it is polled: %s", error)


def how_it_ended(state: RunState) -> str:
    """Why a run is no success, for people."""
    how = "failed" if state.status is RunStatus.FAILED else "was canceled at the service"
    return f"remote run {state.id} {how}" + (f": {state.error}" if state.error else "")


def _names(value: Any, run_id: str) -> bool:
    """Whether an event's value is the id of a run, or holds it as `run_id` or `id`."""
    if isinstance(value, dict):
        return run_id in (value.get("run_id"), value.get("id"))
    return bool(value == run_id)
