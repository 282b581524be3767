"""What the store holds about one execution, gathered for `core.explain`. Reads, and never writes.

The workflow is a sketch of the snapshot's definition: to look at it imports no user's code.
"""

from collections.abc import Iterable

from eventflow.core.again import REJUDGE, event_in
from eventflow.core.explain import Act, also_wanted, kept_by, last_event, rule_condition
from eventflow.core.explanation import LastEvent, RuleExplained
from eventflow.core.retried import is_taken_over
from eventflow.core.waiting import arrived, can_be_met, missing, starts_by_itself
from eventflow.errors import NotFoundError
from eventflow.model.condition import Condition
from eventflow.model.event import Event
from eventflow.model.keys import matches
from eventflow.model.mapped import Mapped
from eventflow.model.phrase import phrase
from eventflow.model.records import (
    DecisionRecord,
    TaskExecution,
    VerdictRecord,
    WorkflowExecution,
)
from eventflow.model.rule import TaskRule
from eventflow.model.settings import TaskSettings
from eventflow.model.sketch import sketch_of
from eventflow.model.status import TaskStatus, WorkflowStatus
from eventflow.model.workflow import Workflow
from eventflow.runtime.failing import asked_again, later_verdicts
from eventflow.runtime.noted import RunNotes
from eventflow.runtime.retrying import again_in_words, latest_runs, still_to_do
from eventflow.store.ports import Store

# How many of the newest events of a rule's keys are looked through for one that it may see.
_LOOKED_THROUGH = 1000
# The same, of the status facts of its workflow.
_FACTS = 10_000


class Facts:
    """What the store holds about one execution."""

    def __init__(self, store: Store, execution_id: int) -> None:
        found = store.execution(execution_id)
        if found is None:
            raise NotFoundError(f"no workflow execution {execution_id} in {store.url}")
        self.execution: WorkflowExecution = found
        self._store = store
        snapshot = store.snapshot(found.snapshot)
        self.workflow: Workflow | None = (
            sketch_of(snapshot.definition) if snapshot is not None else None
        )
        self._decisions = store.decisions(execution_id)
        self._state = store.state(execution_id, (found.namespace, found.workflow_name))
        self._statuses: dict[str, TaskStatus | None] = {
            name: store.task_status(execution_id, name) for name in self.task_names()
        }
        self._again = still_to_do(store, found)
        self._starts: dict[int | None, DecisionRecord] = {}
        for decision in self._decisions:
            if decision.did in ("started", "restarted"):
                run_id = decision.task_execution_id if decision.task else None
                self._starts.setdefault(run_id, decision)
        self.notes_on = RunNotes(store, found, self.workflow)
        # The newest of each key; `None` until they are asked for.
        self._facts: dict[str, Event] | None = None
        started = self.start_of(None)
        self._begin_turn = started.turn if started is not None else 0

    def task_names(self) -> list[str]:
        if self.workflow is not None:
            return list(self.workflow.tasks)
        return list(dict.fromkeys(run.task_name for run in self.execution.tasks))

    def run(self, task: str, sequence_number: int | None) -> TaskExecution | None:
        found = [
            run
            for run in self.execution.tasks
            if run.task_name == task and sequence_number in (None, run.sequence_number)
        ]
        return max(found, key=lambda run: run.sequence_number, default=None)

    def start_of(self, run: TaskExecution | None) -> DecisionRecord | None:
        """What started a run, or the execution."""
        return self._starts.get(run.id if run is not None else None)

    def stop_of(self, run: TaskExecution) -> DecisionRecord | None:
        """What stopped or restarted a run: of a restart, the decision names the successor."""
        after = self.run(run.task_name, run.sequence_number + 1)
        for decision in self._decisions:
            stopped = decision.did == "stopped" and decision.task_execution_id == run.id
            restarted = (
                decision.did == "restarted"
                and after is not None
                and decision.task_execution_id == after.id
            )
            if stopped or restarted:
                return decision
        return None

    def act(self, run: TaskExecution | None, decision: DecisionRecord | None) -> Act:
        event = self._store.event_of_turn(decision.turn) if decision is not None else None
        again: Event | None = None
        if event is not None and event.key == REJUDGE:
            again, event = event, event_in(event.value["event"])
        verdicts: list[VerdictRecord] = []
        earlier: dict[str, Event | None] = {}
        if decision is not None and event is not None:
            verdicts = self._said(decision.turn, None if run is None else self.execution.id)
            condition = rule_condition(self.workflow, decision.task, decision.rule)
            if condition is not None:
                earlier = self._earlier(condition, event)
        return Act(
            execution=self.execution,
            run=run,
            workflow=self.workflow,
            decision=decision,
            event=event,
            again=again,
            verdicts=tuple(verdicts),
            earlier=tuple(one for one in earlier.values() if one is not None),
            not_found=tuple(pattern for pattern, one in earlier.items() if one is None),
            run_before=self._run_before(run, decision),
        )

    def _run_before(self, run: TaskExecution | None, decision: DecisionRecord | None) -> int | None:
        """The run that this one was taken over from, or that it is the retry of (S31)."""
        if run is None or run.taken_from is not None:
            return run.taken_from if run is not None else None
        old = self.execution.retry_of
        if decision is None or decision.action != "retry" or old is None:
            return None
        found = self._store.execution(old)
        before = latest_runs(found).get(run.task_name) if found is not None else None
        return before.id if before is not None else None

    def rules(self, task: str) -> tuple[RuleExplained, ...]:
        if self.workflow is None:
            return ()
        rules = self.workflow.rules_of(task)
        return tuple(
            self._rule(self.workflow, task, number, rule) for number, rule in enumerate(rules)
        )

    def refused(self, task: str) -> tuple[LastEvent, ...]:
        """Commands for a task that were refused: their outcome names the execution only."""
        found = []
        for decision in self._decisions:
            if decision.event_key != "eventflow.command.task" or decision.task:
                continue
            event = self._store.event_of_turn(decision.turn)
            if event is not None and event.value.get("task") == task:
                why = decision.did.removeprefix("refused: ")
                found.append(LastEvent(event=event, did="refused", why=why))
        return tuple(found)

    def notes(self) -> tuple[str, ...]:
        """What keeps all of the execution, or all of its workflow."""
        execution = self.execution
        notes = []
        if execution.ended:
            why = f" ({execution.reason})" if execution.reason else ""
            notes.append(f"the execution has ended {execution.status.value}{why}")
        elif execution.status is WorkflowStatus.INIT:
            limit = f" {self.workflow.max_active}" if self.workflow is not None else ""
            notes.append(f"the execution waits for its turn: at most{limit} run at once")
        elif execution.stopping:
            notes.append(f"the execution is being stopped, so nothing starts: {execution.stopping}")
        parked = self._store.parked().get(execution.id)
        if parked is not None and not execution.ended:
            notes.append(f"the execution is parked until its code is at hand: {parked}")
        for known in self._store.workflows():
            named = (known.namespace, known.name)
            if known.paused and named == (execution.namespace, execution.workflow_name):
                notes.append(
                    f"workflow {known.name} is paused: events and due times start no new execution "
                    f"of it; this one is not held up by that"
                )
        return tuple(notes)

    def task_notes(self, task: str) -> tuple[str, ...]:
        """What a task that has not started waits for, besides its rules."""
        if self.workflow is None:
            return ("its workflow's definition is not in the store",)
        due = [
            f"it is due at {timer.due_at.isoformat(timespec='seconds')}"
            for timer in self._store.timers(["periodic"])
            if (timer.workflow_execution_id, timer.task) == (self.execution.id, task)
        ]
        if due or self.execution.ended:
            return tuple(due)
        if task in self._again:
            words = again_in_words(self.workflow, self._again[task], self._statuses)
            return (f"it {words}",)
        if starts_by_itself(self.workflow, task):
            return ("it starts with its execution",)
        rules = self.workflow.rules_of(task)
        if all(rule.action == "STOP" for rule in rules):
            return ("no rule starts it, only a command does",)
        return ()

    def map_of(self, task: str) -> tuple[Mapped | None, TaskSettings | None]:
        """Over what a task is mapped, and its settings; `None` where that is not known (S43)."""
        if self.workflow is None or task not in self.workflow.tasks:
            return None, None
        sketched = self.workflow.tasks[task]
        return sketched.mapped, sketched.settings

    def _rule(self, workflow: Workflow, task: str, number: int, rule: TaskRule) -> RuleExplained:
        kept, latches = kept_by(self._state, f"{task}/{number}")
        wanted = tuple(missing(rule.condition, self._statuses, latches))
        return RuleExplained(
            number=number,
            action=rule.action.value,
            condition=phrase(rule.condition),
            missing=wanted,
            came=tuple(map(phrase, arrived(rule.condition, latches))),
            state=kept,
            possible=not self.execution.ended
            and can_be_met(workflow, rule.condition, self._statuses, self._again),
            last=self._last(workflow, task, number, rule.condition, wanted),
        )

    def _last(
        self,
        workflow: Workflow,
        task: str,
        number: int,
        condition: Condition,
        wanted: tuple[str, ...],
    ) -> LastEvent | None:
        event = self._newest(condition.wakes(workflow.name))
        if event is None:
            return None
        decisions = [one for one in self._decisions if (one.turn, one.task) == (event.turn, task)]
        if is_taken_over(event) and not decisions:
            # It happened in the execution that is retried.
            return None
        verdicts = [
            verdict
            for verdict in self._said(event.turn, self.execution.id)
            if (verdict.task, verdict.rule) == (task, number)
        ]
        return last_event(
            event,
            number,
            condition,
            decisions=decisions,
            verdict=verdicts[0] if verdicts else None,
            wanted=wanted,
            ended_at=self.execution.end_date,
            again=_again(self._store, verdicts),
        )

    def _newest(self, patterns: tuple[str, ...], until: int | None = None) -> Event | None:
        """The newest event of these keys that this execution's rules may see (S14-S16)."""
        own = f"eventflow.task.{self.execution.workflow_name}."
        if until is None and patterns and all(pattern.startswith(own) for pattern in patterns):
            return self._newest_fact(patterns)
        if not patterns or until == 0:
            return None
        events = self._store.read(
            keys=patterns,
            namespace=self.execution.namespace,
            until=until,
            limit=_LOOKED_THROUGH,
            newest=True,
        )
        return next((event for event in reversed(events) if self._sees(event)), None)

    def _newest_fact(self, patterns: tuple[str, ...]) -> Event | None:
        """The same, of the execution's own facts: these are read once, for all its rules."""
        if self._facts is None:
            started = self.start_of(None)
            events = self._store.read(
                keys=[f"eventflow.task.{self.execution.workflow_name}.**"],
                namespace=self.execution.namespace,
                after=started.event_offset if started is not None else 0,
                limit=_FACTS,
                newest=True,
            )
            self._facts = {event.key: event for event in events if self._sees(event)}
        found = [
            event
            for pattern in patterns
            for event in self._facts_of(pattern, self._facts)
            if matches(pattern, event.key)
        ]
        return max(found, key=lambda event: event.offset, default=None)

    def _facts_of(self, pattern: str, facts: dict[str, Event]) -> Iterable[Event]:
        if "*" in pattern:
            return facts.values()
        return (facts[pattern],) if pattern in facts else ()

    def _sees(self, event: Event) -> bool:
        if event.workflow_execution_id not in (None, self.execution.id):
            return False
        begun = self.execution.begin_date
        if begun is None or (event.turn and event.turn <= self._begin_turn):
            return False
        # One that waited in INIT began later than it was asked for.
        waited = begun != self.execution.created_at
        return not (waited and event.logged_at is not None and event.logged_at < begun)

    def _earlier(self, condition: Condition, event: Event) -> dict[str, Event | None]:
        return {
            pattern: self._newest((pattern,), until=event.offset - 1)
            for pattern in also_wanted(condition, event)
        }

    def _said(self, turn: int, execution_id: int | None) -> list[VerdictRecord]:
        """What conditions of this execution, or with `None` of its workflow, said in a turn."""
        name = (self.execution.namespace, self.execution.workflow_name)
        return [
            verdict
            for verdict in self._store.verdicts(turn=turn)
            if verdict.workflow_execution_id == execution_id
            and (verdict.namespace, verdict.workflow) == name
        ]


def _again(store: Store, verdicts: list[VerdictRecord]) -> str:
    """What came of asking a condition again that had failed; empty where nobody has."""
    return asked_again(later_verdicts(store, verdicts[0])) if verdicts and verdicts[0].error else ""
