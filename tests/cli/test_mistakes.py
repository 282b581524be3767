"""A user's mistake is one clear line on standard error, and exit status 2."""

import pytest
from cli_shell import Shell

WITHOUT_STORE = {
    "file missing": (["run", "missing.py"], "missing.py: there is no such file"),
    "folder for a file": (["run", "."], "is a folder"),
    "syntax error": (["run", "broken.py"], "broken.py:1: SyntaxError"),
    "the file raises": (["check", "raises.py"], "raises.py:2: RuntimeError: no such day"),
    "no workflow in it": (["check", "plain.py"], "holds no workflow"),
    "unknown workflow of a file": (["run", "good.py:goood"], "did you mean 'good'?"),
    "two workflows, none named": (["run", "two.py"], "defines 2 workflows: one, other"),
    "bad cron": (["check", "cron.py"], "cron.py:3: ScheduleError"),
    "bad param": (["run", "good.py", "--param", "day"], "is not NAME=VALUE"),
    "unknown executor": (["run", "good.py", "--executor", "clouds"], "clouds"),
    "store is no URL": (["run", "good.py", "--store", "orders"], "mean 'sqlite:///orders.db'?"),
    "serve what is not there": (["serve", "missing"], "there is no such file or folder"),
    "serve on what is no store": (
        ["serve", "good.py", "--store", "sqlite:///good.py"],
        "is no SQLite database. It was left as it is; name another file",
    ),
    "unknown command": (["bogus"], "bogus"),
    "unknown option": (["run", "--bogus"], "--bogus"),
    "argument missing": (["run"], "FILE"),
    "no store at that path": (["emit", "a", "--store", "sqlite:///none.db"], "none.db"),
    "store of settings is not there": (["workflow", "list"], "eventflow.db"),
    "no store yet": (["execution", "list"], "which makes it: 'eventflow serve FILE'"),
    "memory is nowhere": (["event", "list", "--store", "sqlite://"], "in memory"),
    "reserved key": (["emit", "eventflow.task.a"], "is the scheduler's own"),
    "bad key": (["emit", "a..b"], "empty token"),
    "graph of nothing": (["workflow", "graph", "missing.py"], "there is no such file"),
}

WITH_STORE = {
    "bad JSON": (["emit", "a", "{x"], "is not JSON"),
    "unknown workflow": (["execution", "start", "goood"], "did you mean 'good'?"),
    "pause of an unknown one": (["workflow", "pause", "nope"], "no workflow 'nope'"),
    "rejudge of an unknown one": (["event", "rejudge", "--workflow", "goood"], "mean 'good'?"),
    "failed of an unknown one": (["event", "failed", "--workflow", "nope"], "no workflow 'nope'"),
    "list of an unknown one": (["execution", "list", "--workflow", "nope"], "no workflow 'nope'"),
    "unknown execution": (["execution", "show", "77"], "no workflow execution 77"),
    "stop of an unknown one": (["execution", "stop", "77"], "no workflow execution 77"),
    "stop of an ended one": (["execution", "stop", "1"], "execution 1 has ended SUCCESS"),
    "task of an ended one": (["task", "start", "1", "first"], "execution 1 has ended SUCCESS"),
    "emit to an unknown one": (["emit", "a", "--execution", "77"], "no workflow execution 77"),
    "logs of an unknown one": (["execution", "logs", "77"], "no workflow execution 77"),
    "unknown task": (["task", "stop", "1", "frist"], "did you mean 'first'?"),
    "logs of an unknown task": (["execution", "logs", "1", "frist"], "did you mean 'first'?"),
    "id that is no number": (["execution", "show", "one"], "'execution_id'"),
    "bad pattern": (["event", "list", "--key", "a.**.b"], "'**' may only be its last token"),
    "two wishes at once": (["event", "list", "--key", "a", "--all"], "exclude each other"),
}


@pytest.mark.parametrize("mistake", WITHOUT_STORE)
def test_a_mistake_without_a_store(shell: Shell, mistake: str) -> None:
    arguments, wanted = WITHOUT_STORE[mistake]
    _refused(shell, arguments, wanted)
    assert not (shell.folder / "none.db").exists()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A store with one execution, of workflow `good`."""
    shell = Shell(tmp_path_factory.mktemp("filled"))
    assert shell("run", "good.py", "--executor", "threads").returncode == 0
    return shell


@pytest.mark.parametrize("mistake", WITH_STORE)
def test_a_mistake_on_a_store(filled: Shell, mistake: str) -> None:
    arguments, wanted = WITH_STORE[mistake]
    _refused(filled, arguments, wanted)


def _refused(shell: Shell, arguments: list[str], wanted: str) -> None:
    done = shell(*arguments)
    assert done.returncode == 2, (arguments, done.stdout, done.stderr)
    assert done.stdout == "", arguments
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("eventflow: "), arguments
    assert wanted in line, arguments
