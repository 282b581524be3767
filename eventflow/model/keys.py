"""The grammar of keys, patterns and names, and the keys of the scheduler's own events.

A key is dotted tokens, `orders.paid`; a pattern is a key in which `*` stands for one token and a
last `**` for one or more (S5). Keys that begin with `eventflow.` are the scheduler's own (S4): no
pattern reaches them unless it begins with `eventflow.` itself.
"""

import re
from collections.abc import Collection

from eventflow.errors import DefinitionError, EventError, ReservedKeyError
from eventflow.model.status import TaskStatus, WorkflowStatus
from eventflow.model.suggest import nearest

MAX_KEY = 512
MAX_NAME = 128
RESERVED = "eventflow."

_TOKEN = re.compile(r"[A-Za-z0-9_-]+")
_WORKFLOW_FORM = "eventflow.workflow.<workflow>.<status>"
_KEY = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_TOKEN_IS = "a token is letters, digits, '_' or '-'"


def check_key(key: str) -> None:
    """Refuse what is not a key.

    Raises:
        EventError: If `key` is no text, empty, longer than 512 characters, or has a bad token.
    """
    if not isinstance(key, str):
        raise EventError(f"event key {key!r} must be text such as 'orders.paid'")
    if _KEY.fullmatch(key) is None:
        raise EventError(_fault("event key", key))
    if len(key) > MAX_KEY:
        raise EventError(f"event key {key[:40]!r}... has {len(key)} characters; at most {MAX_KEY}")


def check_user_key(key: str) -> None:
    """Refuse what is not a key that a user may emit.

    Raises:
        EventError: As `check_key`.
        ReservedKeyError: If `key` begins with `eventflow.` (S4).
    """
    check_key(key)
    if key.startswith(RESERVED):
        raise ReservedKeyError(
            f"event key {key!r} is the scheduler's own; choose one that does not begin with "
            f"{RESERVED!r} (you may listen to such keys, never emit them)"
        )


def check_pattern(pattern: str) -> None:
    """Refuse what is neither a key nor a pattern.

    Raises:
        DefinitionError: If `pattern` has a bad token, or `**` anywhere but at its end.
    """
    if not isinstance(pattern, str):
        raise DefinitionError(f"event pattern {pattern!r} must be text such as 'orders.*'")
    if len(pattern) > MAX_KEY:
        raise DefinitionError(
            f"event pattern {pattern[:40]!r}... has {len(pattern)} characters; at most {MAX_KEY}"
        )
    tokens = pattern.split(".")
    for place, token in enumerate(tokens, 1):
        if token == "**" and place != len(tokens):
            raise DefinitionError(f"event pattern {pattern!r}: '**' may only be its last token")
        if token not in ("*", "**") and _TOKEN.fullmatch(token) is None:
            raise DefinitionError(_fault("event pattern", pattern))


def check_name(what: str, name: str) -> None:
    """Refuse a name that cannot be one token of a key (S6).

    Args:
        what: What is named, for the message: `"workflow"`, `"task"`, `"namespace"`.

    Raises:
        DefinitionError: If `name` is not `[A-Za-z0-9_-]+` of at most 128 characters.
    """
    if not isinstance(name, str) or _TOKEN.fullmatch(name) is None:
        raise DefinitionError(
            f"{what} name {name!r} is not one token; use letters, digits, '_' and '-' only"
        )
    if len(name) > MAX_NAME:
        raise DefinitionError(
            f"{what} name {name[:40]!r}... has {len(name)} characters; at most {MAX_NAME}"
        )


def check_fact_pattern(pattern: str, workflow: str, tasks: Collection[str]) -> None:
    """Refuse a pattern for the scheduler's own status facts that no fact can ever fit (S4).

    Args:
        workflow: The workflow that listens, with the names of its `tasks`.

    Raises:
        DefinitionError: If the status is none, in the wrong case, or the task is not there.
    """
    tokens = pattern.split(".")
    if tokens[:2] not in (["eventflow", "task"], ["eventflow", "workflow"]) or "**" in tokens:
        return
    is_task = tokens[1] == "task"
    statuses = [status.value.lower() for status in (TaskStatus if is_task else WorkflowStatus)]
    form = "eventflow.task.<workflow>.<task>.<status>" if is_task else _WORKFLOW_FORM
    if len(tokens) != (5 if is_task else 4) or tokens[-1] not in ("*", *statuses):
        raise DefinitionError(
            f"event pattern {pattern!r} fits no status event; they are {form}, with the status one "
            f"of {', '.join(statuses)}{nearest(tokens[-1].lower(), statuses)}"
        )
    if is_task and tokens[2] == workflow and tokens[3] not in ("*", *tasks):
        raise DefinitionError(
            f"event pattern {pattern!r}: workflow {workflow!r} has no task {tokens[3]!r}"
            f"{nearest(tokens[3], tasks)}"
        )


def matches(pattern: str, key: str) -> bool:
    """Whether one pattern fits one key (S5). For many patterns use `core.index`."""
    wanted, tokens = pattern.split("."), key.split(".")
    if key.startswith(RESERVED) and wanted[0] != "eventflow":
        return False
    if wanted[-1] == "**":
        wanted = wanted[:-1]
        if len(tokens) <= len(wanted):
            return False
        tokens = tokens[: len(wanted)]
    return len(wanted) == len(tokens) and all(
        want in ("*", token) for want, token in zip(wanted, tokens, strict=True)
    )


def task_key(workflow: str, task: str, status: str) -> str:
    """The key of the fact that a task changed status (S4): `eventflow.task.shop.pack.success`."""
    return f"eventflow.task.{workflow}.{task}.{status.lower()}"


def workflow_key(workflow: str, status: str) -> str:
    """The key of the fact that a workflow execution changed status (S30)."""
    return f"eventflow.workflow.{workflow}.{status.lower()}"


def _fault(what: str, text: str) -> str:
    shown = text if len(text) <= MAX_KEY else text[:40] + "..."
    if not text:
        return f"{what} {shown!r} is empty; {_TOKEN_IS}"
    for token in text.split("."):
        if not token:
            return f"{what} {shown!r} has an empty token; {_TOKEN_IS}"
        if _TOKEN.fullmatch(token) is None:
            return f"{what} {shown!r}: bad token {token[:40]!r}; {_TOKEN_IS}"
    return f"{what} {shown!r} is not well formed; {_TOKEN_IS}"
