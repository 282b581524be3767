"""The producers of a soak: processes that are started again, and told to end."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from eventflow.executors.groups import die_with_parent
from tests.soak.journal import OVER

ROOT = Path(__file__).parent.parent.parent


class CrewError(Exception):
    """A producer did what it never may: ended by itself, or could not send all it had to."""


class Crew:
    """So many producers.

    Args:
        rate: Events per second of each.
    """

    def __init__(self, folder: Path, count: int, seed: int, rate: float) -> None:
        self._folder = folder
        self._arguments = [str(seed), str(rate)]
        self._members: dict[str, subprocess.Popen[bytes]] = {}
        self.names = [f"producer{number}" for number in range(1, count + 1)]

    def start(self) -> None:
        for name in self.names:
            self._start(name)

    def check(self) -> None:
        """Raises CrewError if one has ended, which nobody asked of it."""
        for name, process in self._members.items():
            if process.poll() is not None:
                raise CrewError(f"{name} ended with {process.returncode}; see {name}.log")

    def kill(self, name: str) -> None:
        """kill -9 one, and start it again."""
        self._members[name].kill()
        self._members[name].wait()
        self._start(name)

    def pid(self, name: str) -> int:
        return self._members[name].pid

    def end(self, deadline_s: float) -> None:
        """Have them send what they have begun; returns when all is acknowledged.

        Raises:
            CrewError: If one does not come to that.
        """
        self.check()
        (self._folder / OVER).touch()
        for name, process in self._members.items():
            try:
                status = process.wait(deadline_s)
            except subprocess.TimeoutExpired as error:
                raise CrewError(f"{name} has not ended within {deadline_s:.0f} s") from error
            if status:
                raise CrewError(f"{name} ended with {status}; see {name}.log")
        self._members.clear()

    def abandon(self) -> None:
        """See that none is left, whatever was."""
        for process in self._members.values():
            process.kill()
            process.wait()

    def _start(self, name: str) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            self._members[name] = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "tests.soak.producer",
                    str(self._folder),
                    name,
                    *self._arguments,
                ],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=lambda: die_with_parent(signal.SIGKILL),
            )
