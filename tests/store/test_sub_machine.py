"""A state machine of workflows that run workflows, on the real loop and a real file (S40).

Beside `test_machine.py`, which has every kind of rule and none of these.
"""

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import invariants
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from player import Player
from story import Step

from eventflow import Every, TaskAction, Workflow, WorkflowOperator
from eventflow.errors import ConflictError
from eventflow.model.status import ENDED

SETTINGS = st.fixed_dictionaries(
    {
        "retries": st.integers(0, 1),
        "retry_delay": st.sampled_from([0, 5]),
        "timeout": st.sampled_from([None, 30]),
    }
)
KINDS = ("running", "success", "failed", "stopped", "lost")


@st.composite
def families(draw: st.DrawFn) -> list[Workflow]:
    """top runs middle, middle runs bottom; events start, stop and restart what runs them.

    At the bottom of each there may be items, which end with what runs above them (S43).
    """
    with Workflow("bottom", max_active=draw(st.integers(1, 2))) as bottom:
        work = Step("work", **draw(SETTINGS))
        if draw(st.booleans()):
            work.map([1, 2, 3])
    with Workflow("middle", timeout=draw(st.sampled_from([None, 45.0]))) as middle:
        one = WorkflowOperator("deep", bottom, **draw(SETTINGS))
        Step("work", max_active_items=1).map([1, 2]).start_after(one)
    with Workflow("top", completion="manual") as top:
        WorkflowOperator("sub", middle, periodic_expression=Every(40), **draw(SETTINGS))
        WorkflowOperator("other", "bottom", **draw(SETTINGS))
    for task in ("sub", "other"):
        top.action_on_event_received(task, "go", TaskAction.START)
        top.action_on_event_received(task, "enough", TaskAction.STOP)
        top.action_on_event_received(task, "fresh", TaskAction.RESTART)
    middle.action_on_event_received("deep", "fresh", TaskAction.RESTART)
    return [bottom, middle, top]


class Machine(RuleBasedStateMachine):
    """Orders are delivered late and twice, and the process dies between any two batches."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="eventflow-machine-")

    @initialize(family=families())
    def begin(self, family: list[Workflow]) -> None:
        self.player = Player(Path(self.folder.name) / "store.db", family)
        for number in range(len(family)):
            self.player.register(number)
        self.player.client.run("default", "top")
        self.player.settle()

    @rule(key=st.sampled_from(["go", "go", "enough", "fresh"]))
    def emit(self, key: str) -> None:
        self.player.client.emit(key)

    @rule(data=st.data())
    def stop(self, data: st.DataObject) -> None:
        found = self.player.rows("SELECT id FROM workflow_execution ORDER BY id")
        with suppress(ConflictError):  # it has ended
            self.player.client.stop(data.draw(st.sampled_from(found))[0])

    @rule(data=st.data(), action=st.sampled_from(sorted(TaskAction)))
    @precondition(lambda self: self.alive())
    def command(self, data: st.DataObject, action: TaskAction) -> None:
        execution_id, task = data.draw(st.sampled_from(self.alive()))[2:]
        with suppress(ConflictError):  # it has ended
            self.player.client.task(execution_id, task, action)

    @rule(data=st.data(), kind=st.sampled_from(KINDS))
    @precondition(lambda self: self.alive())
    def report(self, data: st.DataObject, kind: str) -> None:
        run_id, attempt, *_ = data.draw(st.sampled_from(self.alive()))
        self.player.report(kind, run_id, attempt)

    @rule(seconds=st.sampled_from([1, 6, 31, 60]))
    def move_the_clock(self, seconds: int) -> None:
        self.player.wait(seconds)

    @rule()
    def step(self) -> None:
        self.player.step()

    @rule(times=st.integers(1, 3))
    def deliver(self, times: int) -> None:
        for _ in range(times):
            self.player.start_subs()
            self.player.begin_maps()
            self.player.settle()

    @rule()
    def deliver_late(self) -> None:
        self.player.start_subs()
        self.player.begin_maps()

    @rule(when=st.sampled_from(["before", "after"]))
    def crash(self, when: str) -> None:
        self.player.crash(when)

    @invariant()
    def what_the_file_says_holds(self) -> None:
        if hasattr(self, "player"):
            assert invariants.broken(self.player.path) == []

    def alive(self) -> list[tuple[Any, ...]]:
        return [
            tuple(row[:4])
            for row in self.player.rows(
                "SELECT id, attempt, workflow_execution_id, task, status FROM task_execution"
                " ORDER BY id"
            )
            if row[4] not in ENDED and row[4] != "INIT"
        ]

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
TestMachine.settings = settings(max_examples=10, stateful_step_count=40, deadline=None)


class TestMachineForLonger(TestMachine):
    pytestmark = pytest.mark.long
    settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
