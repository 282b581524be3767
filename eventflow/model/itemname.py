"""How people name an item of a mapped task: `work[17]`, or `work[3,1]` where maps nest (S43)."""

import re
from collections.abc import Sequence

from eventflow.errors import NotFoundError

_NAMED = re.compile(r"([^\[\]]+)\[\s*(\d+(?:\s*,\s*\d+)*)\s*\]")


def in_brackets(index: Sequence[int]) -> str:
    """An index as it stands behind the name of its task: `[3,1]`; of no item it is empty."""
    return f"[{index_text(index)}]" if index else ""


def index_text(index: Sequence[int]) -> str:
    """An index alone: `3,1`."""
    return ",".join(map(str, index))


def read_index(text: str) -> tuple[int, ...]:
    """The index that `17` or `3,1` is.

    Raises:
        NotFoundError: If it is no index.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise NotFoundError(f"no item {text!r}; items are named as 17, and as 3,1 where maps nest")
    return tuple(map(int, parts))


def split_item(named: str) -> tuple[str, tuple[int, ...]]:
    """The task and the index that are named by `work[17]`; the index is empty for `work`."""
    found = _NAMED.fullmatch(named)
    return (found[1], read_index(found[2])) if found is not None else (named, ())
