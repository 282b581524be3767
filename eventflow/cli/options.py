"""Options that several commands take, and how their texts are read."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from eventflow.errors import EventflowError
from eventflow.model.itemname import read_index, split_item
from eventflow.model.jsonvalue import JsonValueError, decode


class ExecutorName(StrEnum):
    """What `--executor` takes."""

    THREADS = "threads"
    PROCESSES = "processes"


class LogFormat(StrEnum):
    """What `--log-format` takes."""

    TEXT = "text"
    JSON = "json"


Store = Annotated[
    str | None,
    typer.Option(
        "--store",
        help="URL of the store, as sqlite:///eventflow.db. [default: EVENTFLOW_STORE, or else "
        "eventflow.toml, or else sqlite:///eventflow.db]",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")]
Namespace = Annotated[str, typer.Option("--namespace", help="Namespace of the workflow.")]
Params = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        help="A parameter as NAME=VALUE, several times if need be. A value that is JSON is taken "
        "as JSON, any other as text.",
        show_default=False,
    ),
]
Executor = Annotated[
    ExecutorName | None,
    typer.Option("--executor", help="Where tasks run. [default: processes]", show_default=False),
]
Uplink = Annotated[
    str | None,
    typer.Option(
        "--uplink",
        metavar="URL",
        help="Report graph and states to a platform, with the token that EVENTFLOW_UPLINK_TOKEN "
        "holds. [default: EVENTFLOW_UPLINK_URL, or else nowhere]",
        show_default=False,
    ),
]
ExecutionId = Annotated[int, typer.Argument(help="Id of the workflow execution.")]


def read_params(given: list[str] | None) -> dict[str, Any]:
    """The parameters that `--param` gave.

    Raises:
        EventflowError: If one is not NAME=VALUE, or a name stands twice.
    """
    params: dict[str, Any] = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise EventflowError(f"--param {text!r} is not NAME=VALUE, as --param day=2026-01-01")
        if name in params:
            raise EventflowError(f"--param {name!r} is given twice")
        try:
            params[name] = decode(value)
        except JsonValueError:
            params[name] = value
    return params


def read_moment(option: str, text: str | None) -> int | datetime | None:
    """An offset or an instant; one without a zone is by the clocks of this machine's."""
    if text is None or text.isdecimal():
        return int(text) if text is not None else None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise EventflowError(
            f"{option} {text!r} is neither an offset nor a time; write 17, or "
            f"2026-01-31T09:30:00, with +01:00 or Z for another zone than this machine's"
        ) from error


def read_item(task: str | None, item: str | None) -> tuple[str | None, tuple[int, ...]]:
    """A task and the index of one of its items, named as `work[17]` or apart; empty for no item.

    Raises:
        EventflowError: If an item is named without its task, or twice.
        NotFoundError: If it is no index.
    """
    if task is None:
        if item is not None:
            raise EventflowError("--item names an item of one mapped task; name the task too")
        return None, ()
    name, index = split_item(task)
    if item is None:
        return name, index
    if index:
        raise EventflowError(f"{task!r} names an item, and --item {item} does too; give one")
    return name, read_index(item)
