"""The rows that a replay makes, until they can be held against those that were kept."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from typing import Any

from eventflow.model.status import ENDED, WORKFLOW_ENDED
from eventflow.runtime.differences import Replayed
from eventflow.store.recording import KEYS, Recording, Stored, stored
from eventflow.store.rows import HistoryRow, Rows, StateKey
from eventflow.store.shelves import Shelves

_PAGE = 500


class Remade:
    """Runs and executions as they stand; those that have ended are compared, and forgotten."""

    def __init__(self, recording: Recording, found: Replayed) -> None:
        self._recording = recording
        self._found = found
        self._shelves = Shelves()
        # Execution -> what its conditions keep; 0 stands for workflows' own rules (S35).
        self._states: dict[int, dict[StateKey, str]] = {}
        self._firings = recording.table("schedule_firing")
        self._results: set[int] = set()
        self._ended_runs: list[int] = []
        self._ended_executions: list[int] = []
        self._counts: Counter[str] = Counter()

    def take(self, turn: int, key: str, rows: Rows, now: datetime) -> list[HistoryRow]:
        """Put away what a turn writes; return the steps of all runs, those of closed items too."""
        firings = list(map(stored, rows.firings))
        then = list(islice(self._firings, len(firings)))
        self._found.compare(turn, key, "schedule_firing", then, firings)
        for state, text in rows.states.items():
            kept = self._states.setdefault(state.workflow_execution_id, {})
            if text is None:
                kept.pop(state, None)
            else:
                kept[state] = text
        self._results.update(rows.results)
        runs = [(row.id, row.status) for row in rows.runs]
        runs += [(row.id, row.status) for row in rows.run_updates]
        self._ended_runs += [run_id for run_id, status in runs if status in ENDED]
        moved = [(row.id, row.status) for row in rows.executions]
        moved += [(row.id, row.status or "") for row in rows.execution_updates]
        self._ended_executions += [number for number, status in moved if status in WORKFLOW_ENDED]
        steps = rows.history
        # The log, and what was compared in its turn, are not wanted again.
        rows.turned, rows.appended, rows.history, rows.decisions, rows.verdicts = [], [], [], [], []
        rows.firings, rows.results, rows.states = [], {}, {}
        self._shelves.take(rows, now)
        return sorted([*steps, *self._closed()], key=lambda row: (row.turn, row.number))

    def _closed(self) -> list[HistoryRow]:
        """The steps of items that were closed: which these are, only the shelves know (S43)."""
        closed = self._shelves.every_step()
        self._shelves.history.clear()
        self._ended_runs += [row.task_execution_id for row in closed]
        return closed

    def compare_ended(self) -> None:
        """Compare what has ended since the last time."""
        runs, executions = self._ended_runs, self._ended_executions
        self._ended_runs, self._ended_executions = [], []
        self._compare(runs, executions)
        for execution_id in executions:
            self._shelves.run_ids.pop(execution_id, None)

    def end(self) -> None:
        """Compare what stands at the end, and what there is all in all."""
        runs, executions = list(self._shelves.runs), [*self._shelves.executions, 0]
        for first in range(0, max(len(runs), len(executions)), _PAGE):
            last = first + _PAGE
            self._compare(runs[first:last], executions[first:last])
        for row in self._firings:
            self._found.differs(0, "", "schedule_firing", row, None)
        for name in ("workflow_execution", "task_execution", "attempt_failure", "result", "state"):
            kept = self._recording.count(name)
            if kept != self._counts[name]:
                self._found.differs(0, "", f"rows of {name}", kept, self._counts[name])
        shelves = self._shelves
        standing: dict[str, dict[Any, Any]] = {
            "workflow": shelves.workflows,
            "timer": shelves.timers,
            "outbox": shelves.outbox,
            "pool": shelves.pools,
        }
        for name, rows in standing.items():
            now = map(stored, rows.values())
            self._found.compare_named(name, KEYS[name], self._recording.table(name), now)

    def _compare(self, runs: list[int], executions: list[int]) -> None:
        shelves = self._shelves
        rows = map(stored, (shelves.runs.pop(run_id) for run_id in runs))
        self._hold("task_execution", runs, rows)
        failures = (one for run_id in runs for one in shelves.failures.pop(run_id, ()))
        self._hold("attempt_failure", runs, map(stored, failures))
        with_result = self._results.intersection(runs)
        self._hold("result", runs, ({"task_execution_id": run_id} for run_id in with_result))
        self._results -= with_result
        ended = (shelves.executions.pop(number) for number in executions if number)
        self._hold("workflow_execution", executions, map(stored, ended))
        states = (
            key._asdict() | {"value": text}
            for number in executions
            for key, text in self._states.pop(number, {}).items()
        )
        self._hold("state", executions, states)

    def _hold(self, name: str, ids: list[int], made: Iterable[Stored]) -> None:
        now = list(made)
        self._counts[name] += len(now)
        if ids:
            then = self._recording.rows(name, ids)
            self._found.compare_named(name, KEYS[name], then, now)
