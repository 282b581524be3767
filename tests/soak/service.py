"""The `eventflow serve` of a soak: started, killed, started again, and asked whether it decides."""

import os
import selectors
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

from eventflow import emit, listen
from eventflow.errors import EventflowError
from eventflow.executors.groups import die_with_parent
from tests.soak.asking import EVENTFLOW
from tests.soak.clocks import WallClock
from tests.soak.journal import (
    SENT,
    Acknowledged,
    Sent,
    acknowledged_line,
    append,
    open_to_append,
    sent_line,
)
from tests.soak.processes import started_with
from tests.soak.shapes import PROBE

HERE = Path(__file__).parent
SERVED = ("flows.py", "journal.py", "shapes.py")
READY_S = DECIDED_S = 90.0
ENDED_S = 60.0
LEFT_S = 10.0
FOLDER = "SOAK_FOLDER"
_LOOK_S = 0.01
_PROBER = "prober"


class ServeError(Exception):
    """`serve` did what it never may: ended by itself, or did not answer."""


class Service:
    """A store in a folder, and the `serve` that works on it.

    Attributes:
        clock: The wall clock that `serve` and its children see.
        answered_s: Seconds from each start to the first decision on an event emitted after it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = f"sqlite:///{folder / 'store.db'}"
        self.clock = WallClock(folder)
        self.answered_s: list[float] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._probes = 0
        self._tick = threading.Event()
        os.environ |= {"EVENTFLOW_STORE": self.store, FOLDER: str(folder)}
        (folder / SENT).mkdir()
        self._journal = open_to_append(folder / SENT / _PROBER)
        for name in SERVED:
            shutil.copy(HERE / name, folder / name)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> float:
        """Start `serve`, and wait until it has decided an event that is emitted after that.

        Returns the seconds that it took, from the start of the process on.

        Raises:
            ServeError: If it does not come to that.
        """
        begin = time.monotonic()
        self._process = self.launch("serve.log")
        ready_within(self._process, READY_S)
        self._probe()
        self.answered_s.append(time.monotonic() - begin)
        return self.answered_s[-1]

    def launch(self, log: str) -> "subprocess.Popen[bytes]":
        """A `serve` on the store; it dies with this process."""
        with (self.folder / log).open("ab") as errors:
            return subprocess.Popen(
                [EVENTFLOW, "serve", "flows.py", "--store", self.store],
                cwd=self.folder,
                env={**os.environ, **self.clock.variables},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                preexec_fn=lambda: die_with_parent(signal.SIGKILL),
            )

    def kill(self) -> None:
        """kill -9, whatever it does just now; returns when it is dead, its children perhaps not."""
        self.check()
        assert self._process is not None
        self._process.kill()
        self._let_go()

    def end(self) -> None:
        """SIGTERM; returns when it has ended.

        Raises:
            ServeError: If it ends with another status than 0.
        """
        if self._process is None:
            return
        self._process.terminate()
        status = self._let_go()
        if status:
            raise ServeError(f"serve ended with {status} after SIGTERM; see serve.log")

    def check(self) -> None:
        """Raises ServeError if `serve` has ended, which nobody asked of it."""
        if self._process is not None and self._process.poll() is not None:
            raise ServeError(
                f"serve ended by itself with {self._process.returncode}; see serve.log"
            )

    def abandon(self) -> list[str]:
        """See that nothing of it is left, whatever was; returns what did not end by itself."""
        if self._process is not None:
            self._process.kill()
            self._let_go()
        os.close(self._journal)
        deadline = time.monotonic() + LEFT_S
        while (left := started_with(FOLDER, str(self.folder))) and time.monotonic() < deadline:
            self._tick.wait(_LOOK_S)
        told = [f"left behind: {one.pid} {one.command}" for one in left]
        for one in left:
            one.send(signal.SIGKILL)
        return told

    def _let_go(self) -> int:
        process, self._process = self._process, None
        assert process is not None
        assert process.stdout is not None
        try:
            return process.wait(ENDED_S)
        except subprocess.TimeoutExpired as error:
            process.kill()
            process.wait()
            raise ServeError(f"serve had not ended {ENDED_S:.0f} s after its signal") from error
        finally:
            process.stdout.close()

    def _probe(self) -> None:
        self._probes += 1
        event = Sent(_PROBER, f"{self._probes}", PROBE, self._probes)
        append(self._journal, sent_line(event))
        deadline = time.monotonic() + DECIDED_S
        offset = 0
        while time.monotonic() < deadline:
            self.check()
            try:
                if not offset:
                    told = emit(event.key, event.value, sender=event.sender, id=event.id)
                    offset = told.offset
                    line = acknowledged_line(Acknowledged(event.sender, event.id, offset))
                    append(self._journal, line)
                if next(listen(PROBE, after=offset - 1)).turn:
                    return
            except EventflowError:  # the store is busy; the producers see it too
                pass
            self._tick.wait(_LOOK_S)
        raise ServeError(f"an event was not decided within {DECIDED_S:.0f} s of its emission")


def ready_within(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    """Wait until a `serve` says that it is ready.

    Raises:
        ServeError: If it ends before, or says nothing.
    """
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if not selector.select(seconds):
            raise ServeError(f"serve was not ready within {seconds:.0f} s; see serve.log")
    if b"ready" not in process.stdout.readline():
        raise ServeError("serve ended before it was ready; see serve.log")
