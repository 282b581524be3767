"""Strict JSON, at every door: what may be a value, and its one text.

Python's own reader and writer let through what other readers refuse or change: NaN, duplicate
keys, lone surrogates, keys that are no text. Here they are errors, before anything is written (S6).
"""

import json
from collections import Counter
from typing import Any, NoReturn

import msgspec

MAX_DEPTH = 64
MAX_DIGITS = 4_000
_TOO_LONG = 10**MAX_DIGITS

_decoder = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()
_writer = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class JsonValueError(ValueError):
    """A value is not strict JSON; the text says where and why. Callers wrap it in their own."""


def encode(value: Any, *, max_bytes: int | None = None) -> str:
    """Return the JSON text of `value`.

    Raises:
        JsonValueError: If it is not strict JSON, deeper than 64, or longer than `max_bytes` UTF-8
            bytes.
    """
    _check(value, "value", 0)
    try:
        data = _written(value)
    except UnicodeEncodeError as error:
        raise JsonValueError("text holds a lone surrogate, which is not Unicode") from error
    if max_bytes is not None and len(data) > max_bytes:
        raise JsonValueError(f"{len(data)} bytes of JSON are too many; at most {max_bytes}")
    return data.decode()


def json_text(value: Any) -> str:
    """The text of a value that `encode` would take: no second check."""
    return _written(value).decode()


def _written(value: Any) -> bytes:
    try:
        return _encoder.encode(value)
    except TypeError:
        # Subclasses of str, int and float are JSON to Python's own writer alone.
        return _writer.encode(value).encode()


def is_unicode(text: str) -> bool:
    """Whether a store can keep `text`: it holds no lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def decode(text: str | bytes) -> Any:
    """Return the value of strict JSON `text`.

    Raises:
        JsonValueError: If the text is not JSON, or holds NaN, duplicate keys, lone surrogates,
            numbers of over 4,000 digits, or nesting deeper than 64.
    """
    try:
        value = json.loads(
            text, object_pairs_hook=_pairs, parse_constant=_no_constant, parse_int=_int
        )
    except RecursionError as error:
        raise JsonValueError(f"nested deeper than {MAX_DEPTH}") from error
    except json.JSONDecodeError as error:
        raise JsonValueError(f"{error.msg} at line {error.lineno}, column {error.colno}") from error
    except UnicodeDecodeError as error:
        raise JsonValueError("the text is not UTF-8") from error
    encode(value)
    return value


def read(text: str) -> Any:
    """The value of a text that `encode` has written: no second check."""
    return _decoder.decode(text)


def _check(value: Any, where: str, depth: int) -> None:
    if value is None or isinstance(value, bool | str):
        return
    if isinstance(value, int):
        if not -_TOO_LONG < value < _TOO_LONG:
            raise JsonValueError(f"{where} is a number of more than {MAX_DIGITS} digits")
        return
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise JsonValueError(f"{where} is {value!r}, which is not JSON")
        return
    if depth >= MAX_DEPTH:
        raise JsonValueError(f"nested deeper than {MAX_DEPTH}")
    if isinstance(value, dict):
        for key, member in value.items():
            if not isinstance(key, str):
                raise JsonValueError(f"{where} has the key {key!r}; keys of JSON are text")
            _check(member, f"{where}.{key}", depth + 1)
        return
    if isinstance(value, list | tuple):
        for number, member in enumerate(value):
            _check(member, f"{where}[{number}]", depth + 1)
        return
    raise JsonValueError(f"{where} is a {type(value).__name__}, which is not JSON")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = Counter(name for name, _ in pairs)
        twice = next(name for name, count in names.items() if count > 1)
        raise JsonValueError(f"the key {twice!r} stands twice in one object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise JsonValueError(f"{name} is not JSON")


def _int(digits: str) -> int:
    count = len(digits.removeprefix("-"))
    if count > MAX_DIGITS:
        raise JsonValueError(f"a number of {count} digits is too long; at most {MAX_DIGITS}")
    return int(digits)
