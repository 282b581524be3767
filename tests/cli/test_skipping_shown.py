"""What the command line says of a task that skipped itself."""

import pytest
from cli_shell import Shell

FLOW = """
from eventflow import PythonOperator, TaskAction, TaskSkipped, TaskStatus, Workflow

def look():
    print("looked")
    raise TaskSkipped("no orders today")

def close():
    with open("closed") as file:
        return file.read()

with Workflow("orders_of_day") as orders:
    looks = PythonOperator("looks", look, retries=3)
    packs = PythonOperator("packs", dict)
    closes = PythonOperator("closes", close)
    looks >> packs
    ends = {TaskStatus.SUCCESS, TaskStatus.SKIPPED}
    closes.action_on_task_status(TaskAction.START, {looks: ends})
"""
REASON = "no orders today"


@pytest.mark.rule("S27", "S30", "S42")
@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_a_skip_is_shown_with_its_reason_and_leaves_a_success(shell: Shell, executor: str) -> None:
    (shell.folder / "skips.py").write_text(FLOW.replace('open("closed")', "open(__file__)"))

    done = shell("run", "skips.py", "--executor", executor)

    assert (done.returncode, done.stderr) == (0, "")
    assert "execution 1 of orders_of_day: SUCCESS" in done.stdout
    moved = next(line for line in done.stdout.splitlines() if "looks #1  SKIPPED" in line)
    assert moved.endswith(f"({REASON})")
    (row,) = [line for line in done.stdout.splitlines() if line.split()[:2] == ["looks", "1"]]
    assert row.split()[2:4] == ["1", "SKIPPED"]
    assert row.rstrip().endswith(REASON)
    assert "Traceback" not in done.stdout

    shown = shell("execution", "show", 1, "--history").stdout
    assert shown.count(REASON) == 2  # among the tasks, and in the history
    assert "failed:" not in shown
    (looks, closes) = shell.json("execution", "show", 1, "--history")["tasks"]
    assert (looks["status"], looks["reason"], looks["failures"]) == ("SKIPPED", REASON, [])
    assert [change["status"] for change in looks["history"]][-2:] == ["RUNNING", "SKIPPED"]
    assert (closes["task_name"], closes["status"]) == ("closes", "SUCCESS")
    assert f"is SKIPPED ({REASON})" in shell("execution", "explain", 1, "looks").stdout


@pytest.mark.rule("S31")
def test_after_a_retry_the_log_of_a_skipped_task_is_where_it_looked(shell: Shell) -> None:
    (shell.folder / "skips.py").write_text(FLOW)
    assert shell("run", "skips.py").returncode == 1
    (shell.folder / "closed").write_text("yes")

    with shell.begin("serve", "skips.py") as serving:
        serving.line("ready")
        again = shell("execution", "retry", 1, "--wait")
        logs = shell("execution", "logs", 2)

    assert again.returncode == 0, again.stderr
    assert "looks #1 was taken over; its log is in execution 1" in logs.stderr
