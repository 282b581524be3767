"""A circle of rules on the command line: it ends, is listed, and is followed once more (S45)."""

import time
from typing import Any

import pytest
from cli_shell import Shell

pytestmark = [pytest.mark.rule("S45", "S13"), pytest.mark.fault("F41")]
PATIENCE_S = 60
CIRCLE = """
from eventflow import BashOperator, Workflow

with Workflow("again", max_hops=2) as again:
    BashOperator("work", bash_command="true")
again.trigger_on_event("eventflow.workflow.again.success")
again.trigger_on_event("go")
"""


def refused(shell: Shell, count: int) -> list[dict[str, Any]]:
    """What is listed, once there are so many."""
    begun = time.monotonic()
    while len(found := shell.json("event", "failed")) < count:
        assert time.monotonic() - begun < PATIENCE_S, found
    return list(found)


def test_f41_what_was_not_followed_is_listed_and_followed_on_request(shell: Shell) -> None:
    (shell.folder / "again.py").write_text(CIRCLE)
    with shell.begin("serve", "again.py") as serve:
        serve.line("ready")
        assert shell("emit", "go").returncode == 0
        (one,) = refused(shell, 1)
        assert one["event_key"] == "eventflow.workflow.again.success"
        listed = shell("event", "failed").stdout
        assert "was not followed in a workflow rule" in listed
        assert "HopLimitError: workflow 'again'" in listed
        assert "max_hops=None" in listed
        assert len(shell.json("execution", "list")) == 2

        asked = shell("event", "rejudge", one["event_offset"])

        assert asked.returncode == 0, asked.stderr
        assert [one["open"] for one in refused(shell, 2)] == [False, True]
        assert len(shell.json("execution", "list")) == 4
