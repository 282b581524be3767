"""Settings: from flags, then `EVENTFLOW_*` variables, then `eventflow.toml`, in that order."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from eventflow.errors import EventflowError

FILE = "eventflow.toml"
PREFIX = "EVENTFLOW_"
_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What a scheduler or client of this process works with.

    Attributes:
        store: URL of the store.
        executor: `processes` or `threads`.
        condition_timeout: Seconds that a user's condition may take (S13).
        stop_grace: Seconds that running tasks get when `serve` is told to end.
        log_format: `text` (key=value) or `json`.
        log_level: Name of the least level that is logged.
        retention: How long ended executions and their events are kept, as `30d`; empty for ever.
        dedup_window: How long ids of events are remembered at least, as `7d` (S3).
    """

    store: str = "sqlite:///eventflow.db"
    executor: str = "processes"
    condition_timeout: float = 5.0
    stop_grace: float = 10.0
    log_format: str = "text"
    log_level: str = "INFO"
    retention: str = ""
    dedup_window: str = "7d"


def read_settings(
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    **flags: Any,
) -> Settings:
    """The settings of this process.

    Args:
        environment: Variables to read; the process's own by default.
        folder: Where `eventflow.toml` is looked for; the working folder by default.
        flags: What was said on the command line; `None` counts as not said.

    Raises:
        EventflowError: If a value has the wrong type or the file is not TOML; names the place.
    """
    environment = os.environ if environment is None else environment
    settings = Settings()
    # A relative path, so that a working folder that was deleted is merely one without the file.
    path = folder / FILE if folder is not None else Path(FILE)
    if path.is_file():
        settings = _with(settings, _from_file(path), str(path))
    said = {
        field.name: environment[PREFIX + field.name.upper()]
        for field in fields(Settings)
        if environment.get(PREFIX + field.name.upper())
    }
    settings = _with(settings, said, f"{PREFIX}*")
    settings = _with(settings, {k: v for k, v in flags.items() if v is not None}, "flag")
    return replace(settings, store=store_url(settings.store))


def store_url(text: str) -> str:
    """The URL of a store that was named by its URL, or by the path of its file: `shop.db`.

    A bare word is left as it is, and refused later: it may be anything.
    """
    is_path = ":" not in text and ("/" in text or Path(text).suffix != "")
    return f"sqlite:///{text}" if is_path else text


def duration(what: str, text: str) -> timedelta:
    """A length of time as it is written: `30d`, `12h`, `90m`, `45s`, `2w`.

    Raises:
        EventflowError: If it is none; names what it was given for.
    """
    number, unit = text[:-1], _UNITS.get(text[-1:])
    if unit is None or not (number.isascii() and number.isdigit()):
        raise EventflowError(f"{what} {text!r} is no length of time; write 30d, 12h, 90m or 45s")
    try:
        return int(number) * unit
    except OverflowError as error:
        raise EventflowError(f"{what} {text!r} is too long") from error


def _from_file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except tomllib.TOMLDecodeError as error:
        raise EventflowError(f"{path}: not TOML: {error}") from error


def _with(settings: Settings, said: dict[str, Any], where: str) -> Settings:
    known = {field.name: type(getattr(settings, field.name)) for field in fields(settings)}
    for name, value in said.items():
        if name not in known:
            raise EventflowError(
                f"{where}: unknown setting {name!r}; there are {', '.join(sorted(known))}"
            )
        try:
            said = {**said, name: known[name](value)}
        except (TypeError, ValueError) as error:
            raise EventflowError(f"{where}: {name} cannot be {value!r}") from error
    return replace(settings, **said)
