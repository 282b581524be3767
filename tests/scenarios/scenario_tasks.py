"""A task that does nothing, for scenarios: in virtual time no task's code runs."""

from typing import Any

from eventflow import Operator, TaskContext


class Work(Operator):
    """Its endings are given by `VirtualScheduler.outcome`."""

    def start(self, context: TaskContext) -> Any:
        raise AssertionError("no code runs in virtual time")
