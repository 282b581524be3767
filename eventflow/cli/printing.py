"""What commands print: lines, JSON documents, and times as people read them. Tables: `screens`."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

from msgspec import Struct

from eventflow.errors import EventflowError


def say(*lines: str) -> None:
    """Plain lines to standard output."""
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def forget_reader() -> None:
    """Who read the output has gone, as `head` does: what is still printed goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def note(line: str) -> None:
    """A remark beside the output: one line to standard error."""
    sys.stderr.write(f"eventflow: {line}\n")
    sys.stderr.flush()


def say_json(document: Any, *, indent: int | None = 2) -> None:
    """One JSON document to standard output; without indent it is one line of a stream."""
    say(json_line(document, indent=indent))


def json_line(document: Any, *, indent: int | None = None) -> str:
    """A value as JSON text, as people write it too."""
    return json.dumps(plain(document), ensure_ascii=False, indent=indent)


def plain(value: Any) -> Any:
    """Records as JSON: fields by name, instants as ISO 8601 in UTC, durations as seconds."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(member) for name, member in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(member) for member in value]
    return value


def clean(text: str) -> str:
    """Text of others for a terminal: no escape sequences, no line breaks."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


def when(instant: datetime | None) -> str:
    """An instant on the clocks of this machine's zone, to the second."""
    return instant.astimezone().strftime("%Y-%m-%d %H:%M:%S") if instant is not None else ""


def clock(instant: datetime) -> str:
    """The time of day of an instant, to the millisecond, in this machine's zone."""
    return instant.astimezone().isoformat(timespec="milliseconds")[11:23]


def lasted(begin: datetime | None, end: datetime | None) -> str:
    """How long something took: `0.12 s`, `3 min 05 s`, `2 h 07 min`; empty before it began."""
    if begin is None or end is None:
        return ""
    seconds = max((end - begin).total_seconds(), 0.0)
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def write_file(path: Path, text: str) -> None:
    """Write what `-o` asked for.

    Raises:
        EventflowError: If it cannot be written; names the file.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise EventflowError(f"{path} cannot be written: {error.strerror or error}") from error
