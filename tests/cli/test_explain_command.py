"""`execution explain` and `event failed`: why it ran, what it waits for, what failed (S42, S13)."""

import pytest
from cli_shell import Shell

PICKY = """
from eventflow import AllOf, Condition, EventCondition, PythonOperator, TaskAction, Workflow
from eventflow import current_context

class BigEnough(Condition):
    def is_met(self, event, context):
        return event.value["amount"] > 100

def ask():
    current_context().emit("paid", {})

with Workflow("picky", timeout=1) as picky:
    PythonOperator("asks", python_callable=ask)
    bill = PythonOperator("bill", python_callable=ask)
    bill.action_on_condition(TaskAction.START, BigEnough(["paid"]))
    ship = PythonOperator("ship", python_callable=print)
    ship.action_on_condition(TaskAction.START, EventCondition("paid") & EventCondition("truck"))
    note = PythonOperator("note", python_callable=print)
    note.action_on_event_received(TaskAction.START, "paid")
"""


@pytest.fixture
def picky(shell: Shell) -> Shell:
    """A store in which a condition has failed and another is half met."""
    (shell.folder / "picky.py").write_text(PICKY)
    shell("run", "picky.py", "--executor", "threads")
    # To look imports no user's code.
    (shell.folder / "picky.py").write_text("raise RuntimeError('not to be imported')\n")
    return shell


@pytest.mark.rule("S42")
def test_explain_reads_as_text_and_as_json(picky: Shell) -> None:
    told = picky("execution", "explain", "1").stdout
    (link, asks, execution) = picky.json("execution", "explain", "1", "note")["chain"]
    (ship,) = picky.json("execution", "explain", "1", "ship")["rules"]

    assert "bill has not started" in told
    assert "KeyError: 'amount'" in told
    assert "It remembers that this has come: event paid." in told
    assert (link["how"], link["event"]["key"], link["event"]["sender"]) == (
        "rule",
        "paid",
        "1_asks_1",
    )
    assert (asks["task"], asks["how"], execution["how"]) == ("asks", "autostart", "command")
    assert (ship["missing"], ship["came"]) == (["event truck"], ["event paid"])
    assert picky("execution", "explain", "1", "note", "--sequence", "1").returncode == 0
    for wrong in (("9",), ("1", "bil"), ("1", "--sequence", "1"), ("1", "note", "--sequence", "2")):
        done = picky("execution", "explain", *wrong)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


@pytest.mark.rule("S13")
def test_failed_conditions_are_listed_with_their_tracebacks(picky: Shell) -> None:
    (verdict,) = picky.json("event", "failed")
    told = picky("event", "failed").stdout

    assert (verdict["event_key"], verdict["task"], verdict["rule"]) == ("paid", "bill", 0)
    assert "KeyError: 'amount'" in verdict["error"]
    assert "failed in rule 0 of task bill in execution 1 of picky" in told
    assert "Traceback" in told


@pytest.mark.rule("S42")
def test_a_workflow_says_what_would_start_it(shell: Shell) -> None:
    shell("run", "two.py:other", "--executor", "threads")

    (rule,) = shell.json("workflow", "explain", "other")["rules"]

    assert (rule["condition"], rule["last"]) == ("event eventflow.workflow.one.success", None)
    assert (
        "No event that it listens to has come yet." in shell("workflow", "explain", "other").stdout
    )
    assert shell("workflow", "explain", "nobody").returncode == 2
