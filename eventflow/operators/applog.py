"""The log of a remote run, relayed into the task's own: each line once, at the service's pace.

A service that answers "look again at once" is looked at no oftener than `AppPolling.log_wait`.
Trouble with the log never costs the run: it is noted, and the run goes on.
"""

import math

from eventflow.errors import RemoteServiceError
from eventflow.model.context import TaskContext
from eventflow.operators.appservice import AppService, UnavailableError
from eventflow.operators.appvalues import AppPolling

_MAX_LAST_PAGES = 100


class LogRelay:
    """Follows one log, from its begin: so does a later attempt that joins the run, in its own."""

    def __init__(
        self, service: AppService, run_id: str, polling: AppPolling, context: TaskContext
    ) -> None:
        self._service = service
        self._run_id = run_id
        self._polling = polling
        self._log = context.log
        self._since: str | None = None
        # Lines of the page behind `_since` that were relayed: without a token of its own for what
        # follows, a service gives them again.
        self._relayed = 0

    def look(self) -> float:
        """Relay what is new; seconds until the next look, endless when there is none."""
        try:
            wait_s, _ = self._page()
        except UnavailableError:
            return self._polling.ceiling
        except RemoteServiceError as error:
            self._log.warning("the log of remote run %s is not relayed: %s", self._run_id, error)
            return math.inf
        return min(max(wait_s, self._polling.log_wait), self._polling.ceiling)

    def finish(self) -> None:
        """Relay what is left, now that the run has ended."""
        try:
            for _ in range(_MAX_LAST_PAGES):
                _, more = self._page()
                if not more:
                    return
        except RemoteServiceError as error:
            self._log.warning("the end of the log of remote run %s: %s", self._run_id, error)

    def _page(self) -> tuple[float, bool]:
        """Relay a page; the wait that the service asks for, and whether there was a new line."""
        page = self._service.logs(self._run_id, self._since)
        new = page.lines[self._relayed :]
        for text in new:
            for line in text.splitlines():
                self._log.info("%s", line)
        if page.token is not None and page.token != self._since:
            self._since, self._relayed = page.token, 0
        else:
            self._relayed = max(self._relayed, len(page.lines))
        return page.wait_s, bool(new)
