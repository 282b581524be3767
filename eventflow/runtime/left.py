"""What an earlier scheduler left behind: attempts of which nothing at all was found (S28), and
executions whose code is not at hand.
"""

import logging
from collections import Counter
from collections.abc import Mapping

from eventflow.core.world import World
from eventflow.executors.attempt import lost
from eventflow.executors.port import AttemptKey, Report
from eventflow.model.status import BUSY, TaskStatus

log = logging.getLogger("eventflow")


def lost_attempts(world: World, reported: set[AttemptKey], *, counted: bool) -> list[Report]:
    """Attempts that ran under an earlier scheduler and of which nothing at all was found."""
    found = []
    for live in world.executions.values():
        for run in live.every_run():
            if run.status not in BUSY - {TaskStatus.QUEUED, TaskStatus.RETRYING}:
                continue
            key = AttemptKey(run.id, run.attempt)
            if key in reported or not live.has_attempts(run):
                continue
            message = "the scheduler that ran this attempt has ended"
            found.append(lost(key, message, counted=counted))
    return found


def log_parked(parked: Mapping[int, str]) -> None:
    """A line for each reason why executions cannot go on (S41); which they are, the store knows."""
    first: dict[str, int] = {}
    for execution_id, reason in parked.items():
        first.setdefault(reason, execution_id)
    counts = Counter(parked.values())
    for reason, execution_id in first.items():
        log.warning(
            "execution.parked first=%s count=%s reason=%r", execution_id, counts[reason], reason
        )
