"""The platform as it is seen from here: what a post to it came to, and whether it is there.

Whatever goes wrong is an outcome, never an error of the caller's. The log hears once when the
platform goes and once when it is back.
"""

import enum
import logging
import os
import ssl
import threading
from dataclasses import dataclass

from eventflow.clock import Clock
from eventflow.errors import EventflowError, UplinkError
from eventflow.outgoing import Call, UnansweredError
from eventflow.reporters.addresses import guard_of
from eventflow.reporters.config import UplinkConfig
from eventflow.reporters.wire import Report, request_of

log = logging.getLogger("eventflow")


class Kind(enum.Enum):
    """What a post came to. The values are the words of the log."""

    ACCEPTED = "up"
    FAILED = "down"
    REFUSED = "refused"
    REFUSED_THIS = "refused_this"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a post came to, and why.

    Attributes:
        retry_after: Seconds that the platform asked to be left alone for.
    """

    kind: Kind
    reason: str = ""
    retry_after: float | None = None


class Platform:
    """Where reports go. One thread posts; another may cut what is under way.

    Raises:
        EventflowError: If the authorities to trust cannot be read.
    """

    def __init__(self, config: UplinkConfig, clock: Clock) -> None:
        self.url = config.url
        self._config = config
        self._clock = clock
        self._tls = _tls_of(config)
        self._lock = threading.Lock()
        self._call: Call | None = None
        self._standing = Kind.ACCEPTED
        self._refusals: set[str] = set()

    @property
    def under_way(self) -> Call | None:
        """The post that waits for its answer."""
        return self._call

    def cut(self, call: Call | None) -> None:
        """End a post, if it is still under way."""
        with self._lock:
            if call is not None and self._call is call:
                call.cut()

    def post(self, report: Report, most_s: float | None = None) -> Outcome:
        """Send a report.

        Args:
            most_s: Seconds that it may take, where that is less than the configured time.
        """
        config = self._config
        limit_s = config.timeout if most_s is None else min(config.timeout, most_s)
        try:
            request = request_of(report, config, os.environ.get(config.token_env, ""))
            call = Call(
                request,
                limit_s=limit_s,
                clock=self._clock,
                tls=self._tls,
                check=guard_of(request.url, allow_http=config.allow_http),
            )
            with self._lock:
                self._call = call
            answer = call.send()
        except (UplinkError, UnansweredError) as error:
            return Outcome(Kind.FAILED, str(error))
        except Exception as error:  # the reporter's thread would die
            return Outcome(Kind.FAILED, f"it cannot be posted: {type(error).__name__}")
        finally:
            with self._lock:
                self._call = None
        return _outcome_of(answer.status, answer.retry_after)

    def note(self, outcome: Outcome) -> None:
        """Log a change of state, once; and that one report was refused, once for each reason."""
        if outcome.kind is Kind.REFUSED_THIS:
            if outcome.reason not in self._refusals:
                self._refusals.add(outcome.reason)
                log.warning("uplink.refused url=%s reason=%r", self.url, outcome.reason)
            return
        if outcome.kind is self._standing:
            return
        self._standing = outcome.kind
        match outcome.kind:
            case Kind.ACCEPTED:
                log.info("uplink.up url=%s", self.url)
            case Kind.FAILED:
                log.warning("uplink.down url=%s reason=%r", self.url, outcome.reason)
            case Kind.REFUSED:
                log.warning("uplink.refused url=%s reason=%r", self.url, outcome.reason)


def _outcome_of(status: int, retry_after: float | None) -> Outcome:
    reason = f"status {status}"
    if 200 <= status < 300:
        return Outcome(Kind.ACCEPTED)
    if 300 <= status < 400:
        return Outcome(Kind.REFUSED, f"{reason}: redirects are not followed")
    if status in (401, 403, 407):
        return Outcome(Kind.REFUSED, f"{reason}: is the token right?")
    if 400 <= status < 500 and status not in (408, 425, 429):
        return Outcome(Kind.REFUSED_THIS, reason)
    return Outcome(Kind.FAILED, reason, retry_after)


def _tls_of(config: UplinkConfig) -> ssl.SSLContext | None:
    """Whom to trust; `None` for the system's, which are read when they are first needed."""
    if not config.ca_file:
        return None
    try:
        return ssl.create_default_context(cafile=config.ca_file)
    except OSError as error:
        raise EventflowError(f"uplink: ca_file {config.ca_file!r} cannot be read: {error}") from (
            error
        )
