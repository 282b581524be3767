"""`eventflow serve`, and what other processes do beside it."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_shell import Program, Shell


@pytest.fixture
def serving(shell: Shell) -> Iterator[Program]:
    with shell.begin("serve", "orders.py") as program:
        program.line("ready store=")
        yield program


@pytest.mark.rule("S12")
def test_an_event_of_another_process_starts_an_execution_whose_task_runs(
    shell: Shell, serving: Program
) -> None:
    journal = shell.fifo("journal")
    emitted = shell.json("emit", "orders.paid", '{"n": 1}')
    process = int(journal.line())

    (execution,) = shell.json("execution", "list", "--status", "RUNNING")
    assert execution["execution_type"] == "EVENT"
    assert execution["trigger_event"]["offset"] == emitted["offset"]
    shown = shell("execution", "show", execution["id"])
    assert "first #1 is RUNNING since" in shown.stdout

    serving.signal(signal.SIGTERM)
    os.kill(process, signal.SIGKILL)
    code, _, errors = serving.end()
    assert code == 0
    assert "task.running" in errors


@pytest.mark.rule("S28")
@pytest.mark.fault("F08")
def test_f08_sigterm_ends_it_with_0_and_no_child_is_left(shell: Shell) -> None:
    with shell.begin("serve", "orders.py", "--grace", "0") as program:
        program.line("ready")
        journal = shell.fifo("journal")
        shell("emit", "orders.paid")
        process = int(journal.line())
        program.signal(signal.SIGTERM)
        code, _, errors = program.end()

    assert (code, "Traceback" in errors) == (0, False)
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    assert _of_session(program.process.pid) == []


DRAINED = """
from eventflow import BashOperator, Workflow

with Workflow("drained") as drained:
    BashOperator("soon", bash_command="echo $$ > soon; until [ -e go ]; do sleep 0.05; done")
    BashOperator("never", bash_command="trap '' TERM; echo $$ > never; sleep 300", max_lost=0)
"""


@pytest.mark.rule("S28")
@pytest.mark.fault("F08")
def test_f08_sigterm_lets_tasks_finish_and_what_does_not_is_lost_and_runs_again(
    shell: Shell,
) -> None:
    (shell.folder / "drained.py").write_text(DRAINED)
    with shell.begin("serve", "drained.py", "--grace", "1.5") as program:
        program.line("ready")
        soon, never = shell.fifo("soon"), shell.fifo("never")
        started = shell.json("execution", "start", "drained")
        process = (soon.line(), int(never.line()))[1]
        begun = time.monotonic()
        program.signal(signal.SIGTERM)
        (shell.folder / "go").touch()
        code, _, errors = program.end()
        took_s = time.monotonic() - begun

    assert (code, "Traceback" in errors) == (0, False)
    assert took_s < 1.5 + 2
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    assert statuses(shell, started["execution"]) == {
        "soon": "SUCCESS",
        "never": "RUNNING",
    }

    (shell.folder / "never").unlink()
    never = shell.fifo("never")
    with shell.begin("serve", "drained.py", "--grace", "0") as program:
        program.line("ready")
        never.line()
        (execution,) = shell.json("execution", "list")
        program.signal(signal.SIGTERM)
        assert program.end()[0] == 0
    assert execution["status"] == "RUNNING"


def statuses(shell: Shell, execution: int) -> dict[str, str]:
    shown = shell.json("execution", "show", execution)
    return {run["task_name"]: run["status"] for run in shown["tasks"]}


def test_tail_prints_what_another_process_emits_and_ctrl_c_ends_it(
    shell: Shell, serving: Program
) -> None:
    shell("emit", "before")
    with shell.begin("event", "tail", "--key", "news.*", "--after", "0", "--json") as tail:
        shell("emit", "other.key")
        shell("emit", "news.sport", '["goal"]')
        event = json.loads(tail.line("news"))
        tail.signal(signal.SIGINT)
        code, _, errors = tail.end()

    assert (event["key"], event["value"]) == ("news.sport", ["goal"])
    assert (code, errors) == (0, "")


def test_commands_reach_the_running_scheduler(shell: Shell, serving: Program) -> None:
    journal = shell.fifo("journal")
    started = shell.json("execution", "start", "orders")
    journal.line()

    assert "ignored: alive" in shell("task", "start", started["execution"], "first").stdout
    assert shell.json("workflow", "pause", "orders")["did"] == "paused"
    (workflow,) = shell.json("workflow", "list")
    assert workflow["paused"] is True
    with shell.begin("execution", "logs", started["execution"], "-f") as following:
        assert following.line("told") == "told"
        assert shell.json("execution", "stop", started["execution"])["did"] == "stopped"
        code, _, _ = following.end()
    assert code == 0
    (ended,) = shell.json("execution", "list", "--workflow", "orders")
    assert ended["status"] == "STOPPED"
    refused = shell("execution", "stop", started["execution"])
    assert (refused.returncode, "has ended" in refused.stderr) == (2, True)


@pytest.mark.rule("S10")
@pytest.mark.fault("F45")
def test_f45_a_second_scheduler_is_refused_with_the_name_of_the_first(
    shell: Shell, serving: Program
) -> None:
    refused = shell("serve", "good.py")

    assert refused.returncode == 2
    assert f"pid {serving.process.pid}" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_of_a_folder_it_takes_the_files_that_define_workflows(shell: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "flows"
    folder.mkdir()
    for name in ("good.py", "two.py", "plain.py"):
        (tmp_path / name).rename(folder / name)
    with shell.begin("serve", "flows", "--executor", "threads", "--json") as program:
        ready = json.loads(program.line("ready"))
        program.signal(signal.SIGINT)
        code, _, errors = program.end()

    assert (code, ready["registered"]) == (0, ["good", "one", "other"])
    assert "plain.py is skipped" in errors


def test_without_a_scheduler_a_start_waits_and_says_so(shell: Shell) -> None:
    shell("run", "good.py", "--executor", "threads")
    asked = shell("execution", "start", "good", "--param", "day=1")
    assert (asked.returncode, "no scheduler runs on this store" in asked.stdout) == (0, True)

    with (
        shell.begin("execution", "start", "good", "--wait") as waiting,
        shell.begin("serve", "--executor", "threads") as program,
    ):
        program.line("ready")
        code, out, _ = waiting.end()
        program.signal(signal.SIGTERM)
        assert program.end()[0] == 0
    assert (code, "execution 3 of good: SUCCESS" in out) == (0, True)


def _of_session(leader: int) -> list[int]:
    """The processes of a session that are there."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.getsid(int(entry.name)) == leader:
                    found.append(int(entry.name))
            except ProcessLookupError:
                continue
    return found


TICKS = """
from eventflow import BashOperator, Every, Workflow
with Workflow("ticks", schedule=Every(seconds=1)) as ticks:
    BashOperator("a", bash_command="true", autostart=False)
"""


@pytest.mark.fault("F14")
@pytest.mark.spoils
@pytest.mark.parametrize("replaced", [False, True])
def test_f14_a_store_that_is_deleted_or_replaced_ends_it_with_the_reason(
    shell: Shell, replaced: bool
) -> None:
    (shell.folder / "ticks.py").write_text(TICKS)
    store = shell.folder / "eventflow.db"
    with shell.begin("serve", "ticks.py", "--grace", "0") as program:
        program.line("ready")
        if replaced:
            store.rename(shell.folder / "moved.db")
            store.write_bytes((shell.folder / "moved.db").read_bytes())
        else:
            store.unlink()
        code, _, errors = program.end()

    assert code == 1
    became = "was replaced by another file" if replaced else "was deleted"
    assert f"eventflow.db' {became} while it was open" in errors
    assert "Traceback" not in errors
