"""State that conditions keep, over a cell that is a dict entry (S35)."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventflow import (
    CounterStateDescriptor,
    ListStateDescriptor,
    MapStateDescriptor,
    StateDescriptor,
    ValueStateDescriptor,
)
from eventflow.errors import DefinitionError
from eventflow.model.jsonvalue import encode, read


@dataclass
class DictCell:
    """A place of state as the core has it: JSON text under a name, or nothing."""

    kept: dict[str, str] = field(default_factory=dict)

    def read(self, default: Any) -> Any:
        return read(self.kept["it"]) if "it" in self.kept else default

    def write(self, value: Any) -> None:
        self.kept["it"] = encode(value)

    def delete(self) -> None:
        self.kept.pop("it", None)


@pytest.mark.rule("S35")
def test_a_value_is_its_default_until_it_is_updated_and_after_it_is_cleared() -> None:
    cell = DictCell()
    state = ValueStateDescriptor("sum", default=0).open(cell)

    assert state.value() == 0
    state.update(5)
    assert state.value() == 5
    assert cell.kept == {"it": "5"}
    state.clear()
    assert state.value() == 0
    assert cell.kept == {}


def test_a_value_without_a_default_begins_as_none() -> None:
    assert ValueStateDescriptor("last").open(DictCell()).value() is None


def test_what_was_updated_to_none_is_none_and_not_the_default() -> None:
    state = ValueStateDescriptor("last", default=3).open(DictCell())

    state.update(None)

    assert state.value() is None


@pytest.mark.rule("S35")
def test_changing_a_value_that_was_read_changes_neither_the_state_nor_the_default() -> None:
    descriptor: ValueStateDescriptor[list[int]] = ValueStateDescriptor("seen", default=[])
    one, other = descriptor.open(DictCell()), descriptor.open(DictCell())

    one.value().append(1)
    assert one.value() == []
    seen = one.value()
    seen.append(2)
    one.update(seen)
    seen.append(3)

    assert one.value() == [2]
    assert other.value() == []
    assert descriptor.default == []


def test_a_counter_counts_from_nought_in_both_directions() -> None:
    state = CounterStateDescriptor("n").open(DictCell())

    assert [state.value(), state.add(), state.add(5), state.add(-2), state.value()] == [
        0,
        1,
        6,
        4,
        4,
    ]
    state.clear()
    assert state.value() == 0


def test_a_list_is_appended_to_and_replaced() -> None:
    state: Any = ListStateDescriptor("senders").open(DictCell())

    state.append("a")
    state.value().append("not kept")
    state.append({"b": 1})
    assert state.value() == ["a", {"b": 1}]
    state.update(["c"])
    assert state.value() == ["c"]
    state.clear()
    assert state.value() == []


def test_a_map_holds_keys() -> None:
    state: Any = MapStateDescriptor("by_sender").open(DictCell())

    state.put("a", 1)
    state.put("b", 2)
    state.put("a", 3)
    state.value()["c"] = "not kept"

    assert state.value() == {"a": 3, "b": 2}
    assert (state.get("a"), state.get("c"), state.get("c", 0)) == (3, None, 0)
    assert ("a" in state, "c" in state, list(state)) == (True, False, ["a", "b"])
    state.remove("a")
    state.remove("never there")
    assert state.value() == {"b": 2}
    state.clear()
    assert state.value() == {}


@given(st.lists(st.tuples(st.sampled_from(["put", "remove", "clear"]), st.sampled_from("abc"))))
def test_a_map_is_what_a_dict_would_be(steps: list[tuple[str, str]]) -> None:
    state: Any = MapStateDescriptor("m").open(DictCell())
    model: dict[str, int] = {}

    for number, (step, key) in enumerate(steps):
        match step:
            case "put":
                state.put(key, number)
                model[key] = number
            case "remove":
                state.remove(key)
                model.pop(key, None)
            case _:
                state.clear()
                model.clear()

        assert state.value() == model


@pytest.mark.parametrize(
    "kind",
    [ValueStateDescriptor, CounterStateDescriptor, ListStateDescriptor, MapStateDescriptor],
)
@pytest.mark.parametrize("name", ["", None, 5])
def test_a_state_needs_a_name(kind: type[StateDescriptor[Any]], name: Any) -> None:
    with pytest.raises(DefinitionError, match="a state needs a name"):
        kind(name)


@pytest.mark.rule("S35")
def test_a_state_is_private_unless_it_is_shared() -> None:
    assert CounterStateDescriptor("n").shared is False
    assert CounterStateDescriptor("n", shared=True).shared is True
