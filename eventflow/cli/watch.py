"""Watching executions to their end: what happened since the last look, and when it is over."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from eventflow.cli.opened import sketch
from eventflow.cli.printing import clean, clock, lasted, when
from eventflow.cli.tails import Tails
from eventflow.clock import Clock
from eventflow.model.event import Event
from eventflow.model.itemname import in_brackets
from eventflow.model.records import WorkflowExecution
from eventflow.model.status import TaskStatus
from eventflow.model.workflow import Workflow
from eventflow.runtime.standing import subs_of, waiting
from eventflow.store.ports import Store

_VALUE_WIDTH = 80
# On the way from a rule to a task; who watches wants to know that it runs.
_UNTOLD = (TaskStatus.INIT, TaskStatus.QUEUED)


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look has shown.

    Attributes:
        executions: The watched ones, as they are; the first is the one that was asked for.
        lines: What happened since the last look, oldest first.
        waiting: What is being waited for.
        progress: How the items stand of the mapped tasks that are running, one line for each.
        over: Whether all have ended, and nothing in the log can start one more.
    """

    executions: list[WorkflowExecution]
    lines: list[str]
    waiting: list[str]
    over: bool
    now: datetime
    progress: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Watch:
    """Watches one execution, what its tasks run, and the later executions of `family`: workflows
    that it may trigger.

    Attributes:
        offset: Events behind it are told.
    """

    store: Store
    clock: Clock
    execution_id: int
    offset: int
    family: frozenset[tuple[str, str]] = frozenset()
    _told: dict[int, int] = field(default_factory=dict)
    _ended: set[int] = field(default_factory=set)
    _watched: dict[int, WorkflowExecution] = field(default_factory=dict)
    _sketches: dict[str, Workflow | None] = field(default_factory=dict)
    _tails: Tails = field(init=False)

    def __post_init__(self) -> None:
        self._tails = Tails(self.store)

    def look(self) -> Sight:
        """Read what is new."""
        now = self.clock.now()
        # Before the executions: what is decided after this look is seen by the next one.
        settled = not self.store.undecided(1)
        self._find()
        news: list[tuple[datetime, str]] = []
        waits: list[str] = []
        logs: list[str] = []
        for execution in self._watched.values():
            news += self._moves(execution)
            logs += [
                f"{line.run.task_name}{in_brackets(line.run.index)} | {clean(line.text)}"
                for line in self._tails.new_lines(execution.tasks)
            ]
            workflow = self._sketch(execution.snapshot)
            waits += waiting(self.store, execution, workflow, when)
        news += [(event.logged_at or now, _event_line(event)) for event in self._events()]
        lines = [f"{clock(at)}  {text}" for at, text in sorted(news, key=lambda entry: entry[0])]
        over = settled and all(one.ended for one in self._watched.values())
        executions = list(self._watched.values())
        progress = [
            f"{run.label}  {run.status.value}  {run.items}"
            for execution in executions
            for run in execution.tasks
            if run.items is not None and not run.ended
        ]
        return Sight(executions, lines + logs, waits, over, now, progress)

    def _find(self) -> None:
        """The execution that was asked for, and the later ones of the family."""
        ids = {self.execution_id, *self._watched}
        for one in list(self._watched.values()):
            if not one.ended:
                subs = subs_of(self.store, one, self._sketch(one.snapshot))
                ids |= {sub.id for sub in subs}
        for namespace, workflow in self.family:
            # Those that have ended since the last look are among the newest.
            for one in self.store.executions(workflow=workflow, namespace=namespace, limit=50):
                if one.id > self.execution_id:
                    ids.add(one.id)
        for execution_id in sorted(ids):
            known = self._watched.get(execution_id)
            if known is not None and known.ended:
                continue
            found = self.store.execution(execution_id)
            if found is not None:
                self._watched[execution_id] = found

    def _moves(self, execution: WorkflowExecution) -> Iterable[tuple[datetime, str]]:
        """The statuses that its runs have taken since the last look."""
        if execution.id in self._ended:
            return []
        if execution.ended:
            self._ended.add(execution.id)
        found = []
        for run in execution.tasks:
            told = self._told.get(run.id, 0)
            if run.ended and told < 0:
                continue
            history = self.store.history(run.id)
            for change in history[told:]:
                if change.status in _UNTOLD:
                    continue
                text = f"{run.label}  {change.status.value}"
                if change.attempt > 1:
                    text += f"  attempt {change.attempt}"
                if run.ended and change is history[-1]:
                    text += f"  {lasted(run.begin_date, run.end_date)}"
                    text += f"  {run.items}" if run.items is not None else ""
                text += f"  ({clean(change.reason)})" if change.reason else ""
                found.append((change.at, text.rstrip()))
            self._told[run.id] = -1 if run.ended else len(history)
        return found

    def _events(self) -> list[Event]:
        """The users' events since the last look that a watched execution may have seen."""
        found = self.store.read(after=self.offset)
        if found:
            self.offset = found[-1].offset
        spaces = {one.namespace for one in self._watched.values()}
        scopes = {None, *self._watched}
        return [
            event
            for event in found
            if event.namespace in spaces and event.workflow_execution_id in scopes
        ]

    def _sketch(self, snapshot: str) -> Workflow | None:
        if snapshot not in self._sketches:
            self._sketches[snapshot] = sketch(self.store, snapshot)
        return self._sketches[snapshot]


def _event_line(event: Event) -> str:
    value = "" if event.value is None else json.dumps(event.value, ensure_ascii=False)
    if len(value) > _VALUE_WIDTH:
        value = value[: _VALUE_WIDTH - 3] + "..."
    return f"event {event.key}  {clean(value)}".rstrip()
