"""Remote runs on a real store: in threads of this program, and in children."""

from pathlib import Path
from typing import Any

from remote_platform import PATIENCE_S

from eventflow import AppConnection, AppOperator, AppPolling, Scheduler, Workflow
from eventflow.model.records import AttemptFailure
from eventflow.runtime.handle import ExecutionHandle

HERE = AppConnection(allow_http=True)
FAST = AppPolling(first=0.01, ceiling=0.05, log_wait=0.05, patience=20, request_timeout=5)
RARE = AppPolling(first=0.01, ceiling=600, patience=20, request_timeout=5)
FLOW = Path(__file__).parent / "flows" / "remote_flow.py"


class Runner:
    """A scheduler on a real store, and one workflow with the task `solve`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scheduler = Scheduler(f"sqlite:///{folder / 'store.db'}")

    def begin(self, *, app_id: str = "routing", **arguments: Any) -> ExecutionHandle:
        with Workflow("remote") as workflow:
            AppOperator("solve", app_id, **{"connection": HERE, "polling": FAST, **arguments})
        return self.scheduler.run(workflow)

    def run(self, **arguments: Any) -> ExecutionHandle:
        handle = self.begin(**arguments)
        handle.wait(PATIENCE_S)
        return handle

    def failures(self, handle: ExecutionHandle) -> list[AttemptFailure]:
        (task,) = handle.tasks
        return self.scheduler.store.failures(task.id)

    def log(self, handle: ExecutionHandle) -> list[str]:
        """The lines of the last attempt's log, without time and level."""
        lines = Path(handle.tasks[-1].log_path).read_text().splitlines()
        return [line.split(" ", 2)[2] for line in lines]


class Children:
    """A scheduler with processes, and the pids of its attempts."""

    def __init__(self, folder: Path) -> None:
        self._spool = folder / "store.db-files" / "spool"
        self.scheduler = Scheduler(f"sqlite:///{folder / 'store.db'}", executor="processes")

    def begin(self, name: str) -> ExecutionHandle:
        self.scheduler.register_file(FLOW, [name])
        return self.scheduler.run(name)

    def pid(self, handle: ExecutionHandle) -> int:
        (task,) = handle.tasks
        return int((self._spool / f"{task.id}-{task.attempt}.begin").read_text().split()[0])
