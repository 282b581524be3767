"""eventflow's own log on standard error: key=value lines, or JSON. For operators.

A log call names its event and its fields in the message, `task.queued run=%s`; here they are taken
apart again, so that both forms say the same.
"""

import json
import logging
import re
import sys
from datetime import UTC, datetime

from eventflow.errors import EventflowError
from eventflow.settings import Settings

_FIELD = re.compile(r"(\w+)=%[rsd]")


class _TextFormat(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = " ".join(record.getMessage().splitlines())
        line = f"at={_at(record)} level={record.levelname} event={text}"
        return line if not record.exc_info else f"{line}\n{self.formatException(record.exc_info)}"


class _JsonFormat(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        names = _FIELD.findall(str(record.msg))
        told: dict[str, object] = {"at": _at(record), "level": record.levelname}
        if isinstance(record.args, tuple) and len(names) == len(record.args):
            told["event"] = str(record.msg).split(" ", 1)[0]
            told |= dict(zip(names, record.args, strict=True))
        else:
            told["event"] = record.getMessage()
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        return json.dumps(told, default=str, ensure_ascii=False)


def open_log(settings: Settings, *, level: str = "") -> None:
    """Send eventflow's log to standard error.

    Args:
        level: Stands in for the level of the settings.

    Raises:
        EventflowError: If the level or the format is none that there is.
    """
    if settings.log_format not in ("text", "json"):
        raise EventflowError(f"log_format is 'text' or 'json', got {settings.log_format!r}")
    wanted = (level or settings.log_level).upper()
    if wanted not in logging.getLevelNamesMapping():
        raise EventflowError(f"log_level is DEBUG, INFO, WARNING or ERROR, got {wanted!r}")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormat() if settings.log_format == "json" else _TextFormat())
    log = logging.getLogger("eventflow")
    log.handlers[:] = [handler]
    log.setLevel(wanted)
    log.propagate = False


def _at(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
