"""Which rules want an event: exact keys in a dict, patterns in a trie over their tokens (S5).

Finding costs the length of the key and the rules found, whether one rule is known or a million.
"""

from sys import intern
from typing import Generic, TypeVar

from eventflow.model.keys import RESERVED

T = TypeVar("T")


class _Node(Generic[T]):
    """What is not there takes no room: there may be millions of nodes.

    Attributes:
        here: What stands under patterns that end at this node.
        rest: The same of those that go on with `**`.
    """

    __slots__ = ("below", "here", "rest")

    def __init__(self) -> None:
        self.below: dict[str, _Node[T]] | None = None
        self.here: list[T] | None = None
        self.rest: list[T] | None = None

    @property
    def empty(self) -> bool:
        return not (self.below or self.here or self.rest)

    def make(self, token: str) -> "_Node[T]":
        """The node below for a token, made if need be."""
        if self.below is None:
            self.below = {}
        node = self.below.get(token)
        if node is None:
            # The same few words stand in most patterns.
            node = self.below[intern(token)] = _Node()
        return node

    def put(self, entry: T, *, rest: bool) -> None:
        entries = self.rest if rest else self.here
        if entries is not None:
            entries.append(entry)
        elif rest:
            self.rest = [entry]
        else:
            self.here = [entry]


class RuleIndex(Generic[T]):
    """Patterns, each with what wants its events. An entry may stand under several patterns."""

    def __init__(self) -> None:
        self._exact: dict[str, list[T]] = {}
        self._root: _Node[T] = _Node()

    def add(self, pattern: str, entry: T) -> None:
        """Let `entry` be found for every key that fits `pattern`."""
        if "*" not in pattern:
            self._exact.setdefault(pattern, []).append(entry)
            return
        tokens, rest = _split(pattern)
        node = self._root
        for token in tokens:
            node = node.make(token)
        node.put(entry, rest=rest)

    def discard(self, pattern: str, entry: T) -> None:
        """Take back one `add` of the same arguments; nothing happens when there was none."""
        if "*" not in pattern:
            _remove(self._exact.get(pattern), entry)
            if not self._exact.get(pattern, True):
                del self._exact[pattern]
            return
        tokens, rest = _split(pattern)
        path = [self._root]
        for token in tokens:
            below = path[-1].below
            if below is None or token not in below:
                return
            path.append(below[token])
        _remove(path[-1].rest if rest else path[-1].here, entry)
        while tokens and path[-1].empty:
            path.pop()
            if path[-1].below is not None:
                del path[-1].below[tokens.pop()]

    def match(self, key: str) -> list[T]:
        """Every entry whose pattern fits `key`, once, in no set order."""
        found = list(self._exact.get(key, ()))
        if not self._root.empty:
            found += self._match_patterns(key)
        return list(dict.fromkeys(found)) if len(found) > 1 else found

    def _match_patterns(self, key: str) -> list[T]:
        found: list[T] = []
        nodes = [self._root]
        wildcards = not key.startswith(RESERVED)
        for token in key.split("."):
            below = []
            for node in nodes:
                if wildcards and node.rest:
                    found += node.rest
                if node.below is None:
                    continue
                if wildcards and (star := node.below.get("*")) is not None:
                    below.append(star)
                if (exact := node.below.get(token)) is not None:
                    below.append(exact)
            if not below:
                break
            nodes = below
            # `*` and `**` at the front never reach the scheduler's own keys, behind them they do.
            wildcards = True
        else:
            for node in nodes:
                found += node.here or ()
        return found


def _remove(entries: list[T] | None, entry: T) -> None:
    if entries is not None and entry in entries:
        entries.remove(entry)


def _split(pattern: str) -> tuple[list[str], bool]:
    tokens = pattern.split(".")
    if tokens[-1] == "**":
        return tokens[:-1], True
    return tokens, False
