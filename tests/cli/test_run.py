"""`eventflow run`: to the end, and what it says about it."""

import json
import os
import signal

import pytest
from cli_shell import Shell

THREADS = ("--executor", "threads")


def test_a_success_ends_with_0_and_a_table_of_every_task_execution(shell: Shell) -> None:
    done = shell("run", "good.py", "--param", "day=2026-01-01")

    assert (done.returncode, done.stderr) == (0, "")
    assert "execution 1 of good: SUCCESS" in done.stdout
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["first", "1", "1", "SUCCESS"] in [row[:4] for row in rows]
    assert ["second", "1", "1", "SUCCESS"] in [row[:4] for row in rows]
    assert "first SUCCESS" in done.stdout
    assert "first | hello 2026-01-01" in done.stdout
    assert "eventflow execution show 1" in done.stdout


def test_a_failure_ends_with_1_and_shows_the_exception(shell: Shell) -> None:
    done = shell("run", "bad.py", *THREADS)

    assert done.returncode == 1
    assert "execution 1 of bad: FAILED" in done.stdout
    assert "ValueError: nothing is [bold]good[/bold] today" in done.stdout


def test_json_is_one_document_with_params_and_tasks(shell: Shell) -> None:
    done = shell(
        "run", "good.py", *THREADS, "--param", "day=monday", "--param", 'n={"a": [1]}', "--json"
    )

    assert done.returncode == 0
    told = json.loads(done.stdout)
    assert told["status"] == "SUCCESS"
    assert told["params"] == {"day": "monday", "n": {"a": [1]}}
    assert [(run["task_name"], run["status"]) for run in told["tasks"]] == [
        ("first", "SUCCESS"),
        ("second", "SUCCESS"),
    ]
    assert told["triggered"] == []


def test_what_it_triggers_in_the_same_file_is_waited_for(shell: Shell) -> None:
    done = shell("run", "two.py:one", *THREADS, "--json")

    told = json.loads(done.stdout)
    assert [one["workflow_name"] for one in told["triggered"]] == ["other"]
    assert [one["status"] for one in told["triggered"]] == ["SUCCESS"]


def test_quiet_prints_the_end_only(shell: Shell) -> None:
    done = shell("run", "good.py", *THREADS, "--quiet", "--store", "sqlite://")

    assert done.returncode == 0
    assert "execution 1 of good: SUCCESS" in done.stdout.splitlines()[-1]
    assert not (shell.folder / "eventflow.db").exists()


@pytest.mark.rule("S42")
def test_a_time_out_stops_it_and_it_has_said_what_it_waited_for(shell: Shell) -> None:
    (shell.folder / "waits.py").write_text(
        "from eventflow import BashOperator, TaskAction, Workflow\n"
        "with Workflow('waits') as waits:\n"
        "    late = BashOperator('late', bash_command='true')\n"
        "    late.action_on_event_received(TaskAction.START, 'never.comes')\n"
    )

    done = shell("run", "waits.py", *THREADS, "--timeout", "3")

    assert done.returncode == 1
    assert "waiting: late waits for event never.comes" in done.stdout
    assert "execution 1 of waits: STOPPED" in done.stdout
    assert "not done within 3 s" in done.stderr


@pytest.mark.rule("S29")
def test_ctrl_c_stops_the_execution_and_ends_when_it_has_ended(shell: Shell) -> None:
    journal = shell.fifo("journal")
    with shell.begin("run", "orders.py") as program:
        group = int(journal.line())
        program.signal(signal.SIGINT)
        code, out, errors = program.end()

    assert code == 1
    assert "execution 1 of orders: STOPPED" in out
    assert "Traceback" not in errors
    with pytest.raises(ProcessLookupError):
        os.kill(group, 0)
    assert shell.json("execution", "show", 1)["status"] == "STOPPED"


def test_a_second_ctrl_c_ends_at_once_with_130(shell: Shell) -> None:
    (shell.folder / "deaf.py").write_text(
        "from eventflow import BashOperator, Workflow\n"
        "with Workflow('deaf') as deaf:\n"
        "    BashOperator('a', bash_command='trap \"\" TERM; echo $$ > journal; '\n"
        "                 'while :; do sleep 1; done', stop_grace=60)\n"
    )
    journal = shell.fifo("journal")
    with shell.begin("run", "deaf.py") as program:
        process = int(journal.line())
        program.signal(signal.SIGINT)
        program.line("STOPPING")
        program.signal(signal.SIGINT)
        code, _, errors = program.end()

    assert (code, "Traceback" in errors) == (130, False)
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_while_serve_holds_the_store_the_same_workflow_runs_there(shell: Shell) -> None:
    with shell.begin("serve", "good.py", *THREADS) as serving:
        serving.line("ready")
        done = shell("run", "good.py")
        refused = shell("run", "bad.py")
        serving.signal(signal.SIGTERM)
        code, _, _ = serving.end()

    assert (done.returncode, done.stderr) == (0, "")
    assert "execution 1 of good: SUCCESS" in done.stdout
    assert refused.returncode == 2
    assert "eventflow serve" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert code == 0


def test_a_command_that_fails_shows_its_exit_code_and_its_last_output(shell: Shell) -> None:
    (shell.folder / "breaks.py").write_text(
        "from eventflow import BashOperator, Workflow\n"
        "with Workflow('breaks') as breaks:\n"
        "    BashOperator('a', bash_command='echo first; seq 9; echo no order >&2; exit 3')\n"
    )

    done = shell("run", "breaks.py", "--param", 'day={"a": [null]}')

    told = done.stdout[done.stdout.index("a #1 failed:") :]
    assert "CommandError: bash left with exit code 3" in told
    assert "its last output:" in told
    assert "  no order" in told
    assert "first" not in told
    assert "bash.py" not in done.stdout
    listed = shell.json("execution", "list", "--status", "failed", "--status", "Running")
    assert [one["id"] for one in listed] == [1]
    shown = shell("execution", "show", 1, "--store", "eventflow.db").stdout
    assert 'params     {"day": {"a": [null]}}' in shown
    assert "its last output:" in shown
