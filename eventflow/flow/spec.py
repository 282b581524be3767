"""FlowSpec: a class of decorated methods that runs as a workflow on the one engine."""

import asyncio
from abc import ABCMeta
from collections.abc import Generator, Mapping
from typing import Any, ClassVar, Literal

from eventflow.clock import SystemClock
from eventflow.errors import FlowDefinitionError
from eventflow.flow.attempts import RunState
from eventflow.flow.collecting import Body, collect
from eventflow.flow.compiling import Compiled, compile_flow
from eventflow.flow.graph import FlowGraph
from eventflow.flow.handing import NOT_GIVEN
from eventflow.flow.nodes import FlowNode
from eventflow.flow.resuming import stop_left, take_up, token_of
from eventflow.flow.running import FlowRun, Started
from eventflow.flow.schedulers import MEMORY, Lease
from eventflow.flow.signatures import needs_input
from eventflow.flow.states import BY_REFERENCE, INPUT, TOKEN, Finder, enter, leave
from eventflow.model.jsonvalue import JsonValueError, encode
from eventflow.model.settings import DEFAULT_POOL
from eventflow.model.workflow import Workflow
from eventflow.reporters.config import UplinkConfig
from eventflow.runtime.handle import ExecutionHandle
from eventflow.runtime.ids import draw_id
from eventflow.runtime.scheduler import Scheduler
from eventflow.settings import store_url
from eventflow.store.places import path_of

# A flow is run by a person, who may kill and run it again as often as it takes.
_MAX_LOST = 100


class FlowType(ABCMeta):
    """The type of flows: no step of a class body may be written over by another."""

    @classmethod
    def __prepare__(cls, name: str, bases: tuple[type, ...], /, **_: Any) -> Body:
        return Body()

    def __new__(
        cls, name: str, bases: tuple[type, ...], body: dict[str, Any], /, **given: Any
    ) -> "FlowType":
        return super().__new__(cls, name, bases, dict(body), **given)


class FlowSpec(metaclass=FlowType):
    """A small pipeline: a class whose methods are steps.

    Steps are looked at when the class is made, and what cannot work is refused there; a class that
    leaves steps to its subclasses is made with `abstract=True`. Each run has a copy of the flow and
    results of its own.

    Args:
        name: Of the workflow; the class's name by default.
        input: What steps without predecessors get, as their one argument.
        store: URL or path of a durable store. Results are JSON then, and a flow that was killed
            goes on from its last finished items when the same program runs it again with the same
            input. By default all is in memory, and results are handed over as they are.
        params: JSON values by name, for `current_context().params`.
        failure: `stop`: after a failure nothing new starts and what runs is asked to stop.
            `finish`: what does not depend on it runs to its end.
        threads: How many steps and items run at once; any number by default. In a durable store
            it holds for all that is in the pool `default` there, and stays set.
        pools: Slots by pool, for steps with `@step(pool=...)`; likewise.
        max_items: How many items a step may have.
        resume: Whether an unfinished execution in the store is taken up; else it is stopped.
        uplink: A platform to report to; the one that the environment names by default. `False`
            reports to none.
        scheduler: One that runs already, instead of a store.

    Attributes:
        newest_run: The run that was started last; `None` before. In a step it is the step's own.

    Raises:
        FlowDefinitionError: If the flow has no step or an argument cannot be.
    """

    flow_graph: ClassVar[FlowGraph] = FlowGraph("FlowSpec", ())
    name: str
    input: Any
    params: dict[str, Any]
    newest_run: FlowRun | None

    def __init_subclass__(cls, *, abstract: bool = False, **given: Any) -> None:
        super().__init_subclass__(**given)
        if abstract:
            cls.flow_graph = FlowGraph(cls.__name__, ())
            return
        cls.flow_graph = collect(cls, FlowSpec)
        if cls.flow_graph.steps:
            compile_flow(cls.flow_graph, Finder(None, cls.flow_graph), name="flow")

    def __init__(
        self,
        name: str | None = None,
        input: Any = NOT_GIVEN,  # noqa: A002  the word of every flow
        *,
        store: str | None = None,
        params: Mapping[str, Any] | None = None,
        failure: Literal["stop", "finish"] = "stop",
        threads: int | None = None,
        pools: Mapping[str, int] | None = None,
        max_items: int | None = None,
        resume: bool = True,
        uplink: UplinkConfig | Literal[False] | None = None,
        scheduler: Scheduler | None = None,
    ) -> None:
        self.name = name if name is not None else type(self).__name__
        self.input = None if input is NOT_GIVEN else input
        self._was_given = input is not NOT_GIVEN
        self.params = _checked_params(self.name, params)
        if failure not in ("stop", "finish"):
            raise FlowDefinitionError(
                f"flow {self.name!r}: failure is 'stop' or 'finish', got {failure!r}"
            )
        if scheduler is not None and store is not None:
            raise FlowDefinitionError(f"flow {self.name!r}: give a scheduler or a store, not both")
        self._fail_fast = failure == "stop"
        self._store = store
        self._pools = dict(pools or {})
        if threads is not None:
            self._pools[DEFAULT_POOL] = threads
        for pool, slots in self._pools.items():
            _check_slots(self.name, pool, slots)
        self._max_items = max_items
        self._resume = resume
        self._uplink = uplink
        self._scheduler = scheduler
        self.newest_run = None
        self._check_pools(self._compile()[1].workflow)  # said here, and not when it runs

    @property
    def has_input(self) -> bool:
        """Whether there is an input, which may be `None`."""
        return self._was_given or self.input is not None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    @property
    def graph(self) -> FlowGraph:
        """The steps of the flow."""
        if not self.flow_graph.steps:
            raise FlowDefinitionError(
                f"flow {type(self).__name__!r} has no step; decorate its methods with @step"
            )
        return self.flow_graph

    def to_workflow(self, **settings: Any) -> Workflow:
        """The workflow that it compiles to: one like any other, of operators and rules.

        It may be registered, be given triggers, and be run by a WorkflowOperator or the command
        line. Its params may hold the input, as `flow_input`. Results are JSON then, and after a
        failure independent steps finish.

        Args:
            settings: Of the workflow: `schedule=Cron("@daily"), timeout=3600`, and so on.
        """
        return self._compile(**settings)[1].workflow

    def run(self) -> FlowRun:
        """Run the flow to its end, and give the finished run.

        Raises:
            FlowFailedError: If it has failed; every failure is in it, and the first is its cause.
        """
        started = self.start()
        try:
            started.wait()
        except BaseException:
            started.abandon()
            raise
        return started.check()

    def start(self) -> FlowRun:
        """Start a run, and give a handle on it: `wait`, `stop`, `status`, `get_result`."""
        self._check_input()
        finder, compiled = self._compile()
        lease = Lease(
            scheduler=self._scheduler,
            store=self._store,
            uplink=self._platform(),
            pools=self._pools,
        )
        try:
            run = self._started(lease, finder, compiled)
        except BaseException:
            lease.close()
            raise
        self.newest_run = run
        return run

    def __await__(self) -> Generator[Any, None, FlowRun]:
        """`await flow` runs it without holding up the event loop; a cancel stops it."""
        return self._awaited().__await__()

    async def _awaited(self) -> FlowRun:
        starting = asyncio.ensure_future(asyncio.to_thread(self.start))
        try:
            run = await asyncio.shield(starting)
            await asyncio.shield(asyncio.wrap_future(run.future))
        except asyncio.CancelledError:
            starting.add_done_callback(_cancel)
            raise
        return await asyncio.to_thread(run.check)

    def get_result(self, step: Any) -> Any:
        """What a step returned in the newest run; `None` before it has."""
        found = self.graph.get_step(step)
        return self.newest_run.get_result(found) if self.newest_run is not None else None

    def node(self, step: Any, *index: int) -> FlowNode:
        """A step of the newest run, or one item; its status is `None` before it is reached."""
        found = self.graph.get_step(step)
        return (
            self.newest_run.node(found, *index)
            if self.newest_run is not None
            else FlowNode(step=found)
        )

    def nodes(self, step: Any = None) -> list[FlowNode]:
        """The nodes of the newest run (FlowRun.nodes)."""
        return self.newest_run.nodes(step) if self.newest_run is not None else []

    def _compile(self, **settings: Any) -> tuple[Finder, Compiled]:
        finder = Finder(self, self.graph)
        for_many: dict[str, Any] = {"on_item_failure": "stop" if self._fail_fast else "finish"}
        if self._max_items is not None:
            for_many["max_items"] = self._max_items
        compiled = compile_flow(
            self.graph,
            finder,
            name=self.name,
            for_all={"max_lost": _MAX_LOST},
            for_many=for_many,
            settings=settings,
        )
        finder.plans = compiled.plans
        return finder, compiled

    def _platform(self) -> UplinkConfig | None:
        if self._uplink is None:
            return UplinkConfig.from_environment()
        return self._uplink or None

    def _check_input(self) -> None:
        """Refuse to run without the input that a step cannot do without."""
        wants = [step.id for step in self.graph if needs_input(step)]
        if wants and not self.has_input:
            raise FlowDefinitionError(
                f"flow {self.name!r}: step {wants[0]!r} takes the flow's input, and none was "
                f"given: {type(self).__name__}(input=...)"
            )

    def _check_pools(self, workflow: Workflow) -> None:
        """Refuse a pool that nobody has set: it would let nobody through, for ever (S44)."""
        if self._scheduler is not None or path_of(store_url(self._store or MEMORY)) is not None:
            return  # it may have been set in the store
        for name, task in workflow.tasks.items():
            if task.settings.pool not in (DEFAULT_POOL, *self._pools):
                raise FlowDefinitionError(
                    f"flow {self.name!r}: step {name!r} is in pool {task.settings.pool!r}, which "
                    f"has no slots; give them as pools={{{task.settings.pool!r}: 2}}"
                )

    def _started(self, lease: Lease, finder: Finder, compiled: Compiled) -> FlowRun:
        given = self.input if self.has_input else NOT_GIVEN
        durable = lease.is_durable
        state = finder.state(given, durable=durable, fail_fast=self._fail_fast)
        params = self._params(durable=durable)
        # A workflow is run by its name: nobody may register another of that name in between.
        with lease.alone():
            token, handle = self._begun(lease, finder, compiled.workflow, params, state)
        return FlowRun(self.name, Started(lease, compiled, state, token, handle, self._fail_fast))

    def _begun(
        self,
        lease: Lease,
        finder: Finder,
        workflow: Workflow,
        params: dict[str, Any],
        state: RunState,
    ) -> tuple[str, ExecutionHandle]:
        """Take up an execution, or start one; the token by which the run is known, and a handle."""
        scheduler = lease.scheduler
        if lease.is_durable and self._resume:
            execution = take_up(scheduler, workflow, params, state)
            if execution is not None:
                return token_of(execution), scheduler.execution(execution.id)
        elif lease.is_durable:
            stop_left(scheduler, workflow, finder)
        token = ("" if lease.is_durable else BY_REFERENCE) + draw_id(SystemClock())
        enter(token, state)
        try:
            handle = scheduler.run(workflow, {**params, TOKEN: token})
            _ = handle.id  # waits until it is decided
        except BaseException:
            leave(token)
            raise
        return token, handle

    def _params(self, *, durable: bool) -> dict[str, Any]:
        """The params of an execution: in a durable store the flow's input is one of them."""
        params = dict(self.params)
        if durable and self.has_input:
            params[INPUT] = self.input
        try:
            encode(params)
        except JsonValueError as error:
            raise FlowDefinitionError(
                f"flow {self.name!r}: input and params that are kept in a store are JSON: {error}"
            ) from error
        return params


def _checked_params(name: str, params: Mapping[str, Any] | None) -> dict[str, Any]:
    found = dict(params or {})
    taken = [key for key in (TOKEN, INPUT) if key in found]
    if taken:
        raise FlowDefinitionError(
            f"flow {name!r}: params cannot have {taken[0]!r}, eventflow's own"
        )
    return found


def _check_slots(name: str, pool: str, slots: object) -> None:
    if not isinstance(slots, int) or isinstance(slots, bool) or slots < 1:
        what = "threads" if pool == DEFAULT_POOL else f"pool {pool!r}"
        raise FlowDefinitionError(f"flow {name!r}: {what} is a number from 1, got {slots!r}")


def _cancel(starting: "asyncio.Future[FlowRun]") -> None:
    if not starting.cancelled() and starting.exception() is None:
        starting.result().stop("its awaiting was cancelled")
