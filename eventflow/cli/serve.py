"""`eventflow serve`: the scheduler as a service, until a signal ends it."""

import contextlib
import logging
import os
import sys
import threading
from pathlib import Path
from typing import Annotated, Any

import typer

from eventflow import signals
from eventflow.cli import options
from eventflow.cli.hints import on_store
from eventflow.cli.interrupts import Interrupts
from eventflow.cli.ownlog import open_log
from eventflow.cli.printing import note, say, say_json
from eventflow.cli.unset import unset_pools
from eventflow.cli.uplink import report_to
from eventflow.clock import SystemClock
from eventflow.errors import DefinitionError, LoadError
from eventflow.model.event import Event
from eventflow.model.status import TaskStatus, WorkflowStatus
from eventflow.model.workflow import Workflow
from eventflow.reporters.config import UplinkConfig
from eventflow.runtime.retention import Retention
from eventflow.runtime.scheduler import Scheduler
from eventflow.settings import duration, read_settings

log = logging.getLogger("eventflow")
FAILED = 1


def serve(
    places: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILES|DIRS]...", help="Files of workflows, or folders of them."),
    ] = None,
    store: options.Store = None,
    executor: options.Executor = None,
    grace: Annotated[
        float | None,
        typer.Option("--grace", min=0, help="Seconds that tasks get to finish. [default: 10]"),
    ] = None,
    log_format: Annotated[
        options.LogFormat | None,
        typer.Option("--log-format", help="Form of the log. [default: text]", show_default=False),
    ] = None,
    uplink: options.Uplink = None,
    retention: Annotated[
        str | None,
        typer.Option(
            "--retention",
            metavar="AGE",
            help="How long ended executions and their events are kept, as 30d. [default: ever]",
            show_default=False,
        ),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Run the scheduler for the workflows of files or folders, until a signal ends it.

    Of a folder every Python file that defines workflows is taken. What was registered before goes
    on too. Prints one line when it is ready. SIGTERM or Ctrl-C ends it: tasks get a grace to
    finish, then they are killed and start again with the next scheduler; a second signal does not
    wait for the grace.
    """
    settings = read_settings(
        store=store,
        executor=executor.value if executor else None,
        stop_grace=grace,
        log_format=log_format.value if log_format else None,
        retention=retention,
    )
    window = duration("dedup_window", settings.dedup_window)
    kept_for = duration("retention", settings.retention) if settings.retention else None
    platform = UplinkConfig.from_environment(url=uplink)
    files = [file for place in places or () for file in _files(place)]
    open_log(settings)
    scheduler = Scheduler(settings.store, executor=settings.executor, program="eventflow serve")
    pruning = contextlib.ExitStack()
    with Interrupts() as interrupts:
        try:
            scheduler.start()
            if kept_for is not None:
                kept = Retention(scheduler.store, SystemClock(), kept_for, window)
                pruning.callback(kept.stop)
                kept.start()
            report_to(scheduler, platform)
            _log_facts(scheduler)
            workflows = _register(scheduler, files)
            if places and not workflows:
                note(f"no file in {', '.join(places)} defines a workflow")
            for line in unset_pools(workflows, scheduler.pools()):
                note(on_store(line, store))
            _say_ready(scheduler, workflows, as_json=as_json)
            _wait(scheduler, interrupts)
            log.info("serve.stopping grace_s=%s", settings.stop_grace)
        except BaseException:
            pruning.close()
            scheduler.stop()
            raise
        failure = scheduler.failure
        pruning.close()
        scheduler.stop(0.0 if failure else settings.stop_grace)
    if failure is not None:
        note(f"the scheduler has stopped deciding: {failure}")
        raise typer.Exit(FAILED)
    log.info("serve.stopped")


def _wait(scheduler: Scheduler, interrupts: Interrupts) -> None:
    """Until a signal comes or the loop has died; nothing is looked at meanwhile."""

    def watch() -> None:
        scheduler.wait()
        interrupts.wake()

    threading.Thread(target=watch, name="eventflow-end", daemon=True).start()
    while not interrupts.count and scheduler.failure is None:
        interrupts.wait(None)


def _files(place: str) -> list[tuple[Path, bool]]:
    """The files of one argument, and whether each was found in a folder.

    Raises:
        LoadError: If there is no such file or folder.
    """
    path = Path(place)
    if path.is_dir():
        return [(file, True) for file in sorted(path.glob("*.py"))]
    if not path.is_file():
        raise LoadError(f"{path}: there is no such file or folder")
    return [(path, False)]


def _register(scheduler: Scheduler, files: list[tuple[Path, bool]]) -> list[Workflow]:
    homes: dict[tuple[str, str], tuple[Path, Any]] = {}
    found: list[Workflow] = []
    for path, in_folder in files:
        if in_folder and "eventflow" not in path.read_text("utf-8", "replace"):
            note(f"{path} is skipped: it does not name eventflow")
            continue

        def accept(workflows: list[Workflow], path: Path = path) -> None:
            for workflow in workflows:
                definition = workflow.definition()
                home, known = homes.setdefault(
                    (workflow.namespace, workflow.name), (path, definition)
                )
                # Files of one folder may import each other's workflows, to run them (S40).
                imported = home.parent == path.parent and known == definition
                if home != path and not imported:
                    raise DefinitionError(
                        f"workflow {workflow.name!r} is defined in {home} and in {path}; give one "
                        f"of them another name or namespace"
                    )

        try:
            # Standard output is for the line that says it is ready.
            with contextlib.redirect_stdout(sys.stderr):
                found += scheduler.register_file(path, accept=accept)
        except LoadError as error:
            if not (in_folder and "holds no workflow" in str(error)):
                raise
            note(f"{path} is skipped: it holds no workflow")
    return found


def _say_ready(scheduler: Scheduler, workflows: list[Workflow], *, as_json: bool) -> None:
    names = [workflow.name for workflow in workflows]
    known = [record.name for record in scheduler.workflows()]
    if as_json:
        ready = {"ready": True, "store": scheduler.store.url, "pid": os.getpid()}
        say_json({**ready, "workflows": known, "registered": names}, indent=None)
        return
    say(f"ready store={scheduler.store.url} workflows={','.join(known) or '-'} pid={os.getpid()}")


def _log_facts(scheduler: Scheduler) -> None:
    """One line in the log for each status that a task or an execution takes."""

    def task(sender: object, event: Event, status: TaskStatus) -> None:
        about = (
            status.value.lower(),
            event.workflow_execution_id,
            event.value["task"],
            event.value["sequence_number"],
            event.value["attempt"],
        )
        line = "task.%s execution=%s task=%s run=%s attempt=%s"
        if status not in (TaskStatus.FAILED, TaskStatus.RETRYING):
            log.info(line, *about)
            return
        failures = scheduler.store.failures(event.value["task_execution_id"])
        why = f"{failures[-1].type_name}: {failures[-1].message}" if failures else ""
        log.warning(f"{line} reason=%r", *about, why[:200])

    def workflow(sender: object, event: Event, status: WorkflowStatus) -> None:
        name = event.key.split(".")[2]
        log.log(
            logging.WARNING if status is WorkflowStatus.FAILED else logging.INFO,
            "workflow.%s execution=%s workflow=%s",
            status.value.lower(),
            event.workflow_execution_id,
            name,
        )

    scheduler.on(signals.task_status_changed, task)
    scheduler.on(signals.workflow_status_changed, workflow)
