"""What an exception leaves behind: an AttemptFailure, whatever the exception does to prevent it.

Everything asked of the exception is users' code: `__str__` may raise, or return 100 MB. So each
part is cut to a cap as soon as it is there, and the traceback is put together here, since the
standard library's formatter would call `str` again and keep all of it.
"""

import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

from eventflow.errors import EventflowError
from eventflow.model.jsonvalue import JsonValueError, encode
from eventflow.model.records import AttemptFailure

MAX_MESSAGE = 8 * 1024
MAX_TRACEBACK = 64 * 1024
_MAX_NAME = 200
_MAX_ARGS = 16
_MAX_ARG = 2 * 1024
_FIRST_FRAMES = 5
_MAX_FRAMES = 60
_MAX_CHAIN = 8
_MAX_MEMBERS = 8
_OURS = str(Path(__file__).resolve().parent.parent)


def failure_of(error: BaseException, attempt: int) -> AttemptFailure:
    """The exception as data: type, message, arguments as JSON, traceback text; all capped."""
    return AttemptFailure(
        attempt=attempt,
        type_name=name_of(error),
        message=message_of(error),
        args=_args_of(error),
        traceback=traceback_of(error),
    )


def traceback_of(error: BaseException) -> str:
    """The traceback as Python prints it, without the frames of eventflow that led there; capped."""
    return cut("".join(_lines(error, _MAX_CHAIN)), MAX_TRACEBACK)


def plain_failure(kind: type[BaseException], message: str, attempt: int) -> AttemptFailure:
    """A failure that was never raised: what the executor itself found out about an attempt."""
    return AttemptFailure(attempt=attempt, type_name=kind.__name__, message=message)


def name_of(thing: object) -> str:
    """The name of its class, capped."""
    return cut(type(thing).__name__, _MAX_NAME)


def message_of(error: BaseException) -> str:
    """`str(error)`, or a stand-in when that raises. A `SystemExit` says its exit code."""
    if isinstance(error, SystemExit) and not isinstance(error.code, str):
        return f"exit code {exit_code(error)}"
    try:
        text = str(error)
    except BaseException as second:  # users' code
        return f"<{type(error).__name__} whose __str__ raised {type(second).__name__}>"
    return cut(text, MAX_MESSAGE)


def exit_code(error: SystemExit) -> int:
    """The exit status that Python would give a process that ends so."""
    if error.code is None:
        return 0
    return error.code if isinstance(error.code, int) else 1


def cut(text: str, limit: int) -> str:
    """At most about `limit` characters, the middle left out; always valid Unicode."""
    if len(text) > limit:
        half = limit // 2
        text = (
            f"{text[:half]}\n[... {len(text) - 2 * half} characters left out ...]\n{text[-half:]}"
        )
    return text.encode("utf-8", "backslashreplace").decode()


def _args_of(error: BaseException) -> list[Any]:
    args = error.args if isinstance(error.args, tuple) else ()
    return [_plain(argument) for argument in args[:_MAX_ARGS]]


def _plain(argument: Any) -> Any:
    if type(argument) is str:
        return cut(argument, _MAX_ARG)
    try:
        encode(argument, max_bytes=_MAX_ARG)
    except (JsonValueError, RecursionError):
        return f"<{type(argument).__name__}>"
    except BaseException:  # a container of the user's may do anything when read
        return f"<{type(argument).__name__}>"
    return argument


def _lines(error: BaseException, chain: int) -> list[str]:
    """The traceback, oldest cause first, as Python prints it."""
    lines: list[str] = []
    earlier, joint = _earlier(error)
    if earlier is not None:
        lines += _lines(earlier, chain - 1) if chain > 1 else ["[... earlier ones left out ...]\n"]
        lines.append(f"\n{joint}\n\n")
    frames = _frames(error)
    if frames:
        lines += ["Traceback (most recent call last):\n", *frames]
    lines.append(f"{name_of(error)}: {message_of(error)}\n")
    if isinstance(error, BaseExceptionGroup):
        lines += _members(error, chain)
    return lines


def _earlier(error: BaseException) -> tuple[BaseException | None, str]:
    if error.__cause__ is not None:
        return error.__cause__, "The above exception was the direct cause of the next one:"
    if error.__context__ is not None and not error.__suppress_context__:
        return error.__context__, "While the above exception was handled, another came:"
    return None, ""


def _members(group: BaseExceptionGroup[BaseException], chain: int) -> list[str]:
    lines: list[str] = []
    if chain > 1:
        for number, member in enumerate(group.exceptions[:_MAX_MEMBERS], 1):
            lines.append(f"  [{number} of {len(group.exceptions)}]\n")
            lines += [f"  | {line}\n" for line in "".join(_lines(member, 2)).splitlines()]
    if len(group.exceptions) > _MAX_MEMBERS:
        lines.append(f"  [... {len(group.exceptions) - _MAX_MEMBERS} more ...]\n")
    return lines


def _frames(error: BaseException) -> list[str]:
    """The frames, without those of eventflow that led to the user's code.

    What eventflow itself says of a task, as that a command left with exit code 3, has none.
    """
    outer = trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_OURS):
        trace = trace.tb_next
    if trace is None and isinstance(error, EventflowError):
        return []
    trace = trace if trace is not None else outer
    if trace is None:
        return []
    left_out = _depth(trace) - _FIRST_FRAMES - _MAX_FRAMES
    try:
        if left_out <= 0:
            return traceback.format_list(traceback.extract_tb(trace))
        first = traceback.extract_tb(trace, limit=_FIRST_FRAMES)
        last = traceback.extract_tb(trace, limit=-_MAX_FRAMES)
        mark = f"  [... {left_out} frames left out ...]\n"
        return [*traceback.format_list(first), mark, *traceback.format_list(last)]
    except Exception:  # reads source files through users' loaders
        return ["  [... frames could not be read ...]\n"]


def _depth(trace: TracebackType | None) -> int:
    depth = 0
    while trace is not None:
        depth, trace = depth + 1, trace.tb_next
    return depth
