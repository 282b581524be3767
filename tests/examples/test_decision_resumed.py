"""The decision, killed and run again: what had finished is not done a second time."""

import json
import re
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import programs
import pytest
from test_examples import EXAMPLES, promised

from eventflow import TaskStatus
from eventflow.runtime.remote import RemoteClient

DEADLINE_S = 120
SCRIPT = EXAMPLES / "decision_resumed.py"


class Killed:
    """A run of the example's flow in a folder, killed once so many items have finished.

    Attributes:
        before: The lines of its journal when it was dead.
        finished: Those of them whose item is SUCCESS in the store.
    """

    def __init__(self, folder: Path, task: str, times: int) -> None:
        self.folder = folder / "eventflow-decision"
        self.folder.mkdir()
        process = self._begin()
        watchdog = threading.Timer(DEADLINE_S, process.kill)
        watchdog.start()
        tick = threading.Event()
        while not self.lines():
            assert process.poll() is None, process.communicate()
            tick.wait(0.01)
        with self.store() as remote:
            assert remote.until(lambda: len(finished(remote, task)) >= times or None, DEADLINE_S)
            assert process.poll() is None, "it ended before it could be killed"
            process.kill()
            process.communicate()
            watchdog.cancel()
            self.before = self.lines()
            self.finished = finished(remote, "solve") | finished(remote, "improve")

    def run_again(self) -> str:
        process = self._begin()
        output, errors = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0, errors
        return output

    def lines(self) -> list[str]:
        journal = self.folder / "journal.txt"
        return journal.read_text().splitlines() if journal.exists() else []

    def store(self) -> RemoteClient:
        return RemoteClient(f"sqlite:///{self.folder / 'decision.db'}")

    def _begin(self) -> programs.Running:
        return programs.begin([sys.executable, SCRIPT, "decide"], cwd=self.folder.parent)


def finished(remote: RemoteClient, task: str) -> set[str]:
    """What the journal says of the items of a task whose SUCCESS is in the store."""
    execution = remote.store.execution(1)
    assert execution is not None
    found = set()
    for run in execution.tasks:
        if run.task_name != task or run.item is not None:
            continue
        for item in remote.store.items(run.id, statuses=[TaskStatus.SUCCESS]):
            result = remote.store.result(run.id, item.index)
            assert result is not None
            scenario = json.loads(result)["scenario"]
            found.add(f"{task}d {scenario['truck']}, {scenario['depots']} depots")
    return found


@pytest.mark.rule("S43")
@pytest.mark.parametrize(
    ("task", "times"), [("solve", 4), pytest.param("improve", 1, marks=pytest.mark.long)]
)
def test_a_killed_flow_goes_on_from_its_last_finished_items(
    tmp_path: Path, task: str, times: int
) -> None:
    killed = Killed(tmp_path, task, times)

    output = killed.run_again()

    assert "no plan is more than" in output
    done = Counter(killed.lines())
    assert len([line for line in done if line.startswith("solved")]) == 18
    assert killed.finished <= set(killed.before)
    assert {done[line] for line in killed.finished} == {1}
    # What had written its line, but whose result had not come into the store, is done again.
    assert {line for line in done if done[line] > 1} <= set(killed.before) - killed.finished
    assert max(done.values()) <= 2
    with killed.store() as remote:
        (execution,) = remote.store.executions()
    assert (execution.workflow_name, execution.status) == ("NotedDecision", "SUCCESS")


def test_the_example_kills_and_resumes_itself(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT], cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE_S
    )

    assert done.returncode == 0, done.stderr
    told = [line for line in done.stdout.splitlines() if line.startswith(("killed", "run again"))]
    for line, example in zip(told, promised("decision_resumed.py"), strict=True):
        assert re.fullmatch(re.sub(r"\b7\b", r"\\d+", example), line), (line, example)
