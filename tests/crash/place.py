"""A folder with a store, a workflow file and a journal, and the `serve` that works there."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from journal import is_alive, read

EVENTFLOW = str(Path(sys.executable).with_name("eventflow"))
DEADLINE_S = 120


class Place:
    """A folder with a store, a workflow file and a journal, and the `serve` that works there."""

    def __init__(self, folder: Path, workflow: str) -> None:
        self.folder = folder
        self.url = f"sqlite:///{folder / 'store.db'}"
        self.journal = folder / "journal"
        self.killed_at: list[int] = []
        (folder / "steps.py").write_text(workflow.format(journal=str(self.journal)))
        self._serve: subprocess.Popen[str] | None = None

    def serve(self, **variables: str) -> bool:
        """Start `eventflow serve`; whether it has got as far as to be ready."""
        with (self.folder / "serve.log").open("a") as log:
            self._serve = subprocess.Popen(
                [EVENTFLOW, "serve", "steps.py", "--store", self.url],
                cwd=self.folder,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **variables},
            )
        assert self._serve.stdout is not None
        while "ready" not in (line := self._serve.stdout.readline()):
            if not line:
                self._serve.wait(DEADLINE_S)
                return False
        return True

    @property
    def log(self) -> str:
        """What `serve` has said about itself."""
        return (self.folder / "serve.log").read_text()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to `serve` alone."""
        assert self._serve is not None
        os.kill(self._serve.pid, number)

    @property
    def ended(self) -> bool:
        """Whether `serve` is gone."""
        return self._serve is None or self._serve.poll() is not None

    def kill(self) -> None:
        """kill -9 the scheduler, if it is there; its children die with it."""
        assert self._serve is not None
        if not self.ended:
            os.kill(self._serve.pid, signal.SIGKILL)
        self._serve.wait()
        if self._serve.stdout is not None:
            self._serve.stdout.close()
        pids = {line.pid for line in read(self.journal)}
        self.until(lambda: not any(is_alive(pid) for pid in pids), "children outlived serve")
        self.killed_at.append(time.monotonic_ns())

    def end(self) -> None:
        if self._serve is not None and self._serve.poll() is None:
            self._serve.terminate()
            self._serve.wait(DEADLINE_S)
        if self._serve is not None and self._serve.stdout is not None:
            self._serve.stdout.close()

    def until(self, check: object, what: str) -> None:
        """Look until something is so."""
        assert callable(check)
        deadline = time.monotonic() + DEADLINE_S
        tick = threading.Event()
        while not check():
            assert time.monotonic() < deadline, what
            tick.wait(0.02)

    def began(self, task: str) -> bool:
        return any(line.task == task and line.what == "begin" for line in read(self.journal))
