"""What must be quick: help, and saying what is wrong."""

import resource
import subprocess
import sys

from cli_shell import Shell
from programs import SCRIPT

from eventflow.cli.main import COMMANDS

PROBE = """
import sys
from eventflow.cli.main import run_command
code = run_command([{argument!r}])
names = ("sqlalchemy", "sqlmodel", "apscheduler", "croniter")
heavy = [name for name in names if name in sys.modules]
sys.exit(f"{{code}} {{heavy}}" if code or heavy else 0)
"""


def test_help_and_version_load_neither_the_store_nor_the_timers() -> None:
    for argument in ("--help", "--version"):
        probe = PROBE.format(argument=argument)
        done = subprocess.run(
            [sys.executable, "-c", probe], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def cpu_of_children() -> float:
    """Seconds that processes which have ended have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_help_is_there_before_one_has_looked_up(shell: Shell) -> None:
    taken = []
    for _ in range(5):
        begin = cpu_of_children()
        done = subprocess.run(
            [SCRIPT, "--help"], env=shell.environment, capture_output=True, text=True, check=False
        )
        taken.append(cpu_of_children() - begin)
    # Of its processor, and the best of five: the machine may be busy with other tests.
    assert min(taken) < 0.3
    assert "execution" in done.stdout


def test_every_command_has_help() -> None:
    commands = [[name, "--help"] for name in COMMANDS]
    commands += [["execution", "logs", "--help"], ["workflow", "graph", "--help"]]
    probe = f"from eventflow.cli.main import run_command\nfor a in {commands}: run_command(a)"
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("Usage: eventflow") == len(commands)


def test_a_group_without_a_command_shows_its_help_and_ends_with_2(shell: Shell) -> None:
    done = shell("execution")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage: eventflow execution" in done.stderr


def test_a_reader_that_leaves_is_no_error(shell: Shell) -> None:
    shell("run", "good.py", "--executor", "threads")
    done = subprocess.run(
        ["bash", "-c", f"'{sys.executable}' -m eventflow.cli.main event list --all | head -1"],
        cwd=shell.folder,
        env=shell.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stderr == ""
