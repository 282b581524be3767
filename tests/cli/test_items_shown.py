"""What the command line shows of mapped tasks and their items (S43)."""

import json
from pathlib import Path

import pytest
from cli_shell import Shell

from eventflow import PythonOperator, Scheduler, Workflow, current_context
from eventflow.cli.tails import Tails

FLOW = """
from eventflow import BashOperator, PythonOperator, Workflow, current_context

def fan():
    return list(range(40))

def work(n):
    context = current_context()
    print("at", n)
    if n == 17 and context.task_execution.attempt == 1:
        raise OSError("once")
    if n % 9 == 4:
        raise ValueError(f"bad {n}")
    return n

def slow(n):
    context = current_context()
    context.wait(1.5 if n else 0)
    print("slow", n, flush=True)

with Workflow("mapped") as mapped:
    fans = PythonOperator("fan", fan)
    works = PythonOperator("work", work, retries=1, retry_delay=0, retry_on=[OSError])
    works.map(fans.output)
    PythonOperator("slow", slow).map([0, 1])
    BashOperator("fine", "true")
    PythonOperator("few", work).map([])
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shell, str]:
    """A store in which a map has failed in a few of its items, and what `run` has said."""
    shell = Shell(tmp_path_factory.mktemp("mapped"))
    (shell.folder / "mapped.py").write_text(FLOW)
    done = shell("run", "mapped.py", "--executor", "processes")
    assert done.returncode == 1
    return shell, done.stdout


@pytest.mark.rule("S43")
def test_run_shows_counts_and_names_the_items_that_failed(ran: tuple[Shell, str]) -> None:
    shell, out = ran
    shown = shell("execution", "show", 1).stdout

    assert "work #1  RUNNING  (40 items)" in out
    assert "slow #1  RUNNING  1/2 items" in out
    assert "40/40 items, 4 failed" in next(x for x in out.splitlines() if "work #1  FAILED" in x)
    for text in (out, shown):
        (row,) = [x for x in text.splitlines() if x.split()[:2] == ["work", "1"]]
        assert "FAILED   40/40 items, 4 failed" in row
        (empty,) = [x for x in text.splitlines() if x.split()[:2] == ["few", "1"]]
        assert "SUCCESS  0/0 items" in empty
        assert "work[4]: ValueError: bad 4" in text
        assert "work[31]: ValueError: bad 31" in text
        assert text.count("Traceback") == 1
    # One line a look for all of a map, however many items it has.
    assert sum("RUNNING" in line for line in out.splitlines() if "work #1" in line) <= 3


@pytest.mark.rule("S43")
def test_items_are_listed_by_status_and_page_by_page(ran: tuple[Shell, str]) -> None:
    shell, _ = ran
    failed = shell("execution", "items", 1, "work", "--status", "failed", "--limit", 3).stdout
    rest = shell("execution", "items", 1, "work", "--status", "failed", "--after", 22).stdout

    rows = [line.split() for line in failed.splitlines()]
    assert rows[0] == ["work", "#1", "of", "execution", "1:", "40/40", "items,", "4", "failed"]
    assert [row[:3] for row in rows[2:5]] == [[f"work[{n}]", "FAILED", "1"] for n in (4, 13, 22)]
    assert "ValueError: bad 4" in failed
    assert failed.splitlines()[-1] == (
        "there are more: eventflow execution items 1 work --status FAILED --after 22"
    )
    assert "work[31]" in rest
    assert "there are more" not in rest
    assert "work[22]" not in rest


@pytest.mark.rule("S43")
def test_json_of_items_and_of_a_map_is_complete(ran: tuple[Shell, str]) -> None:
    shell, _ = ran
    told = shell.json("execution", "items", 1, "work")
    tasks = {task["task_name"]: task for task in shell.json("execution", "show", 1)["tasks"]}
    explained = shell.json("execution", "explain", 1, "work[17]")

    assert [item["index"] for item in told["items"]] == [[n] for n in range(40)]
    assert told["run"]["items"] == {"total": 40, "by_status": {"FAILED": 4, "SUCCESS": 36}}
    (once,) = told["items"][17]["failures"]
    assert (once["type_name"], once["message"], told["items"][17]["attempt"]) == (
        "OSError",
        "once",
        2,
    )
    assert tasks["work"]["items"]["by_status"]["FAILED"] == 4
    assert [one["item"]["index"] for one in tasks["work"]["failed_items"]] == [
        [4],
        [13],
        [22],
        [31],
    ]
    assert tasks["work"]["failed_items"][0]["failure"]["message"] == "bad 4"
    assert tasks["fine"]["items"] is None
    assert explained["failures"] == ["attempt 1: OSError: once"]
    assert explained["origins"][0]["task"] == "fan"


@pytest.mark.rule("S43")
def test_the_log_of_one_item_is_named_either_way(ran: tuple[Shell, str]) -> None:
    shell, _ = ran
    by_name = shell("execution", "logs", 1, "work[17]").stdout
    by_option = shell("execution", "logs", 1, "work", "--item", "17").stdout
    (first, second) = shell("execution", "logs", 1, "work[17]", "--json").stdout.splitlines()

    assert by_name == by_option
    assert by_name.splitlines() == [
        "==> work[17] #1, attempt 1 <==",
        "at 17",
        "==> work[17] #1, attempt 2 <==",
        "at 17",
    ]
    assert (json.loads(first)["index"], json.loads(second)["attempt"]) == ([17], 2)
    whole = shell("execution", "logs", 1, "work").stdout
    assert whole.count("at ") == 41


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("logs", 1, "work[40]"), "work #1 has no item work[40]; it has 40, counted from 0"),
        (("logs", 1, "work", "--item", "x"), "no item 'x'; items are named as 17"),
        (("logs", 1, "--item", "1"), "--item names an item of one mapped task"),
        (("logs", 1, "work[1]", "--item", "1"), "give one"),
        (("logs", 1, "fine[0]"), "it is no mapped task"),
        (("items", 1, "fine"), "fine #1 has no items; it is SUCCESS"),
        (("items", 1, "wrk"), "did you mean 'work'?"),
        (("items", 1, "work", "--sequence", 2), "has no run 2"),
        (("explain", 1, "work[40]"), "it has 40, counted from 0"),
    ],
)
def test_what_is_no_item_is_refused_in_one_line(
    ran: tuple[Shell, str], arguments: tuple[object, ...], message: str
) -> None:
    done = ran[0]("execution", *arguments)

    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert message in done.stderr


@pytest.mark.rule("S43")
def test_check_and_show_say_over_what_a_task_is_mapped(ran: tuple[Shell, str]) -> None:
    shell, _ = ran
    for text in (shell("check", "mapped.py").stdout, shell("workflow", "show", "mapped").stdout):
        assert "  runs      for each item of fan\n" in text
        assert "  runs      for each of 2 items\n" in text


@pytest.mark.rule("S31", "S43")
def test_after_a_retry_the_logs_of_items_that_were_taken_over_are_where_they_ran(
    shell: Shell,
) -> None:
    flow = """
from eventflow import PythonOperator, Workflow

def work(path):
    print("in", path)
    with open(path) as file:
        return file.read()

with Workflow("reads") as reads:
    PythonOperator("work", work).map(["one", "two"])
"""
    (shell.folder / "reads.py").write_text(flow)
    (shell.folder / "one").write_text("1")
    assert shell("run", "reads.py").returncode == 1
    (shell.folder / "two").write_text("2")

    with shell.begin("serve", "reads.py") as serving:
        serving.line("ready")
        again = shell("execution", "retry", 1, "--wait")
        logs = shell("execution", "logs", 2)
        taken = shell("execution", "explain", 2, "work[0]").stdout
        of_one = shell("execution", "logs", 2, "work[0]")

    assert again.returncode == 0, again.stderr
    assert logs.stdout.splitlines() == ["==> work[1] #1, attempt 1 <==", "in two"]
    assert "items of work #1 were taken over; their logs are in execution 1" in logs.stderr
    assert "it was taken over from execution 1: nothing ran here" in taken
    assert "work[0] #1 was taken over; its log is in execution 1" in of_one.stderr


def open_logs() -> int:
    """How many logs this process has open."""
    return sum(target_of(fd).endswith(".log") for fd in Path("/proc/self/fd").iterdir())


def target_of(fd: Path) -> str:
    try:
        return str(fd.readlink())
    except OSError:
        return ""  # another thread has closed it meanwhile


def shout(n: int) -> None:
    context = current_context()
    context.log.info("item %s, attempt %s", n, context.task_execution.attempt)
    if n % 10 == 0 and context.task_execution.attempt == 1:
        raise OSError("again")


@pytest.mark.rule("S43")
def test_following_a_map_tells_each_line_once_and_keeps_no_file_open(tmp_path: Path) -> None:
    with Workflow("w") as workflow:
        work = PythonOperator("work", shout, retries=1, retry_delay=0, max_active_items=20)
        work.map(range(300))
    told: list[str] = []
    files: set[int] = set()
    with Scheduler(f"sqlite:///{tmp_path / 'store.db'}") as scheduler:
        handle = scheduler.run(workflow)
        tails = Tails(scheduler.store)
        over = False
        while not over:
            over = handle.status.ended
            for line in tails.new_lines(handle.tasks):
                told.append(line.text.split(" ", 2)[2])
                files.add(open_logs())
    expected = [f"item {n}, attempt 1" for n in range(300)]
    expected += [f"item {n}, attempt 2" for n in range(0, 300, 10)]
    assert sorted(told) == sorted(expected)
    # Beside the one that is read those that the executor writes, which runs here too.
    assert max(files) <= 1 + 20
