"""Workflows that start one another by their own facts, seen before anything runs (S45).

Only facts count: what a task will emit is not known. A circle is no fault, since its rules may
never be met; it is worth a word to whoever wrote it without meaning to.
"""

from collections import deque
from collections.abc import Iterable, Iterator

from eventflow.core.index import RuleIndex
from eventflow.model.keys import RESERVED, task_key, workflow_key
from eventflow.model.status import TaskStatus, WorkflowStatus
from eventflow.model.workflow import Workflow


def circles_among(workflows: Iterable[Workflow]) -> list[list[Workflow]]:
    """The shortest circle through each workflow whose facts can start it again, each told once.

    One in which every workflow has `max_hops=None` is meant, and left out.
    """
    patterns = {workflow: _listens(workflow) for workflow in workflows}
    # Only who listens to facts can be in a circle: mostly nobody does.
    listening = [workflow for workflow, wanted in patterns.items() if wanted]
    starts = _starts(listening, patterns)
    found: dict[frozenset[int], list[Workflow]] = {}
    for workflow in _leading_to_circles(starts):
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


def _starts(
    listening: list[Workflow], patterns: dict[Workflow, list[str]]
) -> dict[Workflow, list[Workflow]]:
    """Which of them the facts of each of them start."""
    indexes: dict[str, RuleIndex[int]] = {}
    for place, workflow in enumerate(listening):
        index = indexes.setdefault(workflow.namespace, RuleIndex())
        for pattern in patterns[workflow]:
            index.add(pattern, place)
    return {
        workflow: [
            listening[place]
            for place in sorted(
                {
                    place
                    for key in _facts_of(workflow)
                    for place in indexes[workflow.namespace].match(key)
                }
            )
        ]
        for workflow in listening
    }


def _leading_to_circles(starts: dict[Workflow, list[Workflow]]) -> list[Workflow]:
    """Those whose ways do not all come to an end: long chains of workflows are no circles."""
    before: dict[Workflow, list[Workflow]] = {}
    for workflow, others in starts.items():
        for other in others:
            before.setdefault(other, []).append(workflow)
    ways = {workflow: len(others) for workflow, others in starts.items()}
    ends = [workflow for workflow, count in ways.items() if not count]
    while ends:
        for workflow in before.get(ends.pop(), ()):
            ways[workflow] -= 1
            if not ways[workflow]:
                ends.append(workflow)
    return [workflow for workflow, count in ways.items() if count]


def _facts_of(workflow: Workflow) -> Iterator[str]:
    for ending in WorkflowStatus:
        yield workflow_key(workflow.name, ending)
    for task in workflow.tasks:
        for status in TaskStatus:
            yield task_key(workflow.name, task, status)


def _way_round(workflow: Workflow, starts: dict[Workflow, list[Workflow]]) -> list[Workflow] | None:
    """The shortest way from a workflow back to itself, beginning with it."""
    reached = deque([workflow])
    # How each was reached first.
    came_from: dict[Workflow, Workflow] = {}
    while reached:
        here = reached.popleft()
        for after in starts[here]:
            if after is workflow:
                return _way_to(here, came_from)
            if after not in came_from:
                came_from[after] = here
                reached.append(after)
    return None


def _way_to(workflow: Workflow, came_from: dict[Workflow, Workflow]) -> list[Workflow]:
    way = [workflow]
    while way[-1] in came_from:
        way.append(came_from[way[-1]])
    return way[::-1]
