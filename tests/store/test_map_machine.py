"""A state machine of mapped tasks on the real loop and a real file, with deaths between (S43).

Beside `tests/core/test_maps_at_random.py`, which has virtual time and the memory store. What was
told at the end is decided again over the other store, and every row is compared.
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

from eventflow import TaskAction, Workflow
from eventflow.core.portrait import portrait
from eventflow.errors import ConflictError
from eventflow.model.status import ENDED
from eventflow.runtime import loop as loop_module

SETTINGS = st.fixed_dictionaries(
    {
        "retries": st.integers(0, 1),
        "retry_delay": st.sampled_from([0, 5]),
        "timeout": st.sampled_from([None, 30]),
        "on_lost": st.sampled_from(["retry", "fail"]),
        "max_active_items": st.sampled_from([1, 2, 1000]),
        "on_item_failure": st.sampled_from(["finish", "stop"]),
        "pool": st.sampled_from(["default", "p"]),
    }
)
KINDS = ("running", "success", "success", "success", "failed", "skipped", "stopped", "lost")
RESULTS = ("[]", "[1]", "[1,2,3]", '"no list"')


class Joined(Step):
    """Takes the whole of a map."""

    def __init__(self, name: str, *places: Any) -> None:
        self._places = places
        super().__init__(name)

    @property
    def arguments(self) -> Any:
        return self._places


@st.composite
def workflows(draw: st.DrawFn) -> Workflow:
    """A map over given items, one over its results, and a join; events act on the maps."""
    with Workflow("w", completion=draw(st.sampled_from(["auto", "manual"]))) as workflow:
        a = Step("a", **draw(SETTINGS)).map(range(draw(st.integers(0, 4))))
        b = Step("b", **draw(SETTINGS)).map(a.output.or_none, nested=draw(st.booleans()))
        Joined("c", b.output)
    for task in (a, b):
        task.action_on_event_received(TaskAction.STOP, "enough")
        task.action_on_event_received(TaskAction.RESTART, "fresh")
        if draw(st.booleans()):
            task.action_on_event_received(TaskAction.STOP, "eventflow.command.expand")
    return workflow


class Machine(RuleBasedStateMachine):
    """Orders are delivered late and twice, and the process dies between any two batches."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="eventflow-machine-")
        self.limits = pytest.MonkeyPatch()

    @initialize(workflow=workflows(), turns=st.sampled_from([5, 300]))
    def begin(self, workflow: Workflow, turns: int) -> None:
        self.limits.setattr(loop_module, "TURN_LIMIT", turns)
        self.player = Player(Path(self.folder.name) / "store.db", [workflow])
        self.player.register(0)
        self.player.client.set_pool("p", 1)
        self.player.client.run("default", "w")
        self.player.settle()

    @rule(key=st.sampled_from(["enough", "fresh"]))
    def emit(self, key: str) -> None:
        self.player.client.emit(key)

    @rule(action=st.sampled_from(sorted(TaskAction)), task=st.sampled_from("abc"))
    def command(self, action: TaskAction, task: str) -> None:
        with suppress(ConflictError):  # it has ended
            self.player.client.task(self.executions()[-1], task, action)

    @rule()
    def stop(self) -> None:
        with suppress(ConflictError):  # it has ended
            self.player.client.stop(self.executions()[-1])

    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        with suppress(ConflictError):  # it has not ended, or has nothing left to do
            self.player.client.retry(data.draw(st.sampled_from(self.executions())))

    @rule(slots=st.sampled_from([0, 1, 2, None]))
    def set_pool(self, slots: int | None) -> None:
        self.player.client.set_pool("p", slots)

    @rule(data=st.data(), kind=st.sampled_from(KINDS), result=st.sampled_from(RESULTS))
    @precondition(lambda self: self.alive())
    def report(self, data: st.DataObject, kind: str, result: str) -> None:
        run_id, attempt = data.draw(st.sampled_from(self.alive()))
        self.player.report(kind, run_id, attempt, result=result)

    @rule(kind=st.sampled_from(KINDS), result=st.sampled_from(RESULTS))
    def report_all(self, kind: str, result: str) -> None:
        for run_id, attempt in self.alive():
            self.player.report(kind, run_id, attempt, result=result)
        self.player.settle()

    @rule(data=st.data(), kind=st.sampled_from(KINDS), attempt=st.integers(1, 3))
    def report_late(self, data: st.DataObject, kind: str, attempt: int) -> None:
        """About any run or item that ever was, or never was, in any attempt."""
        ids = [number for (number,) in self.player.rows("SELECT id FROM task_execution")]
        self.player.report(kind, data.draw(st.sampled_from([*ids, 10_000])), attempt)

    @rule(seconds=st.sampled_from([1, 6, 31]))
    def move_the_clock(self, seconds: int) -> None:
        self.player.wait(seconds)

    @rule()
    def step(self) -> None:
        self.player.step()

    @rule()
    def deliver(self) -> None:
        self.player.count_items()
        self.player.settle()

    @rule()
    def deliver_late(self) -> None:
        self.player.count_items()

    @rule(when=st.sampled_from(["before", "after"]))
    def crash(self, when: str) -> None:
        self.player.crash(when)

    @invariant()
    def what_the_file_says_holds(self) -> None:
        if not hasattr(self, "player"):
            return
        assert invariants.broken(self.player.path) == []
        loaded = self.player.store.load(self.player._registry.plan).world
        assert portrait(loaded) == portrait(self.player.loop.world)

    def executions(self) -> list[int]:
        return [
            number
            for (number,) in self.player.rows("SELECT id FROM workflow_execution ORDER BY id")
        ]

    def alive(self) -> list[tuple[int, int]]:
        return [
            (run_id, attempt)
            for run_id, attempt, status in self.player.rows(
                "SELECT id, attempt, status FROM task_execution ORDER BY id"
            )
            if status not in ENDED and status != "INIT"
        ]

    def teardown(self) -> None:
        if hasattr(self, "player"):
            replayed = self.player.replay()
            assert replayed.equal, replayed
            self.player.close()
        self.limits.undo()
        self.folder.cleanup()


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=15, stateful_step_count=40, deadline=None)
TestMachine.pytestmark = [pytest.mark.rule("S43", "S10", "S9")]
