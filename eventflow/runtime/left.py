"""What an earlier scheduler left behind: attempts of which nothing at all was found (S28)."""

from eventflow.core.world import World
from eventflow.errors import WorkerLostError
from eventflow.executors.port import AttemptKey, Report, ReportKind
from eventflow.model.records import AttemptFailure
from eventflow.model.status import BUSY, TaskStatus


def lost_attempts(world: World, reported: set[AttemptKey], *, counted: bool) -> list[Report]:
    """Attempts that ran under an earlier scheduler and of which nothing at all was found."""
    found = []
    for live in world.executions.values():
        for standing in live.standings.values():
            for run in (standing.latest, standing.leaving):
                if run is None or run.status not in BUSY - {TaskStatus.QUEUED, TaskStatus.RETRYING}:
                    continue
                if live.runs_workflow(run.task):
                    continue
                key = AttemptKey(run.id, run.attempt)
                if key in reported:
                    continue
                failure = AttemptFailure(
                    attempt=run.attempt,
                    type_name=WorkerLostError.__name__,
                    message="the scheduler that ran this attempt has ended",
                )
                found.append(
                    Report(key=key, kind=ReportKind.LOST, failure=failure, counted=counted)
                )
    return found
