"""What is a key, a pattern, a name; which pattern fits which key (S4-S6)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventflow.errors import DefinitionError, EventError, ReservedKeyError
from eventflow.model.keys import (
    check_key,
    check_name,
    check_pattern,
    check_user_key,
    matches,
    task_key,
    workflow_key,
)
from eventflow.model.status import TaskStatus

TOKENS = st.sampled_from(["a", "b", "eventflow"])
KEYS = st.lists(TOKENS, min_size=1, max_size=4).map(".".join)
HEADS = st.lists(TOKENS | st.just("*"), min_size=1, max_size=3).map(".".join)
PATTERNS = HEADS | HEADS.map(lambda head: head + ".**") | st.just("**")
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
NAMES = st.text(LETTERS, min_size=1, max_size=128)

BAD_KEYS = [
    ("", "empty"),
    (".", "empty token"),
    ("orders..paid", "empty token"),
    (".paid", "empty token"),
    ("orders.", "empty token"),
    ("orders paid", "bad token 'orders paid'"),
    ("orders.päid", "bad token 'päid'"),
    ("orders.paid\n", "bad token"),
    ("orders/paid", "bad token"),
    ("orders.*", "bad token '*'"),
    ("orders.٣", "bad token"),
    ("a" * 513, "513 characters"),
]


def fits(pattern: list[str], key: list[str]) -> bool:
    """The oracle: token by token, by recursion, without a look at prefixes."""
    if not pattern or not key:
        return pattern == key
    first, *rest = pattern
    if first == "**":
        return True
    return first in ("*", key[0]) and fits(rest, key[1:])


@pytest.mark.rule("S5")
@given(PATTERNS, KEYS)
def test_a_pattern_fits_what_reading_it_token_by_token_says(pattern: str, key: str) -> None:
    reserved = key.startswith("eventflow.") and not pattern.startswith("eventflow.")

    assert matches(pattern, key) is (fits(pattern.split("."), key.split(".")) and not reserved)


@given(KEYS)
def test_every_key_is_a_pattern_that_fits_itself(key: str) -> None:
    check_key(key)
    check_pattern(key)

    assert matches(key, key)


@pytest.mark.rule("S5")
@pytest.mark.parametrize(
    ("pattern", "key", "fit"),
    [
        ("orders.*", "orders.paid", True),
        ("orders.*", "orders", False),
        ("orders.*", "orders.paid.late", False),
        ("orders.**", "orders.paid.late", True),
        ("orders.**", "orders", False),
        ("*.paid", "orders.paid", True),
        ("**", "anything", True),
        ("**", "eventflow.task.w.a.success", False),
        ("*.task.**", "eventflow.task.w.a.success", False),
        ("eventflow.**", "eventflow.task.w.a.success", True),
        ("eventflow.*.w.a.*", "eventflow.task.w.a.success", True),
        ("eventflow.task.*.*.success", "eventflow.task.w.a.success", True),
        ("**", "eventflow", True),
    ],
)
def test_which_pattern_fits_which_key(pattern: str, key: str, fit: bool) -> None:
    check_pattern(pattern)

    assert matches(pattern, key) is fit


@pytest.mark.rule("S1", "S6")
@pytest.mark.parametrize(("key", "why"), BAD_KEYS)
def test_a_bad_key_is_refused_with_the_reason(key: str, why: str) -> None:
    with pytest.raises(EventError, match="event key") as refusal:
        check_key(key)

    assert why in str(refusal.value)


@pytest.mark.parametrize("key", [None, 5, b"orders", ["orders"]])
def test_a_key_that_is_no_text_is_refused(key: object) -> None:
    with pytest.raises(EventError, match="must be text"):
        check_key(key)  # type: ignore[arg-type]  the fault is the point


@pytest.mark.rule("S4")
@pytest.mark.parametrize("key", ["eventflow.task.w.a.success", "eventflow.x"])
def test_a_key_of_the_schedulers_own_may_be_listened_to_and_not_emitted(key: str) -> None:
    check_pattern(key)
    with pytest.raises(ReservedKeyError, match="the scheduler's own"):
        check_user_key(key)


@pytest.mark.parametrize("key", ["eventflow", "eventflows.x", "my.eventflow.x", "a" * 512])
def test_a_key_that_only_looks_like_it_is_anyones(key: str) -> None:
    check_user_key(key)


@pytest.mark.rule("S5")
@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("**.paid", "only be its last token"),
        ("a.**.b", "only be its last token"),
        ("orders.pa*", "bad token 'pa*'"),
        ("orders..*", "empty token"),
        ("", "empty"),
        ("*" * 513, "513 characters"),
        (5, "must be text"),
    ],
)
def test_a_bad_pattern_is_refused_with_the_reason(pattern: str, why: str) -> None:
    with pytest.raises(DefinitionError) as refusal:
        check_pattern(pattern)

    assert why in str(refusal.value)


@pytest.mark.rule("S6")
@pytest.mark.parametrize("name", ["", "a.b", "a b", "ä", "a\n", "*", None, 5, "a" * 129])
def test_a_name_is_one_token(name: str) -> None:
    with pytest.raises(DefinitionError, match="task name"):
        check_name("task", name)


@given(NAMES, NAMES, st.sampled_from(TaskStatus))
def test_names_make_well_formed_keys_however_long_they_are(
    workflow: str, task: str, status: TaskStatus
) -> None:
    check_name("workflow", workflow)
    check_name("task", task)

    check_key(task_key(workflow, task, status))
    check_key(workflow_key(workflow, status))
    assert task_key(workflow, task, status).split(".")[2:] == [workflow, task, status.lower()]
