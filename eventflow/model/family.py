"""The workflows that a workflow runs, as far as they were given as objects (S40)."""

from collections.abc import Iterable

from eventflow.model.workflow import Workflow


def with_sub_workflows(workflows: Iterable[Workflow]) -> list[Workflow]:
    """These workflows and all that they run, each once; one that is run before those that run it.

    Of two with one name, the one that was given itself stays; so a changed one can be tried.
    """
    given = list(workflows)
    names = {(one.namespace, one.name): one for one in given}
    found: dict[int, Workflow] = {}
    seen: set[int] = set()

    def take(workflow: Workflow) -> None:
        if id(workflow) in seen:
            return
        seen.add(id(workflow))
        for task in workflow.tasks.values():
            below = task.sub_workflow
            if below is not None:
                take(names.setdefault((below.namespace, below.name), below))
        found[id(workflow)] = workflow

    for workflow in given:
        take(workflow)
    return list(found.values())
