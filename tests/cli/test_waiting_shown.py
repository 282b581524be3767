"""`execution show` and `list` say what is being waited for, and who decides (S42)."""

import pytest
from cli_shell import Shell

from eventflow.runtime.standing import NOBODY_RUNS

pytestmark = pytest.mark.rule("S42")
WAITS = """
from eventflow import BashOperator, TaskAction, Workflow
with Workflow('waits') as waits:
    late = BashOperator('late', bash_command='true')
    late.action_on_event_received(TaskAction.START, 'never.comes')
"""


@pytest.fixture
def waits(shell: Shell) -> Shell:
    """A folder with a workflow of which one execution waits, and no scheduler."""
    (shell.folder / "waits.py").write_text(WAITS)
    with shell.begin("serve", "waits.py") as serve:
        serve.line("ready")
        assert shell.json("execution", "start", "waits")["execution"] == 1
        held = shell.json("execution", "show", 1)
        assert held["scheduler"]["program"] == "eventflow serve"
        assert held["scheduler"]["pid"] == serve.process.pid
        assert held["waiting"] == ["late waits for event never.comes"]
        assert NOBODY_RUNS not in shell("execution", "list").stdout
    return shell


def test_without_a_scheduler_that_is_said(waits: Shell) -> None:
    told = waits.json("execution", "show", 1)

    assert told["scheduler"] is None
    assert told["waiting"] == [NOBODY_RUNS, "late waits for event never.comes"]
    assert NOBODY_RUNS in waits("execution", "show", 1).stdout
    assert NOBODY_RUNS in waits("execution", "list").stdout
    assert [one["status"] for one in waits.json("execution", "list")] == ["RUNNING"]


def test_what_has_ended_needs_no_scheduler(shell: Shell) -> None:
    shell("run", "good.py", "--executor", "threads")

    assert NOBODY_RUNS not in shell("execution", "list").stdout
    assert shell.json("execution", "show", 1)["waiting"] == []


def test_what_run_keeps_back_says_who_would_run_it(waits: Shell) -> None:
    waits("emit", "never.comes")
    with waits.begin("run", "orders.py") as run:
        run.line("told")
        (line,) = waits.json("execution", "show", 1)["waiting"]

    assert line == (
        "late #1 is QUEUED: 'eventflow run orders.py' runs its own workflow only; 'eventflow "
        "serve' runs this one"
    )
