"""What goes wrong in a producer's process: what it said before and says again is one event."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import tale
from place import DEADLINE_S, Place
from tale import Tale
from tales import PRODUCING, cases

from eventflow.crashpoints import ONCE, VARIABLE, Action
from eventflow.model.event import Event
from eventflow.runtime.remote import RemoteClient

# Writes down what it is about to say and what it was told, as any producer can.
PRODUCER = """
import os, sys
from eventflow.runtime.remote import RemoteClient

def write(*words):
    descriptor = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, (" ".join(map(str, words)) + "\\n").encode())
    os.fsync(descriptor)
    os.close(descriptor)

with RemoteClient(sys.argv[1]) as remote:
    write("sent", "command")
    command = remote.client.run("default", "steps", idempotency_key="by hand")
    write("told", "command", command.offset)
    write("sent", "event")
    event = remote.client.emit("go", 1, id="go", sender="test")
    write("told", "event", event.offset)
"""


@dataclass
class Produced(Tale):
    """The tale, its two executions asked for by a process in which something goes wrong.

    Attributes:
        wrong: `POINT:ACTION:COUNT`.
        codes: How its processes have ended.
        stood: Offsets of what stood in the log when the first had ended.
    """

    wrong: str = ""
    codes: list[int] = field(default_factory=list)
    stood: list[int] = field(default_factory=list)

    def ask(self, remote: RemoteClient) -> tuple[Event, Event]:
        while not self.codes or self.codes[-1] != 0:
            assert len(self.codes) < 3, self.codes
            self.codes.append(self._produce())
            if len(self.codes) == 1:
                self.stood = [one.offset for one in self._asked(remote)]
        command, event = sorted(self._asked(remote), key=lambda one: one.key)
        told = [line.split() for line in self.journal.read_text().splitlines()]
        offsets = {"command": command.offset, "event": event.offset}
        assert {(name, int(at)) for _, name, *rest in told for at in rest} == set(offsets.items())
        return command, event

    @property
    def journal(self) -> Path:
        return self.place.folder / "produced"

    def _produce(self) -> int:
        done = subprocess.run(
            [sys.executable, "-c", PRODUCER, self.place.url, str(self.journal)],
            env={**os.environ, VARIABLE: self.wrong, ONCE: str(self.place.folder / "once-0")},
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )
        return done.returncode

    def _asked(self, remote: RemoteClient) -> list[Event]:
        return remote.store.read(keys=["go", "eventflow.command.run"])


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path, tale.WORKFLOW)
    yield made
    made.end()


def told(place: Place, wrong: str) -> Produced:
    produced = Produced(place, [""], wrong=wrong)
    produced.tell()
    assert produced.happened(), f"{wrong} was never reached"
    produced.check()
    return produced


@pytest.mark.long
@pytest.mark.fault("F01")
@pytest.mark.rule("S2", "S3")
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("stage", ["begun", "written"])
def test_f01_a_producer_killed_before_its_commit_says_it_again_safely(
    place: Place, stage: str, count: int
) -> None:
    produced = told(place, f"append.{stage}:kill:{count}")

    assert produced.codes == [-signal.SIGKILL, 0]
    assert len(produced.stood) == count - 1


@pytest.mark.long
@pytest.mark.fault("F02")
@pytest.mark.rule("S2", "S3")
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("stage", ["committed", "told"])
def test_f02_a_producer_killed_after_its_commit_is_told_the_first_offset(
    place: Place, stage: str, count: int
) -> None:
    produced = told(place, f"append.{stage}:kill:{count}")

    assert produced.codes == [-signal.SIGKILL, 0]
    assert len(produced.stood) == count


@pytest.mark.long
@pytest.mark.rule("S2", "S3")
@pytest.mark.parametrize("case", cases(PRODUCING, [Action.RAISE, Action.STALL]))
def test_a_producer_that_fails_or_stalls_says_what_it_says_once(place: Place, case: str) -> None:
    produced = told(place, f"{case}:2")

    assert len(produced.codes) == (1 if case.endswith("stall") or "committed" in case else 2)
