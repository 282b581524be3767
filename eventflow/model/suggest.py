"""A name that was probably meant, for error messages."""

import difflib
from collections.abc import Iterable

_NEAR = 0.6


def nearest(name: str, known: Iterable[str]) -> str:
    """`"; did you mean 'train'?"` when a known name is near, else nothing.

    Singular and plural, small and large letters are the same word: `retry` is nearer to `retries`
    than to `retry_on`, which has more of its letters.
    """
    scores = {one: _likeness(name, one) for one in known}
    best = max(scores, key=scores.__getitem__, default=None)
    return f"; did you mean {best!r}?" if best is not None and scores[best] >= _NEAR else ""


def _likeness(name: str, other: str) -> float:
    """From 0 to 1; as spelled, or as words."""
    return max(_ratio(name, other), _ratio(_word(name), _word(other)))


def _ratio(name: str, other: str) -> float:
    return difflib.SequenceMatcher(None, other, name).ratio()


def _word(name: str) -> str:
    word = name.lower().replace("-", "_")
    if word.endswith("ies"):
        return word.removesuffix("ies") + "y"
    return word.removesuffix("s")
