"""The real loop over a real SQLite file, one step at a time, and how it comes to a sudden end.

No thread decides and no executor runs: a test says what is reported, when the clock moves, and
where the process dies. What outlives a death is the file; everything else is made anew.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from story import described

from eventflow.core.decision import Decision
from eventflow.core.world import World
from eventflow.executors.port import AttemptKey, Report, ReportKind
from eventflow.model.event import Event
from eventflow.model.records import AttemptFailure, ParentLink
from eventflow.model.status import TaskAction
from eventflow.model.workflow import Workflow
from eventflow.runtime.client import Client
from eventflow.runtime.differences import Replayed
from eventflow.runtime.dispatch import redeliveries
from eventflow.runtime.expanding import Expander
from eventflow.runtime.guard import ask_here
from eventflow.runtime.loop import Loop
from eventflow.runtime.registry import Registry
from eventflow.runtime.replaying import replay
from eventflow.store.sqlite import SqliteStore
from eventflow.testing.clock import VirtualClock


class DiedError(Exception):
    """The process ends here."""


class Player:
    """One scheduler's mind and memory on a file; `crash` takes both away, and makes them again.

    Args:
        workflows: All that this program knows, in every version; nothing is registered by it.
    """

    def __init__(self, path: Path, workflows: list[Workflow]) -> None:
        self.path = path
        self.clock = VirtualClock()
        self._workflows = workflows
        self._dies = ""
        self._open()

    def _open(self) -> None:
        self.store = SqliteStore(f"sqlite:///{self.path}", clock=self.clock)
        self.store.hold("player")
        self._registry = Registry(self.store, self.clock, None)
        self._plans = [self._registry.take(workflow) for workflow in self._workflows]
        self.client = Client(self.store, self.clock, lambda: None, _look_once)
        self._expand = Expander(self.client, lambda report: self.loop.inbox.put(report))
        loaded = self.store.load(self._registry.plan)
        assert loaded.parked == {}
        self.loop = Loop(
            store=self.store,
            world=loaded.world,
            cursor=loaded.cursor,
            facts_to=loaded.facts_to,
            clock=self.clock,
            ask=ask_here,
            committed=self._committed,
            prepare=self._prepare,
        )

    def register(self, number: int) -> None:
        """Say that a version is the newest."""
        plan = self._plans[number]
        self.client.register(plan.namespace, plan.name, plan.snapshot)

    def report(
        self,
        kind: str,
        run_id: int,
        attempt: int,
        *,
        retryable: bool = True,
        result: str = '"done"',
    ) -> None:
        """Say something about an attempt."""
        failure = AttemptFailure(attempt=attempt, type_name="ValueError", message="no")
        key = AttemptKey(run_id, attempt)
        self.loop.inbox.put(
            Report(
                key=key,
                kind=ReportKind(kind),
                result=result if kind == "success" else None,
                failure=failure if kind in ("failed", "lost", "refused") else None,
                retryable=retryable,
            )
        )

    def begin_maps(self) -> None:
        """Deliver the orders of mapped tasks that wait in the outbox, maybe again: their items are
        counted, from the results that are there, by commands (S43).
        """
        commands = self.store.load(self._registry.plan).commands
        for order in redeliveries(self.loop.world, commands, set()):
            run, plan = order.run, order.plan
            if order.action is not TaskAction.START or run is None or plan is None:
                continue
            if plan.tasks[run.task].mapped is not None and not run.parent:
                self._expand(order)

    def start_subs(self) -> None:
        """Deliver the orders of tasks that run a workflow that wait in the outbox, maybe again."""
        world = self.loop.world
        for run_id, attempt in self.rows(
            "SELECT task_execution_id, attempt FROM outbox WHERE action = 'START'"
        ):
            live = world.executions[world.homes[run_id][0]]
            task = live.plan.tasks[world.homes[run_id][1]]
            if task.runs_workflow is not None:
                parent = ParentLink(
                    workflow_execution_id=live.id,
                    task_name=task.name,
                    task_execution_id=run_id,
                    attempt=attempt,
                )
                self.client.subrun(*task.runs_workflow, {}, parent, live.plan.namespace)

    def step(self) -> bool:
        """Decide one batch; `False` when there was nothing to decide."""
        return self.loop.step()

    def settle(self, most: int = 40) -> bool:
        """Decide until it is quiet; `False` when it still was not after `most` batches."""
        return any(not self.loop.step() for _ in range(most))

    def wait(self, seconds: float) -> None:
        """Move the clock; back, too, as clocks that are set right do."""
        self.clock.advance(timedelta(seconds=seconds))

    def crash(self, when: str) -> None:
        """Die in a batch, `before` its commit or `after` it; then begin anew.

        Reports that no batch took die with the process, as they do with a real one.
        """
        self._dies = when
        with suppress(DiedError):
            self.loop.step()
        self._dies = ""
        before = picture(self.loop.world)
        self.store.close()
        self._open()
        assert picture(self.loop.world) == before

    def replay(self) -> Replayed:
        """Decide all that the file holds again, and ask the conditions again."""
        return replay(self.store, self._registry.plan, ask=ask_here)

    def rows(self, statement: str, *parameters: Any) -> list[Any]:
        return self.store._reader.rows(statement, parameters)

    def close(self) -> None:
        self.store.close()

    def _prepare(self, events: list[Event]) -> None:
        if self._dies == "before":
            raise DiedError
        for event in events:
            if event.key in ("eventflow.command.register", "eventflow.command.retry"):
                plan = self._registry.find(event.value["snapshot"])
                if plan is not None:
                    self.loop.world.learn(plan)

    def _committed(self, decisions: list[Decision]) -> None:
        if self._dies == "after":
            raise DiedError


def picture(world: World) -> dict[str, Any]:
    """What deciding goes by, to be compared: the file must give back all of it."""
    return {
        "counters": world.counters,
        "alive": dict(sorted(world.homes.items())),
        "sub-executions": dict(sorted(world.subs.items())),
        "timers": dict(sorted(world.timers.items())),
        "accounted": dict(sorted(world.accounted.items())),
        # One that nobody has set is made when somebody waits in it.
        "pools": {
            key: (pool.slots, pool.is_set, set(pool.held), list(pool.line))
            for key, pool in sorted(world.pools.items())
            if pool.is_set or pool.line
        },
        "workflows": {
            name: (known.plan.snapshot, known.paused, set(known.active), list(known.waiting))
            for name, known in world.workflows.items()
        },
        "executions": {
            live.id: (
                live.record.status,
                live.stopping,
                live.alive,
                dict(sorted(live.standings.items())),
                {rule: count for rule, count in sorted(live.met.items()) if count},
                dict(sorted(live.state.items())),
                dict(sorted(live.retried.items())),
                {run_id: described(items) for run_id, items in sorted(live.items.items())},
            )
            for live in world.executions.values()
        },
    }


def _look_once(
    check: Callable[[], Any], timeout: float | None, execution_id: int | None = None
) -> Any:
    return check()
