"""The settings of a task: every config key of an operator, checked when the operator is made."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import timedelta
from enum import StrEnum
from typing import Any

from eventflow.errors import DefinitionError
from eventflow.model.keys import check_name
from eventflow.model.schedule import Schedule, parse_schedule
from eventflow.model.suggest import nearest

DEFAULT_POOL = "default"


class OperatorConfigItem(StrEnum):
    """Names of the config keys that every operator takes."""

    PERIODIC_EXPRESSION = "periodic_expression"
    OVERLAP = "overlap"
    RETRIES = "retries"
    RETRY_DELAY = "retry_delay"
    RETRY_BACKOFF = "retry_backoff"
    RETRY_JITTER = "retry_jitter"
    RETRY_ON = "retry_on"
    TIMEOUT = "timeout"
    AUTOSTART = "autostart"
    ALLOW_FAILURE = "allow_failure"
    ON_LOST = "on_lost"
    MAX_LOST = "max_lost"
    HEARTBEAT_TIMEOUT = "heartbeat_timeout"
    STOP_GRACE = "stop_grace"
    POOL = "pool"
    PRIORITY = "priority"
    MAX_ITEMS = "max_items"
    MAX_ACTIVE_ITEMS = "max_active_items"
    ON_ITEM_FAILURE = "on_item_failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSettings:
    """How the scheduler treats a task, whatever its operator does.

    Attributes:
        periodic_expression: When it is started again within its execution (S34).
        overlap: `skip` or `restart`, when the last run is still alive at a due time (S34).
        retries: Attempts after the first that a failure may cost (S27).
        retry_delay: Seconds before the second attempt.
        retry_backoff: Factor on the delay for each attempt after that; from 1.
        retry_jitter: Share of the delay that chance may add; 0 to 1.
        retry_on: Exception classes that are retried; empty means all.
        timeout: Seconds that one attempt may take.
        autostart: Whether it starts with its execution when it has no START rule (S25).
        allow_failure: Whether its failure leaves the execution's outcome alone (S30).
        on_lost: `retry`, or `fail` for a task that must not start twice (S28).
        max_lost: Lost attempts in a row that are made up for (S28).
        heartbeat_timeout: Seconds of silence after which an attempt counts as lost.
        stop_grace: Seconds between the request to stop and the kill (S20).
        pool: Of whose slots one is held while an attempt is with an executor (S44).
        priority: Among those that wait for the same pool; the larger one starts first.
        max_items: Of a mapped task: more items than that are refused before any of them runs (S43).
        max_active_items: How many of them may be alive at once; the rest waits in INIT (S44).
        on_item_failure: `finish` lets the others run to their end, `stop` stops them (S43).
    """

    periodic_expression: Schedule | None = None
    overlap: str = "skip"
    retries: int = 0
    retry_delay: float = 0.0
    retry_backoff: float = 1.0
    retry_jitter: float = 0.0
    retry_on: tuple[type[BaseException], ...] = ()
    timeout: float | None = None
    autostart: bool = True
    allow_failure: bool = False
    on_lost: str = "retry"
    max_lost: int = 3
    heartbeat_timeout: float = 60.0
    stop_grace: float = 10.0
    pool: str = DEFAULT_POOL
    priority: int = 0
    max_items: int = 100_000
    max_active_items: int = 1000
    on_item_failure: str = "finish"

    def describe(self) -> dict[str, Any]:
        """What differs from the defaults, as JSON."""
        told: dict[str, Any] = {}
        if self == _DEFAULTS:
            return told
        for field in fields(self):
            value = getattr(self, field.name)
            if value == field.default:
                continue
            if field.name == "retry_on":
                # Sorted: a set of classes has no order that a second program would find again.
                value = sorted(f"{kind.__module__}:{kind.__qualname__}" for kind in value)
            elif field.name == "periodic_expression":
                value = value.definition()
            told[field.name] = value
        return told

    def retry_wait(self, failures: int, chance: float) -> timedelta:
        """How long to wait after the `failures`-th failure (S27).

        Args:
            failures: Counted failures of this run, from 1.
            chance: A number drawn from [0, 1) where the attempt ended; it is data.
        """
        try:
            delay = self.retry_delay * self.retry_backoff ** (failures - 1)
        except OverflowError:
            delay = MAX_RETRY_DELAY if self.retry_delay else 0.0
        delay = min(delay * (1 + self.retry_jitter * chance), MAX_RETRY_DELAY)
        return timedelta(seconds=delay)


_DEFAULTS = TaskSettings()
MAX_RETRY_DELAY = 7 * 24 * 3600.0
MAX_PRIORITY = 1000
MAX_SLOTS = 1_000_000
MAX_ITEMS = 10_000_000


def check_pool(namespace: str, name: str, slots: object) -> None:
    """Refuse what no pool can be (S44).

    Raises:
        DefinitionError: If a name is no token, or the slots are no number from 0 and not `None`.
    """
    check_name("namespace", namespace)
    check_name("pool", name)
    if slots is not None and (type(slots) is not int or not 0 <= slots <= MAX_SLOTS):
        raise DefinitionError(
            f"pool {name!r}: slots are a whole number from 0 to {MAX_SLOTS}, or none at all for "
            f"any number; got {slots!r}"
        )


def settings_from(task_name: str, config: dict[str, Any]) -> TaskSettings:
    """Check the config of one operator.

    Raises:
        DefinitionError: If a key is unknown (the nearest is suggested) or a value is wrong.
    """
    known = [item.value for item in OperatorConfigItem]
    for key in config:
        if key not in known:
            raise DefinitionError(
                f"operator {task_name!r} has no setting {key!r}{nearest(key, known)}"
            )
    checked: dict[str, Any] = {}
    for key, value in config.items():
        if value is None:
            continue
        checked[key] = _CHECKS[key](f"operator {task_name!r}: {key}", value)
    return TaskSettings(**checked)


def _seconds(what: str, value: Any) -> float:
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise DefinitionError(f"{what} is seconds from 0, got {value!r}")
    return float(value)


def _over_zero(what: str, value: Any) -> float:
    seconds = _seconds(what, value)
    if seconds == 0:
        raise DefinitionError(f"{what} is seconds over 0, got {value!r}")
    return seconds


def _count(what: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 1_000_000:
        raise DefinitionError(f"{what} is a whole number from 0, got {value!r}")
    return value


def _flag(what: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise DefinitionError(f"{what} is True or False, got {value!r}")
    return value


def _factor(what: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= 1000:
        raise DefinitionError(f"{what} is a factor from 1 to 1000, got {value!r}")
    return float(value)


def _share(what: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise DefinitionError(f"{what} is a share from 0 to 1, got {value!r}")
    return float(value)


def _exceptions(what: str, value: Any) -> tuple[type[BaseException], ...]:
    kinds = tuple(value) if isinstance(value, Iterable) else (value,)
    for kind in kinds:
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise DefinitionError(f"{what} takes exception classes, got {kind!r}")
    return kinds


def _pool(what: str, value: Any) -> str:
    try:
        check_name("pool", value)
    except DefinitionError as error:
        raise DefinitionError(f"{what}: {error}") from error
    return str(value)


def _priority(what: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MAX_PRIORITY:
        raise DefinitionError(
            f"{what} is a whole number from -{MAX_PRIORITY} to {MAX_PRIORITY}, got {value!r}"
        )
    return value


def _overlap(what: str, value: Any) -> str:
    return _one_of(what, value, ("skip", "restart"))


def _limit(what: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_ITEMS:
        raise DefinitionError(f"{what} is a whole number from 1 to {MAX_ITEMS}, got {value!r}")
    return value


def _on_item_failure(what: str, value: Any) -> str:
    return _one_of(what, value, ("finish", "stop"))


def _on_lost(what: str, value: Any) -> str:
    return _one_of(what, value, ("retry", "fail"))


def _one_of(what: str, value: Any, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise DefinitionError(f"{what} is one of {', '.join(choices)}, got {value!r}")
    return str(value)


def _periodic(what: str, value: Any) -> Schedule:
    try:
        return parse_schedule(value)
    except DefinitionError as error:
        raise DefinitionError(f"{what}: {error}") from error


_CHECKS = {
    "periodic_expression": _periodic,
    "overlap": _overlap,
    "retries": _count,
    "retry_delay": _seconds,
    "retry_backoff": _factor,
    "retry_jitter": _share,
    "retry_on": _exceptions,
    "timeout": _over_zero,
    "autostart": _flag,
    "allow_failure": _flag,
    "on_lost": _on_lost,
    "max_lost": _count,
    "heartbeat_timeout": _over_zero,
    "stop_grace": _seconds,
    "pool": _pool,
    "priority": _priority,
    "max_items": _limit,
    "max_active_items": _limit,
    "on_item_failure": _on_item_failure,
}
