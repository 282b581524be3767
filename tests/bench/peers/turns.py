"""A process for each contender, which works when it is told to: JSON lines both ways.

Standard library only: it runs in the environment of each.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

# Does so much of something, checks what came of it, and returns the seconds of each measured part.
Work = Callable[[int], list[float]]

_LEAVE_S = 30.0


class SideError(Exception):
    """A contender did not do what it was asked to."""


class Side:
    """A contender in a process of its own.

    Attributes:
        about: What it says of itself: how it is configured, and how it does what.
    """

    def __init__(self, name: str, python: str, module: str, *arguments: str) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [python, "-m", f"tests.bench.peers.{module}", *arguments],
            cwd=Path(__file__).parents[3],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.about: dict[str, Any] = self._told()

    def seconds(self, work: str, size: int) -> list[float]:
        """Have it do a work, and wait for it.

        Raises:
            SideError: If it ended before.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([work, size]) + "\n")
        taken: list[float] = self._told()
        return taken

    def close(self) -> None:
        """Have it end, and see that it has."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(_LEAVE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _told(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SideError(f"{self.name} ended with {self._process.wait()}; it says why above")
        return json.loads(line)


def serve(about: Mapping[str, Any], works: Mapping[str, Work]) -> None:
    """The contender's end: do what is asked until nobody asks."""
    _tell(about)
    for line in sys.stdin:
        work, size = json.loads(line)
        _tell(works[work](size))


def _tell(what: Any) -> None:
    print(json.dumps(what), flush=True)
