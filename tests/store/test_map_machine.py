"""A state machine of mapped tasks, on the real loop and a real file (S43).

Beside `test_machine.py`, which has some too: here most of what happens is about items, and what an
order or report asks for is mostly done at once, so that maps come to run, to fail and to end.
"""

import tempfile
from contextlib import suppress
from pathlib import Path

import invariants
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from machine_flows import KEYS, RESULTS, TASKS, mapping_workflows
from player import Player

from eventflow import TaskAction, TaskStatus, Workflow
from eventflow.errors import ConflictError
from eventflow.model.status import ENDED

KINDS = ("running", "success", "failed", "skipped", "stopped", "lost", "refused")
# How what is alive ends, one after the other, over and over; all well in one of two.
ENDS = st.sampled_from(
    [
        ["success"],
        ["success"],
        ["success"],
        ["success", "success", "failed"],
        ["failed", "success"],
        ["skipped", "success", "lost"],
    ]
)
LISTS = st.sampled_from([*RESULTS, "[1,2]", "[1,2]", "[4,5,6]", "[4,5,6]", "[[1],[],[2,3]]"])
# What follows at once: all there is to do, one batch, nothing, or a death in a batch.
THEN = st.sampled_from(["all", "all", "all", "step", "nothing", "before", "after"])


class Machine(RuleBasedStateMachine):
    """Items are reported of in any order, late and twice, and the process dies between batches."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="eventflow-machine-")

    @initialize(workflow=mapping_workflows(), slots=st.sampled_from([None, 1, 2]))
    def begin(self, workflow: Workflow, slots: int | None) -> None:
        self.player = Player(Path(self.folder.name) / "store.db", [workflow])
        self.player.register(0)
        self.player.client.set_pool("p", slots)
        self.player.client.run("default", "w")
        self.then("all")

    @rule(then=THEN)
    def run_another(self, then: str) -> None:
        self.player.client.run("default", "w")
        self.then(then)

    @rule(key=st.sampled_from(KEYS), then=THEN)
    def emit(self, key: str, then: str) -> None:
        self.player.client.emit(key)
        self.then(then)

    @rule(
        data=st.data(),
        action=st.sampled_from(sorted(TaskAction)),
        task=st.sampled_from(TASKS),
        then=THEN,
    )
    def command(self, data: st.DataObject, action: TaskAction, task: str, then: str) -> None:
        with suppress(ConflictError):  # it has ended
            self.player.client.task(data.draw(self.executions()), task, action)
        self.then(then)

    @rule(data=st.data(), then=THEN)
    def stop(self, data: st.DataObject, then: str) -> None:
        with suppress(ConflictError):  # it has ended
            self.player.client.stop(data.draw(self.executions()))
        self.then(then)

    @rule(data=st.data(), then=THEN)
    def retry(self, data: st.DataObject, then: str) -> None:
        with suppress(ConflictError):  # it goes on, or there is nothing to run again
            self.player.client.retry(data.draw(self.executions()))
        self.then(then)

    @rule(name=st.sampled_from(["default", "p"]), slots=st.sampled_from([None, 0, 1, 2]), then=THEN)
    def set_pool(self, name: str, slots: int | None, then: str) -> None:
        self.player.client.set_pool(name, slots)
        self.then(then)

    @rule(data=st.data(), kind=st.sampled_from(KINDS), then=THEN, result=LISTS, retry=st.booleans())
    @precondition(lambda self: self.alive())
    def report(self, data: st.DataObject, kind: str, then: str, result: str, retry: bool) -> None:
        """About an attempt that is alive, of an item or not."""
        run_id, attempt = data.draw(st.sampled_from(self.alive()))
        self.player.report(kind, run_id, attempt, result=result, retryable=retry)
        self.then(then)

    @rule(kinds=ENDS, result=LISTS, then=THEN)
    def report_all(self, kinds: list[str], result: str, then: str) -> None:
        """Everything that is alive ends somehow; the newest is told first."""
        for number, (run_id, attempt) in enumerate(reversed(self.alive())):
            kind = kinds[number % len(kinds)]
            self.player.report(kind, run_id, attempt, result=result)
        self.then(then)

    @rule(kinds=ENDS, result=LISTS, again=st.booleans())
    def finish(self, kinds: list[str], result: str, again: bool) -> None:
        """As long as it takes, within bounds; and then perhaps a retry of what has ended."""
        for number in range(8):
            self.report_all(kinds[number % len(kinds) :] or kinds, result, "all")
            self.player.wait(5)
        if again:
            for (number,) in self.player.rows("SELECT id FROM workflow_execution"):
                with suppress(ConflictError):  # it goes on, or there is nothing to run again
                    self.player.client.retry(number)
            self.then("all")

    @rule(data=st.data(), kind=st.sampled_from(KINDS), attempt=st.integers(1, 3))
    def report_late(self, data: st.DataObject, kind: str, attempt: int) -> None:
        """About any run or item that ever was, or never was, in any attempt."""
        found = self.player.rows("SELECT id FROM task_execution ORDER BY id")
        run_id = data.draw(st.sampled_from([*(row[0] for row in found), 10_000]))
        self.player.report(kind, run_id, attempt)
        self.player.step()

    @rule(seconds=st.sampled_from([1, 6, 31, 121]), then=THEN)
    def move_the_clock(self, seconds: int, then: str) -> None:
        self.player.wait(seconds)
        self.then(then)

    @rule(times=st.integers(1, 3))
    def begin_maps(self, times: int) -> None:
        """Orders that were delivered are delivered again."""
        for _ in range(times):
            self.player.begin_maps()

    @invariant()
    def what_the_file_says_holds(self) -> None:
        if hasattr(self, "player"):
            assert invariants.broken(self.player.path) == []

    def then(self, what: str) -> None:
        match what:
            case "all":
                self.player.settle()
                self.player.begin_maps()
                self.player.settle()
            case "step":
                self.player.step()
            case "before" | "after":
                self.player.crash(what)

    def executions(self) -> st.SearchStrategy[int]:
        rows = self.player.rows("SELECT id FROM workflow_execution ORDER BY id")
        return st.sampled_from([number for (number,) in rows] or [1])

    def alive(self) -> list[tuple[int, int]]:
        rows = self.player.rows("SELECT id, attempt, status FROM task_execution ORDER BY id")
        gone = {*ENDED, TaskStatus.INIT}
        return [(run_id, attempt) for run_id, attempt, status in rows if status not in gone]

    def teardown(self) -> None:
        try:
            if hasattr(self, "player"):
                found = self.player.replay()
                assert found.equal, found
        finally:
            if hasattr(self, "player"):
                self.player.close()
            self.folder.cleanup()


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=7, stateful_step_count=25, deadline=None)
TestMachine.pytestmark = [pytest.mark.rule("S9", "S10", "S31", "S43", "S44")]


class TestMachineForLonger(TestMachine):
    pytestmark = pytest.mark.long
    settings = settings(max_examples=20, stateful_step_count=25, deadline=None)
