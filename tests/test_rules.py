"""docs/rules.md says which tests prove which rule, and every rule that is built has one."""

from marks import proofs
from rules import NOT_BUILT, PAGE, first_sentences, page


def test_the_page_of_rules_is_what_the_tests_say() -> None:
    assert PAGE.read_text() == page(), "docs/rules.md is stale: run `make rules` and commit it"


def test_every_rule_has_a_test_but_those_that_are_not_built() -> None:
    proved = {rule for proof in proofs("rule") for rule in proof.named}

    assert set(first_sentences()) - proved == set(NOT_BUILT)


def test_no_test_names_a_rule_that_is_not_there() -> None:
    known = first_sentences()

    assert list(known) == [f"S{number}" for number in range(1, len(known) + 1)]
    assert [proof for proof in proofs("rule") if not set(proof.named) <= set(known)] == []
