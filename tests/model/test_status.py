"""The table of moves (S26), against the table of semantics.md, written out here."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from eventflow import TaskAction, TaskStatus, WorkflowStatus
from eventflow.errors import TransitionError
from eventflow.model.status import ALIVE, BUSY, ENDED, MOVES, WORKFLOW_ENDED, check_move

TABLE = """
(new)      -> INIT, SKIPPED
INIT       -> QUEUED, STOPPED, SKIPPED
QUEUED     -> RUNNING, STOPPING, RESTARTING, STOPPED, FAILED, RETRYING
RUNNING    -> SUCCESS, FAILED, SKIPPED, RETRYING, STOPPING, RESTARTING
RETRYING   -> QUEUED, STOPPED, FAILED
STOPPING   -> STOPPED
RESTARTING -> STOPPED, STOPPING
SUCCESS    ->
FAILED     ->
STOPPED    ->
SKIPPED    ->
"""


def written() -> dict[TaskStatus | None, set[TaskStatus]]:
    moves: dict[TaskStatus | None, set[TaskStatus]] = {}
    for line in TABLE.strip().splitlines():
        before, after = (side.strip() for side in line.split("->"))
        moves[None if before == "(new)" else TaskStatus(before)] = {
            TaskStatus(name.strip()) for name in after.split(",") if name.strip()
        }
    return moves


@pytest.mark.rule("S26")
def test_the_moves_are_those_that_are_written() -> None:
    assert written() == MOVES


def test_every_status_stands_in_the_table() -> None:
    assert set(MOVES) == {None, *TaskStatus}


@pytest.mark.rule("S26")
@pytest.mark.parametrize("before", [None, *TaskStatus])
@pytest.mark.parametrize("after", list(TaskStatus))
def test_a_move_is_refused_exactly_when_it_is_not_in_the_table(
    before: TaskStatus | None, after: TaskStatus
) -> None:
    if after in written()[before]:
        check_move(before, after)
        return
    with pytest.raises(TransitionError) as refusal:
        check_move(before, after)
    name = before.value if before is not None else "(new)"
    assert f"{name} -> {after.value} is not legal; from {name}: " in str(refusal.value)


def test_the_refusal_names_the_ways_that_there_are() -> None:
    with pytest.raises(TransitionError, match=r"from STOPPING: STOPPED$"):
        check_move(TaskStatus.STOPPING, TaskStatus.SUCCESS)
    with pytest.raises(TransitionError, match=r"from SUCCESS: nothing, it has ended$"):
        check_move(TaskStatus.SUCCESS, TaskStatus.RUNNING)


@pytest.mark.rule("S26")
def test_what_has_ended_is_what_no_move_leads_away_from() -> None:
    assert {status for status in TaskStatus if not MOVES[status]} == ENDED
    assert set(TaskStatus) == ALIVE | ENDED
    assert not ALIVE & ENDED
    assert {TaskStatus.INIT} == ALIVE - BUSY


def test_a_run_can_end_from_every_status_in_which_it_is_alive() -> None:
    reach = {status: set(MOVES[status]) for status in TaskStatus}
    for _ in TaskStatus:
        reach = {one: seen | {y for x in seen for y in MOVES[x]} for one, seen in reach.items()}

    assert all(reach[status] & ENDED for status in ALIVE)
    # A run that is being stopped can end in no other way (S20).
    assert reach[TaskStatus.STOPPING] == {TaskStatus.STOPPED}
    assert reach[TaskStatus.RESTARTING] == {TaskStatus.STOPPED, TaskStatus.STOPPING}


def test_the_words_are_those_that_users_read() -> None:
    assert " ".join(WorkflowStatus) == "INIT RUNNING SUCCESS FAILED STOPPED"
    assert {one for one in WorkflowStatus if one.ended} == WORKFLOW_ENDED
    assert " ".join(TaskAction) == "START RESTART STOP"
    assert all(f"{status}" == status.value == status.name for status in TaskStatus)


class Moving(RuleBasedStateMachine):
    """A run that tries moves at random and makes those that `check_move` lets through."""

    def __init__(self) -> None:
        super().__init__()
        self.path: list[TaskStatus | None] = [None]

    @initialize(status=st.sampled_from(list(TaskStatus)))
    def come_to_be(self, status: TaskStatus) -> None:
        self.move(status)

    @rule(status=st.sampled_from(list(TaskStatus)))
    def move(self, status: TaskStatus) -> None:
        try:
            check_move(self.path[-1], status)
        except TransitionError:
            return
        self.path.append(status)

    @invariant()
    def nothing_follows_an_end(self) -> None:
        assert not ENDED & {*self.path[:-1]}

    @invariant()
    def every_step_is_written(self) -> None:
        moves = written()
        assert all(
            after in moves[before] for before, after in zip(self.path, self.path[1:], strict=False)
        )


TestMoving = Moving.TestCase
TestMoving.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
