"""Names that were probably meant."""

import pytest

from eventflow.model.settings import OperatorConfigItem
from eventflow.model.suggest import nearest

SETTINGS = [item.value for item in OperatorConfigItem]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("retry", "retries"),
        ("retrys", "retries"),
        ("timeouts", "timeout"),
        ("Timeout", "timeout"),
        ("retry-delay", "retry_delay"),
        ("retry_onn", "retry_on"),
    ],
)
def test_singular_plural_and_spelling_lead_to_the_setting_that_is_meant(
    name: str, meant: str
) -> None:
    assert nearest(name, SETTINGS) == f"; did you mean {meant!r}?"


def test_of_what_is_like_nothing_nothing_is_said() -> None:
    assert nearest("zzz", SETTINGS) == ""
    assert nearest("train", []) == ""
