"""Files of workflows, as the command line names them: FILE or FILE:NAME."""

import contextlib
import sys
from pathlib import Path

from eventflow.errors import LoadError
from eventflow.executors.code import load_workflows
from eventflow.model.suggest import nearest
from eventflow.model.workflow import Workflow


def read_place(text: str) -> tuple[Path, str]:
    """FILE or FILE:NAME as path and name; the name is empty where none was given.

    Raises:
        LoadError: If there is no such file.
    """
    path = Path(text)
    name = ""
    if not path.exists() and ":" in text:
        before, _, name = text.rpartition(":")
        path = Path(before)
    if path.is_dir():
        raise LoadError(f"{path} is a folder; name a Python file that defines workflows")
    if not path.is_file():
        raise LoadError(f"{path}: there is no such file")
    return path, name


def load(text: str) -> tuple[Path, list[Workflow]]:
    """The workflows of FILE, or the one of FILE:NAME.

    What the file prints while it loads goes to standard error.

    Raises:
        LoadError: If it does not load, or holds no such workflow.
    """
    path, name = read_place(text)
    with contextlib.redirect_stdout(sys.stderr):
        found = load_workflows(path)
    return path, [choose(found, name, path)] if name else found


def choose(workflows: list[Workflow], name: str, path: Path) -> Workflow:
    """The workflow of a file that was meant.

    Raises:
        LoadError: If the file has no such workflow, or several and none was named, not counting
            those that others run.
    """
    names = [workflow.name for workflow in workflows]
    run_by_others = {task.runs_workflow for one in workflows for task in one.tasks.values()}
    first = [one for one in workflows if (one.namespace, one.name) not in run_by_others]
    if not name and len(first) == 1:
        return first[0]
    if not name:
        raise LoadError(
            f"{path} defines {len(names)} workflows: {', '.join(names)}; say which one, as "
            f"{path}:{names[0]}"
        )
    for workflow in workflows:
        if workflow.name == name:
            return workflow
    raise LoadError(
        f"{path} has no workflow {name!r}{nearest(name, names)}; it defines: {', '.join(names)}"
    )
