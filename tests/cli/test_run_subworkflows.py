"""Workflows that run workflows, on the command line (S40)."""

import json
import signal

import pytest
from cli_shell import Shell

THREADS = ("--executor", "threads")

CHILD = """
import pathlib
from eventflow import PythonOperator, Workflow

def work():
    print("working")
    return 7

with Workflow("child") as child:
    PythonOperator("work", work)
"""
PARENT = """
from eventflow import Workflow, WorkflowOperator
from child import child

with Workflow("parent") as parent:
    WorkflowOperator("sub", child, {"day": 3})
"""
HIDDEN = """
from eventflow import Every, PythonOperator, Workflow, WorkflowOperator

def family():
    with Workflow("inner", schedule=Every(hours=5)) as inner:
        PythonOperator("deep", print, ["down here"])
    return inner

below = [family()]
with Workflow("outer") as outer:
    WorkflowOperator("sub", below[0])
"""
FLAKY = """
from eventflow import PythonOperator, Workflow, WorkflowOperator, current_context

def work():
    if current_context().workflow_execution.parent.attempt == 1:
        raise ValueError("not yet")

with Workflow("child") as child:
    PythonOperator("work", work)
with Workflow("parent") as parent:
    WorkflowOperator("sub", child, retries=1)
"""
BY_NAME = """
from eventflow import Workflow, WorkflowOperator

with Workflow("lonely") as lonely:
    WorkflowOperator("sub", "child")
"""

pytestmark = pytest.mark.rule("S40")


@pytest.fixture
def family(shell: Shell) -> Shell:
    (shell.folder / "child.py").write_text(CHILD)
    (shell.folder / "parent.py").write_text(PARENT)
    return shell


def test_a_child_of_another_module_runs_in_processes_and_is_shown(family: Shell) -> None:
    done = family("run", "parent.py")

    assert (done.returncode, done.stderr) == (0, "")
    rows = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert any(row.endswith("sub #1 RUNNING (runs execution 2 of child)") for row in rows)
    assert "work | working" in rows
    assert any("work #1 SUCCESS" in row for row in rows)
    assert any(row.startswith("execution 1 of parent: SUCCESS") for row in rows)


def test_show_list_and_explain_name_the_other_end_of_the_link(family: Shell) -> None:
    family("run", "parent.py", *THREADS)

    above, below = family("execution", "show", 1).stdout, family("execution", "show", 2).stdout
    assert "sub runs execution 2 of child: SUCCESS" in above
    assert "sub of     execution 1, task sub" in below
    shown = family.json("execution", "show", 1)
    assert [sub["id"] for sub in shown["sub_executions"]] == [2]
    assert "sub of 1" in family("execution", "list").stdout
    listed = {one["id"]: one["parent"] for one in family.json("execution", "list")}
    assert listed[1] is None
    assert (listed[2]["workflow_execution_id"], listed[2]["task_name"]) == (1, "sub")

    told = family("execution", "explain", 2, "work").stdout
    assert "Execution 2 of child started by task sub of execution 1" in told
    assert "Execution 1 of parent started by command" in told
    assert "runs execution 2 of child, which is SUCCESS" in family("execution", "explain", 1).stdout
    assert "runs      workflow child" in family("workflow", "graph", "parent").stdout
    assert "runs child" in family("workflow", "graph", "parent", "--format", "mermaid").stdout


@pytest.mark.parametrize("place", ["hidden.py", "hidden.py:outer"])
def test_a_child_that_no_name_of_the_file_holds_runs_too(shell: Shell, place: str) -> None:
    (shell.folder / "hidden.py").write_text(HIDDEN)

    done = shell("run", place, "--timeout", "30")

    assert done.returncode == 0, done.stdout
    assert "deep | down here" in done.stdout


def test_a_child_that_failed_and_was_retried_is_no_failure(shell: Shell) -> None:
    (shell.folder / "flaky.py").write_text(FLAKY)

    done = shell("run", "flaky.py", *THREADS, "--json")

    told = json.loads(done.stdout)
    assert (done.returncode, told["status"]) == (0, "SUCCESS")
    assert [one["status"] for one in told["triggered"]] == ["FAILED", "SUCCESS"]


def test_a_child_that_another_file_brought_is_said_to_be_waited_for(family: Shell) -> None:
    family("run", "child.py", *THREADS)
    (family.folder / "lonely.py").write_text(BY_NAME)

    done = family("run", "lonely.py", *THREADS, "--timeout", "4")

    assert done.returncode == 1
    assert "waiting: sub #1 is RUNNING: for execution 3 of child, which is RUNNING" in done.stdout
    assert "waiting: work #1 is QUEUED" in done.stdout
    assert "execution 2 of lonely: STOPPED" in done.stdout


def test_serve_takes_a_folder_in_which_one_file_imports_the_child_of_another(family: Shell) -> None:
    for path in family.folder.glob("*.py"):
        if path.name not in ("child.py", "parent.py"):
            path.unlink()

    with family.begin("serve", ".") as serve:
        assert "workflows=child,parent" in serve.line("ready")
        done = family("execution", "start", "parent", "--wait")
        serve.signal(signal.SIGTERM)
        code, _, _ = serve.end()

    assert done.returncode == 0, done.stdout + done.stderr
    assert code == 0
