"""`eventflow workflow graph`: a workflow as text or picture, with how an execution of it stands."""

import tempfile
import webbrowser
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from eventflow.cli import options
from eventflow.cli.files import load
from eventflow.cli.opened import find_execution, find_workflow, open_client, registered
from eventflow.cli.printing import say, write_file
from eventflow.errors import EventflowError, NotFoundError
from eventflow.model.dot import to_dot
from eventflow.model.graph import Graph, Progress
from eventflow.model.graphjson import to_json
from eventflow.model.mermaid import to_mermaid
from eventflow.model.page import to_page
from eventflow.model.picture import to_text
from eventflow.model.records import WorkflowExecution
from eventflow.model.svg import to_svg
from eventflow.model.workflow import Workflow
from eventflow.runtime.picturing import about_execution, progress_of, workflow_of


class Form(StrEnum):
    """What `graph --format` takes."""

    TEXT = "text"
    MERMAID = "mermaid"
    SVG = "svg"
    DOT = "dot"
    JSON = "json"


class Sight(NamedTuple):
    """A workflow to be shown. `progress` is of an execution, which `about` names."""

    workflow: Workflow
    progress: dict[str, Progress] | None = None
    about: str = ""

    @property
    def graph(self) -> Graph:
        graph = self.workflow.to_graph()
        return graph if self.progress is None else graph.with_progress(self.progress, self.about)


_DRAW: dict[Form, Callable[[Graph], str]] = {
    Form.MERMAID: to_mermaid,
    Form.SVG: to_svg,
    Form.DOT: to_dot,
    Form.JSON: to_json,
}


def graph(
    what: Annotated[
        str, typer.Argument(metavar="NAME|FILE[:NAME]", help="A registered workflow, or a file's.")
    ],
    form: Annotated[
        Form | None,
        typer.Option(
            "--format",
            help="How to draw it. [default: text; with --open svg]",
            show_default=False,
        ),
    ] = None,
    execution: Annotated[
        int | None,
        typer.Option(
            "--execution", help="Show how the tasks of this one stand.", show_default=False
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to a file.", show_default=False)
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Show the picture in a browser.")] = False,
    namespace: options.Namespace = "default",
    store: options.Store = None,
) -> None:
    """Draw a workflow: tasks, events from outside, and what starts, stops and restarts what."""
    form = form or (Form.SVG if show else Form.TEXT)
    if show and form is not Form.SVG:
        raise EventflowError(f"--open shows an SVG; leave out --format {form.value}")
    sights = _sights(what, namespace, store, execution)
    if form is not Form.TEXT and len(sights) > 1:
        raise EventflowError(f"{what} defines several workflows; name one, as {what}:NAME")
    if show:
        _show(sights[0].graph, output)
        return
    texts = [to_text(*one) if form is Form.TEXT else _DRAW[form](one.graph) for one in sights]
    text = "\n".join(texts)
    if output is None:
        say(text.rstrip("\n"))
    else:
        write_file(output, text)


def _show(graph: Graph, output: Path | None) -> None:
    """Open an SVG in the file that was named, or a page in a folder that only its owner reads."""
    if output is not None:
        path = output
        write_file(path, to_svg(graph))
    else:
        # It stays: a browser may read it long after this command has ended.
        path = Path(tempfile.mkdtemp(prefix="eventflow-"), f"{graph.name}.html")
        write_file(path, to_page(graph))
    if not webbrowser.open(path.resolve().as_uri()):
        raise EventflowError(
            f"no browser could be started, set BROWSER to the command of one; the picture is in "
            f"{path}"
        )
    say(f"opened {path}")


def _sights(what: str, namespace: str, store: str | None, execution_id: int | None) -> list[Sight]:
    file = what.rpartition(":")[0].endswith(".py") or what.endswith(".py")
    workflows = load(what)[1] if file else []
    if file and execution_id is None:
        return [Sight(workflow) for workflow in workflows]
    with open_client(store) as remote:
        if execution_id is None:
            return [Sight(registered(remote.store, find_workflow(remote.store, what, namespace)))]
        execution = find_execution(remote.store, execution_id)
        if file:
            workflow = _of_file(what, workflows, execution)
        elif (execution.workflow_name, execution.namespace) == (what, namespace):
            workflow = workflow_of(remote.store, execution)
        else:
            raise _other(execution, f"workflow {what!r} of namespace {namespace!r}")
    # A file may have lost tasks since the execution began.
    progress = {name: one for name, one in progress_of(execution).items() if name in workflow.tasks}
    return [Sight(workflow, progress, about_execution(execution))]


def _of_file(what: str, workflows: list[Workflow], execution: WorkflowExecution) -> Workflow:
    for workflow in workflows:
        if (workflow.name, workflow.namespace) == (execution.workflow_name, execution.namespace):
            return workflow
    raise _other(execution, what)


def _other(execution: WorkflowExecution, meant: str) -> NotFoundError:
    return NotFoundError(
        f"execution {execution.id} is of workflow {execution.workflow_name!r} of namespace "
        f"{execution.namespace!r}, not of {meant}"
    )
