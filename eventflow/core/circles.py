"""Workflows that start one another by their own facts, seen before anything runs (S45).

Only facts count: what a task will emit is not known. A circle is no fault, since its rules may
never be met; it is worth a word to whoever wrote it without meaning to.
"""

from collections import deque
from collections.abc import Iterable, Iterator

from eventflow.model.keys import RESERVED, matches, task_key, workflow_key
from eventflow.model.status import TaskStatus, WorkflowStatus
from eventflow.model.workflow import Workflow


def circles_among(workflows: Iterable[Workflow]) -> list[list[Workflow]]:
    """The shortest circle through each workflow whose facts can start it again, each told once.

    One in which every workflow has `max_hops=None` is meant, and left out.
    """
    patterns = {workflow: _listens(workflow) for workflow in workflows}
    # Only who listens to facts can be in a circle: mostly nobody does.
    listening = [workflow for workflow, wanted in patterns.items() if wanted]
    starts = {
        workflow: [
            other
            for other in listening
            if other.namespace == workflow.namespace and _hears(patterns[other], workflow)
        ]
        for workflow in listening
    }
    found: dict[frozenset[int], list[Workflow]] = {}
    for workflow in listening:
        circle = _way_round(workflow, starts)
        if circle and any(one.max_hops is not None for one in circle):
            found.setdefault(frozenset(map(id, circle)), circle)
    return list(found.values())


def in_words(circle: list[Workflow]) -> str:
    """What is to be said of a circle."""
    names = " -> ".join(one.name for one in [*circle, circle[0]])
    caps = [one.max_hops for one in circle if one.max_hops is not None]
    return (
        f"rules go round in a circle: {names}; faster than once a minute it ends after {min(caps)} "
        f"starts (max_hops); set max_hops=None if it is meant to go on"
    )


def _listens(workflow: Workflow) -> list[str]:
    return [
        pattern
        for trigger in workflow.triggers
        for pattern in trigger.condition.wakes(workflow.name)
        if pattern.startswith(RESERVED)
    ]


def _hears(patterns: list[str], workflow: Workflow) -> bool:
    return any(matches(pattern, key) for key in _facts_of(workflow) for pattern in patterns)


def _facts_of(workflow: Workflow) -> Iterator[str]:
    for ending in WorkflowStatus:
        yield workflow_key(workflow.name, ending)
    for task in workflow.tasks:
        for status in TaskStatus:
            yield task_key(workflow.name, task, status)


def _way_round(workflow: Workflow, starts: dict[Workflow, list[Workflow]]) -> list[Workflow] | None:
    """The shortest way from a workflow back to itself, beginning with it."""
    ways = deque([[workflow]])
    seen: set[Workflow] = set()
    while ways:
        way = ways.popleft()
        for after in starts[way[-1]]:
            if after is workflow:
                return way
            if after not in seen:
                seen.add(after)
                ways.append([*way, after])
    return None
