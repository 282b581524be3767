"""`eventflow replay`: exit statuses, what it prints, and recordings in files."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from cli_shell import Shell

WHIMS = """
import os
from eventflow import Condition, PythonOperator, TaskAction, Workflow, current_context

class Whim(Condition):
    def is_met(self, event, context):
        return "WHIM" not in os.environ

print("imported")

def ask():
    current_context().emit("asked", 1)

with Workflow("whims") as whims:
    first = PythonOperator("first", ask)
    second = PythonOperator("second", print)
    second.action_on_condition(TaskAction.START, Whim(["asked"]))
"""


@pytest.fixture
def ran(shell: Shell) -> Shell:
    """A folder with a store in which a workflow has run."""
    (shell.folder / "alone").mkdir()
    (shell.folder / "alone" / "whims.py").write_text(WHIMS)
    done = shell("run", "alone/whims.py")
    assert done.returncode == 0, done.stderr
    return shell


def test_a_store_replays_equal(ran: Shell) -> None:
    done = ran("replay", "--ask")

    assert done.returncode == 0, done.stderr
    asked, told = done.stdout.splitlines()
    assert asked == "1 answers of conditions asked for again; no condition answered differently"
    assert told.endswith(" decisions, equal")
    found = ran.json("replay")
    assert found["equal"] is True
    assert told.startswith(f"{found['events']} events, {found['decisions']} decisions")


def test_what_is_different_is_told_and_the_status_is_1(ran: Shell) -> None:
    with closing(sqlite3.connect(ran.folder / "eventflow.db")) as connection:
        connection.execute("UPDATE decision SET did = 'stopped' WHERE did = 'started'")
        connection.commit()

    done = ran("replay")

    assert done.returncode == 1
    *told, last = done.stdout.splitlines()
    assert last.endswith(f" decisions, {len(told)} differences")
    assert "decision: then {" in told[0]
    assert "'did': 'stopped'" in told[0]
    assert "'did': 'started'" in told[0]


def test_a_condition_that_answers_otherwise_is_named(ran: Shell) -> None:
    assert ran("replay", WHIM="1").returncode == 0
    done = ran("replay", "--ask", WHIM="1")

    assert done.returncode == 1
    assert "condition of rule 0 of task 'second' in execution 1 of workflow 'whims'" in done.stdout
    assert "1 answers of conditions asked for again; 1 condition answered diff" in done.stdout
    assert done.stdout.splitlines()[-1].endswith("equal")


def test_a_recording_replays_where_there_is_no_store(ran: Shell, tmp_path: Path) -> None:
    assert ran("replay", "--save", "day.jsonl").returncode == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (ran.folder / "day.jsonl").rename(elsewhere / "day.jsonl")
    for path in (*ran.folder.glob("eventflow.db*"), ran.folder / "alone"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    done = ran("replay", "--log", "elsewhere/day.jsonl", "--ask")

    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(" decisions, equal; the world at the end is not in a recording\n")
    assert not (ran.folder / "eventflow.db").exists()


def test_a_store_replays_while_a_scheduler_holds_it(shell: Shell) -> None:
    with shell.begin("serve", "two.py") as program:
        program.line("ready store=")
        assert shell("execution", "start", "one").returncode == 0

        done = shell("replay")

    assert done.returncode == 0, done.stderr + done.stdout
    assert done.stdout.endswith(" decisions, equal\n")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "there is no store at"),
        (["--store", "sqlite://"], "is in memory"),
        (["--log", "none.jsonl"], "cannot be read"),
        (["--log", "good.py"], "is no recording"),
        (["--log", "x.jsonl", "--store", "sqlite:///x.db"], "--log replays a file"),
        (["--log", "x.jsonl", "--save", "y.jsonl"], "--log replays a file"),
    ],
)
def test_wrong_input_is_2_and_says_what(shell: Shell, arguments: list[str], why: str) -> None:
    done = shell("replay", *arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert why in done.stderr
    assert "Traceback" not in done.stderr
