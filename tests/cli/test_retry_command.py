"""`eventflow execution retry`: what it runs again, and with which code (S31, S41)."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from cli_shell import Program, Shell

pytestmark = pytest.mark.rule("S31", "S41")

FLAKY = """
from pathlib import Path
from eventflow import PythonOperator, Workflow

def load():
    return 3

def train(rows):
    if not Path("mended").exists():
        raise ValueError("no disk")
    print("trained by the {code} code on", rows)

with Workflow("flaky") as flaky:
    loaded = PythonOperator("load", python_callable=load)
    PythonOperator("train", python_callable=train, op_args=[loaded.output])
"""


@pytest.fixture
def serving(shell: Shell) -> Iterator[Program]:
    """An execution has failed, then its file was changed, and is served."""
    (shell.folder / "flaky.py").write_text(FLAKY.format(code="old"))
    assert shell("run", "flaky.py").returncode == 1
    (shell.folder / "flaky.py").write_text(FLAKY.format(code="new"))
    with shell.begin("serve", "flaky.py") as program:
        program.line("ready store=")
        yield program
        program.signal(signal.SIGTERM)


def test_a_retry_runs_the_old_code_and_says_so(shell: Shell, serving: Program) -> None:
    (shell.folder / "mended").touch()

    done = shell("execution", "retry", 1, "--wait")

    assert (done.returncode, "execution 2 of flaky: SUCCESS" in done.stdout) == (0, True)
    assert "a retry runs the code of execution 1" in done.stderr
    assert "flaky has changed since" in done.stderr
    assert "To run the newest: eventflow execution start flaky" in done.stderr
    assert shell("execution", "logs", 2).stdout.count("trained by the old code on 3") == 1
    shown = shell("execution", "show", 2).stdout
    assert "retry of   execution 1" in shown
    assert "taken over from execution 1" in shown
    newest, oldest = shell.json("execution", "list")
    assert (newest["retry_of"], oldest["retry_of"]) == (1, None)
    logs = shell("execution", "logs", 2, "load")
    assert (logs.stdout, logs.stderr) == (
        "",
        "eventflow: load #1 was taken over; its log is in execution 1\n",
    )
    load, train = shell.json("execution", "show", 2)["tasks"]
    assert (load["log_path"], bool(train["log_path"])) == ("", True)
    told = shell("execution", "explain", 2, "train").stdout
    assert "train #1 started again at" in told
    assert "as in execution 1" in told
    started = shell.json("execution", "start", "flaky", "--wait")
    assert shell("execution", "logs", started["id"]).stdout.count("by the new code") == 1


def test_a_retry_whose_work_fails_again_is_1_and_a_refused_one_2(
    shell: Shell, serving: Program
) -> None:
    failed = shell("execution", "retry", 1, "--wait", "--json")
    assert (failed.returncode, failed.stderr) == (1, "")
    (shell.folder / "mended").touch()
    asked = shell.json("execution", "retry", 1)
    assert (asked["workflow"], asked["execution"], asked["retry_of"]) == ("flaky", 3, 1)
    plain = shell("execution", "retry", 1)
    assert "execution 4 of flaky, the retry of execution 1, is started" in plain.stdout
    for number in (3, 4):
        followed = shell("execution", "logs", number, "-f")
        assert "old code" in followed.stdout

    unknown = shell("execution", "retry", 99)
    nothing = shell("execution", "retry", 3)

    assert (unknown.returncode, "no workflow execution 99" in unknown.stderr) == (2, True)
    assert (nothing.returncode, "nothing to run again" in nothing.stderr) == (2, True)
    assert len(nothing.stderr.splitlines()) == 1


def test_without_a_scheduler_a_retry_waits_and_says_so(shell: Shell) -> None:
    (shell.folder / "flaky.py").write_text(FLAKY.format(code="old"))
    shell("run", "flaky.py")

    asked = shell("execution", "retry", 1)

    assert (asked.returncode, "retry of execution 1 of flaky is asked for" in asked.stdout) == (
        0,
        True,
    )
    assert asked.stderr == ""  # nothing has changed since
    (shell.folder / "mended").touch()
    with shell.begin("serve") as program:
        program.line("ready store=")
        assert "old code" in shell("execution", "logs", 2, "-f").stdout
        program.signal(signal.SIGTERM)
        assert program.end()[0] == 0


def test_a_retry_of_what_a_program_defines_is_the_programs(shell: Shell) -> None:
    program = """
from eventflow import PythonOperator, Scheduler, Workflow

with Workflow("own") as own:
    PythonOperator("bad", [].pop)
with Scheduler("sqlite:///eventflow.db") as scheduler:
    scheduler.register(own)
    scheduler.run(own).wait(30)
"""
    subprocess.run([sys.executable, "-c", program], cwd=shell.folder, check=True)

    refused = shell("execution", "retry", 1)

    assert refused.returncode == 2
    assert "'own' of execution 1 is defined in a program" in refused.stderr
    assert "scheduler.retry(1)" in refused.stderr
    assert not [event for event in shell.json("event", "list", "--all") if "retry" in event["key"]]
