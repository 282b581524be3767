"""Commands that are printed to be copied work on the store that `--store` has named (S41)."""

import pytest
from cli_shell import Shell

from eventflow.cli.hints import command, on_store
from eventflow.runtime.standing import NOBODY_RUNS

pytestmark = pytest.mark.rule("S41")
PARENT = """
from eventflow import BashOperator, Workflow, WorkflowOperator
with Workflow("child") as child:
    BashOperator("fails", bash_command="false")
with Workflow("parent") as parent:
    WorkflowOperator("load", child)
"""
URL = "sqlite:///else where.db"
OPTION = f"--store '{URL}'"


def test_a_command_names_the_store_of_the_option_only() -> None:
    assert command("execution logs 1", None) == "eventflow execution logs 1"
    assert command("execution logs 1", URL) == f"eventflow execution logs 1 {OPTION}"


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        (NOBODY_RUNS, f"'eventflow serve {OPTION}' goes on with it"),
        ("set it: eventflow pool set gpu 2", f"eventflow pool set gpu 2 {OPTION}"),
        ("(eventflow pool set gpu 2 --namespace a.b)", f"gpu 2 --namespace a.b {OPTION})"),
        ("'eventflow run a.py' runs its own", "'eventflow run a.py' runs its own"),
    ],
)
def test_a_sentence_with_a_command_in_it_does_too(sentence: str, told: str) -> None:
    assert on_store(sentence, URL).endswith(told)
    assert on_store(sentence, None) == sentence


def test_what_run_and_a_retry_say_to_do_next_finds_the_store(shell: Shell) -> None:
    (shell.folder / "parent.py").write_text(PARENT)

    ran = shell("run", "parent.py:parent", "--store", URL, "--executor", "threads")

    assert f"look further: eventflow execution show 1 --history {OPTION}, " in ran.stdout
    assert f"eventflow execution logs 1 {OPTION}\n" in ran.stdout
    assert shell("execution", "list", "--store", URL).returncode == 0
    mended = shell("execution", "retry", 2, "--store", URL)
    assert mended.stderr == (
        "eventflow: execution 2 belongs to task load of execution 1; to mend that: "
        f"eventflow execution retry 1 {OPTION}\n"
    )
    assert f"as 'eventflow serve {OPTION}'" in mended.stdout
