"""What the public command line says about a store: all that the judge knows of eventflow."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

EVENTFLOW = str(Path(sys.executable).with_name("eventflow"))
PAGE = 20_000
_ALL = "10000000"
_DEADLINE_S = 600.0


class AskingError(Exception):
    """A command that should have answered did not."""


def run(store: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """One command on a store; its exit status is the caller's to judge.

    Raises:
        AskingError: If it does not end.
    """
    try:
        return subprocess.run(
            [EVENTFLOW, *arguments, "--store", store],
            capture_output=True,
            text=True,
            check=False,
            timeout=_DEADLINE_S,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired as error:
        raise AskingError(f"{' '.join(arguments)}: no end after {_DEADLINE_S:.0f} s") from error


def ask(store: str, *arguments: str) -> Any:
    """The JSON that a command prints.

    Raises:
        AskingError: If it failed; says what it said.
    """
    done = run(store, *arguments, "--json")
    if done.returncode:
        raise AskingError(f"{' '.join(arguments)}: exit {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


def events_after(store: str, offset: int) -> list[dict[str, Any]]:
    """Events of users behind an offset, in the order of the log, to its end."""
    found: list[dict[str, Any]] = []
    while True:
        page = ask(store, "event", "list", "--after", str(offset), "--limit", str(PAGE))
        found += page
        if len(page) < PAGE:
            return found
        offset = page[-1]["offset"]


def executions(store: str, *arguments: str) -> list[dict[str, Any]]:
    """The executions that the store still has, the oldest first."""
    found: list[dict[str, Any]] = ask(store, "execution", "list", "--limit", _ALL, *arguments)
    return found[::-1]
