"""Workflows for attempts in child processes, which need a file to import them from."""

import itertools
import time

from eventflow import PythonOperator, TaskAction, Workflow

ROW = 1_000
CROWD = 200


def say_when() -> float:
    """When the first line of the task runs; the clock is the same in all processes."""
    return time.monotonic()


def nothing() -> None:
    """A task's whole work."""


with Workflow("wait", completion="manual") as wait:
    PythonOperator("t", say_when).action_on_event_received(TaskAction.START, "go")

with Workflow("row") as row:
    _tasks = [PythonOperator(f"t{number}", nothing) for number in range(ROW)]
    for _before, _after in itertools.pairwise(_tasks):
        _before >> _after

with Workflow("short-row") as short_row:
    _tasks = [PythonOperator(f"t{number}", nothing) for number in range(ROW // 10)]
    for _before, _after in itertools.pairwise(_tasks):
        _before >> _after

with Workflow("crowd") as crowd:
    for _number in range(CROWD):
        PythonOperator(f"t{_number}", nothing)
