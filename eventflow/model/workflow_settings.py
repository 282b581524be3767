"""The settings of a workflow, checked when it is defined; faults name the workflow."""

from collections.abc import Iterable
from datetime import timedelta

from eventflow.errors import DefinitionError
from eventflow.model.schedule import Catchup, Cron, Every, Schedule

DEFAULT_MISFIRE_GRACE = timedelta(seconds=60)
DEFAULT_MAX_HOPS = 32
MAX_HOPS = 1_000_000


def checked_schedule(name: str, schedule: object) -> Schedule | None:
    """A schedule, or none."""
    if schedule is None or isinstance(schedule, Cron | Every):
        return schedule
    wanted = f"Cron({schedule!r})" if isinstance(schedule, str) else "Cron('0 2 * * *')"
    raise DefinitionError(
        f"workflow {name!r}: schedule must be a Cron or an Every, got {schedule!r}; write "
        f"schedule={wanted}, with tz='Europe/Berlin' for another zone than UTC, or "
        f"schedule=Every(seconds=30)"
    )


def checked_completion(name: str, completion: str) -> str:
    """How executions come to their end (S29)."""
    if completion not in ("auto", "manual"):
        raise DefinitionError(
            f"workflow {name!r}: completion is 'auto' or 'manual', got {completion!r}"
        )
    return completion


def checked_catchup(name: str, catchup: Catchup | str) -> Catchup:
    """What becomes of due times that passed (S33)."""
    try:
        return Catchup(catchup)
    except ValueError as error:
        raise DefinitionError(
            f"workflow {name!r}: catchup is 'none', 'latest' or 'all', got {catchup!r}"
        ) from error


def checked_count(name: str, count: int) -> int:
    """How many executions may run at once (S44)."""
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise DefinitionError(f"workflow {name!r}: max_active is a number from 1, got {count!r}")
    return count


def checked_hops(name: str, hops: int | None) -> int | None:
    """How many starts by rules may follow one another (S45); `None` for any number."""
    if hops is None:
        return None
    if not isinstance(hops, int) or isinstance(hops, bool) or not 1 <= hops <= MAX_HOPS:
        raise DefinitionError(
            f"workflow {name!r}: max_hops is a number from 1 to {MAX_HOPS}, or None for rules that "
            f"may go round without end, got {hops!r}"
        )
    return hops


def checked_tags(name: str, tags: Iterable[str]) -> tuple[str, ...]:
    """Sorted: the order means nothing, and a set has none that another program would find again."""
    found = [] if isinstance(tags, str) else list(tags)
    if isinstance(tags, str) or not all(isinstance(tag, str) for tag in found):
        raise DefinitionError(f"workflow {name!r}: tags are several texts, got {tags!r}")
    return tuple(sorted(set(found)))


def checked_grace(name: str, catchup: Catchup, seconds: float | None) -> timedelta | None:
    """How late a due time may be fired; `None` sets no bound (S33)."""
    given = checked_seconds(name, "misfire_grace", seconds)
    if given is None and catchup is Catchup.NONE:
        return DEFAULT_MISFIRE_GRACE
    return None if given is None else timedelta(seconds=given)


def checked_seconds(name: str, what: str, seconds: float | None) -> float | None:
    """Seconds over 0, or none."""
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < 1e9:
        raise DefinitionError(f"workflow {name!r}: {what} is seconds over 0, got {seconds!r}")
    return float(seconds)
