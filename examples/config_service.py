"""A service that is RESTARTed whenever its configuration file changes.

    eventflow run examples/config_service.py          (--param folder=PATH: where the file is)

`write` makes the file. `watch` looks at it for ever and emits `config.changed` for every new
content. That RESTARTs `service`, which reads the file once, at its start, and runs for ever, too.
`edit` stands for you: each time the service is ready it changes the file, and after three changes
it says that it has seen enough, which STOPs the endless tasks. Prints, in the logs of `service`:

    ready, the sign is white
    ready, the sign is red
    ready, the sign is green
    ready, the sign is blue
"""

import json
import tempfile
from pathlib import Path

from eventflow import (
    EventCondition,
    PythonOperator,
    TaskAction,
    TaskStatus,
    TaskStatusCondition,
    Workflow,
    current_context,
)

COLOURS = ["white", "red", "green", "blue"]
BUSY = {TaskStatus.INIT, TaskStatus.QUEUED, TaskStatus.RUNNING}
FOREVER = 24 * 3600


def replace(path: Path, colour: str) -> None:
    """Whoever reads sees the old content or the new one, never half of it."""
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps({"colour": colour}))
    draft.replace(path)


def write() -> str:
    context = current_context()
    # Drawn once: if the task is run again after a crash, it gets the same folder.
    folder = context.params.get("folder") or context.deterministic.call("folder", tempfile.mkdtemp)
    path = Path(folder, "service.json")
    replace(path, COLOURS[0])
    return str(path)


def watch(path: str) -> None:
    context, known = current_context(), None
    while not context.wait(0.1):
        content = Path(path).read_text()
        if content != known:
            context.emit("config.changed")
            known = content


def serve(path: str) -> None:
    context = current_context()
    colour = json.loads(Path(path).read_text())["colour"]
    print(f"ready, the sign is {colour}")
    context.emit("service.ready")
    while not context.wait(FOREVER):
        pass


def edit(path: str) -> None:
    context = current_context()
    change = context.task_execution.sequence_number
    if change < len(COLOURS):
        replace(Path(path), COLOURS[change])
    else:
        context.emit("seen.enough")


with Workflow("config_service") as workflow:
    config = PythonOperator("write", write)
    watcher = PythonOperator("watch", watch, [config.output])
    service = PythonOperator("service", serve, [config.output], autostart=False)
    editor = PythonOperator("edit", edit, [config.output])

    service.action_on_event_received(TaskAction.RESTART, "config.changed")
    # The event is remembered until the last edit has ended: a START while it runs would be ignored.
    editor.action_on_condition(
        TaskAction.START,
        EventCondition("service.ready") & ~TaskStatusCondition(editor, BUSY),
    )
    for endless in (watcher, service):
        endless.action_on_event_received(TaskAction.STOP, "seen.enough")
