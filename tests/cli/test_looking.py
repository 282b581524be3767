"""Commands that look: listings as JSON and as text, on a store without a scheduler."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from cli_shell import SCRIPT, Shell

SCHEDULED = """
from eventflow import BashOperator, Cron, TaskAction, Workflow
by_night = Cron("0 2 * * *", tz="Europe/Berlin")
with Workflow("nightly", schedule=by_night, description="by night") as w:
    a = BashOperator("a", bash_command="true")
    b = BashOperator("b", bash_command="true", autostart=False)
    c = BashOperator("c", bash_command="true")
    c.start_after(b)
w.trigger_on_event("night.falls")
"""


@pytest.fixture
def filled(shell: Shell) -> Shell:
    """A store in which two executions have ended."""
    (shell.folder / "nightly.py").write_text(SCHEDULED)
    shell("run", "nightly.py", "--executor", "threads")
    shell("run", "bad.py", "--executor", "threads")
    return shell


def test_listings_are_one_json_document_each(filled: Shell) -> None:
    assert [one["name"] for one in filled.json("workflow", "list")] == ["bad", "nightly"]
    assert [one["id"] for one in filled.json("execution", "list", "--limit", "1")] == [2]
    assert filled.json("event", "list", "--key", "never.*") == []
    assert len(filled.json("event", "list", "--all", "--limit", "3")) == 3
    (schedule,) = filled.json("schedule", "list")
    assert (schedule["zone"], schedule["last_fired"]) == ("Europe/Berlin", None)
    assert len(schedule["next_due"]) == 5
    shown = filled.json("workflow", "show", "nightly")
    assert shown["definition"]["schedule"] == {"cron": "0 2 * * *", "tz": "Europe/Berlin"}
    (failed,) = filled.json("execution", "show", "2", "--history")["tasks"]
    assert [change["status"] for change in failed["history"]][-1] == "FAILED"
    assert failed["failures"][0]["type_name"] == "ValueError"


def test_text_for_people_names_what_is_there(filled: Shell) -> None:
    assert "nightly" in filled("workflow", "list").stdout
    assert "02:00:00 CE" in filled("schedule", "list").stdout
    shown = filled("execution", "show", "2", "--history").stdout
    assert "nothing is [bold]good[/bold] today" in shown
    assert "Traceback" in shown
    assert "by night" in filled("workflow", "show", "nightly").stdout
    assert "eventflow.command.run" in filled("event", "list", "--all").stdout
    assert "nightly: started" in filled("event", "list", "--all").stdout


def test_a_registered_workflow_is_drawn_as_its_file_is(filled: Shell) -> None:
    for form in ("text", "mermaid", "svg"):
        of_store = filled("workflow", "graph", "nightly", "--format", form)
        of_file = filled("workflow", "graph", "nightly.py:nightly", "--format", form)
        assert of_store.returncode == 0, of_store.stderr
        assert of_store.stdout == of_file.stdout
    filled("workflow", "graph", "nightly", "--format", "svg", "-o", "picture.svg")
    drawn = Path(filled.folder, "picture.svg").read_text()
    assert ElementTree.fromstring(drawn).tag.endswith("svg")  # noqa: S314  drawn by us


CIRCLE = """
from eventflow import BashOperator, Workflow

with Workflow("ping") as ping:
    BashOperator("work", bash_command="true")
ping.trigger_on_event("eventflow.workflow.pong.success")
with Workflow("pong", max_hops=7) as pong:
    BashOperator("work", bash_command="true")
pong.trigger_on_event("eventflow.task.ping.work.success")
"""


@pytest.mark.rule("S45")
@pytest.mark.fault("F41")
def test_f41_check_warns_of_rules_that_go_round_in_a_circle(shell: Shell) -> None:
    (shell.folder / "circle.py").write_text(CIRCLE)

    done = shell("check", "circle.py")

    assert done.returncode == 0
    assert "warning: rules go round in a circle: ping -> pong -> ping" in done.stdout
    assert "ends after 7 starts (max_hops)" in done.stdout
    assert "2 workflow(s) in order, 1 warning(s)" in done.stdout


@pytest.mark.rule("S29", "S42")
def test_check_shows_rules_and_due_times_and_warns_of_what_can_never_start(shell: Shell) -> None:
    (shell.folder / "nightly.py").write_text(SCHEDULED)

    done = shell("check", "nightly.py")
    (told,) = shell.json("check", "nightly.py")

    assert done.returncode == 0
    assert "next due: " in done.stdout
    assert "warning: task 'b' can never start" in done.stdout
    assert "warning: task 'c' can never start" in done.stdout
    assert len(told["warnings"]) == 2
    assert not (shell.folder / "eventflow.db").exists()


@pytest.mark.rule("S3")
def test_emit_takes_its_fields_and_a_repeat_is_one_event(filled: Shell) -> None:
    fields = ("--sender", "till-7", "--id", "a-1", "--namespace", "shop")
    first = filled.json("emit", "orders.paid", '{"n": 1}', *fields)
    again = filled.json("emit", "orders.paid", '{"n": 1}', *fields)
    other = filled("emit", "orders.paid", '{"n": 2}', *fields)

    assert (first["sender"], first["namespace"]) == ("till-7", "shop")
    assert again["offset"] == first["offset"]
    assert (other.returncode, len(other.stderr.splitlines())) == (2, 1)
    (listed,) = filled.json("event", "list", "--key", "orders.*")
    assert listed["value"] == {"n": 1}


def test_the_log_is_listed_and_counted_between_offsets_and_times(filled: Shell) -> None:
    begin = filled.json("event", "count", "--all")["total"]
    for number, sender in ((1, "till"), (2, "till"), (3, "web")):
        filled("emit", "orders.paid", number, "--sender", sender)
    listed = filled.json("event", "list", "--key", "orders.*")
    first, second, third = (one["offset"] for one in listed)
    at = listed[1]["logged_at"]

    def values(*options: object) -> list[int]:
        return [one["value"] for one in filled.json("event", "list", *options)]

    assert values("--since", second) == values("--since", at) == [2, 3]
    assert values("--until", second) == values("--until", at) == values("--until", third - 1)
    assert values("--limit", 1, "--oldest") == values("--after", first - 1, "--limit", 1) == [1]
    assert values("--limit", 1) == [3]
    assert filled.json("event", "count") == {"total": 3, "by_sender": {"till": 2, "web": 1}}
    assert filled.json("event", "count", "--since", at, "--sender", "till")["total"] == 1
    assert filled.json("event", "count", "--all")["total"] == begin + 3
    assert "3 in all" in filled("event", "count").stdout


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--since", "yesterday"), "--since 'yesterday' is neither an offset nor a time"),
        (("--until", "2026-02-30"), "--until '2026-02-30' is neither an offset nor a time"),
        (("--since", "3", "--after", "2"), "--after and --since exclude each other"),
    ],
)
def test_a_place_in_the_log_that_is_none_is_refused(
    filled: Shell, options: tuple[str, ...], told: str
) -> None:
    for command in ("list", "count"):
        done = filled("event", command, *options)
        assert done.returncode == 2
        assert told in done.stderr
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.rule("S14")
def test_emit_inside_a_bash_task_is_scoped_to_its_execution(shell: Shell) -> None:
    (shell.folder / "inner.py").write_text(
        "from eventflow import BashOperator, Workflow\n"
        "with Workflow('inner', namespace='deep') as inner:\n"
        "    BashOperator('says', bash_command='eventflow emit mine && '\n"
        "                 'eventflow emit ours --broadcast')\n"
    )
    path = f"{SCRIPT.parent}:{shell.environment['PATH']}"
    done = shell("run", "inner.py", PATH=path)
    assert done.returncode == 0, done.stdout

    mine, ours = shell.json("event", "list")
    assert (mine["workflow_execution_id"], mine["sender"]) == (1, "1_says_1")
    assert (ours["workflow_execution_id"], ours["namespace"]) == (None, "deep")


def test_logs_are_printed_attempt_by_attempt(shell: Shell) -> None:
    (shell.folder / "again.py").write_text(
        "from eventflow import BashOperator, Workflow\n"
        "with Workflow('again') as again:\n"
        "    BashOperator('a', bash_command='echo try; test -e done || (touch done; false)',\n"
        "                 retries=1)\n"
    )
    shell("run", "again.py")

    text = shell("execution", "logs", "1", "a").stdout
    lines = shell("execution", "logs", "1", "--attempt", "2", "--json").stdout.splitlines()

    assert text.splitlines()[0::2] == ["==> a #1, attempt 1 <==", "==> a #1, attempt 2 <=="]
    assert [json.loads(line)["line"] for line in lines] == ["try"]
