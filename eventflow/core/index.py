"""Which rules want an event: a trie over the tokens of their patterns (S5).

Finding costs the length of the key and the rules found, whether one rule is known or a million.
"""

from typing import Generic, TypeVar

from eventflow.model.keys import RESERVED

T = TypeVar("T")


class _Node(Generic[T]):
    __slots__ = ("below", "here", "rest")

    def __init__(self) -> None:
        self.below: dict[str, _Node[T]] = {}
        self.here: list[T] = []  # patterns that end at this node
        self.rest: list[T] = []  # patterns that go on with `**`

    @property
    def empty(self) -> bool:
        return not (self.below or self.here or self.rest)


class RuleIndex(Generic[T]):
    """Patterns, each with what wants its events. An entry may stand under several patterns."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    def add(self, pattern: str, entry: T) -> None:
        """Let `entry` be found for every key that fits `pattern`."""
        tokens, rest = _split(pattern)
        node = self._root
        for token in tokens:
            node = node.below.setdefault(token, _Node())
        (node.rest if rest else node.here).append(entry)

    def discard(self, pattern: str, entry: T) -> None:
        """Take back one `add` of the same arguments; nothing happens when there was none."""
        tokens, rest = _split(pattern)
        path = [self._root]
        for token in tokens:
            below = path[-1].below.get(token)
            if below is None:
                return
            path.append(below)
        entries = path[-1].rest if rest else path[-1].here
        if entry in entries:
            entries.remove(entry)
        while tokens and path[-1].empty:
            path.pop()
            del path[-1].below[tokens.pop()]

    def match(self, key: str) -> list[T]:
        """Every entry whose pattern fits `key`, once, in no set order."""
        nodes = [self._root]
        found: list[T] = []
        wildcards = not key.startswith(RESERVED)
        for token in key.split("."):
            below = []
            for node in nodes:
                if wildcards:
                    found += node.rest
                    star = node.below.get("*")
                    if star is not None:
                        below.append(star)
                exact = node.below.get(token)
                if exact is not None:
                    below.append(exact)
            if not below:
                break
            nodes = below
            # `*` and `**` at the front never reach the scheduler's own keys, behind them they do.
            wildcards = True
        else:
            for node in nodes:
                found += node.here
        return list(dict.fromkeys(found)) if len(found) > 1 else found


def _split(pattern: str) -> tuple[list[str], bool]:
    tokens = pattern.split(".")
    if tokens[-1] == "**":
        return tokens[:-1], True
    return tokens, False
