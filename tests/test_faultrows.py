"""docs/faults.md says which tests show which fault, and every fault of the list has one."""

from faultrows import PAGE, ROWS, page
from marks import proofs


def test_the_page_of_faults_is_what_the_tests_say() -> None:
    assert PAGE.read_text() == page(), "docs/faults.md is stale: run `make rules` and commit it"


def test_every_fault_has_a_test() -> None:
    shown = {row for proof in proofs("fault") for row in proof.named}

    assert set(ROWS) - shown == set()


def test_a_test_that_shows_a_fault_is_named_after_it() -> None:
    wrong = [
        (proof.path, proof.test, proof.named)
        for proof in proofs("fault")
        if not set(proof.named) <= set(ROWS)
        or not proof.test.startswith(f"test_{proof.named[0].lower()}_")
    ]

    assert wrong == []
