"""`eventflow run`: a scheduler for one execution, or a start at the scheduler that is there."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from eventflow.cli import options
from eventflow.cli.files import choose, read_place
from eventflow.cli.follow import Follower, Killed, show_end, view_for
from eventflow.cli.hints import on_store
from eventflow.cli.interrupts import Interrupts
from eventflow.cli.overview import headline
from eventflow.cli.ownlog import open_log
from eventflow.cli.printing import note
from eventflow.cli.unset import unset_pools
from eventflow.cli.uplink import report_to, say_unused
from eventflow.cli.watch import Watch
from eventflow.clock import SystemClock
from eventflow.errors import EventflowError, StoreBusyError
from eventflow.model.event import Event
from eventflow.model.status import WorkflowStatus
from eventflow.model.workflow import Workflow
from eventflow.reporters.config import UplinkConfig
from eventflow.runtime.client import Client
from eventflow.runtime.handle import ExecutionHandle
from eventflow.runtime.registry import Registry
from eventflow.runtime.remote import RemoteClient
from eventflow.runtime.scheduler import Scheduler
from eventflow.settings import Settings, read_settings
from eventflow.store.ports import Store

FAILED, KILLED = 1, 130


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the command line asked for."""

    path: Path
    name: str
    params: dict[str, Any]
    timeout: float | None
    as_json: bool
    quiet: bool
    platform: UplinkConfig | None
    store: str | None


def run(
    file: Annotated[str, typer.Argument(metavar="FILE[:NAME]", help="A file of workflows.")],
    param: options.Params = None,
    store: options.Store = None,
    executor: options.Executor = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", min=0, help="Stop it after so many seconds.")
    ] = None,
    uplink: options.Uplink = None,
    as_json: options.AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the end only.")] = False,
) -> None:
    """Run a workflow of a file, show it live, and wait for its end.

    All workflows of the file are registered, so that they can trigger each other; NAME says which
    one to run when there are several. Ends when that execution has ended, and those that it
    triggered. Ctrl-C stops the execution and waits for it; a second Ctrl-C ends at once.

    Exit status: 0 when all ended SUCCESS, 1 when not, 2 for wrong input, 130 for a second Ctrl-C.
    """
    path, name = read_place(file)
    params, platform = options.read_params(param), UplinkConfig.from_environment(url=uplink)
    wanted = _Wanted(path, name, params, timeout, as_json, quiet, platform, store)
    settings = read_settings(store=store, executor=executor.value if executor else None)
    open_log(settings, level="WARNING")
    with _stdout_for_json_only(as_json):
        scheduler = Scheduler(
            settings.store,
            executor=settings.executor,
            program=f"eventflow run {path.name}",
            own_only=True,
        )
        try:
            code = _run_here(scheduler, wanted)
        except StoreBusyError as busy:
            code = _run_there(settings, wanted, busy)
        finally:
            scheduler.stop()  # what still runs after a second Ctrl-C is killed
    raise typer.Exit(code)


def _run_here(scheduler: Scheduler, wanted: _Wanted) -> int:
    chosen: list[Workflow] = []
    with Interrupts() as interrupts:
        scheduler.start()
        report_to(scheduler, wanted.platform)
        workflows = scheduler.register_file(
            wanted.path,
            accept=lambda found: chosen.append(choose(found, wanted.name, wanted.path)),
        )
        (workflow,) = chosen
        store = scheduler.store
        if not wanted.quiet:
            _list_others(store, workflows, wanted.store)
        command = scheduler.client.run(workflow.namespace, workflow.name, wanted.params)

        def alive() -> None:
            if scheduler.failure is not None:
                raise EventflowError("the scheduler has stopped deciding; see the log above")

        try:
            follower = _follower(scheduler.client, wanted, alive)
            return _follow(follower, command, workflows, wanted, interrupts)
        except EventflowError as error:
            if scheduler.failure is None:
                raise
            note(f"{error}: {scheduler.failure}")
            return FAILED


def _run_there(settings: Settings, wanted: _Wanted, busy: StoreBusyError) -> int:
    """Start at the scheduler that holds the store, if it has this very workflow."""
    with RemoteClient(settings.store) as remote, Interrupts() as interrupts:
        files = remote.store.files
        registry = Registry(remote.store, SystemClock(), files / "snapshots" if files else None)
        plans = registry.take_file(wanted.path)
        workflow = choose([plan.workflow for plan in plans], wanted.name, wanted.path)
        registered = {(one.namespace, one.name): one.snapshot for one in remote.store.workflows()}
        snapshot = next(plan.snapshot for plan in plans if plan.workflow is workflow)
        if registered.get((workflow.namespace, workflow.name)) != snapshot:
            raise StoreBusyError(
                f"{busy}; workflow {workflow.name!r} is not registered there as it is in "
                f"{wanted.path}, so it cannot be started there either"
            ) from busy
        say_unused(wanted.platform)
        command = remote.client.run(workflow.namespace, workflow.name, wanted.params)
        follower = _follower(remote.client, wanted, lambda: None)
        workflows = [plan.workflow for plan in plans]
        return _follow(follower, command, workflows, wanted, interrupts)


def _follower(client: Client, wanted: _Wanted, alive: Callable[[], None]) -> Follower:
    view = view_for(silent=wanted.quiet or wanted.as_json)
    return Follower(client, SystemClock(), view, wanted.timeout, alive)


def _follow(
    follower: Follower,
    command: Event,
    workflows: list[Workflow],
    wanted: _Wanted,
    interrupts: Interrupts,
) -> int:
    store = follower.client.store
    if not wanted.quiet:
        for line in unset_pools(workflows, store.pools()):
            note(on_store(line, wanted.store))
    execution_id = ExecutionHandle(follower.client, command=command).id
    # A schedule starts executions for ever: those are not waited for.
    family = frozenset((one.namespace, one.name) for one in workflows if one.schedule is None)
    watch = Watch(store, follower.clock, execution_id, command.offset, family)
    try:
        executions = follower.follow(watch, interrupts)
    except Killed:
        note(f"execution {execution_id} was left; what it runs is ended")
        return KILLED
    with _stdout():
        success = show_end(
            store,
            follower.clock,
            executions,
            as_json=wanted.as_json,
            brief=wanted.quiet,
            option=wanted.store,
        )
    return 0 if success else FAILED


def _list_others(store: Store, ours: list[Workflow], option: str | None) -> None:
    """What an earlier scheduler left in the store: ours goes on, the tasks of others wait."""
    names = {(one.namespace, one.name) for one in ours}
    for execution in store.executions(statuses=(WorkflowStatus.INIT, WorkflowStatus.RUNNING)):
        is_ours = (execution.namespace, execution.workflow_name) in names
        what = "goes on" if is_ours else on_store("waits for `eventflow serve`", option)
        note(f"also in this store, {what}: {headline(execution, SystemClock().now())}")


_SHOWN = sys.stdout


@contextlib.contextmanager
def _stdout_for_json_only(as_json: bool) -> Iterator[None]:
    """What a workflow's file or a task in a thread prints must not mix with the document."""
    if not as_json:
        yield
        return
    with contextlib.redirect_stdout(sys.stderr):
        yield


@contextlib.contextmanager
def _stdout() -> Iterator[None]:
    with contextlib.redirect_stdout(_SHOWN):
        yield
