"""Conditions that failed, as the command line lists them and asks them again (S13)."""

import pytest
from cli_shell import Shell

from eventflow.cli.opened import NO_SCHEDULER

pytestmark = pytest.mark.rule("S13")
LIMITED = """
from pathlib import Path
from eventflow import BashOperator, Condition, Workflow

class OverTheLimit(Condition):
    def is_met(self, event, context):
        return event.value["amount"] > int(Path("limit").read_text())

with Workflow("orders") as orders:
    BashOperator("ships", bash_command="true")
orders.trigger_on_condition(OverTheLimit(["orders.*"]))
"""


@pytest.mark.fault("F39")
def test_f39_what_failed_is_listed_mended_and_asked_again(shell: Shell) -> None:
    (shell.folder / "limited.py").write_text(LIMITED)
    with shell.begin("serve", "limited.py") as serve:
        serve.line("ready")
        offset = shell.json("emit", "orders.paid", '{"amount": 7}')["offset"]
        failed_again = shell("event", "rejudge", offset)
        assert failed_again.returncode == 1
        assert f"event orders.paid (offset {offset}), a workflow rule of orders: failed again" in (
            failed_again.stdout
        )
        (still_open,) = shell.json("event", "failed", "--open")
        assert (still_open["event_offset"], still_open["open"]) == (offset, True)
        assert "once the cause is mended" in shell("event", "failed").stdout

        (shell.folder / "limit").write_text("5")
        (record,) = shell.json("event", "rejudge", "--workflow", "orders", "--since", offset)

        assert (record["did"], record["workflow_execution_id"]) == ("started", 1)
        assert (record["event_offset"], record["event_key"]) == (offset, "orders.paid")
        answered = shell("event", "rejudge", offset)
        assert answered.returncode == 2
        assert "asked again (offset" in answered.stderr
        assert answered.stderr.rstrip().endswith("met")
    assert shell.json("event", "failed", "--open") == []
    first, second = shell.json("event", "failed")
    assert [one["did"] for one in first["again"]] == ["failed again", "met"]
    assert [one["did"] for one in second["again"]] == ["met"]
    explained = shell("execution", "explain", "1").stdout
    assert "judged again, by command (offset" in explained
    assert 'event orders.paid {"amount": 7}' in explained


def test_asked_without_a_scheduler_it_waits_for_one(shell: Shell) -> None:
    (shell.folder / "limited.py").write_text(LIMITED)
    with shell.begin("serve", "limited.py") as serve:
        serve.line("ready")
        offset = shell.json("emit", "orders.paid", '{"amount": 7}')["offset"]
        assert shell("event", "rejudge", offset).returncode == 1
    (shell.folder / "limit").write_text("5")

    first = shell.json("event", "rejudge", offset)
    second = shell.json("event", "rejudge", offset)

    assert (first["did"], first["offsets"]) == (NO_SCHEDULER, second["offsets"])
    nothing_named = shell("event", "rejudge")
    assert (nothing_named.returncode, "say which" in nothing_named.stderr) == (2, True)
