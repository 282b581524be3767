"""UplinkClient: tells a platform how executions go, and costs them nothing."""

import logging
from collections.abc import Callable
from secrets import SystemRandom
from types import TracebackType
from typing import Self

from eventflow.clock import Clock, SystemClock
from eventflow.errors import EventflowError
from eventflow.reporters.config import UplinkConfig
from eventflow.reporters.reporting import Reported, Reporting

log = logging.getLogger("eventflow")


class UplinkClient:
    """Reports the executions of one scheduler to a platform.

        with Scheduler() as scheduler:
            UplinkClient(UplinkConfig(url="https://...")).attach(scheduler)
            ...

    It ends with its scheduler, whose `stop` then waits until the platform has the final states, at
    most the grace of the configuration; or earlier, with `close` or as a context manager. A
    platform that cannot be told is tried again for ever, ever more seldom, and shows in the log
    once when it goes and once when it is back.

    Args:
        config: Where and how; what the environment says by default. When that names no platform
            nothing is reported, and nothing is an error.
        clock: Where the time comes from; the machine's by default.
        chance: Draws a number from 0 to 1 for the back-off.

    Raises:
        EventflowError: If the configuration cannot be used.
    """

    def __init__(
        self,
        config: UplinkConfig | None = None,
        *,
        clock: Clock | None = None,
        chance: Callable[[], float] | None = None,
    ) -> None:
        self.config = config or UplinkConfig.from_environment()
        self._clock = clock or SystemClock()
        self._chance = chance or SystemRandom().random
        self._reporting: Reporting | None = None

    def __repr__(self) -> str:
        return f"<UplinkClient {self.config.url if self.config else 'off'}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def attach(self, scheduler: Reported) -> Self:
        """Report the executions of a scheduler that are alive, and those to come.

        Raises:
            EventflowError: If this client was attached before.
        """
        if self._reporting is not None:
            raise EventflowError("an UplinkClient reports for one scheduler; make another one")
        if self.config is None:
            log.info("uplink.off reason=%r", "the environment names no platform")
            return self
        self._reporting = Reporting(scheduler, self.config, self._clock, self._chance)
        self._reporting.start()
        return self

    def close(self, grace: float | None = None) -> None:
        """Tell how everything stands now, and end; a second call does nothing.

        Args:
            grace: Most seconds that it may take; by default what the configuration says.
        """
        if self._reporting is not None:
            self._reporting.stop(grace)
