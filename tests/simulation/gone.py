"""What retention takes out of a file: it must be free to go, and goes out of its twin as well."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from eventflow.model.status import WORKFLOW_ENDED
from eventflow.store.columns import instant_of
from eventflow.store.cut import Cut
from eventflow.store.doomed import BEING_PRUNED
from eventflow.store.repeats import DedupKey
from eventflow.store.shelves import Shelves
from eventflow.store.sqlite import SqliteStore


@dataclass
class Gone:
    """What is not in the file any more.

    Attributes:
        offsets: Of events. The memory store keeps these.
        executions: Ids of executions.
        ids: That are not remembered any more.
    """

    offsets: set[int] = field(default_factory=set)
    executions: set[int] = field(default_factory=set)
    ids: set[DedupKey] = field(default_factory=set)


class Letting:
    """Takes out of the memory store's shelves what is not in the file.

    Args:
        gone: What was let go before, and from now on.
        wrong: Told what was not to go.
    """

    def __init__(
        self, file: SqliteStore, shelves: Shelves, gone: Gone, wrong: Callable[[str], None]
    ) -> None:
        self._file = file
        self._shelves = shelves
        self._gone = gone
        self._wrong = wrong

    def let_go(self, cut: Cut) -> None:
        shelves = self._shelves
        executions = shelves.executions.keys() - self._in_file("id", "workflow_execution")
        self._executions(executions, cut.before)
        self._runs(shelves.runs.keys() - self._in_file("id", "task_execution"))
        offsets = {event.offset for event in shelves.events} - self._in_file("offset", "event")
        self._events(offsets - self._gone.offsets, cut.before)
        self._firings(cut)
        self._ids(cut.ids_before)
        for one in shelves.snapshots.keys() - self._in_file("hash", "snapshot"):
            if not cut.snapshots:
                self._wrong(f"snapshot {one} is gone, and none was to go")
            del shelves.snapshots[one]

    def _in_file(self, column: str, table: str) -> set[Any]:
        return {row[0] for row in self._file._reader.rows(f"SELECT {column} FROM {table}")}  # noqa: S608  our own tables

    def _executions(self, executions: set[int], before: datetime) -> None:
        shelves = self._shelves
        self._gone.executions |= executions
        for one in executions:
            row = shelves.executions.pop(one)
            # What was begun is finished by the next one, whatever its age.
            is_old = row.reason == BEING_PRUNED or _is_before(row.ended_at, before)
            if row.status not in WORKFLOW_ENDED or not is_old:
                self._wrong(f"execution {one} is gone: {row.status}, ended at {row.ended_at}")
        rows: list[Any]
        for rows in (shelves.decisions, shelves.verdicts):
            rows[:] = [row for row in rows if row.workflow_execution_id not in executions]
        for key in [key for key in shelves.states if key.workflow_execution_id in executions]:
            del shelves.states[key]
        for place in [place for place in shelves.data if place[0] in executions]:
            del shelves.data[place]
        for one in executions:
            shelves.parked.pop(one, None)
        asked = "SELECT id, reason FROM workflow_execution WHERE reason = ?"
        for one, reason in self._file._reader.rows(asked, (BEING_PRUNED,)):
            row = shelves.executions[one]
            if row.status not in WORKFLOW_ENDED or (
                row.reason != reason and not _is_before(row.ended_at, before)
            ):
                self._wrong(f"execution {one} is being pruned: {row.status}, {row.ended_at}")
            shelves.executions[one] = row._replace(reason=reason)

    def _runs(self, runs: set[int]) -> None:
        shelves = self._shelves
        for one in runs:
            row = shelves.runs.pop(one)
            owner = shelves.executions.get(row.workflow_execution_id)
            if owner is not None and owner.reason != BEING_PRUNED:
                self._wrong(f"run {one} is gone, and its execution {owner.id} is not")
            for shelf in (shelves.history, shelves.results, shelves.failures):
                shelf.pop(one, None)
        for owner_id, ids in [*shelves.run_ids.items()]:
            shelves.run_ids[owner_id] = [one for one in ids if one not in runs]
        for place in [place for place in shelves.drawn if place[0] in runs]:
            del shelves.drawn[place]

    def _events(self, offsets: set[int], before: datetime) -> None:
        """An event stays while it has no turn, is young, or something that stays refers to it."""
        shelves = self._shelves
        left = shelves.executions.values()
        wanted = {shelves.turns.get(row.trigger_turn) for row in left}
        wanted |= {shelves.turns.get(row.trigger_turn) for row in shelves.runs.values()}
        wanted |= {row.command_offset for row in left}
        said: list[Any] = [*shelves.decisions, *shelves.verdicts]
        wanted |= {
            shelves.turns.get(row.turn)
            for row in said
            if row.workflow_execution_id in shelves.executions
        }
        turns = set()
        for offset in offsets:
            event = shelves.event_at(offset)
            if not event.turn or not _is_before(event.logged_at, before) or offset in wanted:
                self._wrong(f"event {offset}, {event.key}, is gone: turn {event.turn}")
            turns.add(event.turn)
        shelves.decisions[:] = [row for row in shelves.decisions if row.turn not in turns]
        shelves.verdicts[:] = [row for row in shelves.verdicts if row.turn not in turns]
        self._gone.offsets |= offsets

    def _firings(self, cut: Cut) -> None:
        """A firing stays with its execution, while it is young, and while it is the newest."""
        shelves = self._shelves
        asked = self._file._reader.rows("SELECT schedule, due_at FROM schedule_firing")
        kept = {(schedule, instant_of(due_at)) for schedule, due_at in asked}
        started = {
            (f"schedule:{row.namespace}/{row.workflow}", row.scheduled_time)
            for row in shelves.executions.values()
            if not row.retry_of
        }
        for place in shelves.firings.keys() - kept:
            schedule, due_at = place
            kind, owner, *_ = schedule.split(":")
            if kind == "periodic":
                is_free = int(owner) not in shelves.executions
            else:
                newest = max(at for one, at in shelves.firings if one == schedule)
                is_free = due_at < cut.before and due_at < newest and place not in started
            if not is_free:
                self._wrong(f"the firing of {schedule} at {due_at} is gone")
        for place in shelves.firings.keys() - kept:
            del shelves.firings[place]

    def _ids(self, before: datetime) -> None:
        shelves = self._shelves
        asked = "SELECT namespace, sender, id FROM dedup"
        kept = {tuple(row) for row in self._file._reader.rows(asked)}
        for key in shelves.seen.keys() - kept:
            first = shelves.event_at(shelves.seen.pop(key).offset)
            is_old = _is_before(first.logged_at, before)
            if not is_old or first.offset not in self._gone.offsets:
                self._wrong(f"id {key} of {first.logged_at} is forgotten: {first}")
            self._gone.ids.add(key)


def _is_before(instant: datetime | None, before: datetime) -> bool:
    return instant is not None and instant < before
