"""Other processes, for tests of what several do to one store. They say what they do on a pipe."""

import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import IO

import programs

HERE = Path(__file__).parent
BEGIN = """
import sys, threading
from eventflow.clock import SystemClock
from eventflow.store.bell import Bell
from eventflow.store.sqlite import SqliteStore
from story import event

def say(*words):
    sys.stdout.write(" ".join(map(str, words)) + "\\n")
    sys.stdout.flush()

store = SqliteStore(sys.argv[1], clock=SystemClock())
"""


class Other:
    """A Python process that runs `code` with `store` open, and ends with the test."""

    def __init__(self, url: str, code: str, environment: dict[str, str]) -> None:
        self.process = programs.begin(
            [sys.executable, "-c", BEGIN + code, url],
            env={**environment, "PYTHONPATH": f"{HERE}:{HERE.parent.parent}"},
            stdin=subprocess.PIPE,
            stderr=None,
        )

    def __enter__(self) -> "Other":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None and not pipe.closed:
                pipe.close()

    @property
    def _out(self) -> IO[str]:
        assert self.process.stdout is not None
        return self.process.stdout

    def hear(self) -> str:
        """The next line that it says."""
        line = self._out.readline()
        assert line, "the other process has ended"
        return line.strip()

    def rest(self) -> list[str]:
        """What it has said up to its end; a last line that it did not finish is none."""
        return [line.strip() for line in self._out if line.endswith("\n")]

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        self.process.wait()
