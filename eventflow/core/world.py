"""The live picture in memory: what is registered, what runs, how each task stands.

One thread owns a World, the loop's. It changes by `Change`s (`core.changes`) applied through a
Draft (`core.draft`), which can take a batch back whose commit failed; nothing else may touch it.
Runs and standings are frozen values, replaced whole.
"""

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct, field

from eventflow.core.index import RuleIndex
from eventflow.core.plan import Plan, Trigger
from eventflow.core.pools import Place, Pool, PoolKey, place_of
from eventflow.core.retried import Retried
from eventflow.model.records import WorkflowExecution
from eventflow.model.shape import Shape
from eventflow.model.status import ALIVE, TaskStatus


class Run(Struct, frozen=True):
    """One run of a task, as far as deciding needs it.

    Attributes:
        failures: Attempts that failed and counted against `retries` (S27).
        lost: Attempts lost in a row (S28).
        began_at: When the present attempt began.
        trigger_turn: Turn of the event that started the run; 0 when it started with its execution.
        inputs: Upstream task -> the run whose result it takes (S38).
        timed_out: Its attempt was told to stop because of its `timeout`.
        parent: Of an item of a mapped task: the run that it is an item of; else 0 (S43).
        item: Its number among the items, from 0; -1 for a run that is no item.
        hops: How many starts by rules lie between it and an event from outside (S45); an item has
            those of its run.
        created_at: When it came to be, of an item its run; aware UTC.
    """

    id: int
    task: str
    sequence_number: int
    status: TaskStatus
    attempt: int = 1
    failures: int = 0
    lost: int = 0
    began_at: datetime | None = None
    trigger_turn: int = 0
    inputs: dict[str, int] | None = None
    timed_out: bool = False
    parent: int = 0
    item: int = -1
    hops: int = 0
    created_at: datetime | None = None

    @property
    def alive(self) -> bool:
        return self.status in ALIVE


class Items(Struct, eq=False):
    """The items of one run of a mapped task; the id of item i is `first + i` (S43).

    Attributes:
        taken: Numbers of those that were taken over from the run that this one retries (S31).
        next: The first that has not been opened: it and those after it are in INIT.
        alive: Those that were opened and are alive, by id.
        failed: How many have ended FAILED.
        fault: Number of the first of these, and why it failed.
    """

    shape: Shape
    first: int
    taken: frozenset[int] = frozenset()
    next: int = 0
    alive: dict[int, Run] = field(default_factory=dict)
    failed: int = 0
    fault: tuple[int, str] | None = None

    @property
    def count(self) -> int:
        return self.shape.count


class Standing(Struct, frozen=True):
    """How one task stands in one execution.

    Attributes:
        latest: Its LATEST run; a waiting successor that was dropped is passed over (S20, S22).
        leaving: The run that `latest` waits for while it is stopped (S21).
        last_sequence: The highest sequence number given.
        told: Sequence number and status of the latest run, as the rules have been told: status
            facts are decided one by one, so this is what a rule at this turn may know (S8, S22).
        output: The run of its latest SUCCESS.
    """

    latest: Run | None = None
    leaving: Run | None = None
    last_sequence: int = 0
    told: tuple[int, TaskStatus] | None = None
    output: int | None = None

    @property
    def runs(self) -> list[Run]:
        """Those that are still in the picture, the latest first."""
        return [run for run in (self.latest, self.leaving) if run is not None]


NEVER_RUN = Standing()


class LiveExecution:
    """One execution that has not ended.

    Attributes:
        alive: How many of its runs are alive.
        met: Status rule -> how many of its upstreams stand as wanted, as told (S22).
        state: Name -> JSON text of what conditions keep (S35).
        stopping: Why it is being stopped; no rule acts any more (S29).
        retried: Of a retry: what is still to be taken over or to run again, by task (S31).
        items: Of the runs of mapped tasks that are RUNNING or leaving, by the id of the run (S43).
    """

    __slots__ = (
        "alive",
        "failed_by_timeout",
        "items",
        "met",
        "plan",
        "record",
        "retried",
        "standings",
        "state",
        "stopping",
    )

    def __init__(self, record: WorkflowExecution, plan: Plan) -> None:
        self.record = record
        self.plan = plan
        self.standings: dict[str, Standing] = {}
        self.alive = 0
        self.met: dict[tuple[str, int], int] = {}
        self.state: dict[str, str] = {}
        self.stopping = ""
        self.failed_by_timeout = False
        self.retried: dict[str, Retried] = {}
        self.items: dict[int, Items] = {}

    @property
    def id(self) -> int:
        return self.record.id

    def standing(self, task: str) -> Standing:
        return self.standings.get(task, NEVER_RUN)

    def pool_of(self, run: Run) -> PoolKey:
        """The pool whose slots a run takes (S44)."""
        task = self.plan.tasks[run.task]
        return (self.plan.namespace, task.settings.pool if run.parent else task.pool)

    def place_of(self, run: Run) -> Place:
        """Where a run stands in the line of its pool, when it waits there."""
        return place_of(self.plan.tasks[run.task].settings.priority, run.id)

    def has_never_run(self, task: str) -> bool:
        """Whether it has no run, and is not about to run again (S31)."""
        return self.standing(task).latest is None and task not in self.retried

    def runs_workflow(self, task: str) -> bool:
        """Whether a task runs a workflow (S40)."""
        return self.plan.tasks[task].runs_workflow is not None

    def has_attempts(self, run: Run) -> bool:
        """Whether an executor may hold a run: not one that stands for its items (S43) or for its
        sub-execution (S40).
        """
        return run.parent > 0 or self.plan.tasks[run.task].has_attempts

    def every_run(self) -> Iterator[Run]:
        """Every run that is still in the picture, and every item that was opened and is alive."""
        for standing in self.standings.values():
            for run in standing.runs:
                yield run
                if run.id in self.items:
                    yield from self.items[run.id].alive.values()

    def run(self, run_id: int, task: str) -> Run | None:
        """One of the task's runs that are still in the picture, or an item of one."""
        for run in self.standing(task).runs:
            if run.id == run_id:
                return run
            items = self.items.get(run.id)
            if items is not None and run_id in items.alive:
                return items.alive[run_id]
        return None


class Known(Struct, eq=False):
    """One registered workflow: its newest snapshot and what holds for all its executions.

    Attributes:
        active: Ids of its RUNNING executions.
        waiting: Ids of those that wait in INIT for `max_active`, oldest first (S44); a list, as
            in a Pool: to take the first of 100,000 costs microseconds.
        state: What its workflow rules keep (S35).
        subscriptions: Where its workflow rules stand in the index.
    """

    plan: Plan
    paused: bool = False
    active: dict[int, None] = field(default_factory=dict)
    waiting: list[int] = field(default_factory=list)
    state: dict[str, str] = field(default_factory=dict)
    subscriptions: "list[tuple[str, tuple[Known, Trigger]]]" = field(default_factory=list)


class Timer(Struct, frozen=True):
    """Something that is due: `kind` says what, the rest whom it is about.

    Attributes:
        due_at: Aware UTC.
        after: The instant up to which a schedule is accounted for (S33).
    """

    kind: str
    due_at: datetime
    workflow: tuple[str, str] | None = None
    execution_id: int = 0
    task: str = ""
    run_id: int = 0
    attempt: int = 0
    after: datetime | None = None
    anchor: datetime | None = None

    @property
    def key(self) -> str:
        """Names the timer: setting it again moves it."""
        if self.workflow is not None:
            return f"{self.kind}:{'/'.join(self.workflow)}"
        if self.run_id:
            return f"{self.kind}:{self.run_id}"
        return f"{self.kind}:{self.execution_id}:{self.task}"


class Counters(Struct, frozen=True):
    """What ids are drawn from; in the state, so that they replay."""

    turn: int = 0
    execution_id: int = 0
    run_id: int = 0


class Absent(Struct, frozen=True):
    """A registered workflow whose newest code is not at hand, and what holds for it (S41).

    Attributes:
        state: What its workflow rules keep (S35).
        schedule: The timer of its schedule, which does not go off.
    """

    snapshot: str
    paused: bool = False
    state: dict[str, str] = field(default_factory=dict)
    schedule: Timer | None = None


class World:
    """All that deciding reads."""

    def __init__(self) -> None:
        self.workflows: dict[tuple[str, str], Known] = {}
        self.absent: dict[tuple[str, str], Absent] = {}
        self.plans: dict[str, Plan] = {}
        self.executions: dict[int, LiveExecution] = {}
        self.timers: dict[str, Timer] = {}
        # workflow -> the newest due time of its schedules, past ones too, that was fired or skipped
        self.accounted: dict[tuple[str, str], datetime] = {}
        self.counters = Counters()
        # namespace -> which workflow rules want an event
        self.triggers: dict[str, RuleIndex[tuple[Known, Trigger]]] = {}
        # namespace -> which snapshots have a task rule that wants an event
        self.listeners: dict[str, RuleIndex[str]] = {}
        # snapshot -> its RUNNING executions
        self.running: dict[str, dict[int, LiveExecution]] = {}
        # id of a run that is alive -> its execution and task
        self.homes: dict[int, tuple[int, str]] = {}
        # Pools that are counted; a `default` that nobody has set costs nothing (S44).
        self.pools: dict[PoolKey, Pool] = {}
        # id of a run -> its sub-execution that has not ended (S40)
        self.subs: dict[int, int] = {}

    def known(self, namespace: str, name: str) -> Known | None:
        return self.workflows.get((namespace, name))

    def waits_for_slot(self, live: LiveExecution, run: Run) -> bool:
        """Whether a run is QUEUED and no executor has heard of it (S44)."""
        if run.status is not TaskStatus.QUEUED:
            return False
        pool = self.pools.get(live.pool_of(run))
        return pool is not None and pool.has(live.place_of(run))

    def learn(self, plan: Plan) -> None:
        """Know a snapshot's task rules; a snapshot that is known stays as it is."""
        if plan.snapshot in self.plans:
            return
        self.plans[plan.snapshot] = plan
        listeners = self.listeners.setdefault(plan.namespace, RuleIndex())
        for pattern in plan.patterns:
            listeners.add(pattern, plan.snapshot)

    def adopt(self, plan: Plan) -> Known:
        """Make a snapshot the newest of its workflow: its workflow rules count from now on."""
        self.learn(plan)
        name = (plan.namespace, plan.name)
        index = self.triggers.setdefault(plan.namespace, RuleIndex())
        known = self.workflows.get(name)
        if known is None:
            known = self.workflows[name] = Known(plan)
        else:
            for pattern, entry in known.subscriptions:
                index.discard(pattern, entry)
            known.plan = plan
        known.subscriptions = [
            (pattern, (known, trigger))
            for trigger in plan.triggers
            for pattern in trigger.condition.wakes(plan.name)
        ]
        for pattern, entry in known.subscriptions:
            index.add(pattern, entry)
        return known

    def abandon(self, namespace: str, name: str) -> None:
        """Take back the first `adopt` of a workflow."""
        known = self.workflows.pop((namespace, name))
        for pattern, entry in known.subscriptions:
            self.triggers[namespace].discard(pattern, entry)
