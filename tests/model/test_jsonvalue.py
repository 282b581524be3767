"""Strict JSON: what goes in comes out, and what another reader would refuse never gets in (S6)."""

import json
from enum import IntEnum, StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventflow.model.jsonvalue import (
    MAX_DEPTH,
    MAX_DIGITS,
    JsonValueError,
    decode,
    encode,
    json_text,
    read,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | TEXT
    | st.floats(allow_nan=False).filter(lambda number: abs(number) != float("inf"))
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=20
)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@given(VALUES)
def test_what_is_encoded_is_read_back_the_same(value: Any) -> None:
    text = encode(value)

    assert decode(text) == value
    assert read(text) == value
    assert json.loads(text) == value
    assert decode(text.encode()) == value


@given(VALUES)
def test_the_text_of_a_decoded_text_is_that_text(value: Any) -> None:
    text = encode(value)

    assert encode(decode(text)) == text


@given(st.text(st.sampled_from('{}[],:"0.e-+1\\u ntrfalsN'), max_size=30))
def test_any_text_is_decoded_or_refused_with_one_kind_of_error(text: str) -> None:
    try:
        value = decode(text)
    except JsonValueError:
        return
    assert decode(encode(value)) == value


@pytest.mark.rule("S6")
@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: [1, x], lambda x: {"deep": {"er": x}}])
def test_a_number_that_json_has_not_is_refused_by_the_place_where_it_is(
    number: float, wrap: Any
) -> None:
    with pytest.raises(JsonValueError, match=r"value.* is (nan|-?inf), which is not JSON"):
        encode(wrap(number))


@pytest.mark.rule("S6")
@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a":-Infinity}', "1e999", "[-1e999]"])
def test_a_text_with_such_a_number_is_refused(text: str) -> None:
    with pytest.raises(JsonValueError):
        decode(text)


@pytest.mark.rule("S6")
@pytest.mark.parametrize(
    ("text", "key"),
    [('{"a":1,"a":2}', "a"), ('[{"b":{"c":1,"d":2,"c":1}}]', "c"), ('{"":1,"":1}', "")],
)
def test_a_key_that_stands_twice_is_refused_by_name(text: str, key: str) -> None:
    with pytest.raises(JsonValueError, match=f"the key {key!r} stands twice"):
        decode(text)


def test_a_key_that_stands_twice_among_very_many_is_found_at_once() -> None:
    many = ",".join(f'"k{number}":0' for number in range(50_000))

    with pytest.raises(JsonValueError, match="'k49999' stands twice"):
        decode(f'{{{many},"k49999":1}}')


@pytest.mark.rule("S6")
@pytest.mark.parametrize(
    "value", ["\ud800", ["a", "\udfff"], {"\ud800": 1}, {"a": {"b": "\udc00"}}]
)
def test_a_lone_surrogate_is_refused(value: Any) -> None:
    with pytest.raises(JsonValueError, match="lone surrogate"):
        encode(value)
    with pytest.raises(JsonValueError, match="lone surrogate"):
        decode(json.dumps(value))


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert decode('"\\ud83d\\ude00"') == "😀"


@pytest.mark.rule("S6")
def test_it_may_be_nested_sixty_four_deep_and_no_deeper() -> None:
    deepest = nested(MAX_DEPTH)
    assert MAX_DEPTH == 64
    assert decode(encode(deepest)) == deepest

    with pytest.raises(JsonValueError, match="deeper than 64"):
        encode(nested(65))
    with pytest.raises(JsonValueError, match="deeper than 64"):
        decode("[" * 65 + "]" * 65)
    with pytest.raises(JsonValueError, match="deeper than 64"):
        decode('{"a":' * 65 + "1" + "}" * 65)


@pytest.mark.rule("S6")
@pytest.mark.parametrize("depth", [10_000, 1_000_000])
@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_a_very_deep_text_is_refused_and_does_no_harm(depth: int, opening: str) -> None:
    with pytest.raises(JsonValueError):
        decode(opening * depth)
    closing = {"[": "]", '{"a":': "}"}[opening]
    with pytest.raises(JsonValueError, match="deeper than 64"):
        decode(opening * depth + "1" + closing * depth)


def test_a_value_that_holds_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)

    with pytest.raises(JsonValueError, match="deeper than 64"):
        encode(loop)


@pytest.mark.parametrize("key", [1, None, True, 1.5, ("a",)])
def test_a_key_that_is_no_text_is_refused(key: Any) -> None:
    with pytest.raises(JsonValueError, match="keys of JSON are text"):
        encode({key: 1})


def test_a_tuple_is_a_list() -> None:
    assert decode(encode((1, ("a", ())))) == [1, ["a", []]]


def test_enums_of_text_and_numbers_are_what_they_stand_for() -> None:
    class Colour(StrEnum):
        RED = "red"

    class Size(IntEnum):
        BIG = 3

    assert encode([Colour.RED, Size.BIG]) == '["red",3]'


@pytest.mark.parametrize("sign", ["", "-"])
def test_a_number_may_have_four_thousand_digits_and_no_more(sign: str) -> None:
    longest = sign + "9" * MAX_DIGITS
    assert MAX_DIGITS == 4_000
    assert encode(decode(longest)) == longest
    assert encode(int(longest)) == longest

    with pytest.raises(JsonValueError, match="digits"):
        decode(longest + "9")


@pytest.mark.parametrize("digits", [4_001, 4_200, 5_000, 100_000])
def test_a_longer_number_is_refused_on_the_way_in_too(digits: int) -> None:
    for number in (10 ** (digits - 1), -(10 ** (digits - 1))):
        with pytest.raises(JsonValueError, match=r"value\[0\] is a number of more than 4000"):
            encode([number])


@pytest.mark.rule("S6")
@pytest.mark.parametrize("value", [b"bytes", {1, 2}, object(), 1j, lambda: None])
def test_what_is_no_json_is_refused_by_type_and_place(value: Any) -> None:
    kind = type(value).__name__
    with pytest.raises(JsonValueError, match=rf"value\.a\[1\] is a {kind}, which is not JSON"):
        encode({"a": [0, value]})


def test_the_size_is_counted_in_bytes_of_utf_8() -> None:
    assert encode("äöü", max_bytes=8) == '"äöü"'
    with pytest.raises(JsonValueError, match="8 bytes of JSON are too many; at most 7"):
        encode("äöü", max_bytes=7)


class Word(str):
    """As libraries have them: text that is more than text."""

    __slots__ = ()


class Count(int):
    """The same of a number."""


class Share(float):
    """The same of a fraction."""


@pytest.mark.parametrize("value", [Word("ä"), Count(3), Share(0.5), {"a": [Word("b")]}])
def test_what_is_more_than_text_or_a_number_is_written_as_that(value: Any) -> None:
    assert (
        encode(value)
        == json_text(value)
        == json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    )


@pytest.mark.parametrize("text", ["", "{", "[1,]", "nul", "'a'", "01", "{a:1}", "1 2", '"\n"'])
def test_what_is_no_json_text_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(JsonValueError, match="at line"):
        decode(text)


def test_bytes_that_are_no_utf_8_are_refused() -> None:
    with pytest.raises(JsonValueError, match="UTF-8"):
        decode(b'"\xff\xfe\xfa"')
