"""What `--uplink` does: a reporter beside the scheduler of a command."""

from eventflow import reporters
from eventflow.cli.printing import note
from eventflow.reporters.config import UplinkConfig
from eventflow.runtime.scheduler import Scheduler


def report_to(scheduler: Scheduler, config: UplinkConfig | None) -> None:
    """Report to the platform that is named, if one is; ends with the scheduler."""
    if config is not None:
        reporters.UplinkClient(config).attach(scheduler)


def say_unused(config: UplinkConfig | None) -> None:
    """The scheduler that holds the store reports where it was told to, not where we would."""
    if config is not None:
        note(f"nothing is reported to {config.url}: another scheduler runs this, with its own")
