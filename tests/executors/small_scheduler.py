"""A scheduler's process in small: runs tasks of a flow, prints what they emit, waits to be killed.

Arguments: the spool folder, the flow's file, and names of tasks; the n-th gets n as its run's id.
"""

import sys
import threading
from pathlib import Path

from executor_harness import MemoryDesk, make_job

from eventflow.executors.port import Report
from eventflow.executors.processes import ProcessExecutor
from eventflow.model.event import Event


def tell(*words: object) -> None:
    sys.stdout.write(" ".join(str(word) for word in words) + "\n")
    sys.stdout.flush()


class PrintingDesk(MemoryDesk):
    def emit(self, event: Event, task_execution_id: int) -> Event:
        logged = super().emit(event, task_execution_id)
        tell(event.key, *event.value)
        return logged


def say(report: Report) -> None:
    tell("report", report.key.task_execution_id, report.kind.value)


def main() -> None:
    spool, flow = Path(sys.argv[1]), Path(sys.argv[2])
    executor = ProcessExecutor(spool)
    executor.recover()
    executor.start(PrintingDesk(), say, lambda job: None)  # type: ignore[arg-type,return-value]
    for run, task in enumerate(sys.argv[3:], 1):
        executor.submit(make_job(flow, spool.parent, task, run))
    threading.Event().wait()


main()
