"""The trie against reading every pattern (S5)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventflow.core.index import RuleIndex
from eventflow.model.keys import matches

TOKENS = st.sampled_from(["a", "b", "eventflow"])
KEYS = st.lists(TOKENS, min_size=1, max_size=4).map(".".join)
HEADS = st.lists(TOKENS | st.just("*"), min_size=1, max_size=3).map(".".join)
PATTERNS = HEADS | HEADS.map(lambda head: head + ".**") | st.just("**")


def read_pattern(pattern: str, key: str) -> bool:
    """The oracle: one pattern against one key, as the grammar says it, with no index."""
    if key.startswith("eventflow.") and not pattern.startswith("eventflow."):
        return False
    wanted, tokens = pattern.split("."), key.split(".")
    if wanted[-1] == "**":
        wanted = wanted[:-1]
        tokens, rest = tokens[: len(wanted)], tokens[len(wanted) :]
        if not rest:
            return False
    return len(wanted) == len(tokens) and all(
        want in ("*", token) for want, token in zip(wanted, tokens, strict=True)
    )


@pytest.mark.rule("S5")
@given(st.lists(PATTERNS, max_size=12), KEYS)
def test_the_index_finds_what_reading_every_pattern_finds(patterns: list[str], key: str) -> None:
    index: RuleIndex[int] = RuleIndex()
    for number, pattern in enumerate(patterns):
        index.add(pattern, number)

    found = sorted(index.match(key))

    assert found == [n for n, pattern in enumerate(patterns) if read_pattern(pattern, key)]


@pytest.mark.rule("S5")
@given(PATTERNS, KEYS)
def test_one_pattern_fits_one_key_as_the_grammar_says(pattern: str, key: str) -> None:
    assert matches(pattern, key) == read_pattern(pattern, key)


@given(st.lists(PATTERNS, max_size=8), st.data())
def test_what_was_discarded_is_not_found_and_the_rest_is(
    patterns: list[str], data: st.DataObject
) -> None:
    index: RuleIndex[int] = RuleIndex()
    for number, pattern in enumerate(patterns):
        index.add(pattern, number)
    gone = data.draw(st.sets(st.sampled_from(range(len(patterns))))) if patterns else set()
    for number in gone:
        index.discard(patterns[number], number)
    key = data.draw(KEYS)

    found = sorted(index.match(key))

    assert found == [
        n for n, pattern in enumerate(patterns) if n not in gone and read_pattern(pattern, key)
    ]


@given(st.lists(PATTERNS, max_size=8))
def test_an_index_from_which_all_was_discarded_holds_nothing(patterns: list[str]) -> None:
    index: RuleIndex[int] = RuleIndex()
    for number, pattern in enumerate(patterns):
        index.add(pattern, number)
    for number, pattern in enumerate(patterns):
        index.discard(pattern, number)
        index.discard(pattern, number)

    assert not index._exact
    assert index._root.empty
