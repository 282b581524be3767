"""Workflows that do nothing, in the shapes that are measured."""

import itertools

from eventflow import PythonOperator, TaskAction, Workflow

_numbers = itertools.count()


def nothing() -> None:
    """A task's whole work."""


def chain(length: int) -> Workflow:
    """Tasks one after another."""
    with Workflow(f"chain-{length}-{next(_numbers)}") as workflow:
        tasks = [PythonOperator(f"t{number}", nothing) for number in range(length)]
        for before, after in itertools.pairwise(tasks):
            before >> after
    return workflow


def fan_out(width: int) -> Workflow:
    """Independent tasks, and one that starts after all of them."""
    with Workflow(f"fan-{width}-{next(_numbers)}") as workflow:
        tasks = [PythonOperator(f"t{number}", nothing) for number in range(width)]
        PythonOperator("join", nothing).start_after(tasks)
    return workflow


def mapped(count: int) -> Workflow:
    """A list, one task mapped over it, and the sum of what its items return."""
    with Workflow(f"mapped-{count}-{next(_numbers)}") as workflow:
        numbers = PythonOperator("numbers", lambda: list(range(count)))
        add = PythonOperator("add", lambda number: number + 1).map(numbers.output)
        PythonOperator("join", sum, [add.output])
    return workflow


def waiting_for(key: str, callable_: object) -> Workflow:
    """An execution that goes on until it is stopped, with a task that starts on each event."""
    with Workflow(f"wait-{next(_numbers)}", completion="manual") as workflow:
        task = PythonOperator("t", callable_)  # type: ignore[arg-type]
        task.action_on_event_received(TaskAction.START, key)
    return workflow
