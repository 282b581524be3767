"""Shorthands for the stories of mapped tasks (S43)."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from scenario_tasks import Work

from eventflow import TaskAction, TaskExecution, TaskStatus, Workflow, WorkflowExecution
from eventflow.executors.attempt import lost
from eventflow.executors.port import AttemptKey, Report, ReportKind
from eventflow.testing import VirtualScheduler
from eventflow.testing.worker import Ending, report_of

START, RESTART, STOP = TaskAction.START, TaskAction.RESTART, TaskAction.STOP
SUCCESS, FAILED, RUNNING, SKIPPED = (
    TaskStatus.SUCCESS,
    TaskStatus.FAILED,
    TaskStatus.RUNNING,
    TaskStatus.SKIPPED,
)
OK = ["INIT", "QUEUED", "RUNNING", "SUCCESS"]
BAD = ["INIT", "QUEUED", "RUNNING", "FAILED"]
ENDED = ["INIT", "QUEUED", "RUNNING", "STOPPING", "STOPPED"]
Execution = WorkflowExecution | int | None


class Takes(Work):
    """A task whose arguments hold places: outputs, or parts of them."""

    def __init__(self, name: str, *places: Any, **config: Any) -> None:
        self._places = list(places)
        super().__init__(name, **config)

    @property
    def arguments(self) -> Any:
        return self._places


def over(count: int, **config: Any) -> VirtualScheduler:
    """One task, `b`, mapped over so many given items."""
    with Workflow("w") as workflow:
        Work("b", **config).map(range(count))
    return VirtualScheduler(workflow)


def mapped_over(value: Any, **config: Any) -> VirtualScheduler:
    """`b` is mapped over what `a` returns; it is started."""
    with Workflow("w") as workflow:
        Work("b", **config).map(Work("a").output)
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", result=value)
    scheduler.run()
    return scheduler


def run_of(
    scheduler: VirtualScheduler, task: str = "b", execution: Execution = None, number: int = -1
) -> TaskExecution:
    """One run of a task, by its place among them; the last of the newest execution."""
    runs = [run for run in scheduler.execution(execution).tasks if run.task_name == task]
    return runs[number]


def items(
    scheduler: VirtualScheduler, task: str = "b", execution: Execution = None, number: int = -1
) -> list[TaskExecution]:
    """The items of that run."""
    run = run_of(scheduler, task, execution, number)
    return scheduler.store.items(run.id, limit=1_000_000)


def stand(scheduler: VirtualScheduler, *which: Any) -> list[str]:
    """The statuses of the items of a run."""
    return [item.status.value for item in items(scheduler, *which)]


def paths(scheduler: VirtualScheduler, *which: Any) -> list[list[str]]:
    """Every status of every item of a run."""
    return [
        [change.status.value for change in scheduler.store.history(item.id)]
        for item in items(scheduler, *which)
    ]


def result(scheduler: VirtualScheduler, *which: Any) -> Any:
    """What the items of a run returned, nested as its axes are."""
    text = scheduler.store.result(run_of(scheduler, *which).id)
    return json.loads(text) if text is not None else None


def handed(scheduler: VirtualScheduler, task: str = "b") -> list[tuple[int, ...]]:
    """The indexes of every attempt of the items of a task, in the order of their starts."""
    return [job.index for job in scheduler.started(task)]


def elements(scheduler: VirtualScheduler, task: str = "b") -> list[Any]:
    """What every attempt of a task was to be about, on its last axis that has elements."""
    return [json.loads(list(job.elements.values())[-1]) for job in scheduler.started(task)]


def tell(
    scheduler: VirtualScheduler, item: TaskExecution, status: TaskStatus, attempt: int = 1
) -> None:
    """A report about an item, out of the blue or because nobody else brings it."""
    key = AttemptKey(item.id, attempt)
    if status is RUNNING:
        scheduler._loop.inbox.put(Report(key=key, kind=ReportKind.RUNNING))
    else:
        scheduler._loop.inbox.put(report_of(key, Ending(status, timedelta(0), result="told")))
    scheduler.run_until_idle()


def lose(scheduler: VirtualScheduler, item: TaskExecution, attempt: int = 1) -> None:
    """The worker of an item's attempt dies."""
    scheduler._worker.lose(
        next(one for one in _running(scheduler) if one.key == (item.id, attempt))
    )
    scheduler.run_until_idle()


def _running(scheduler: VirtualScheduler) -> Iterator[Any]:
    yield from scheduler._worker._running.values()


def lose_all(scheduler: VirtualScheduler) -> None:
    """The worker of every attempt that is running dies."""
    for job in list(_running(scheduler)):
        scheduler._loop.inbox.put(lost(job.key, "its worker died"))
        del scheduler._worker._running[job.key]
    scheduler.run_until_idle()


def dids(scheduler: VirtualScheduler, task: str = "b") -> list[str]:
    """What became of everything that was asked of a task."""
    return [record.did for record in scheduler.decisions() if record.task == task]


def running(**config: object) -> VirtualScheduler:
    """Five items: one has ended, one is retrying, one runs, and two are not open yet."""
    scheduler = over(5, retries=1, retry_delay=60, max_active_items=2, **config)
    for status in (SUCCESS, FAILED, RUNNING):
        scheduler.outcome("b", status)
    scheduler.run()
    assert stand(scheduler) == ["SUCCESS", "RETRYING", "RUNNING", "INIT", "INIT"]
    return scheduler


def held_back() -> VirtualScheduler:
    """Two items that run and do not hear a stop."""
    scheduler = over(2)
    for _ in range(2):
        scheduler.outcome("b", RUNNING)
    scheduler._worker.cancel = lambda key: None
    scheduler.run()
    return scheduler


def let_end(scheduler: VirtualScheduler, number: int = 0) -> None:
    for item in items(scheduler, "b", None, number):
        tell(scheduler, item, FAILED)
