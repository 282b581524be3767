"""`eventflow fsck`: what it says of a store that is whole, of one that is not, and of none."""

import json
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from cli_shell import Shell


def spoil(shell: Shell, statement: str) -> None:
    with closing(sqlite3.connect(shell.folder / "eventflow.db")) as connection:
        assert connection.execute(statement).rowcount > 0
        connection.commit()


@pytest.fixture
def ran(shell: Shell) -> Shell:
    """A folder whose store holds an execution that has succeeded."""
    assert shell("run", "good.py").returncode == 0
    return shell


def test_a_store_that_is_whole_is_told_so_and_left_as_it_is(ran: Shell) -> None:
    before = (ran.folder / "eventflow.db").read_bytes()

    done = ran("fsck")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].endswith("checks, no faults")
    assert "1 executions, 2 runs of tasks" in done.stdout
    assert (ran.folder / "eventflow.db").read_bytes() == before


@pytest.mark.spoils
def test_a_fault_is_told_with_its_rows_what_it_means_and_what_to_do(ran: Shell) -> None:
    spoil(ran, "UPDATE task_execution SET sequence_number = 5 WHERE task = 'second'")

    done = ran("fsck")

    assert done.returncode == 1
    assert "FAULT sequence-numbers-are-dense (8), which means: The runs of a task" in done.stdout
    assert "  task 'second' of execution 1 has 1 runs, numbered from 5 to 5" in done.stdout
    assert "  What to do: end the scheduler, copy the file" in done.stdout
    assert done.stdout.splitlines()[-1].endswith("1 of them found faults")


@pytest.mark.spoils
def test_the_rows_of_a_fault_are_told_up_to_a_number_and_counted(ran: Shell) -> None:
    spoil(ran, "DELETE FROM event WHERE key GLOB 'eventflow.task.*'")

    done = ran("fsck", "--rows", 2)

    assert done.returncode == 1
    assert "  and 6 more" in done.stdout


def test_the_answers_are_one_json_document(ran: Shell) -> None:
    document = ran.json("fsck")

    assert (document["clean"], document["scheduler"]) == (True, False)
    assert document["counts"]["executions"] == 1
    assert {"name", "number", "means", "faults", "rows", "remedy", "seconds"} == set(
        document["checks"][0]
    )
    assert len({one["name"] for one in document["checks"]}) == len(document["checks"])


@pytest.mark.spoils
def test_the_json_of_a_store_with_faults_says_which(ran: Shell) -> None:
    spoil(ran, "DELETE FROM result")

    done = ran("fsck", "--json")

    document = json.loads(done.stdout)
    assert (done.returncode, document["clean"]) == (1, False)
    (fault,) = [one for one in document["checks"] if one["faults"]]
    assert (fault["name"], fault["faults"]) == ("results-are-of-successes", 2)
    assert fault["remedy"]


def test_what_waits_is_counted_and_a_fault_only_for_a_store_that_should_be_at_rest(
    ran: Shell,
) -> None:
    assert ran("emit", "orders.paid").returncode == 0

    plain, quiet = ran("fsck"), ran("fsck", "--quiet")

    assert plain.returncode == 0
    assert "waiting: 1 undecided events; it waits until a scheduler runs" in plain.stdout
    assert quiet.returncode == 1
    assert "FAULT the store is not at rest: 1 undecided events." in quiet.stdout


def test_a_store_is_checked_while_a_scheduler_works_on_it(shell: Shell) -> None:
    fifo = shell.fifo("journal")
    with shell.begin("serve", "orders.py") as scheduler:
        scheduler.line("orders")
        assert shell("emit", "orders.paid").returncode == 0
        pid = int(fifo.line())

        done = shell("fsck")

        assert (done.returncode, done.stderr) == (0, "")
        assert "1 executions that have not ended; a scheduler works on it" in done.stdout
        os.kill(pid, 0)
        scheduler.signal(signal.SIGTERM)


def test_each_check_is_told_with_its_seconds_when_asked(ran: Shell) -> None:
    done = ran("fsck", "--verbose")

    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert lines[0].startswith("eventflow: the-file-is-whole: ok (0.")
    assert len(lines) == len(ran.json("fsck")["checks"])


@pytest.mark.spoils
def test_what_cannot_be_read_is_neither_whole_nor_faulty(shell: Shell) -> None:
    empty, text, cut = (shell.folder / name for name in ("empty.db", "text.db", "cut.db"))
    empty.touch()
    text.write_text("no database at all")
    assert shell("run", "good.py").returncode == 0
    cut.write_bytes((shell.folder / "eventflow.db").read_bytes()[:5000])

    for path, told in (
        (shell.folder / "none.db", "there is no store at"),
        (empty, "is empty"),
        (text, "is no SQLite database"),
        (cut, "is truncated"),
    ):
        size = path.stat().st_size if path.exists() else None
        done = shell("fsck", "--store", f"sqlite:///{path}")
        assert (done.returncode, done.stdout) == (2, ""), done.stdout
        assert told in done.stderr
        assert (path.stat().st_size if path.exists() else None) == size
    assert shell("fsck", "--store", "sqlite://").returncode == 2


@pytest.mark.spoils
def test_a_damaged_page_is_a_fault_and_the_other_checks_go_on(ran: Shell) -> None:
    damage(ran.folder / "eventflow.db", "task_history")

    done = ran("fsck")

    assert done.returncode == 1, done.stderr
    assert "FAULT the-file-is-whole (F13)" in done.stdout
    assert "What to do: the file is damaged" in done.stdout


def damage(path: Path, table: str) -> None:
    """Write over the first page of a table."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)
        ).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
