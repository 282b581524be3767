"""A desk in memory, a recorder of reports, and jobs by the name of a task: for executor tests."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from eventflow.errors import DuplicateEventError, EventflowError
from eventflow.executors.code import load_workflows
from eventflow.executors.port import AttemptKey, Code, Executor, Job, Report, ReportKind
from eventflow.executors.processes import ProcessExecutor
from eventflow.executors.threads import ThreadExecutor
from eventflow.model.event import Event
from eventflow.model.operator import Operator
from eventflow.model.records import TaskExecution, WorkflowExecution
from eventflow.model.status import ExecutionType, TaskStatus, WorkflowStatus
from eventflow.model.workflow import Workflow

FLOWS = Path(__file__).parent / "flows"
PATIENCE_S = 20.0


class MemoryDesk:
    """Keeps what tasks hand over; `events_of(key)` can be waited for."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.events: list[Event] = []
        self.results: dict[int, str] = {}
        self.latest: dict[tuple[int, str], str] = {}
        self.statuses: dict[tuple[int, str], TaskStatus] = {}
        self.data: dict[tuple[int, str], str] = {}
        self.draws: dict[tuple[int, str], str] = {}

    def emit(self, event: Event, task_execution_id: int) -> Event:
        with self._changed:
            if event.id and any(known.id == event.id for known in self.events):
                raise DuplicateEventError(f"event {event.key!r}: id {event.id!r} was taken")
            logged = replace(event, offset=len(self.events) + 1, logged_at=datetime.now(UTC))
            self.events.append(logged)
            self._changed.notify_all()
            return logged

    def wait_for(self, key: str, n: int = 1) -> list[Event]:
        """The first `n` events of a key, when they are there."""
        with self._changed:
            there = self._changed.wait_for(lambda: len(self.of(key)) >= n, PATIENCE_S)
            assert there, f"{n} events {key!r} did not come; there are {self.events}"
            return self.of(key)[:n]

    def of(self, key: str) -> list[Event]:
        return [event for event in self.events if event.key == key]

    def result_of(self, task_execution_id: int, index: tuple[int, ...] = ()) -> str | None:
        return self.results.get(task_execution_id)

    def latest_result(self, workflow_execution_id: int, task_name: str) -> str | None:
        return self.latest.get((workflow_execution_id, task_name))

    def task_status(self, workflow_execution_id: int, task_name: str) -> TaskStatus | None:
        return self.statuses.get((workflow_execution_id, task_name))

    def read_data(self, workflow_execution_id: int, key: str) -> str | None:
        return self.data.get((workflow_execution_id, key))

    def write_data(self, workflow_execution_id: int, key: str, value: str | None) -> None:
        if value is None:
            self.data.pop((workflow_execution_id, key), None)
        else:
            self.data[workflow_execution_id, key] = value

    def drawn(self, task_execution_id: int, name: str) -> str | None:
        return self.draws.get((task_execution_id, name))

    def draw(self, task_execution_id: int, name: str, value: str) -> str:
        return self.draws.setdefault((task_execution_id, name), value)


class Harness:
    """An executor that was started, the desk it uses, and all it has reported."""

    def __init__(self, executor: Executor, flow: Path, folder: Path) -> None:
        self.executor = executor
        self.desk = MemoryDesk()
        self.reports: list[Report] = []
        self.flow = flow
        self._folder = folder
        self._changed = threading.Condition()
        self._workflows: list[Workflow] | None = None
        self._runs = 0
        self.recovered = executor.recover()
        executor.start(self.desk, self._report, self._find)

    def _report(self, report: Report) -> None:
        with self._changed:
            self.reports.append(report)
            self._changed.notify_all()

    def _find(self, job: Job) -> Operator:
        if self._workflows is None:
            self._workflows = load_workflows(self.flow)
        operator = self._workflows[0].tasks.get(job.task_execution.task_name)
        if not isinstance(operator, Operator):
            raise EventflowError(f"there is no task {job.task_execution.task_name!r}")
        return operator

    def job(self, task: str, *, attempt: int = 1, run: int | None = None, **fields: Any) -> Job:
        """A job for a task; the run's id is new unless `run` is given."""
        if run is None:
            self._runs += 1
            run = self._runs
        return make_job(self.flow, self._folder, task, run, attempt, **fields)

    def run(self, task: str, **fields: Any) -> Report:
        """Run one attempt to its end."""
        job = self.job(task, **fields)
        self.executor.submit(job)
        return self.end(job)

    def start(self, task: str, **fields: Any) -> Job:
        """Begin an attempt, and return when its code runs (it emits `running`)."""
        before = len(self.desk.of("running"))
        job = self.job(task, **fields)
        self.executor.submit(job)
        self.desk.wait_for("running", before + 1)
        return job

    def end(self, job: Job, timeout_s: float = PATIENCE_S) -> Report:
        """The end report of an attempt, when it is there."""
        with self._changed:
            there = self._changed.wait_for(lambda: bool(self.ends_of(job.key)), timeout_s)
            assert there, f"{job.key} has not ended; reports: {self.kinds(job)}"
            return self.ends_of(job.key)[0]

    def ends_of(self, key: AttemptKey) -> list[Report]:
        return [
            report
            for report in self.reports
            if report.key == key and report.kind is not ReportKind.RUNNING
        ]

    def kinds(self, job: Job) -> list[str]:
        """The kinds of all reports of an attempt, in order."""
        return [report.kind.value for report in self.reports if report.key == job.key]

    def log_of(self, job: Job) -> str:
        assert job.log_path is not None
        return job.log_path.read_text() if job.log_path.exists() else ""


def make_job(flow: Path, folder: Path, task: str, run: int, attempt: int = 1, **fields: Any) -> Job:
    execution = WorkflowExecution(
        id=5,
        workflow_name=flow.stem.removesuffix("_flow"),
        namespace="tests",
        execution_type=ExecutionType.MANUAL,
        status=WorkflowStatus.RUNNING,
        params=fields.pop("params", {}),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    task_execution = TaskExecution(
        id=run,
        workflow_execution_id=5,
        task_name=task,
        sequence_number=1,
        attempt=attempt,
        status=TaskStatus.RUNNING,
    )
    known: dict[str, Any] = {
        "workflow_execution": execution,
        "task_execution": task_execution,
        "trigger_event": None,
        "code": Code(snapshot="a" * 64, folder=flow.parent, entry=flow.name),
        "log_path": folder / "logs" / f"{run}-{attempt}.log",
    }
    return Job(**{**known, **fields})


def wait_until(check: Callable[[], bool], what: str, timeout_s: float = PATIENCE_S) -> float:
    """Wait for the state of a process outside, of which nobody tells; the seconds it took."""
    pause, waited, step = threading.Event(), 0.0, 0.005
    while not check():
        assert waited < timeout_s, f"in {timeout_s} s not so: {what}"
        pause.wait(step)
        waited += step
    return waited


Make = Callable[..., Harness]
MAKERS: dict[str, Callable[[Path], Executor]] = {
    "threads": lambda spool: ThreadExecutor(spool, store_url="sqlite:///x.db"),
    "processes": lambda spool: ProcessExecutor(spool, store_url="sqlite:///x.db"),
}
