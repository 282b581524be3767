"""Tables on narrow terminals: what people look for stays whole."""

from datetime import UTC, datetime
from io import StringIO

import pytest
from rich.console import Console

from eventflow.cli.screens import table

COLUMNS = ("id", "workflow", "namespace", "type", "status", "began", "duration", "for", "note")
BEGAN = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
NOTE = "failed: deploy_the_newest_model, validate_the_newest_model"
ROWS = [
    (1234567, "retrain_and_deploy", "default", "EVENT", "RUNNING", BEGAN, "3 min 05 s", "a.b", ""),
    (7654321, "retrain", "ml", "MANUAL", "FAILED", BEGAN, "0.12 s", "", NOTE),
]


def shown(width: int) -> str:
    screen = Console(width=width, file=StringIO(), soft_wrap=True)
    screen.print(table(COLUMNS, ROWS, width))
    assert isinstance(screen.file, StringIO)
    return screen.file.getvalue()


@pytest.mark.parametrize("width", [80, 60])
def test_ids_names_and_statuses_stay_whole_and_lines_fit(width: int) -> None:
    text = shown(width)

    for whole in ("1234567", "retrain_and_deploy", "RUNNING", "7654321", "FAILED"):
        assert whole in text
    assert all(len(line.rstrip()) <= width for line in text.splitlines())
    assert "namespace" not in text
    assert "note" in text


def test_a_wide_terminal_shows_every_column_on_one_line() -> None:
    header, *lines = shown(240).splitlines()

    assert header.split() == list(COLUMNS)
    assert len(lines) == 2
    assert NOTE in lines[1]


def test_the_first_column_is_never_left_out() -> None:
    screen = Console(width=12, file=StringIO(), soft_wrap=True)
    screen.print(table(("sender", "events"), [("till-number-7", 3)], 12))

    assert isinstance(screen.file, StringIO)
    assert "till" in screen.file.getvalue()
