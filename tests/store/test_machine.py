"""A state machine round the real loop and a real file: whatever comes, what the file says holds.

Beside `tests/core/test_decide.py`, which asks the core alone, this one has the log, the batches,
the commits, the way back from the file, and deaths between any two of them.
"""

import json
import sqlite3
import tempfile
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import invariants
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from machine_flows import KEYS, RESULTS, SCHEDULES, TASKS, versions_of, workflows
from player import Player

from eventflow import TaskAction, TaskStatus, Workflow
from eventflow.errors import ConflictError, DuplicateEventError
from eventflow.model.status import ENDED, WORKFLOW_ENDED
from eventflow.runtime import loop as loop_module
from eventflow.store.order_checks import pools_in_use

POOLS = ("default", "p")
KINDS = ("running", "success", "failed", "skipped", "stopped", "lost", "refused")


@dataclass(frozen=True)
class Sent:
    """What an emitter knows of an event that it was told is committed."""

    key: str
    value: Any


class Machine(RuleBasedStateMachine):
    """Emitters, commands, executors, clocks and deaths, at random."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="eventflow-machine-")
        self.limits = pytest.MonkeyPatch()
        self.sent: dict[int, Sent] = {}
        self.named: dict[str, tuple[int, Sent]] = {}
        self.ended: dict[tuple[str, int], str] = {}
        self.cursor = 0
        self.turn = 0
        self.slots: dict[str, int | None] = {}
        self.held: dict[str, int] = {}
        self.quiet = False

    @initialize(
        workflow=workflows(),
        turns=st.sampled_from([5, 300]),
        reads=st.sampled_from([3, 512]),
        slots=st.sampled_from([None, 1, 1]),
    )
    def begin(self, workflow: Workflow, turns: int, reads: int, slots: int | None) -> None:
        self.limits.setattr(loop_module, "TURN_LIMIT", turns)
        self.limits.setattr(loop_module, "READ_LIMIT", reads)
        self.player = Player(Path(self.folder.name) / "store.db", versions_of(workflow))
        self.player.register(0)
        self.player.client.set_pool("p", slots)
        self.player.client.run("default", "w")
        self.player.client.run("default", "w")

    @rule(key=st.sampled_from(KEYS), value=st.integers(0, 1))
    def emit(self, key: str, value: int) -> None:
        event = self.player.client.emit(key, value)
        assert event.offset not in self.sent
        self.sent[event.offset] = Sent(key, value)

    @rule(key=st.sampled_from(KEYS), value=st.integers(0, 1), name=st.sampled_from(["m", "n"]))
    def emit_under_an_id(self, key: str, value: int, name: str) -> None:
        sent = Sent(key, value)
        try:
            event = self.player.client.emit(key, value, id=name, sender="me")
        except DuplicateEventError:
            assert self.named[name][1] != sent
            return
        offset, first = self.named.setdefault(name, (event.offset, sent))
        assert (event.offset, event.key, event.value) == (offset, first.key, first.value)
        self.sent.setdefault(offset, first)

    @rule(again=st.sampled_from(["", "monday"]))
    def run_another(self, again: str) -> None:
        self.player.client.run("default", "w", idempotency_key=again)

    @rule(data=st.data(), action=st.sampled_from(sorted(TaskAction)), task=st.sampled_from(TASKS))
    @precondition(lambda self: self.executions())
    def command_a_task(self, data: st.DataObject, action: TaskAction, task: str) -> None:
        with suppress(ConflictError):  # it has ended
            self.player.client.task(data.draw(st.sampled_from(self.executions())), task, action)

    @rule(data=st.data())
    @precondition(lambda self: self.executions())
    def stop(self, data: st.DataObject) -> None:
        with suppress(ConflictError):  # it has ended
            self.player.client.stop(data.draw(st.sampled_from(self.executions())))

    @rule(data=st.data())
    @precondition(lambda self: self.executions())
    def retry(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.executions()))
        ended = self.player.store.execution_status(number) in WORKFLOW_ENDED
        try:
            self.player.client.retry(number)
        except ConflictError as error:
            assert not ended or "nothing to run again" in str(error)  # noqa: PT017  also no error
        else:
            assert ended

    @rule(paused=st.booleans())
    def pause(self, paused: bool) -> None:
        self.player.client.pause("default", "w", paused=paused)

    @rule(name=st.sampled_from(POOLS), slots=st.sampled_from([None, 0, 1, 1, 2]))
    def set_pool(self, name: str, slots: int | None) -> None:
        self.player.client.set_pool(name, slots)

    @rule(number=st.integers(0, len(SCHEDULES)))
    def register_a_version(self, number: int) -> None:
        self.player.register(number)

    @rule(
        data=st.data(),
        kind=st.sampled_from(KINDS),
        retryable=st.booleans(),
        twice=st.booleans(),
        result=st.sampled_from(RESULTS),
    )
    @precondition(lambda self: self.alive())
    def report(
        self, data: st.DataObject, kind: str, retryable: bool, twice: bool, result: str
    ) -> None:
        """About an attempt that is alive: what an executor says in good order, or says again."""
        run_id, attempt = data.draw(st.sampled_from(self.alive()))
        for _ in range(1 + twice):
            self.player.report(kind, run_id, attempt, retryable=retryable, result=result)

    @rule(times=st.integers(1, 2))
    def begin_maps(self, times: int) -> None:
        """Orders of mapped tasks are delivered: late, and again, as the others are."""
        for _ in range(times):
            self.player.begin_maps()

    @rule()
    def go_on(self) -> None:
        """As when all goes well: maps are counted, and those that ask for it begin."""
        self.player.settle()
        self.player.begin_maps()
        self.quiet = self.player.settle()

    @rule(kind=st.sampled_from(KINDS), result=st.sampled_from(RESULTS))
    @precondition(lambda self: self.alive())
    def report_all(self, kind: str, result: str) -> None:
        """Everything that is alive comes to the same."""
        for run_id, attempt in self.alive():
            self.player.report(kind, run_id, attempt, result=result)

    @rule(data=st.data(), kind=st.sampled_from(KINDS), attempt=st.integers(1, 3))
    @precondition(lambda self: self.runs())
    def report_late(self, data: st.DataObject, kind: str, attempt: int) -> None:
        """About any run that ever was, or never was, in any attempt."""
        run_id = data.draw(st.sampled_from([*self.runs(), 10_000]))
        self.player.report(kind, run_id, attempt)

    @rule(seconds=st.sampled_from([-90, -1, 1, 6, 31, 60, 700]))
    def move_the_clock(self, seconds: int) -> None:
        self.player.wait(seconds)

    @rule()
    def step(self) -> None:
        self.player.step()

    @rule()
    def settle(self) -> None:
        self.quiet = self.player.settle()

    @rule(when=st.sampled_from(["before", "after"]))
    def crash(self, when: str) -> None:
        self.player.crash(when)

    @invariant()
    def what_the_file_says_holds(self) -> None:
        if not hasattr(self, "player"):
            return
        assert invariants.broken(self.player.path) == []
        if self.quiet:
            assert invariants.undecided(self.player.path) == []
        self.quiet = False

    @invariant()
    def what_was_acknowledged_is_in_the_log(self) -> None:
        if not hasattr(self, "player"):
            return
        rows = self.player.store.read(limit=10_000)
        assert {event.offset: Sent(event.key, event.value) for event in rows} == self.sent

    @invariant()
    def the_cursor_goes_forward_and_ended_is_ended(self) -> None:
        if not hasattr(self, "player"):
            return
        ((cursor,),) = self.player.rows("SELECT offset FROM cursor")
        assert cursor >= self.cursor
        self.cursor = cursor
        stands = {
            (table, number): status
            for table in ("task_execution", "workflow_execution")
            for number, status in self.player.rows(f"SELECT id, status FROM {table}")  # noqa: S608
        }
        assert self.ended.items() <= stands.items()
        self.ended |= {
            place: status
            for place, status in stands.items()
            if status in (ENDED if place[0] == "task_execution" else WORKFLOW_ENDED)
        }

    @invariant()
    def no_more_slots_are_held_than_there_are(self) -> None:
        """A pool that has more held than slots was lowered: it has had as many, and only loses."""
        if not hasattr(self, "player"):
            return
        with closing(sqlite3.connect(self.player.path)) as connection:
            held = {key: held for key, (held, _) in pools_in_use(connection).items()}
        commands = self.player.rows(
            "SELECT turn, value FROM event WHERE key = 'eventflow.command.pool' AND turn > ?"
            " ORDER BY turn",
            self.turn,
        )
        ((self.turn,),) = self.player.rows("SELECT turn FROM cursor")
        for name in POOLS:
            told = [json.loads(value) for _, value in commands]
            since = [value["slots"] for value in told if value["pool"] == name]
            most = [self.slots.get(name, None if name == "default" else 0), *since]
            if None not in most:
                now = held.get(("default", name), 0)
                assert now <= max(*most, self.held.get(name, 0)), (name, now, most)
            self.held[name] = held.get(("default", name), 0)
            if since:
                self.slots[name] = since[-1]

    def executions(self) -> list[int]:
        return [
            number
            for (number,) in self.player.rows("SELECT id FROM workflow_execution ORDER BY id")
        ]

    def runs(self) -> list[int]:
        return [
            number for (number,) in self.player.rows("SELECT id FROM task_execution ORDER BY id")
        ]

    def alive(self) -> list[tuple[int, int]]:
        return [
            (run_id, attempt)
            for run_id, attempt, status in self.player.rows(
                "SELECT id, attempt, status FROM task_execution ORDER BY id"
            )
            if status not in ENDED and status != TaskStatus.INIT
        ]

    def teardown(self) -> None:
        try:
            if hasattr(self, "player"):
                self.what_the_file_says_replays_equal()
        finally:
            if hasattr(self, "player"):
                self.player.close()
            self.limits.undo()
            self.folder.cleanup()

    def what_the_file_says_replays_equal(self) -> None:
        """However often it has died: the log alone gives the same decisions again (S9)."""
        found = self.player.replay()
        assert found.equal, found


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=15, stateful_step_count=40, deadline=None)
TestMachine.pytestmark = [pytest.mark.rule("S3", "S9", "S10", "S19", "S21", "S33")]


class TestMachineForLonger(TestMachine):
    pytestmark = pytest.mark.long
    settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
