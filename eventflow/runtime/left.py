"""What an earlier scheduler left behind: attempts of which nothing at all was found (S28)."""

from eventflow.core.world import World
from eventflow.executors.attempt import lost
from eventflow.executors.port import AttemptKey, Report
from eventflow.model.status import BUSY, TaskStatus


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
