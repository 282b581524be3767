"""Frozen values to strict JSON and back, by their declared types.

What does not fit its declared type exactly is an error on both sides, so a message that was read
needs no second look. A member declared `Any` travels as JSON text of its own: users' values keep
the depth that they are allowed.
"""

import contextlib
import dataclasses
import types
import typing
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Union

from msgspec import Struct

from eventflow.errors import EventflowError
from eventflow.model.jsonvalue import JsonValueError, decode, encode

# Where a named tuple and a Struct have the names of their members.
_NAMES = ("_fields", "__struct_fields__")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class MessageError(EventflowError):
    """A message is not what its type says, is too long, or of a type that nobody knows."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Form:
    """How values of one type are written and read; both raise MessageError."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


def to_json(value: Any, kind: Any) -> Any:
    """`value`, which is of type `kind`, as JSON data.

    Raises:
        MessageError: If it is not of that type, or holds what is not JSON.
    """
    return _form(kind).write(value)


def from_json(data: Any, kind: Any) -> Any:
    """The value of type `kind` that `to_json` has written as `data`.

    Raises:
        MessageError: If `data` is anything else.
    """
    return _form(kind).read(data)


def prepare(kind: Any) -> None:
    """Work out the forms of a type and of all that it holds: else the first value of each waits."""
    seen: set[Any] = set()
    ahead = [kind]
    while ahead:
        one = ahead.pop()
        if one in seen or one in (type(None), Ellipsis):
            continue
        seen.add(one)
        with contextlib.suppress(MessageError):  # a member that is always None here
            _form(one)
        ahead += typing.get_args(one)
        if dataclasses.is_dataclass(one) or any(hasattr(one, it) for it in _NAMES):
            ahead += _hints(one).values()


@cache
def _form(kind: Any) -> _Form:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return _Form(_write_text, _read_text)
    if origin in (Union, types.UnionType):
        return _optional(kind, inner)
    if origin is list:
        return _sequence(inner[0], list)
    if origin is tuple and len(inner) == 2 and inner[1] is Ellipsis:
        return _sequence(inner[0], tuple)
    if origin is dict and inner[0] is str:
        return _mapping(inner[1])
    if isinstance(kind, type):
        return _plain(kind)
    raise MessageError(f"no form for the type {kind!r}")


def _plain(kind: type) -> _Form:
    if kind in (bool, int, str, float):
        return _Form(lambda value: _exact(value, kind), lambda data: _exact(data, kind))
    if kind is datetime:
        return _Form(_write_instant, _read_instant)
    if kind is Path:
        return _Form(lambda value: str(_instance(value, Path)), lambda data: Path(_text(data)))
    if issubclass(kind, StrEnum):
        return _Form(lambda value: _instance(value, kind).value, lambda data: _member(kind, data))
    if issubclass(kind, Struct):
        return _members(kind, kind.__struct_fields__)
    if dataclasses.is_dataclass(kind):
        return _members(kind, tuple(field.name for field in dataclasses.fields(kind)))
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return _members(kind, kind._fields)
    raise MessageError(f"no form for the type {kind.__name__}")


def _members(kind: type, names: tuple[str, ...]) -> _Form:
    hints, wanted = _hints(kind), set(names)

    @cache
    def forms() -> list[tuple[str, _Form]]:
        # Looked up late: a type may hold itself.
        return [(name, _form(hints[name])) for name in names]

    def write(value: Any) -> dict[str, Any]:
        _instance(value, kind)
        return {name: form.write(getattr(value, name)) for name, form in forms()}

    def read(data: Any) -> Any:
        if not isinstance(data, dict) or data.keys() != wanted:
            raise MessageError(f"{kind.__name__} has the members {', '.join(names)}; got {data!r}")
        return kind(**{name: form.read(data[name]) for name, form in forms()})

    return _Form(write, read)


_hints = cache(typing.get_type_hints)


def _optional(kind: Any, inner: tuple[Any, ...]) -> _Form:
    known = [member for member in inner if member is not type(None)]
    if len(known) != 1 or len(inner) != 2:
        raise MessageError(f"no form for the type {kind!r}")
    form = _form(known[0])
    return _Form(
        lambda value: None if value is None else form.write(value),
        lambda data: None if data is None else form.read(data),
    )


def _sequence(inner: Any, into: type[list[Any]] | type[tuple[Any, ...]]) -> _Form:
    form = _form(inner)
    return _Form(
        lambda value: [form.write(member) for member in _instance(value, into)],
        lambda data: into(form.read(member) for member in _instance(data, list)),
    )


def _mapping(inner: Any) -> _Form:
    form = _form(inner)
    return _Form(
        lambda value: {_text(key): form.write(at) for key, at in _instance(value, dict).items()},
        lambda data: {_text(key): form.read(at) for key, at in _instance(data, dict).items()},
    )


def _exact(value: Any, kind: type) -> Any:
    if kind is float and type(value) is int:
        return float(value)
    # True is an int to Python, and a subclass of str may be anything.
    if type(value) is kind:
        return value
    if kind is str and isinstance(value, str):
        return str.__str__(value)
    raise MessageError(f"a {kind.__name__} was wanted, got {value!r:.100}")


def _text(value: Any) -> str:
    return str(_exact(value, str))


def _instance(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise MessageError(f"a {kind.__name__} was wanted, got {value!r:.100}")
    return value


def _member(kind: type[StrEnum], data: Any) -> StrEnum:
    try:
        return kind(data)
    except ValueError as error:
        raise MessageError(f"{data!r:.100} is no {kind.__name__}") from error


def _write_instant(value: Any) -> int:
    if _instance(value, datetime).tzinfo is None:
        raise MessageError(f"an instant must be aware, got naive {value.isoformat()}")
    return int((value - _EPOCH) // timedelta(microseconds=1))


def _read_instant(data: Any) -> datetime:
    try:
        return _EPOCH + timedelta(microseconds=_exact(data, int))
    except OverflowError as error:
        raise MessageError(f"{data!r:.100} is no instant") from error


def _write_text(value: Any) -> str:
    try:
        return encode(value)
    except JsonValueError as error:
        raise MessageError(f"a value is not JSON: {error}") from error


def _read_text(data: Any) -> Any:
    try:
        return decode(_text(data))
    except JsonValueError as error:
        raise MessageError(f"a value is not JSON: {error}") from error
