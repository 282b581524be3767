"""The state machine of the store with retention beside it: whatever comes, nothing kept dangles."""

from datetime import timedelta

import invariants
import pytest
import test_machine
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from eventflow.errors import StoreError
from eventflow.model.status import WORKFLOW_ENDED
from eventflow.store.columns import micros_of
from eventflow.store.cut import Cut, Manner, Pruned


def _at_once(seconds: float) -> None:
    pass


class PruningMachine(test_machine.Machine):
    """Prunes at any cut-off, to the end or for a few transactions only, as one that is killed."""

    def __init__(self) -> None:
        super().__init__()
        self.pruned_to = 0

    @rule(
        ago=st.sampled_from([0, 1, 6, 60, 700]),
        most=st.sampled_from([1, 2, 3, 1000, 1000]),
        spaces=st.sampled_from([None, None, "default", "other"]),
    )
    @precondition(lambda self: hasattr(self, "player"))
    def prune(self, ago: int, most: int, spaces: str | None) -> None:
        before = self.player.clock.now() - timedelta(seconds=ago)
        cut = Cut(before=before, ids_before=before - timedelta(days=7), namespace=spaces)
        counted = self.player.store.prune(cut, Manner(dry=True))
        told: list[Pruned] = []
        done = self.player.store.prune(
            cut, Manner(progress=told.append, stop=lambda: len(told) >= most, wait=_at_once)
        )
        if not done.stopped:
            assert (counted.executions, counted.runs, counted.events) == (
                done.executions,
                done.runs,
                done.events,
            )
            again = self.player.store.prune(cut, Manner(wait=_at_once))
            assert (again.executions, again.events) == (0, 0)
        if spaces != "other":
            self.pruned_to = max(self.pruned_to, micros_of(before) or 0)
        else:
            assert (done.executions, done.events) == (0, 0)

    @invariant()
    def what_the_file_says_holds(self) -> None:
        if not hasattr(self, "player"):
            return
        faults = invariants.broken(self.player.path)
        # The player's workflows are in the memory of the test.
        found = [fault for fault in faults if "the snapshot of" not in fault]
        assert not found, found
        if self.quiet:
            assert invariants.undecided(self.player.path) == []
        self.quiet = False

    @invariant()
    def what_was_acknowledged_is_in_the_log(self) -> None:
        if not hasattr(self, "player"):
            return
        rows = self.player.rows("SELECT offset, logged_at, turn FROM event WHERE key IN ('x', 'y')")
        offsets = {offset for offset, *_ in rows}
        assert offsets <= set(self.sent)
        for offset, logged_at, turn in rows:
            self.logged[offset] = (logged_at, turn)
        for offset in self.sent.keys() - offsets:
            logged_at, _ = self.logged[offset]
            assert logged_at < self.pruned_to, "an event within the retention is gone"

    @property
    def logged(self) -> dict[int, tuple[int, int | None]]:
        return self.__dict__.setdefault("_logged", {})

    @invariant()
    def the_cursor_goes_forward_and_ended_is_ended(self) -> None:
        if not hasattr(self, "player"):
            return
        ((cursor,),) = self.player.rows("SELECT offset FROM cursor")
        assert cursor >= self.cursor
        self.cursor = cursor
        stands = dict(self.player.rows("SELECT id, status FROM workflow_execution"))
        for (_, number), status in self.ended.items():
            assert stands.get(number, status) == status
        self.ended |= {
            ("workflow_execution", number): status
            for number, status in stands.items()
            if status in WORKFLOW_ENDED
        }

    @invariant()
    def no_more_slots_are_held_than_there_are(self) -> None:
        """Asked in the other machine, by commands that are pruned here."""

    def what_the_file_says_replays_equal(self) -> None:
        """What was pruned cannot be replayed, and says so; what was not replays equal."""
        ((kept, turns),) = self.player.rows(
            "SELECT (SELECT COUNT(turn) FROM event), turn FROM cursor"
        )
        if kept == turns and not self.pruned_to:
            assert self.player.replay().equal
        elif kept < turns:
            with pytest.raises(StoreError, match="pruned"):
                self.player.replay()


TestPruningMachine = PruningMachine.TestCase
TestPruningMachine.settings = settings(max_examples=15, stateful_step_count=30, deadline=None)
TestPruningMachine.pytestmark = [pytest.mark.rule("S2", "S3", "S31")]
