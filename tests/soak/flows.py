"""The workflows that `serve` runs in a soak. Their tasks keep the journal.

It is served from a folder in which copies of `journal.py` and `shapes.py` lie beside it.
"""

import asyncio
import os
import subprocess
from pathlib import Path

from journal import (
    SENT,
    Acknowledged,
    Sent,
    acknowledged_line,
    append,
    noted,
    open_to_append,
    sent_line,
)
from shapes import BEAT, BEAT_S, INNER, ITEMS, RESTART, STARTS, STEP_DONE

from eventflow import Cron, PythonOperator, TaskAction, Workflow, WorkflowOperator, current_context

FOLDER = Path(os.environ["SOAK_FOLDER"])
# What the nemesis kills is no fault of the task: it runs until it comes to its end.
ENDLESS = {"retries": 100_000, "max_lost": 100_000, "retry_delay": 0.05, "stop_grace": 2.0}


def seconds(default):
    """How long the event that started the execution wants its tasks to take."""
    event = current_context().workflow_execution.trigger_event
    return event.value.get("seconds", default) if event is not None else default


def note(context):
    run = context.task_execution
    name = ".".join([run.task_name, *map(str, context.index)])
    return noted(FOLDER, context.workflow_execution.id, name, run.sequence_number, run.attempt)


def step():
    context = current_context()
    with note(context):
        context.wait(seconds(0.1))


def fail_at_first():
    context = current_context()
    with note(context) as earlier:
        context.wait(seconds(0.1))
        if not earlier:
            raise ValueError("the first attempt fails on purpose")


def tell():
    """Emit for all, so that other executions see it; once more in each attempt, with its own id."""
    context = current_context()
    with note(context):
        run = context.task_execution
        event = Sent(run.sender, f"{run.attempt}", STEP_DONE, {"execution": run.sender})
        descriptor = open_to_append(FOLDER / SENT / "tasks")
        append(descriptor, sent_line(event))
        told = context.emit(event.key, event.value, id=event.id, broadcast=True)
        append(descriptor, acknowledged_line(Acknowledged(event.sender, event.id, told.offset)))
        os.close(descriptor)


def items():
    with note(current_context()):
        return list(range(ITEMS))


def part(number):
    context = current_context()
    with note(context):
        context.wait(0.05 * number)
        return number * number


def total(parts):
    with note(current_context()):
        if parts != [number * number for number in range(ITEMS)]:
            raise ValueError(f"results are not those of the items: {parts}")


def serve():
    """Runs for some seconds, with a process of its own beside it, unless it is restarted."""
    context = current_context()
    with note(context), subprocess.Popen(["sleep", "600"]) as beside:
        try:
            if context.wait(4 * seconds(1.0)):
                raise RuntimeError("asked to stop")
        finally:
            beside.kill()


async def quick():
    with note(current_context()):
        await asyncio.sleep(0.05)


with Workflow("chain") as chain:
    third = PythonOperator("third", step, heartbeat_timeout=10.0, **ENDLESS)
    first = PythonOperator("first", step, **ENDLESS)
    first >> PythonOperator("flaky", fail_at_first, **ENDLESS) >> third
    third >> PythonOperator("last", tell, **ENDLESS)

with Workflow("fan") as fan:
    listed = PythonOperator("list", items, **ENDLESS)
    parts = PythonOperator("part", part, max_active_items=3, **ENDLESS).map(listed.output)
    PythonOperator("total", total, op_args=[parts.output], **ENDLESS)

with Workflow("service") as service:
    server = PythonOperator("server", serve, **ENDLESS)
    server.action_on_event_received(TaskAction.RESTART, RESTART)
    PythonOperator("closing", step, **ENDLESS).start_after(server)

with Workflow("quick") as quick_one:
    PythonOperator("quick", quick, **ENDLESS)

with Workflow(INNER) as inner:
    PythonOperator("one", step, **ENDLESS) >> PythonOperator("two", step, **ENDLESS)

with Workflow("outer") as outer:
    before = PythonOperator("before", step, **ENDLESS)
    within = WorkflowOperator("within", inner, retries=100_000, max_lost=100_000)
    before >> within >> PythonOperator("after", step, **ENDLESS)

with Workflow(BEAT, schedule=Cron(f"* * * * * */{BEAT_S}"), catchup="all", max_active=4) as beat:
    PythonOperator("beat", step, **ENDLESS)

for workflow in (chain, fan, service, quick_one, outer):
    workflow.trigger_on_event(STARTS[workflow.name])
