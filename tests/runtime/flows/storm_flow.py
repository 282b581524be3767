"""Tasks that emit the event which restarts them, in each way in which a task can emit."""

import subprocess
import sys
from typing import Any

from eventflow import (
    BashOperator,
    PythonOperator,
    TaskAction,
    Workflow,
    current_context,
    emit,
)


def by_context() -> None:
    current_context().emit("by_context.again")


def by_function() -> None:
    emit("by_function.again")


def by_child() -> None:
    """A process of its own, that knows the task by its environment only."""
    code = "import eventflow; eventflow.emit('by_child.again')"
    subprocess.run([sys.executable, "-c", code], env=current_context().environment, check=True)


def by_item(item: Any) -> None:
    if item == 1:
        emit("by_item.again")


for name in ("by_context", "by_function", "by_child"):
    with Workflow(name, completion="manual", max_hops=3) as workflow:
        task = PythonOperator(name, globals()[name])
        task.action_on_event_received(TaskAction.RESTART, f"{name}.again")
    globals()[f"{name}_workflow"] = workflow

with Workflow("by_item", completion="manual", max_hops=3) as by_item_workflow:
    mapped = PythonOperator("by_item", by_item).map([0, 1, 2])
    mapped.action_on_event_received(TaskAction.RESTART, "by_item.again")

with Workflow("by_command", completion="manual", max_hops=3) as by_command_workflow:
    command = BashOperator("by_command", bash_command="eventflow emit by_command.again")
    command.action_on_event_received(TaskAction.RESTART, "by_command.again")
